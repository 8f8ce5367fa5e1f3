package ledger

import (
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/plural"
)

// RulesNamed: beside what RulesContained says, what is listed says what logs
// call it (Entry.Logins).
const RulesNamed = 2

// RulesContained: the ledger says how the device is contained before anything
// is announced. Ledgers of builds before have lower rules, and stay what they
// were.
const RulesContained = 1

// ContainmentEntry says how the device is contained.
func ContainmentEntry(campaign string, c *credential.Containment, at time.Time) Entry {
	return Entry{ID: EntryID(campaign, "", "", DeviceContained), At: at, Campaign: campaign, Event: DeviceContained, Containment: c}
}

// againstContained is what speaks against a device that is contained, and so
// against a clean end: whoever was on it may have read what was set.
func againstContained(s *State) (out []string) {
	c := s.Containment
	switch {
	case c == nil && s.Rules < RulesContained:
		return nil // a build that did not ask
	case c == nil:
		return []string{"nothing says that the device is contained"}
	case c.How == "":
		out = append(out, "nobody says that the device is contained")
	}
	if n := len(c.Answers); n > 0 {
		out = append(out, "the device answered at "+plural.Count(n, "place", "places"))
	}
	if len(c.Against) > 0 {
		out = append(out, "the device may not be contained: "+strings.Join(c.Against, "; "))
	}
	if c.Override != "" {
		out = append(out, "a person went on although the device may not be contained")
	}
	return out
}

// containment asks of the entry what a person has to say, and for the order.
func (a *audit) containment(index int64, e *Entry) {
	c := e.Containment
	switch {
	case c == nil:
		a.rep.add(index, "", "the device was contained, and the entry does not say how")
		return
	case a.contained != noIndex:
		a.rep.add(index, "", "the device was contained a second time, first by entry %d", a.contained)
	case a.closed != noIndex || a.state.Len() > 0:
		a.rep.add(index, "", "the device was contained after the listing had begun")
	}
	a.contained = index
	if (c.Override == "") != (c.OverrideBy == "") {
		a.rep.add(index, "", "somebody went on although the device may not be contained, and the entry does not say who and why")
	}
	switch {
	case c.Override != "":
	case c.How == "":
		a.rep.add(index, "", "nobody says that the device is contained, and nobody is said to have gone on all the same")
	case !slices.Contains(credential.Hows(), string(c.How)) || c.At.IsZero() || c.By == "":
		a.rep.add(index, "", "the device was contained, and the entry does not say how, since when and who says so")
	case c.At.After(e.At):
		a.rep.add(index, "", "the device was contained later than the entry says so")
	case !c.Holds():
		a.rep.add(index, "", "the device was not contained, and nobody is said to have gone on all the same: %s", strings.Join(append(slices.Clone(c.Answers), c.Against...), "; "))
	case len(c.Named) > 0 && (len(c.Addresses) == 0 || len(c.Ports) == 0 || c.AskedAt.IsZero()):
		a.rep.add(index, "", "the device has addresses, and the entry does not say that they were asked")
	}
}

// uncontained asks, when something is announced for the first time, for the
// containment that stands before it.
func (a *audit) uncontained(index int64) {
	if a.state.Rules >= RulesContained && a.contained == noIndex && !a.gap {
		a.rep.add(index, "", "something was to be set, and nothing before it says that the device is contained")
	}
}
