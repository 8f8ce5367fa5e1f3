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

// SeenTo says for a terminal who sees to what is open, and until when: a line
// for each owner and time, the soonest first.
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
	return b.String()
}
