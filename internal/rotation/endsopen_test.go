package rotation

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// full is a Vault to whose live paths nothing can be written: a quota, a full
// disk.
type full struct{ ended }

func (full) Activate(context.Context, credential.Path, vault.Live, credential.Secret, string) (vault.Live, error) {
	return vault.Live{}, mismatch("activate")
}

// A replica that is cut off, a door that is silent, a Vault that is full for a
// week: each night's campaign takes over what the one before had set, and ends
// open as well. What is in force is found in each of them, so the credential
// stays one that can be rotated, and its consumers have what logs in.
func TestHoweverManyCampaignsEndedOpenTheNextOneFindsWhatIsInForce(t *testing.T) {
	t.Parallel()
	const activates, cannotActivate, resetIsLost = 'a', 'v', 'l'
	for name, nights := range map[string]string{
		"each ends behind activate":             "aaaaaaaaaaa", // the numbers of attempts are no texts: 10 is after 9
		"nothing can be activated":              "vvvv",
		"the last one's reset never arrived":    "aaal",
		"nor did those of the two before":       "all",
		"what was never activated is in force":  "vvl",
		"and what was sent since never arrived": "vvll",
	} {
		for _, threshold := range []int{0, 3, 5} {
			if threshold == 3 && nights == "vvll" {
				continue // our own wrong logins leave no room: near-lock, until they are forgotten
			}
			t.Run(fmt.Sprintf("%s, %d failures lock", name, threshold), func(t *testing.T) {
				t.Parallel()
				r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: threshold}})
				c := r.credential(0)
				now := time.Now()
				night := func(n int, how rune) (done Applied) {
					keeps, late := how == resetIsLost, []func() error{}
					var store Store = ended{r.store}
					if how == cannotActivate {
						store = full{ended{r.store}}
					}
					for range 3 { // passes
						rot := r.rotator()
						rot.Authority = held{rot.Authority.(meddled), &keeps, &late}
						rot.Store, rot.Campaign, rot.Now = store, fmt.Sprint("campaign-", n), func() time.Time { return now }
						p := rot.Prepare(t.Context(), c)
						if done = (Applied{Applied: wire.Applied{Stop: p.Stop, Step: p.Step}}); p.Stop == nil {
							done = rot.Apply(t.Context(), c, p.Attempt, p.Fresh)
						}
						if done.Stop == nil || done.Stop.Reason != protocol.ReasonInterrupted {
							break
						}
					}
					now = now.Add(ownmount.LateFor + time.Second)
					return done
				}
				reads := func() bool { return r.logsIn(r.slapd, c.Name, r.store.live[c.Paths[0].String()].Value.Reveal()) }
				for n, how := range nights {
					done := night(n, how)
					if how == activates {
						require.True(t, done.Dead(), "night %d: %v", n, done.Stop)
						require.True(t, reads())
					}
				}
				last := night(len(nights), activates)
				require.True(t, last.Dead(), "%v", last.Stop)
				require.True(t, reads(), "what consumers read")
				require.False(t, r.logsIn(r.slapd, c.Name, r.accounts[0].Password))
			})
		}
	}
}
