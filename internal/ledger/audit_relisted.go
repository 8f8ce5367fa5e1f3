package ledger

// relisting asks of what was listed again while the campaign ran that a person
// wanted it, and that nothing of it had been announced: what is dead or may be
// set is never listed otherwise. It is asked before the entry counts.
func (a *audit) relisting(index int64, e *Entry) {
	switch e.Event {
	case Relisted:
		if e.Actor == "" || e.Detail == "" {
			a.rep.add(index, "", "the campaign was listed again, and the entry does not say who asked for it, and why")
		}
		if a.closed == noIndex && !a.gap {
			a.rep.add(index, "", "listed again before the roll was closed")
		}
		a.relisted = true
		return
	case TakenUp, Added, Replaced:
	default:
		return
	}
	if !a.relisted && !a.gap {
		a.rep.add(index, e.Credential, "%s, and nobody had asked for another listing", e.Event)
	}
	if a.ended != noIndex {
		a.rep.add(index, e.Credential, "%s after the campaign was closed by entry %d", e.Event, a.ended)
	}
	was := a.state.Credential(e.Credential)
	switch {
	case e.Event == Added && was != nil:
		a.rep.add(index, e.Credential, "added, and it is on the roll already")
	case e.Event == Added:
	case was == nil && !a.gap:
		a.rep.add(index, e.Credential, "%s, and it is not on the roll", e.Event)
	case was != nil && !was.Untouched():
		a.rep.add(index, e.Credential, "%s, and it is dead, or a new value of it was announced before", e.Event)
	}
	if e.Event == Replaced {
		a.excluded++
	}
}
