package rotation

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"rollcall/internal/protocol"
)

// TestWhatNothingButASecretSaysOfItselfIsNeverSet: whoever can write a secret's metadata
// names any account in it. Nothing is set, and nothing is written, whatever call
// fails and in whatever way.
func TestWhatNothingButASecretSaysOfItselfIsNeverSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for at := 0; at <= 14; at++ {
			for _, f := range allFaults {
				w := newWorld(2, "P0")
				w.theirs["P0"] = true
				w.secrets["kv/app"].versions[0].fields["password"], w.foreign["kv/app"] = "planted", true
				hearsay(w)
				w.faults[at] = f
				for range 2 {
					a, dead := w.pass(true)
					require.False(t, dead)
					if a.Stop != nil && a.Stop.Reason == protocol.ReasonUnproved {
						require.True(t, a.Stop.Reason.Final(), "more tries would only add wrong logins")
						break
					}
				}
				require.Equal(t, "P0", w.write().inForce(), w.story())
				require.Equal(t, "planted", w.live(0))
				w.kept(t, "planted")
			}
		}
	})
}

// TestWhatNothingButASecretSaysOfItselfIsRotatedWhereTheAccountAcceptsIt, and whatever
// call fails it is not lost.
func TestWhatNothingButASecretSaysOfItselfIsRotatedWhereTheAccountAcceptsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for at := 0; at <= 20; at++ {
			for _, f := range allFaults {
				w := hearsay(newWorld(2, "P0"))
				w.faults[at] = f
				require.Equal(t, protocol.ProofBind, w.rotate(t, at%2 == 0, "told by the secret").Proof)
			}
		}
	})
}
