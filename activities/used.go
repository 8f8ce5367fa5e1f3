package activities

import (
	"context"
	"sync"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/listing"
)

const (
	// usedTTL is how long a look serves at which accounts Vault itself works
	// with: a batch and those beside it share one.
	usedTTL = 5 * time.Second
	// usedShare bounds what the looks cost where Vault keeps the passwords of
	// thousands: a look serves that many times as long as it took.
	usedShare = 20
)

// used is the last look at one authority, and whoever needs one waits for it.
type used struct {
	mu   sync.Mutex
	by   map[string][]credential.Problem
	till time.Time
}

// usedByVault are the accounts of an authority that must not be set, because
// Vault itself works with them by now: somebody may have given it one since the
// roll was listed, and with a new password its logins, or what reads the
// password there, would be cut off.
func (r *Rotation) usedByVault(spec *config.Campaign, campaign, name string) func(context.Context) (map[string][]credential.Problem, error) {
	if spec.Authority(name) == nil {
		return nil // Vault's own
	}
	v, _ := r.uses.LoadOrStore([2]string{campaign, name}, &used{})
	u := v.(*used)
	return func(ctx context.Context) (map[string][]credential.Problem, error) {
		u.mu.Lock()
		defer u.mu.Unlock()
		began := time.Now()
		if u.by != nil && began.Before(u.till) {
			return u.by, nil
		}
		by, err := listing.UsedByVault(ctx, r.Store, r.Kinds, spec, name)
		if err != nil {
			return nil, err
		}
		u.by, u.till = by, began.Add(max(usedTTL, usedShare*time.Since(began)))
		return by, nil
	}
}
