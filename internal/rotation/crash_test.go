package rotation

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
)

// story is a credential and what is special about it.
type story struct {
	name  string
	world func() *world
	proof protocol.Proof
}

var stories = remembering(append(pairs, []story{
	{"one server", func() *world { return newWorld(1, "P0") }, protocol.ProofBind},
	{"three servers", func() *world { return newWorld(3, "P0") }, protocol.ProofBind},
	{"the old value keeps working for a while", func() *world {
		w := newWorld(2, "P0")
		w.grace = true
		return w
	}, protocol.ProofBind},
	{"the old value keeps working although it was retired", func() *world {
		w := newWorld(2, "P0")
		w.grace, w.stubborn = true, true
		return w
	}, protocol.ProofBind},
	{"the old value is stored with the end of a line", func() *world {
		w := newWorld(2, "P0")
		w.secrets["kv/app"].versions[0].fields["password"], w.theirs["P0"] = "P0\n", true
		return w
	}, protocol.ProofBind},
	{"a path that may be read in two ways, and the account has the second", func() *world {
		w := newWorld(2, "P0")
		w.secrets["kv/app"].versions[0].fields["password"], w.secrets["kv/app"].versions[0].fields["other"] = "part", "P0"
		return w
	}, protocol.ProofBind},
	{"a path that may be read in two ways, and the account has the first", func() *world {
		w := newWorld(2, "P0")
		w.secrets["kv/app"].versions[0].fields["other"] = "all of P0"
		return w
	}, protocol.ProofBind},
	{"a policy that takes no value twice", func() *world {
		w := newWorld(2, "P0")
		w.binder.history = true
		return w
	}, protocol.ProofBind},
	{"a policy that refuses the first value", func() *world {
		w := newWorld(1, "P0")
		w.binder.refuses = map[string]bool{"S1": true}
		return w
	}, protocol.ProofBind},
	{"a policy that wants the old value", func() *world {
		w := newWorld(1, "P0")
		w.addPath("second", "stale")
		w.binder.safeModify = true
		return w
	}, protocol.ProofBind},
	{"the first value was readable when it was set, and is spent", func() *world {
		w := newWorld(2, "P0")
		w.seenBy = "S1"
		return w
	}, protocol.ProofBind},
	{"the old value opens the live path, and works until it is retired", func() *world {
		w := newWorld(1, "P0")
		w.grace, w.first = true, true
		return w
	}, protocol.ProofBind},
	{"the old value opens the live path, and a value that Vault never held", func() *world {
		w := newWorld(1, "P0")
		w.grace, w.first, w.theirs["P0"] = true, true, true
		w.secrets["kv/app"] = &kv{}
		return w
	}, protocol.ProofMetadata},
	{"two paths that agree", func() *world {
		w := newWorld(2, "P0")
		w.addPath("second", "P0")
		return w
	}, protocol.ProofBind},
	{"two paths, the first one stale", func() *world {
		w := newWorld(1, "P0")
		w.secrets["kv/app"].versions[0].fields["password"] = "stale"
		w.addPath("second", "P0")
		return w
	}, protocol.ProofBind},
	{"two paths, and the account accepts what each holds", func() *world {
		w := newWorld(2, "P0")
		w.addAlso("second", "P1")
		return w
	}, protocol.ProofBind},
	{"a second path that does not exist yet", func() *world {
		w := newWorld(1, "P0")
		w.addPath("second", "")
		return w
	}, protocol.ProofBind},
	{"changed by somebody before us", func() *world {
		w := newWorld(2, "P0")
		w.strangerSets("X")
		w.stolen = append(w.stolen, "X")
		return w
	}, protocol.ProofMetadata},
	{"a path that is another account's, and one that is its own", func() *world {
		w := newWorld(2, "P0")
		w.addForeign("second", "theirs")
		return w
	}, protocol.ProofBind},
	{"no path but another account's", func() *world {
		w := newWorld(1, "P0")
		w.theirs["P0"] = true
		w.secrets["kv/app"].versions[0].fields["password"], w.foreign["kv/app"] = "theirs", true
		return w
	}, protocol.ProofMetadata},
	{"a path that the account refuses and a person named", func() *world {
		w := newWorld(1, "P0")
		w.strangerSets("X")
		w.stolen = append(w.stolen, "X")
		w.cred.Confirmed = w.cred.Paths
		return w
	}, protocol.ProofMetadata},
	{"Vault never held it", func() *world {
		w := newWorld(2, "P0")
		w.theirs["P0"] = true
		w.secrets["kv/app"] = &kv{}
		return w
	}, protocol.ProofMetadata},
	{"a person, whose password Vault never held", func() *world {
		w := newPerson()
		w.secrets["kv/app"] = &kv{}
		return w
	}, protocol.ProofMetadata},
	{"a person who changed the temporary value of an earlier campaign", newPerson, protocol.ProofMetadata},
	{"a person on a replica that follows between two passes", func() *world {
		w := newPerson()
		w.servers[1].lag = 30 * time.Second
		return w
	}, protocol.ProofMetadata},
	{"a replica that follows after a moment", func() *world {
		w := newWorld(2, "P0")
		w.servers[1].lag = 200 * time.Millisecond
		return w
	}, protocol.ProofBind},
	{"a replica that follows between two passes", func() *world {
		w := newWorld(2, "P0")
		w.servers[1].lag = 30 * time.Second
		return w
	}, protocol.ProofBind},
	{"a replica that is gone and was left out by a person", func() *world {
		w := newWorld(3, "P0")
		w.servers[1].down = time.Now().Add(1000 * time.Hour)
		w.leftOut = []string{w.servers[1].name}
		return w
	}, protocol.ProofBind},
	{"the old value keeps working for a while, on a replica that is slower than the passes", func() *world {
		return slow(pause + pause/2)
	}, protocol.ProofBind},
	{"taken over from a campaign that ended before Set", func() *world {
		return inherited()
	}, protocol.ProofBind},
	{"taken over from a campaign that ended before Set, and changed by somebody since", func() *world {
		w := inherited()
		w.strangerWrites(0, "Z")
		w.strangerSets("Z")
		w.stolen = append(w.stolen, "Z")
		return w
	}, protocol.ProofBind},
	{"taken over from a campaign that ended between Set and Activate", func() *world {
		w := inherited()
		w.change("Q")
		return w
	}, protocol.ProofBind},
	{"taken over from a campaign that ended between Activate and Clean: consumers had the value since", func() *world {
		w := inherited()
		w.change("Q")
		w.strangerWrites(0, "Q")
		return w
	}, protocol.ProofBind},
}...))

// remembering tells each story twice more, with a process that carries what
// Prepare saw to Apply for as long as it lives, and with one that has what the
// listing read of the paths besides; and once more, where replicas are behind
// or are several, with credentials that are left for them.
func remembering(stories []story) []story {
	for _, s := range stories {
		stories = append(stories, story{s.name + ", remembered", func() *world {
			w := s.world()
			w.cache = NewPreparedCache()
			return w
		}, s.proof}, story{s.name + ", remembered since it was listed", func() *world {
			return s.world().wasListed()
		}, s.proof})
		if servers := s.world().servers; len(servers) > 2 || len(servers) == 2 && servers[1].lag > 0 {
			stories = append(stories, story{s.name + ", left for its replicas", func() *world {
				w := s.world()
				w.together = true
				return w
			}, s.proof})
		}
	}
	return stories
}

// wasListed is a process that has just listed the credential.
func (w *world) wasListed() *world {
	w.cache = NewPreparedCache()
	for _, p := range w.cred.Paths {
		w.cache.Listed(us, p, w.readLive(p, 0), time.Now())
	}
	return w
}

// newPerson has an earlier temporary value at the place of the hand-over.
func newPerson() *world {
	w := newWorld(2, "P0")
	w.cred.Kind = credential.UserPassword
	w.person, w.grace, w.theirs["P0"] = true, true, true
	w.secrets["kv/app"].versions[0].fields["password"] = "T0"
	return w
}

// inherited has Q staged by a campaign that has ended.
func inherited() *world { return leftBehind(newWorld(1, "P0"), "P0", "Q") }

// leftBehind has next staged by a campaign that has ended, and the path holds
// old.
func leftBehind(w *world, old, next string) *world {
	at := w.cred.Paths[0].String()
	w.closed["campaign-1"] = true
	w.staging[w.cred.ID] = &ownmount.Staged{
		Secret: secret(next), Campaign: "campaign-1", Attempt: 1, Version: 1,
		Base: map[string]int{at: 1}, Old: map[string]credential.Secret{at: secret(old)},
	}
	w.stolen = append(w.stolen, next)
	return w
}

func TestARotationThatNobodyDisturbsEndsInOnePass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, s := range stories {
			w := s.world()
			a := w.rotate(t, false, s.name)
			require.Equal(t, s.proof, a.Proof, s.name)
			require.NotEmpty(t, a.Evidence[0].At)
		}
	})
}

// TestWhateverCallFailsTheCredentialIsNeverLost fails each call of a rotation
// in each way. Five refused logins lock an account: one failure never leads
// there.
func TestWhateverCallFailsTheCredentialIsNeverLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		for _, s := range stories {
			calls := callsOf(s)
			for at := 1; at <= calls; at++ {
				for _, f := range allFaults {
					for _, again := range []bool{false, true} {
						w := s.world()
						w.faults[at] = f
						w.rotate(t, again, fmt.Sprintf("%s, call %d: %s, the same activity again: %v", s.name, at, f, again))
						require.Zero(t, w.lockouts, "%s, call %d: %s: probing locked the account", s.name, at, f)
						runs++
					}
				}
			}
		}
		t.Logf("%d runs", runs)
	})
}

// TestTwoFailuresNeverLoseACredential fails every pair of calls: the second
// one may hit the recovery from the first.
func TestTwoFailuresNeverLoseACredential(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		for _, s := range stories {
			calls := callsOf(s)
			for first := 1; first <= calls; first++ {
				for second := first + 1; second <= calls+8; second++ {
					// Killed before a call is killed after the one before it.
					for _, f := range []fault{dropped, replyLost, diedAfter} {
						for _, g := range []fault{dropped, replyLost, diedAfter} {
							w := s.world()
							w.faults[first], w.faults[second] = f, g
							w.rotate(t, (first+second)%2 == 0, fmt.Sprintf("%s, call %d: %s, call %d: %s", s.name, first, f, second, g))
							runs++
						}
					}
				}
			}
		}
		t.Logf("%d runs", runs)
	})
}

// callsOf counts the calls of an undisturbed rotation.
func callsOf(s story) int {
	w := s.world()
	w.run(false)
	return w.calls
}
