package rotation

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"rollcall/internal/protocol"
)

// A path that was empty takes part by somebody's word alone. What others put
// there meanwhile may be another account's, and the only copy: it is not
// written over, and consumers at the other paths get the new value all the
// same.
func TestWhatSomebodyPutsAtAPathThatWasEmptyIsLeftAndTold(t *testing.T) {
	t.Run("each pass reads anew", func(t *testing.T) { filledPath(t, nil) })
	t.Run("what was read while staging is taken over", func(t *testing.T) { filledPath(t, NewPreparedCache()) })
}

func filledPath(t *testing.T, cache *PreparedCache) {
	synctest.Test(t, func(t *testing.T) {
		w := plain()
		w.cache = cache
		w.addPath("second", "")
		w.addPath("third", "P0")
		at := func(i int) string { return w.readLive(w.cred.Paths[i], 0).Value.Reveal() }
		filled := false
		for n := range 200 {
			w.events[n] = func(w *world) {
				if !filled && w.write().inForce() != "P0" {
					w.strangerWrites(1, "theirs")
					filled = true
				}
			}
		}
		for range 3 {
			a, dead := w.pass(false)
			require.False(t, dead)
			require.Equal(t, protocol.ReasonConflict, a.Stop.Reason, a.Stop.Detail)
			require.Equal(t, "theirs", at(1))
		}
		a, _ := w.pass(false)
		require.Contains(t, a.Stop.Detail, "path 2 of this credential")
		require.Equal(t, protocol.Activate, a.Step)
		require.Equal(t, []string{w.write().inForce(), w.write().inForce()}, []string{at(0), at(2)})

		w.secrets["kv/second"] = &kv{}
		_, dead := w.run(false)
		require.True(t, dead)
		require.Equal(t, w.write().inForce(), at(1))
	})
}

// Rollcall's own path is nobody's else, and what lies there all the same may be
// the only copy of something. What was there before is kept as an older
// version; what comes later is left.
func TestWhatSomebodyPutsAtRollcallsOwnPathAfterItWasFoundEmptyIsLeftAndTold(t *testing.T) {
	for name, set := range map[string]bool{"after Set": true, "before it": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := plain()
				w.strangerSets("X") // so it refuses what its path holds
				own := w.secrets["kv/spare"]
				filled := false
				for n := range 200 {
					w.events[n] = func(w *world) {
						if noted := w.staging[w.cred.ID]; !filled && noted != nil && noted.Places["kv/spare#password"] != "" && set == (w.write().inForce() != "X") {
							own.versions = append(own.versions, version{fields: map[string]string{"password": "theirs"}, strangers: true})
							filled = true
						}
					}
				}
				w.binder.refuses = map[string]bool{}
				if !set {
					w.binder.noRights = true
				}
				w.pass(false)
				w.binder.noRights = false
				for range 3 {
					a, dead := w.pass(false)
					require.False(t, dead)
					require.Equal(t, protocol.ReasonConflict, a.Stop.Reason, a.Stop.Detail)
					require.Contains(t, a.Stop.Detail, "Rollcall's own path")
					require.Equal(t, "theirs", w.at(*w.cred.Spare))
					require.Equal(t, set, w.write().inForce() != "X")
				}
				*own = kv{}
				_, dead := w.run(false)
				require.True(t, dead)
				require.Equal(t, w.write().inForce(), w.at(*w.cred.Spare))
			})
		})
	}
}
