package rotation

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
)

// callsAfter counts the calls of an Apply that follows Prepare after a while.
func callsAfter(t *testing.T, w *world, wait time.Duration, fresh bool) int {
	t.Helper()
	p := w.rotator().Prepare(context.Background(), w.cred)
	require.Nil(t, p.Stop)
	w.intents[p.Attempt] = true
	time.Sleep(wait) // synctest's clock
	before := w.calls
	a, ok := w.apply(p.Attempt, fresh)
	require.True(t, ok)
	require.True(t, a.Dead())
	return w.calls - before
}

func TestWhatPrepareSawIsNotAskedAgainForAMoment(t *testing.T) {
	for _, row := range []struct {
		name  string
		wait  time.Duration
		fresh bool
		kept  bool
		saved int
	}{
		{"straight after", 0, true, true, 3}, // the staged value, the live path, the account
		{"too long after", preparedTTL, true, true, 0},
		{"on a retry", 0, false, true, -1}, // which offers the staged value first
		{"in another process", 0, true, false, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				plain := callsAfter(t, newWorld(1, "P0"), 0, true)
				w := newWorld(1, "P0")
				w.cache = NewPreparedCache()
				if !row.kept {
					kept := w.cache
					t.Cleanup(func() { require.Equal(t, 1, kept.kept.Len()) })
					p := w.rotator().Prepare(context.Background(), w.cred)
					w.cache, w.intents[p.Attempt] = NewPreparedCache(), true
					before := w.calls
					a, _ := w.apply(p.Attempt, true)
					require.True(t, a.Dead())
					require.Equal(t, plain, w.calls-before)
					return
				}
				got := callsAfter(t, w, row.wait, row.fresh)
				if row.saved < 0 {
					require.Greater(t, got, plain)
				} else {
					require.Equal(t, plain-row.saved, got)
				}
				require.Zero(t, w.cache.kept.Len(), "nothing is kept of a credential that was applied")
			})
		})
	}
}

func TestAValueThatNobodyCameForIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, other := newWorld(1, "P0"), newWorld(1, "P1")
		other.cred.ID = "corp/another"
		w.cache = NewPreparedCache()
		other.cache = w.cache
		w.rotator().Prepare(context.Background(), w.cred)
		time.Sleep(preparedTTL)
		other.rotator().Prepare(context.Background(), other.cred)
		require.Equal(t, 1, w.cache.kept.Len())
		_, left := w.cache.take(us, w.cred.ID, 1, time.Now())
		require.False(t, left)
	})
}

// A value whose predecessor Vault never held is not offered before Set, so
// nothing would show that somebody else was quicker.
func TestWithoutAnOldValueNothingIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(1, "P0")
		w.secrets["kv/app"] = &kv{}
		w.cache = NewPreparedCache()
		w.rotator().Prepare(context.Background(), w.cred)
		require.Zero(t, w.cache.kept.Len())
	})
}

// What an earlier campaign left to hand over is no old value of a person.
func TestNothingIsRememberedOfAPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPerson()
		w.cache = NewPreparedCache()
		p := w.rotator().Prepare(context.Background(), w.cred)
		require.Nil(t, p.Stop)
		require.Zero(t, w.cache.kept.Len())
	})
}

// A batch is prepared side by side, and what its credentials go by was read at
// different moments before.
func TestWhatWasReadFirstNeedNotBeKeptFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, began := NewPreparedCache(), time.Now()
		time.Sleep(time.Second)
		for i, read := range []time.Duration{800, 300, 900, 100} {
			c.keep(us, fmt.Sprint(i), prepared{
				staged: ownmount.Staged{Attempt: 1, Old: map[string]credential.Secret{"kv/a#b": credential.NewSecret("P0")}},
				at:     began.Add(read * time.Millisecond),
			}, time.Now())
		}
		for i := range 4 {
			_, kept := c.take(us, fmt.Sprint(i), 1, time.Now())
			require.True(t, kept, i)
		}
	})
}
