package reach

import (
	"context"
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
)

const seenDetail = "an account of the roll may read what each account there is set to, this new value or its hash too, and whoever stole it may be logged in as it still: a reset ends no ticket and no connection; nothing was changed: its old value is good until that account has lost the right, or a person accepts it by name (rollcall accept-open). Take the right away first (the finding may-read-passwords says which), and this goes on by itself; give it back to another account"

// seenBy are the authorities of a batch, one at most, of which an account of
// the roll may read what the others are set to, and itself. Whether it is dead
// says nothing of that: what was logged in with its old password reads on. So
// the right is looked at anew, in one search for a batch, and where it is not
// shown it is there.
func (l *Logins) seenBy(ctx context.Context, b Batch, cs []credential.Credential) (map[string]bool, error) {
	// A campaign that began with workers of before names them among its logins
	// alone.
	var here []credential.Credential
	for _, c := range slices.Concat(b.Readers, b.Logins) {
		if c.ReadsOthers && c.Authority == b.Authority {
			here = append(here, c)
		}
	}
	if len(here) == 0 {
		return nil, nil
	}
	authority, err := l.kinds.Authority(b.Spec, b.Authority, b.Kind)
	if err != nil {
		return nil, err
	}
	asks, ok := kind.As[kind.Readable](authority)
	if !ok {
		return map[string]bool{b.Authority: true}, nil
	}
	still, err := asks.StillRead(ctx, here, cs)
	return map[string]bool{b.Authority: err != nil || slices.ContainsFunc(here, func(c credential.Credential) bool { return still[c.ID] })}, nil
}
