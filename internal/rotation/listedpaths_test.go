package rotation

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

func TestWhatTheListingReadIsNotReadAgainForAMoment(t *testing.T) {
	for _, row := range []struct {
		name  string
		does  func(w *world)
		reads int
	}{
		{"straight after", func(*world) {}, 0},
		{"too long after", func(*world) { time.Sleep(pathTTL) }, 1}, // synctest's clock
		{"by another campaign", func(w *world) { w.listedBy("campaign-9", w.pathNow()) }, 1},
		{"a value that is odd", func(w *world) {
			l := w.pathNow()
			l.Problem = credential.NotBare
			w.listedBy(us, l)
		}, 1},
		{"nothing was there", func(w *world) { w.listedBy(us, vault.Live{}) }, 1},
		{"by no process of ours", func(w *world) { w.cache = nil }, 1},
		{"in a later pass", func(*world) {}, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := plain().wasListed()
				row.does(w)
				r := w.rotator()
				if row.name == "in a later pass" {
					r.Pass = 2
				}
				reads := &readsLive{Store: r.Store}
				r.Store = reads
				require.Nil(t, r.Prepare(context.Background(), w.cred).Stop)
				require.Equal(t, row.reads, reads.n)
				// It is taken over once.
				require.Nil(t, w.rotator().Prepare(context.Background(), w.cred).Stop)
				if w.cache != nil {
					_, left := w.cache.takeListed(us, w.cred.Paths[0], time.Now())
					require.False(t, left)
				}
			})
		})
	}
}

// What is as old as a look may be is older than that when it comes to Apply.
func TestWhatTheListingReadIsNoOlderInApplyThanWhatPrepareRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := plain().wasListed()
		time.Sleep(pathTTL - time.Second)
		p := w.rotator().Prepare(context.Background(), w.cred)
		require.Nil(t, p.Stop)
		time.Sleep(preparedTTL - pathTTL + time.Second)
		_, kept := w.cache.take(us, w.cred.ID, p.Attempt, time.Now())
		require.False(t, kept, "30 seconds after it was read")
	})
}

func TestWhatTheListingReadAndNobodyCameForIsForgotten(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		w := plain().wasListed()
		w.cache.ForgetListed(time.Now())
		require.Equal(t, 1, w.cache.paths.Len())
		time.Sleep(pathTTL)
		w.cache.ForgetListed(time.Now())
		require.Zero(t, w.cache.paths.Len())
	})
}

// Somebody rotated it, properly and by himself, after it was listed.
func TestWhatSomebodyWroteAfterTheListingIsReadBeforeAnythingIsSet(t *testing.T) {
	for name, then := range map[string]func(w *world){
		"a path of one":            func(w *world) { w.strangerWrites(0, "X") },
		"the first path of two":    func(w *world) { w.strangerWrites(0, "X"); w.strangerWrites(1, "X") },
		"and the second path only": func(w *world) { w.strangerWrites(1, "X") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(1, "P0")
				if name != "a path of one" {
					w.addPath("second", "P0")
				}
				w.wasListed()
				w.strangerSets("X")
				w.stolen = append(w.stolen, "X")
				then(w)
				sets := w.write().inForce()
				p := w.rotator().Prepare(context.Background(), w.cred)
				require.Nil(t, p.Stop)
				w.intents[p.Attempt] = true
				a, ok := w.apply(p.Attempt, p.Fresh)
				require.True(t, ok)
				require.False(t, a.Dead())
				require.Equal(t, protocol.ReasonInterrupted, a.Stop.Reason)
				require.True(t, a.Stop.Reason.Immediate(), "the next pass does not wait")
				require.Equal(t, sets, w.write().inForce(), "nothing was set")

				a, dead := w.run(false)
				require.True(t, dead)
				require.Equal(t, protocol.ProofBind, a.Proof, "the value that was in force is known")
				for _, f := range a.Findings {
					require.NotEqual(t, credential.FindingChangedBefore, f.Code)
				}
				require.Empty(t, w.broken)
			})
		})
	}
}

// A field beside it was written: the account accepts what was listed, and
// Activate keeps the other field.
func TestAnotherFieldThatWasWrittenAfterTheListingIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := plain().wasListed()
		w.strangerWrites(0, "P0")
		a, dead := w.run(false)
		require.True(t, dead)
		require.Equal(t, protocol.ProofBind, a.Proof)
		require.Empty(t, w.broken)
	})
}

// Another field of the secret was: an account beside it was rotated just now.
func TestWhatTheListingReadStandsWhereAnotherFieldWasWrittenSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(1, "P0")
		w.addPath("second", "stale")
		w.wasListed()
		w.strangerWrites(1, "stale")
		p := w.rotator().Prepare(context.Background(), w.cred)
		require.Nil(t, p.Stop)
		w.intents[p.Attempt] = true
		a, ok := w.apply(p.Attempt, p.Fresh)
		require.True(t, ok)
		require.Nil(t, a.Stop)
		require.True(t, a.Dead())
	})
}

func (w *world) pathNow() vault.Live { return w.readLive(w.cred.Paths[0], 0) }

// listedBy forgets what was listed, and has the path listed by a campaign.
func (w *world) listedBy(campaign string, l vault.Live) {
	w.cache = NewPreparedCache()
	w.cache.Listed(campaign, w.cred.Paths[0], l, time.Now())
}

// readsLive counts reads of paths.
type readsLive struct {
	Store
	n int
}

func (r *readsLive) ReadLive(ctx context.Context, p credential.Path, version int) (vault.Live, error) {
	r.n++
	return r.Store.ReadLive(ctx, p, version)
}
