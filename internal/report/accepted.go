package report

import (
	"fmt"
	"strings"

	"rollcall/internal/ledger"
)

// acceptedText names the logins to Vault that a person accepted as open:
// whoever has one may have read new values.
func acceptedText(b *strings.Builder, s *ledger.State, width int) {
	if len(s.Accepted) == 0 {
		return
	}
	b.WriteString("\nAccepted as open by a person: a weaker result\n")
	for _, l := range s.Accepted {
		b.WriteString(Wrap(Clean(l.Name), "  ", width))
		b.WriteString(Wrap(Clean(fmt.Sprintf("by %s at %s, because: %s", l.Actor, clock(l.At), l.Reason)), "    ", width))
		b.WriteString(Wrap(acceptedWords, "    ", width))
	}
}

const acceptedWords = "New values were written where this login could read them while it was not dead. Whoever stole it may have them: count them as stolen, and run again once it is dead."

// AcceptedWords says how much weaker the result is.
func (pageData) AcceptedWords() string { return acceptedWords }

// leftOpen says who left something open, why, and who sees to it.
func leftOpen(a *ledger.Acceptance) string {
	text := fmt.Sprintf("accepted as open by %s at %s, because: %s; owner %s", a.Actor, clock(a.At), a.Reason, a.Owner)
	if !a.Due.IsZero() {
		text += ", until " + clock(a.Due)
	}
	return text
}
