package vaultlogin

import (
	"context"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
)

const (
	inFlightLeast = 250 * time.Millisecond
	maxInFlight   = 20 * time.Second
	// unmeasured is what a login is taken to need at a mount at which ours was
	// not good.
	unmeasured = time.Second
	// slower is how many times as long as ours a login may take that was on its
	// way.
	slower = 3
)

// inFlight is how long a login to Vault may take of which the directory took
// the old password just before it was changed: groups are looked up, then the
// token is stored. That is some 10 ms on 1.21 beside its directory, and seconds
// where that looks through nested groups, so a login of ours is the measure.
func (au *Authority) inFlight(ctx context.Context, a kind.Account, new credential.Secret) time.Duration {
	longest := time.Duration(0)
	for _, l := range a.Logins {
		if l.Plain {
			continue
		}
		took, ok := au.known(l.Mount)
		if !ok {
			if _, end, err := au.logIn(ctx, l, new); err == nil {
				end()
			}
			if took, ok = au.known(l.Mount); !ok {
				took = unmeasured
			}
		}
		longest = max(longest, took)
	}
	return min(maxInFlight, max(inFlightLeast, slower*longest))
}

func (au *Authority) known(mount string) (time.Duration, bool) {
	au.mu.Lock()
	defer au.mu.Unlock()
	took, ok := au.took[mount]
	return took, ok
}

// measured keeps the longest of the last few.
func (au *Authority) measured(mount string, took time.Duration) {
	au.mu.Lock()
	defer au.mu.Unlock()
	if au.took == nil {
		au.took = map[string]time.Duration{}
	}
	au.took[mount] = max(took, au.took[mount]/2)
}
