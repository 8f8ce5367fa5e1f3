package report

import (
	"fmt"
	"slices"
	"strings"

	"rollcall/internal/ledger"
)

// leftOut is a server or door that a person left out, and what it cost.
type leftOut struct {
	ledger.LeftOutServer
	Dead int // credentials that are dead without it
}

func leftOutOf(s *ledger.State) []leftOut {
	var out []leftOut
	for _, l := range s.LeftOut {
		n := 0
		for line := range s.All() {
			without := line.Authority == l.Authority && slices.Contains(line.LeftOut, l.Server)
			if l.Door {
				without = slices.Contains(line.DoorsLeftOut, l.Server)
			}
			if line.Outcome == ledger.Dead && without {
				n++
			}
		}
		out = append(out, leftOut{l, n})
	}
	return out
}

// Words says how much weaker the result is.
func (l leftOut) Words() string {
	if l.Dead == 0 {
		return "No credential died without it."
	}
	if l.Door {
		return Plural(l.Dead, "credential is", "credentials are") + " dead without it. Nobody has seen the stolen values refused there: count them as good at this door until its machine is destroyed, or another campaign has asked it."
	}
	return Plural(l.Dead, "credential is", "credentials are") + " dead on the other servers only. Nobody has seen the stolen values refused on this one: count them as good there until it is destroyed, or another campaign has asked it."
}

// shareOf says on how many servers of its authority a credential is dead: "1 of
// 2 servers".
func shareOf(l *ledger.CredentialState) string {
	asked := len(l.Evidence)
	return fmt.Sprintf("%d of %s", asked, Plural(asked+len(l.LeftOut), "server", "servers"))
}

func leftOutText(b *strings.Builder, s *ledger.State, width int) {
	all := leftOutOf(s)
	if len(all) == 0 {
		return
	}
	b.WriteString("\nLeft out by a person: a weaker result\n")
	for _, l := range all {
		b.WriteString(Wrap(Clean(l.Place()), "  ", width))
		b.WriteString(Wrap(Clean(fmt.Sprintf("by %s at %s, because: %s", l.Actor, clock(l.At), l.Reason)), "    ", width))
		b.WriteString(Wrap(l.Words(), "    ", width))
	}
	n := 0
	for l := range s.All() {
		if l.Outcome != ledger.Dead || len(l.LeftOut) == 0 {
			continue
		}
		if n++; n <= named {
			b.WriteString(Wrap("dead on "+shareOf(l)+": "+nameOf(l), "    ", width))
		}
	}
	more(b, "    ", n)
}
