package rotation

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"rollcall/internal/protocol"
)

// TestWhatNothingButASecretSaysOfItselfIsNeverSet: whoever can write a secret's
// metadata names any account in it. Nothing is set, and nothing is written,
// whatever call fails and in whatever way.
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

// TestWhatNothingButASecretSaysOfItselfIsRotatedWhereTheAccountAcceptsIt, and
// whatever call fails it is not lost.
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

// TestWhatAnEndedCampaignSetIsFoundWhateverElseThePathsHold: it ended between
// Set and Activate, so consumers are cut off until the value that it had
// staged, or another one, is at their path.
func TestWhatAnEndedCampaignSetIsFoundWhateverElseThePathsHold(t *testing.T) {
	for name, story := range map[string]func() *world{
		"one more path, which is stale":   func() *world { w := inherited(); w.addPath("second", "stale"); return w },
		"two more paths, which are stale": func() *world { w := inherited(); w.addPath("second", "stale1"); w.addPath("third", "stale2"); return w },
		"nothing but the secret says whose it is": func() *world {
			w := inherited()
			w.addPath("second", "stale")
			return hearsay(w)
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := story()
			w.maxFails = 3
			w.change("Q")
			a, dead := w.pass(false)
			require.True(t, dead, "%s: %v\n%s", name, a.Stop, w.story())
			require.Equal(t, protocol.ProofBind, a.Proof, name)
			require.Equal(t, w.write().inForce(), w.live(0), "%s: consumers read what is in force", name)
			w.kept(t, name)
		})
	}
}

// TestAPathThatKeepsOneVersionIsNotWrittenOverWhatNobodySawToBeTheAccounts: a
// write would be the end of what it holds.
func TestAPathThatKeepsOneVersionIsNotWrittenOverWhatNobodySawToBeTheAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(1, "P0")
		w.theirs["P0"] = true
		w.secrets["kv/app"].versions[0].fields["password"], w.foreign["kv/app"] = "theirs", true
		w.cred.Confirmed = w.cred.Paths
		w.single = map[string]bool{"kv/app": true}
		_, dead := w.pass(false)
		require.True(t, dead, w.story())
		require.Equal(t, "theirs", w.live(0))
		require.Equal(t, w.write().inForce(), w.spare())
		w.kept(t, "one version")
	})
}

// formed makes a path hold a form of a value that the account refuses as it
// stands.
func (w *world) formed(i int, text string) {
	at := place(w.cred.Paths[i])
	fields := w.secrets[at].versions[0].fields
	fields["password"], fields["more"], w.foreign[at] = text, "a name before it", true
	w.theirs["P0"] = true
}

// TestASecondPathThatShowsTheValueInForceKeepsItOpen, and one that shows
// another does not: what reads it is not the account's.
func TestASecondPathThatShowsTheValueInForceKeepsItOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for text, open := range map[string]bool{"PASSWORD=P0": true, "PASSWORD=other": false} {
			w := plain()
			w.addForeign("second", text)
			w.secrets[place(w.cred.Paths[1])].versions[0].fields["more"] = "a name before it"
			a, dead := w.pass(false)
			require.Equal(t, !open, dead, "%s: %s", text, w.story())
			require.Equal(t, text, w.live(1))
			if open {
				require.Equal(t, protocol.ReasonNotBare, a.Stop.Reason)
				require.Equal(t, "P0", w.write().inForce())
			}
			w.kept(t, text)
		}
	})
}

// TestAPathThatNamesAnotherAccountIsNotWrittenUntilAPersonConfirmsIt whatever
// call fails: a good login with what it holds may be with a password that both
// have.
func TestAPathThatNamesAnotherAccountIsNotWrittenUntilAPersonConfirmsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for at := 0; at <= 14; at++ {
			for _, f := range allFaults {
				w := newWorld(2, "P0")
				w.foreign["kv/app"] = true
				w.cred.Doubted = w.cred.Paths
				w.faults[at] = f
				for range 2 {
					a, dead := w.pass(true)
					require.False(t, dead)
					if a.Stop != nil && a.Stop.Reason == protocol.ReasonSharedPath {
						require.True(t, a.Stop.Reason.Final())
						break
					}
				}
				require.Equal(t, "P0", w.write().inForce(), w.story())
				require.Equal(t, "P0", w.live(0))
				w.kept(t, "doubted")
			}
		}
		w := newWorld(2, "P0")
		w.cred.Doubted, w.cred.Confirmed = w.cred.Paths, w.cred.Paths
		require.Equal(t, protocol.ProofBind, w.rotate(t, true, "confirmed").Proof)
	})
}
