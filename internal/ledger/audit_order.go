package ledger

// ahead is an entry that claims something of a credential before it is listed.
type ahead struct {
	index int64
	event Event
}

// start asks that a campaign is started once: who starts it says which servers
// a death has to be proved on.
func (a *audit) start(index int64) {
	if a.started != noIndex {
		a.rep.add(index, "", "the campaign was started a second time: entry %d started it", a.started)
		return
	}
	a.started = index
}

// unlisted notes what is claimed of a credential that is not on the roll. That
// it stood open, or was given up, claims nothing.
func (a *audit) unlisted(index int64, e *Entry) {
	if _, had := a.ahead[e.Credential]; had || a.gap || e.Event == EventOpen || e.Event == Exception {
		return
	}
	a.ahead[e.Credential] = ahead{index, e.Event}
}

// late is about what was listed after something was claimed of it: by then the
// ledger did not say what was to be asked. Of what was never listed more is
// said elsewhere.
func (a *audit) late() {
	for cred, x := range a.ahead {
		if a.state.Credential(cred) != nil {
			a.rep.add(x.index, cred, "%s before it was listed, or after it was taken off the roll", x.event)
		}
	}
}
