package rotation

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
)

// seeing is an authority that reads many accounts at once, of which it finds
// those in sees.
type seeing struct {
	*hand
	sees map[string]bool
}

func (s seeing) Accounts(ctx context.Context, server string, cs []credential.Credential) map[string]kind.Account {
	out := map[string]kind.Account{}
	for _, c := range cs {
		if a, err := s.Account(ctx, server, c); err == nil && s.sees[c.ID] {
			out[c.ID] = a
		}
	}
	return out
}

// callsOfPrepare looks up w's credential and another one, does what happens
// meanwhile, and counts the calls of the Prepare that follows.
func callsOfPrepare(t *testing.T, w *world, sees bool, meanwhile func()) (int, Prepared) {
	t.Helper()
	r := w.rotator()
	r.Authority = seeing{r.Authority.(*hand), map[string]bool{w.cred.ID: sees}}
	other := w.cred
	other.ID = "corp/another"
	r.LookUp(context.Background(), []credential.Credential{w.cred, other})
	meanwhile()
	before := w.calls
	p := r.Prepare(context.Background(), w.cred)
	return w.calls - before, p
}

func TestAnAccountThatWasLookedUpIsNotReadAgainForAMoment(t *testing.T) {
	for _, row := range []struct {
		name  string
		sees  bool
		wait  time.Duration
		saved int
	}{
		{"straight after", true, 0, 1},
		{"too long after", true, accountTTL, 0},
		{"not found in the look-up", false, 0, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				plain := newWorld(1, "P0")
				before := plain.calls
				require.Nil(t, plain.rotator().Prepare(context.Background(), plain.cred).Stop)
				calls, p := callsOfPrepare(t, newWorld(1, "P0"), row.sees, func() { time.Sleep(row.wait) })
				require.Nil(t, p.Stop)
				require.Equal(t, plain.calls-before-row.saved, calls)
			})
		})
	}
}

// What is handed to Apply is as old as the look-up, not as Prepare.
func TestTheHandCountsFromTheLookUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(1, "P0")
		w.cache = NewPreparedCache()
		at := time.Now()
		_, p := callsOfPrepare(t, w, true, func() { time.Sleep(accountTTL / 2) })
		require.Nil(t, p.Stop)
		_, kept := w.cache.take(us, w.cred.ID, p.Attempt, at.Add(preparedTTL))
		require.False(t, kept)
	})
}

func TestAnAccountThatWasLockedWhenLookedUpStaysOpen(t *testing.T) {
	w := newWorld(1, "P0")
	w.servers[0].entries[w.cred.Subject].state = protocol.Locked
	_, p := callsOfPrepare(t, w, true, func() {})
	require.Equal(t, protocol.ReasonLocked, p.Stop.Reason)
	require.Equal(t, protocol.Precheck, p.Step)
}

// Between the look-up and Set somebody may lock or reset the account: what
// was seen must cost neither the credential nor the truth.
func TestWhateverBecomesOfAnAccountAfterTheLookUpItIsNotLost(t *testing.T) {
	for name, meddle := range map[string]func(*entry){
		"locked": func(e *entry) { e.state = protocol.Locked },
		"reset":  func(e *entry) { e.replace("Q1", e.mark+"9", false) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(1, "P0")
			w.cache = NewPreparedCache()
			_, p := callsOfPrepare(t, w, true, func() { meddle(w.servers[0].entries[w.cred.Subject]) })
			require.Nil(t, p.Stop, "it is not read again")
			w.intents[p.Attempt] = true
			a, ok := w.apply(p.Attempt, p.Fresh)
			require.True(t, ok)
			if name == "locked" {
				require.False(t, a.Dead())
				require.Equal(t, protocol.ReasonLocked, a.Stop.Reason)
				return
			}
			require.True(t, a.Dead())
			require.Equal(t, elsewhere, codes(a.Findings))
		})
	}
}
