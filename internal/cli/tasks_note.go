package cli

import (
	"fmt"
	"strings"

	"rollcall/internal/vault/ownmount"
)

// withoutValue refuses a note that holds what was handed over: the ledger is
// for outsiders. That it holds some other secret nobody can tell here.
func withoutValue(flag, note string, c ownmount.Card) error {
	if !c.Value.IsZero() && strings.Contains(note, c.Value.Reveal()) {
		return fmt.Errorf("%s holds the value that was handed over, and goes into the ledger: say it in other words; nothing was said", flag)
	}
	return nil
}
