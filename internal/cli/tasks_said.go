package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"rollcall/internal/ledger"
	"rollcall/internal/people"
	"rollcall/internal/vault/ownmount"
)

// newWord refuses what is said already, and what would change nothing: a word
// cannot be taken back, so it is not written first. Where neither the ledger
// nor Vault shows what was said before, it is the campaign that judges.
func (a *app) newWord(ctx context.Context, s *ownmount.Store, me string, c ownmount.Card, st people.Statement) error {
	if why := st.Malformed(); why != "" {
		return fmt.Errorf("cannot say that: %s; nothing was said", why)
	}
	if err := saidBefore(a.lineHere(ctx, c), c, st); err != nil {
		return err
	}
	if st.Does == people.Reassign {
		self, err := s.Myself(ctx, me)
		if err != nil {
			return err
		}
		if self != nil && self.Called(st.To) {
			return fmt.Errorf("%s is yourself: what is yours stays yours, and nobody takes what is another's himself; whoever has it, or another person, gives it to you. Nothing was said", st.To)
		}
	}
	own, err := s.OwnWords(ctx, me, c.Campaign, c.Credential)
	if err != nil {
		return err
	}
	for _, was := range own {
		// What was said before the card was written is about what was handed
		// over before.
		if !c.Written.IsZero() && was.At.After(c.Written) && was.Does == st.Does && strings.EqualFold(was.End, st.End) && was.To == st.To {
			return fmt.Errorf("you said so already, at %s: %s; nothing was said again. `rollcall tasks list` where the ledger is says what it came to; if it counts for nothing for a reason that is over, it counts as it stands", was.At.UTC().Format(time.RFC3339), whatOf(c, st))
		}
	}
	return nil
}

// lineHere is a task as the ledger has it; nil where that is not here, or is of
// another campaign.
func (a *app) lineHere(ctx context.Context, c ownmount.Card) *ledger.Task {
	state := a.ledgerHere(ctx)
	if state == nil || state.Campaign != c.Campaign {
		return nil
	}
	l := state.Credential(c.Credential)
	if l == nil {
		return nil
	}
	return l.Task
}

// saidBefore says that the ledger has it already.
func saidBefore(t *ledger.Task, c ownmount.Card, st people.Statement) error {
	if t == nil {
		return nil
	}
	switch {
	case st.Does == people.Renew && !t.Make:
		return fmt.Errorf("%s: Rollcall made no value for it, so it can make no other one; nothing was said", c.Name)
	case st.Does != people.Reassign && t.Renewing:
		return fmt.Errorf("%s: somebody said that its value is not to be used, and another one is on its way; nothing was said", c.Name)
	}
	if end := t.End(st.End); end != nil && end.Done != nil && st.Does != people.Renew {
		return fmt.Errorf("%s is done already: %s said so at %s; nothing was said", whatOf(c, st), end.Done.Name, end.Done.At.UTC().Format(time.RFC3339))
	}
	if st.Does != people.Reassign {
		return nil
	}
	left := slices.DeleteFunc(slices.Clone(t.Ends), func(e ledger.TaskEnd) bool {
		return e.Done != nil || st.End != "" && !strings.EqualFold(e.End, st.End)
	})
	if len(left) > 0 && !slices.ContainsFunc(left, func(e ledger.TaskEnd) bool { return !strings.EqualFold(e.Owner, st.To) }) {
		return fmt.Errorf("%s: %s sees to it already; nothing was said", whatOf(c, st), st.To)
	}
	return nil
}

func whatOf(c ownmount.Card, st people.Statement) string {
	if st.End == "" {
		return c.Name
	}
	return c.Name + ", " + st.End
}

// endsSaid are the ends of a card, each with what its owner has said of it and
// nobody has taken up yet.
func endsSaid(ctx context.Context, s *ownmount.Store, me string, c ownmount.Card) ([]string, error) {
	own, err := s.OwnWords(ctx, me, c.Campaign, c.Credential)
	if err != nil {
		return nil, err
	}
	ends := slices.Clone(c.Ends)
	for i, end := range ends {
		for _, was := range own {
			if was.Does == people.Done && strings.EqualFold(was.End, end) && was.At.After(c.Written) {
				ends[i] = fmt.Sprintf("%s (you said done at %s; the campaign has not taken it up yet)", end, was.At.UTC().Format(time.RFC3339))
			}
		}
	}
	return ends, nil
}
