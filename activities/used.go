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

// listedTTL is how long at most the listing serves as such a look: where it is
// long it is so for the accounts, not for Vault's places.
const listedTTL = time.Minute

// listedNow has the listing of a campaign serve as the first look, for as long
// as a look of its length does: it asked the same, of all of Vault's places,
// and marked on the roll what it found.
func (r *Rotation) listedNow(spec *config.Campaign, campaign string, began time.Time) {
	till := began.Add(min(listedTTL, max(usedTTL, usedShare*time.Since(began))))
	for _, name := range spec.Authorities() {
		r.uses.LoadOrStore([2]string{campaign, name}, &used{by: map[string][]credential.Problem{}, till: till})
	}
}

// hindered are the accounts of an authority that must not be set, because
// Vault itself works with them by now, or its own servers do: somebody may have
// given them one since the roll was listed, and with a new password their
// logins, or what reads the password there, would be cut off.
func (r *Rotation) hindered(spec *config.Campaign, campaign, name string) func(context.Context) (map[string][]credential.Problem, error) {
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
		by, err := listing.Hindered(ctx, r.Store, r.Kinds, spec, name)
		if err != nil {
			return nil, err
		}
		u.by, u.till = by, began.Add(max(usedTTL, usedShare*time.Since(began)))
		return by, nil
	}
}
