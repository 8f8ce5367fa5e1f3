package listing

import (
	"context"
	"sync"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/kind/registry"
	"rollcall/internal/vault/ownmount"
)

const (
	// usedTTL is how long a look serves at which accounts Vault itself works
	// with: a batch and those beside it share one.
	usedTTL = 5 * time.Second
	// usedShare bounds what the looks cost where Vault keeps the passwords of
	// thousands: a look serves that many times as long as it took.
	usedShare = 20
	// listedTTL is how long at most the listing serves as such a look: where it
	// is long it is so for the accounts, not for Vault's places.
	listedTTL = time.Minute
)

// Uses remembers the last look at each authority for accounts that others work
// with. Safe for concurrent use.
type Uses struct {
	store *ownmount.Store
	kinds *registry.Registry
	looks sync.Map // campaign and authority -> *use
}

// NewUses gives those of one worker process.
func NewUses(store *ownmount.Store, kinds *registry.Registry) *Uses {
	return &Uses{store: store, kinds: kinds}
}

// use is the last look at one authority, and whoever needs one waits for it.
type use struct {
	mu   sync.Mutex
	by   map[string][]credential.Problem
	till time.Time
}

// Listed has the listing of a campaign serve as the first look, for as long as
// a look of its length does: it asked the same, of all of Vault's places, and
// marked on the roll what it found.
func (u *Uses) Listed(spec *config.Campaign, campaign string, began time.Time) {
	till := began.Add(min(listedTTL, max(usedTTL, usedShare*time.Since(began))))
	for _, name := range spec.Authorities() {
		u.looks.LoadOrStore([2]string{campaign, name}, &use{by: map[string][]credential.Problem{}, till: till})
	}
}

// Hindering are the accounts of an authority that must not be set, because
// Vault itself works with them by now, or its own servers do: somebody may have
// given them one since the roll was listed, and with a new password their
// logins, or what reads the password there, would be cut off. It is nil for
// Vault's own.
func (u *Uses) Hindering(spec *config.Campaign, campaign, name string) func(context.Context) (map[string][]credential.Problem, error) {
	if spec.Authority(name) == nil {
		return nil
	}
	v, _ := u.looks.LoadOrStore([2]string{campaign, name}, &use{})
	last := v.(*use)
	return func(ctx context.Context) (map[string][]credential.Problem, error) {
		last.mu.Lock()
		defer last.mu.Unlock()
		began := time.Now()
		if last.by != nil && began.Before(last.till) {
			return last.by, nil
		}
		by, err := Hindered(ctx, u.store, u.kinds, spec, name)
		if err != nil {
			return nil, err
		}
		last.by, last.till = by, began.Add(max(usedTTL, usedShare*time.Since(began)))
		return by, nil
	}
}
