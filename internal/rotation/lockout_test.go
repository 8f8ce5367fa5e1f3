package rotation

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/protocol"
)

// TestProbingLocksNobodyOutHoweverOftenAPassComesBack has directories that
// lock after three wrong logins in a row, and never forget one.
func TestProbingLocksNobodyOutHoweverOftenAPassComesBack(t *testing.T) {
	for name, story := range map[string]func() *world{
		"changed by somebody, and no right to reset": func() *world {
			w := plain()
			w.strangerSets("X")
			w.binder.noRights = true
			return w
		},
		"changed by somebody, and a policy that refuses every value": func() *world {
			w := plain()
			w.strangerSets("X")
			w.binder.refuses = map[string]bool{}
			for i := range 100 {
				w.binder.refuses[fmt.Sprintf("S%d", i)] = true
			}
			return w
		},
		"a policy that refuses every value": func() *world {
			w := plain()
			w.binder.refuses = map[string]bool{}
			for i := range 100 {
				w.binder.refuses[fmt.Sprintf("S%d", i)] = true
			}
			return w
		},
		"four paths, three of them stale": func() *world {
			w := newWorld(2, "P0")
			w.secrets["kv/app"].versions[0].fields["password"] = "stale1"
			w.addPath("b", "stale2")
			w.addPath("c", "stale3")
			w.addPath("d", "P0")
			return w
		},
		"changed by somebody after activation, each time": func() *world {
			w := plain()
			for _, at := range []int{callProve + 1, 40, 60} {
				w.events[at] = func(w *world) { w.strangerSets(fmt.Sprintf("X%d", at)) }
			}
			return w
		},
		"taken over, and changed by somebody": func() *world {
			w := inherited()
			w.strangerSets("X")
			w.binder.noRights = true
			return w
		},
		"changed by somebody, no right to reset, and killed right before Set": func() *world {
			w := plain()
			w.strangerSets("X")
			w.faults[callSet+5] = diedFirst // after the looks at the account, at the notes and at our own path with its settings, and the mark
			w.binder.noRights = true
			return w
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := story()
				w.maxFails = 3
				for range 12 {
					if a, dead := w.pass(false); dead || a.Stop != nil && a.Stop.Reason.Final() {
						break
					}
					<-time.After(pause)
				}
				require.Zero(t, w.lockouts, w.story())
				w.kept(t, name)
			})
		})
	}
}

// TestWhoeverChangesAnAccountWhileItIsProvedDoesNotHaveItLockedByUs: in Active
// Directory a change leaves the count of wrong logins. Between the old value
// and the new one of a proof it makes both of them wrong ones, and the next
// pass has none to spare.
func TestWhoeverChangesAnAccountWhileItIsProvedDoesNotHaveItLockedByUs(t *testing.T) {
	for servers := 1; servers <= 2; servers++ {
		for at := callProve; at < 60; at++ {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(servers, "P0")
				w.grace = true
				w.counts(3)
				if servers > 1 {
					w.servers[1].lag = 3 * pause
				}
				w.events[at] = func(w *world) {
					for range 3 { // ours is not the one before any more
						w.strangerSets("X")
					}
				}
				a, dead := w.run(false)
				require.True(t, dead, "call %d: %+v\n%s", at, a.Stop, w.story())
				require.Zero(t, w.lockouts, "call %d\n%s", at, w.story())
				w.kept(t, "changed while it was proved")
			})
		}
	}
}

// TestAnOldValueThatWasRefusedBeforeTheResetProvesNothing: it was not the one
// in force, so its refusal afterwards shows nothing that was not so before.
func TestAnOldValueThatWasRefusedBeforeTheResetProvesNothing(t *testing.T) {
	for _, f := range []fault{none, diedAfter, replyLost} {
		for at := callTryOld; at <= callProve+2; at++ {
			synctest.Test(t, func(t *testing.T) {
				w := plain()
				w.strangerSets("X")
				w.stolen = append(w.stolen, "X")
				w.faults[at] = f
				a, dead := w.run(false)
				require.True(t, dead, w.story())
				require.Equal(t, protocol.ProofMetadata, a.Proof, "call %d: %s\n%s", at, f, w.story())
				require.NotEmpty(t, a.Evidence[0].Changed)
				require.NotEmpty(t, codes(a.Findings), "call %d: %s: an investigator must learn of it", at, f)
				w.kept(t, "changed before us")
			})
		}
	}
}
