package rotation

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// held is a network that keeps resets, and brings them later.
type held struct {
	meddled
	keeps *bool
	late  *[]func() error
}

func (h held) Set(ctx context.Context, a kind.Account, next, old credential.Secret) error {
	if !*h.keeps {
		return h.meddled.Set(ctx, a, next, old)
	}
	*h.late = append(*h.late, func() error { return h.meddled.Set(context.WithoutCancel(ctx), a, next, old) })
	return &protocol.Stop{Reason: protocol.ReasonUnreachable, Server: h.Servers()[0], Detail: "no answer within 10s"}
}

// ended is a Vault in which the campaign before has ended.
type ended struct{ *shelf }

func (ended) CampaignReleased(context.Context, string) (bool, time.Time, error) {
	return true, time.Time{}, nil
}

// A reset that the network delivers late must not bring back a value that lies
// nowhere any more.
func TestAResetWithoutAnAnswerKeepsItsValueWhileItMayStillArrive(t *testing.T) {
	t.Parallel()
	for name, arrives := range map[string]bool{"it arrives": true, "it never arrives": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReal(t, lab.SlapdOptions{})
			c := r.credential(0)
			keeps, late, now := true, []func() error{}, time.Now()
			step := func(campaign string) Applied {
				rot := r.rotator()
				rot.Authority = held{rot.Authority.(meddled), &keeps, &late}
				rot.Store, rot.Campaign, rot.Now = ended{r.store}, campaign, func() time.Time { return now }
				p := rot.Prepare(t.Context(), c)
				if p.Stop != nil {
					return Applied{Applied: wire.Applied{Stop: p.Stop, Step: p.Step}}
				}
				a := rot.Apply(t.Context(), c, p.Attempt, p.Fresh)
				if a.Dead() {
					_, err := rot.Clean(t.Context(), c, a.ToClean())
					require.NoError(t, err)
				}
				return a
			}
			a := step(us)
			require.Equal(t, protocol.ReasonUnreachable, a.Stop.Reason)
			sent := r.store.staged[c.ID]
			require.False(t, sent.Late.IsZero())
			keeps = false

			// The next campaign comes at once.
			b := step("esg-01/next")
			require.Equal(t, protocol.ReasonUnreachable, b.Stop.Reason)
			require.Contains(t, b.Stop.Detail, "may still arrive")
			require.WithinDuration(t, now.Add(lateFor), b.Stop.Until, 2*time.Second)
			require.True(t, r.store.staged[c.ID].Secret.Equal(sent.Secret), "it is kept")
			if arrives {
				require.NoError(t, late[0]())
			}
			now = now.Add(lateFor + time.Second)
			for range 3 {
				if b = step("esg-01/next"); b.Dead() {
					break
				}
			}
			require.True(t, b.Dead(), "%+v", b.Stop)
			live := r.store.live[c.Paths[0].String()].Value
			require.True(t, r.logsIn(r.slapd, c.Name, live.Reveal()))
			require.False(t, r.logsIn(r.slapd, c.Name, sent.Secret.Reveal()))
			require.False(t, r.logsIn(r.slapd, c.Name, r.accounts[0].Password))
		})
	}
}

func TestAResetIsNotSentOnWhatWasSeenBeforeTheMachineStoodStill(t *testing.T) {
	require.False(t, stoodStill(time.Second, time.Second))
	require.False(t, stoodStill(-time.Hour, time.Second), "a clock that was set back")
	require.True(t, stoodStill(time.Hour, time.Second))
}
