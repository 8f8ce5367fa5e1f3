package rotation

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// twin is a process that works on the credential beside another one.
type twin struct {
	at   chan bool // true: about to call a server; false: finished
	turn chan struct{}
}

// interleave runs every work at once, one call at a time: who goes next is
// chosen among those that are about to call. It returns when all have finished.
func interleave(works []func(h *hand), w *world, choose func(ready []int) int) {
	twins := make([]twin, len(works))
	for i, work := range works {
		twins[i] = twin{make(chan bool), make(chan struct{})}
		go func() {
			work(&hand{w: w, turn: func() {
				twins[i].at <- true
				<-twins[i].turn
			}})
			twins[i].at <- false
		}()
	}
	var ready []int
	for i := range twins {
		if <-twins[i].at {
			ready = append(ready, i)
		}
	}
	for len(ready) > 0 {
		n := choose(ready)
		i := ready[n]
		w.note(fmt.Sprintf("twin %d:", i))
		twins[i].turn <- struct{}{}
		if !<-twins[i].at {
			ready = append(ready[:n:n], ready[n+1:]...)
		}
	}
}

// applyAs is an activity attempt: Apply with what Prepare said.
func applyAs(w *world, p Prepared, fresh bool, out *Applied) func(*hand) {
	return func(h *hand) { *out = w.as(h).Apply(context.Background(), w.cred, p.Attempt, fresh) }
}

// twinStories are the ones in which an attempt is not replaced by another: a
// twin halted right before Set for longer than that takes cannot be fenced.
func twinStories() []story {
	var out []story
	for _, s := range stories {
		if w := s.world(); len(w.binder.refuses) == 0 && !w.binder.safeModify && w.seenBy == "" {
			out = append(out, s)
		}
	}
	return out
}

// twinned prepares, then lets a slow attempt of Apply and the attempt that
// replaced it run at once; the latter's result counts and is cleaned up after
// while the slow one may still be at work. Then passes follow as usual.
func twinned(s story, choose func(ready []int) int) *world {
	w := s.world()
	w.twins = true
	w.upset = 1 // both offer the old value
	p := w.rotator().Prepare(context.Background(), w.cred)
	w.intents[p.Attempt] = true
	for _, srv := range w.servers {
		e := srv.entries[subject]
		e.proved, e.rejected, e.refused = false, map[string]bool{}, map[string]int{}
	}
	var slow, second Applied
	dead := false
	interleave([]func(*hand){
		applyAs(w, p, p.Fresh, &slow),
		func(h *hand) {
			applyAs(w, p, false, &second)(h)
			if second.Dead() {
				lost, err := w.as(h).Clean(context.Background(), w.cred, second.ToClean())
				dead = lost == nil && err == nil
			}
		},
	}, w, choose)
	if !dead {
		if _, dead = w.run(false); !dead {
			w.fail("it never came to an end")
		}
	}
	w.ended()
	return w
}

// TestASlowTwinNeverSpoilsARotation switches between the two at every pair of
// moments: one starts, the other interrupts it for any number of calls.
func TestASlowTwinNeverSpoilsARotation(t *testing.T) {
	for _, s := range twinStories() {
		const most = 24 // calls of an Apply and a Clean
		for first := range most {
			for second := range most {
				for starts := range 2 {
					synctest.Test(t, func(t *testing.T) {
						taken := 0
						w := twinned(s, func(ready []int) int {
							if len(ready) == 1 {
								return 0
							}
							taken++
							if taken <= first || taken > first+second {
								return starts
							}
							return 1 - starts
						})
						w.kept(t, fmt.Sprintf("%s: twin %d makes %d calls, then the other %d", s.name, starts, first, second))
					})
				}
			}
		}
	}
}

func TestNoInterleavingOfTwinsSpoilsARotation(t *testing.T) {
	all := twinStories()
	rapid.Check(t, func(r *rapid.T) {
		s := all[rapid.IntRange(0, len(all)-1).Draw(r, "story")]
		order := rapid.SliceOfN(rapid.IntRange(0, 1), 60, 60).Draw(r, "order")
		var w *world
		synctest.Test(t, func(*testing.T) {
			n := 0
			w = twinned(s, func(ready []int) int {
				n++
				return order[n%len(order)] % len(ready)
			})
		})
		if len(w.broken) > 0 {
			r.Fatalf("%s: %v\n%s", s.name, w.broken, w.story())
		}
	})
}

// TestTwoPreparesAtOnceStageOneValue also covers a Prepare whose lost twin
// staged in between.
func TestTwoPreparesAtOnceStageOneValue(t *testing.T) {
	for split := range 8 {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(1, "P0")
			var p [2]Prepared
			taken := 0
			interleave([]func(*hand){
				func(h *hand) { p[0] = w.as(h).Prepare(context.Background(), w.cred) },
				func(h *hand) { p[1] = w.as(h).Prepare(context.Background(), w.cred) },
			}, w, func(ready []int) int {
				taken++
				if taken <= split || len(ready) == 1 {
					return 0
				}
				return 1
			})
			require.Nil(t, p[0].Stop)
			require.Nil(t, p[1].Stop)
			require.False(t, p[0].Fresh && p[1].Fresh, "only one of them may believe that nobody has seen the value")
			require.Equal(t, 1, w.staging[w.cred.ID].Attempt)
			w.kept(t, "two at once")
		})
	}
}

// A slow attempt sees something in the secret for which nothing is set, and
// would note that no server has the value; the one that replaced it sees the
// secret put right, sets the value and is killed. Whatever moment the slow one
// stood still at, the value in force is not called unsent: the next campaign
// would know nothing of it.
func TestASlowTwinThatReadAnotherSecretCallsNoValueUnsentThatIsInForce(t *testing.T) {
	const most = 16 // calls of an Apply that stops before Set
	for first := range most {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(1, "P0")
			w.twins, w.upset = true, 1
			p := w.rotator().Prepare(context.Background(), w.cred)
			require.Nil(t, p.Stop)
			require.True(t, p.Fresh)
			w.intents[p.Attempt] = true
			s := w.secrets["kv/app"]
			w.strangerWrites(0, "P0")
			s.versions[len(s.versions)-1].fields["copy"] = "P0"
			taken := 0
			interleave([]func(*hand){
				func(h *hand) { w.as(h).Apply(context.Background(), w.cred, p.Attempt, p.Fresh) },
				func(h *hand) {
					r := w.as(h)
					r.Retried = true
					survives(func() { r.Apply(context.Background(), w.cred, p.Attempt, false) })
				},
			}, w, func(ready []int) int {
				switch taken++; {
				case len(ready) == 1 || taken <= first:
					return 0
				case w.afterSet == nil:
					w.strangerWrites(0, "P0")
					w.afterSet = func(w *world) { w.afterSet = func(*world) {}; panic(death{}) }
				}
				return 1
			})
			staged := w.staging[w.cred.ID]
			inForce := staged.Secret.Equal(secret(w.write().inForce()))
			require.False(t, staged.Unsent && inForce, "after %d calls: %s", first, w.story())
		})
	}
}
