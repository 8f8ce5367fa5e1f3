package report

import (
	"fmt"
	"slices"
	"strings"

	"rollcall/internal/ledger"
)

// listedOwner says who sees to a credential if it stays open, and until when,
// as it was listed; nothing where nobody says.
func listedOwner(l *ledger.CredentialState) (facts []string) {
	if l.Owner != "" {
		facts = append(facts, "owner "+l.Owner)
	}
	if !l.Due.IsZero() {
		facts = append(facts, "due "+clock(l.Due))
	}
	return facts
}

// unowned says of how much that is open nobody is named who sees to it, and how
// somebody is; empty where there is none.
func unowned(s *ledger.State) string {
	n := 0
	for l := range s.NotDead() {
		if at := standingOf(l); at != open && at != exception {
			continue
		}
		if owner, _ := seenToBy(s, l); owner == "" {
			n++
		}
	}
	switch {
	case n == 0:
		return ""
	case s.ClosedAt.IsZero():
		return fmt.Sprintf("Nobody sees to %d of what is open: `rollcall close --owner NAME --reason WHY` names somebody, and ends the campaign.", n)
	}
	return fmt.Sprintf("Nobody sees to %d of what is open, and nothing is added to a record after its end: name somebody by open: {owner: …} in the campaign file, or by owner in the custom_metadata of a secret, for the record of the next campaign.", n)
}

// SeenTo says for a terminal who sees to what is open, and until when: a line
// for each owner and time, the soonest first, and of how much nobody does.
func SeenTo(s *ledger.State, width int) string {
	type who struct{ due, owner string }
	n := map[who]int{}
	var all []who
	for l := range s.NotDead() {
		if at := standingOf(l); at != open && at != exception {
			continue
		}
		owner, due := seenToBy(s, l)
		if owner == "" && due.IsZero() {
			continue
		}
		w := who{"", owner}
		if !due.IsZero() {
			w.due = clock(due)
		}
		if n[w]++; n[w] == 1 {
			all = append(all, w)
		}
	}
	slices.SortFunc(all, func(a, b who) int { return strings.Compare(a.due+"\x00"+a.owner, b.due+"\x00"+b.owner) })
	var b strings.Builder
	for _, w := range all {
		line := fmt.Sprintf("%d open", n[w])
		if w.owner != "" {
			line += ", owner " + w.owner
		}
		if w.due != "" {
			line += ", due " + w.due
		}
		b.WriteString(Wrap(Clean(line), "", width))
	}
	if line := unowned(s); line != "" {
		b.WriteString(Wrap(line, "", width))
	}
	return b.String()
}
