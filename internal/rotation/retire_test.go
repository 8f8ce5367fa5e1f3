package rotation

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/protocol"
)

// slow has two servers that accept the value before the one in force as well;
// what the first is told gets to the second after the lag.
func slow(lag time.Duration) *world {
	w := newWorld(2, "P0")
	w.grace = true
	w.servers[1].lag = lag
	return w
}

// did counts the calls of a name.
func (w *world) did(name string) (n int) {
	for _, s := range w.trace {
		if strings.HasPrefix(s.what, name) {
			n++
		}
	}
	return n
}

func TestAServerThatIsSlowerThanThePassesIsNotMadeToWaitForAnotherChangeByEachOfThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := slow(5*pause - time.Second)
		for range 5 {
			a, dead := w.pass(false)
			require.False(t, dead)
			require.Equal(t, protocol.ReasonLagging, a.Stop.Reason, w.story())
			require.Equal(t, w.servers[1].name, a.Stop.Server)
			<-time.After(pause)
		}
		a, dead := w.pass(false)
		require.True(t, dead, "the change has arrived: %s", w.story())
		require.Equal(t, []int{2}, a.To)
		require.Equal(t, 1, w.did("retire"), w.story())
		require.Equal(t, 1, w.did("restage"), "an unchanged mark is written once")
		require.Equal(t, 3, w.marks, "set, and the two resets of one Retire")
		w.ended()
		w.kept(t, "slow")
	})
}

func TestWhatEndsInOnePassLeavesNoMarkInVault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := slow(0)
		w.rotate(t, false, "at once")
		require.Zero(t, w.did("restage"), w.story())
	})
}

// Ours is accepted beside theirs for a while, so that only the mark tells.
func TestWhatSomebodySetsBetweenTwoPassesIsRetiredToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := slow(pause / 2)
		_, dead := w.pass(false)
		require.False(t, dead)
		w.strangerSets("X")
		require.True(t, w.write().accepts("S1", true))
		<-time.After(pause)
		w.rotate(t, false, "set between two passes")
		require.Equal(t, 2, w.did("retire"), w.story())
		for _, s := range w.servers {
			require.Equal(t, "S1", s.entries[subject].inForce())
		}
	})
}

// Killed or cut off at any call of the pass that finds the server lagging, it
// costs at most one more change.
func TestALostMarkCostsOneMoreChange(t *testing.T) {
	calls := 0
	synctest.Test(t, func(t *testing.T) {
		w := slow(pause / 2)
		w.pass(false)
		calls = w.calls
	})
	for at := 1; at <= calls; at++ {
		for _, f := range allFaults {
			synctest.Test(t, func(t *testing.T) {
				w := slow(pause / 2)
				w.faults[at] = f
				w.rotate(t, false, f.String())
				require.LessOrEqual(t, w.did("retire"), 2, "call %d: %s\n%s", at, f, w.story())
			})
		}
	}
}

// A server that does not replicate and on which somebody else set the password:
// its mark is later than the write server's.
func TestASecretThatSomebodySetOnACutOffServerIsNeitherDeadNorGuessedAt(t *testing.T) {
	for name, resolve := range map[string]func(*world){
		"theirs prevails": func(w *world) { w.servers[0].entries[subject].replace("X", w.servers[1].entries[subject].mark, false) },
		"ours prevails": func(w *world) {
			near := w.servers[0].entries[subject]
			for _, value := range near.history[1:] {
				w.servers[1].entries[subject].replace(value, near.mark, false)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := slow(0)
				w.maxFails = 3
				w.servers[1].paused = time.Now().Add(24 * time.Hour)
				w.pass(false)
				w.theirs["X"] = true
				w.servers[1].entries[subject].replace("X", "t9", false)
				for range 6 {
					a, dead := w.pass(false)
					require.False(t, dead)
					require.Equal(t, protocol.ReasonNewRefused, a.Stop.Reason, w.story())
					require.Equal(t, w.servers[1].name, a.Stop.Server)
					<-time.After(pause)
				}
				w.servers[1].pending, w.servers[1].paused = nil, time.Time{}
				resolve(w)
				w.rotate(t, false, name)
				require.Zero(t, w.lockouts, w.story())
			})
		})
	}
}

// An intruder changes the secret at an authority where ours would be accepted
// for a while yet, at every moment of a rotation that takes several passes.
// judge holds the verdict against what was in force when the write server was
// last looked at.
func TestWhoeverChangesItAtAnyMomentIsNotTakenForUs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		undisturbed := slow(4*pause - time.Second)
		undisturbed.run(false)
		for at := 1; at <= undisturbed.calls; at++ {
			w := slow(4*pause - time.Second)
			w.events[at] = func(w *world) { w.strangerSets("X") }
			w.rotate(t, false, fmt.Sprintf("changed by somebody at call %d", at))
		}
	})
}
