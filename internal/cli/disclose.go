package cli

import (
	"context"
	"fmt"

	"rollcall/internal/credential"
	"rollcall/internal/inventory"
)

// discloses refuses a text of a person that gives a secret away by its form:
// the ledger is for outsiders. The text is not repeated.
func discloses(flag, text string) error {
	if what := credential.Discloses(text); what != "" {
		return fmt.Errorf("%s holds %s, and goes into the ledger: say it in other words, and change that secret; nothing was changed", flag, what)
	}
	return nil
}

// holdsValue refuses one that holds a value of the running campaign, as far as
// this login may read them, before Temporal has the text.
func (s *session) holdsValue(ctx context.Context, flag, text string) error {
	if err := discloses(flag, text); err != nil {
		return err
	}
	if text == "" {
		return nil
	}
	running, err := s.running(ctx)
	if err != nil || running == nil {
		return nil // the request itself says so
	}
	holds, err := inventory.HoldsValue(ctx, s.store, running.Campaign, text)
	return refuseHeld(flag, holds, err)
}

func refuseHeld(flag string, holds bool, err error) error {
	switch {
	case err != nil:
		return fmt.Errorf("whether %s holds a secret was not seen: %w; nothing was changed", flag, err)
	case holds:
		return fmt.Errorf("%s holds, as a word of its own, the secret of a credential, and goes into the ledger: say it in other words; nothing was changed", flag)
	}
	return nil
}
