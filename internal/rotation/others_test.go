package rotation

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// others is what somebody else may do at any moment, none of which may cost
// the credential or make a stolen value pass for dead.
var others = []struct {
	name string
	do   func(*world)
}{
	{"an intruder changes the password", func(w *world) { w.strangerSets("X") }},
	{"an intruder puts the stolen value back", (*world).strangerReplays},
	{"an administrator changes password and path", func(w *world) {
		w.strangerSets("Z")
		w.strangerWrites(0, "Z")
	}},
	{"a stranger writes nonsense to the path", func(w *world) { w.strangerWrites(0, "typo") }},
	{"the account is locked for a while", func(w *world) {
		for _, s := range w.servers {
			s.entries[subject].state, s.entries[subject].lockedAt = protocol.Locked, time.Now()
		}
	}},
	{"the write server is down for a while", func(w *world) { w.servers[0].down = time.Now().Add(90 * time.Second) }},
	{"the last replica is down for a while", func(w *world) { w.servers[len(w.servers)-1].down = time.Now().Add(90 * time.Second) }},
	{"nothing reaches the last replica for a while", func(w *world) { w.servers[len(w.servers)-1].paused = time.Now().Add(4 * time.Minute) }},
}

// stuck reports whether only a person can help: the policy wants the value in
// force, and no path held it when the new one was staged; or somebody has put
// what may be another account's where nothing was.
func (w *world) stuck() bool {
	s := w.staging[w.cred.ID]
	if s == nil {
		return false
	}
	filled := slices.ContainsFunc(w.cred.Paths, func(p credential.Path) bool {
		base, looked := s.Base[p.String()]
		now := w.readLive(p, 0)
		return looked && base == 0 && s.Places[p.String()] == "" && now.Found && !now.Value.Equal(s.Secret)
	})
	return filled || w.binder.safeModify && !slices.ContainsFunc(slices.Collect(maps.Values(s.Old)), secret(w.write().inForce()).Equal)
}

// TestWhateverOthersDoAtWhateverMomentTheCredentialComesToItsEnd lets each of
// them act before each call of a rotation.
func TestWhateverOthersDoAtWhateverMomentTheCredentialComesToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, s := range stories {
			calls := callsOf(s)
			for at := 1; at <= calls; at++ {
				for _, o := range others {
					w := s.world()
					w.events[at] = o.do
					what := fmt.Sprintf("%s, before call %d %s", s.name, at, o.name)
					if _, dead := w.run(false); dead {
						w.ended()
					} else if !w.stuck() {
						w.fail("it never came to an end")
					}
					w.kept(t, what)
				}
			}
		}
	})
}

// A process that did not retire a person's value itself knows only its mark.
// Whoever changes the value between the look at that and the login must not go
// unseen.
func TestAChangeAfterAKillIsSeenBeforeAPersonsValueIsHandedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, s := range stories {
			if !s.world().person {
				continue
			}
			calls := callsOf(s)
			for kill := 1; kill <= calls; kill++ {
				for at := kill + 1; at <= kill+12; at++ {
					w := s.world()
					w.faults[kill], w.events[at] = diedFirst, func(w *world) { w.strangerSets("X") }
					what := fmt.Sprintf("%s, killed before call %d, changed before call %d", s.name, kill, at)
					if _, dead := w.run(true); dead {
						w.ended()
					} else {
						w.fail("it never came to an end")
					}
					w.kept(t, what)
				}
			}
		}
	})
}

// TestNoCourseOfFailuresAndIntrusionsLosesACredential draws both, several at a
// time.
func TestNoCourseOfFailuresAndIntrusionsLosesACredential(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := stories[rapid.IntRange(0, len(stories)-1).Draw(r, "story")]
		when := rapid.IntRange(1, 60)
		faults, events := map[int]fault{}, map[int]func(*world){}
		for range rapid.IntRange(0, 4).Draw(r, "failures") {
			faults[when.Draw(r, "at")] = rapid.SampledFrom(allFaults).Draw(r, "fault")
		}
		for range rapid.IntRange(0, 2).Draw(r, "intrusions") {
			events[when.Draw(r, "at")] = others[rapid.IntRange(0, len(others)-1).Draw(r, "event")].do
		}
		again := rapid.Bool().Draw(r, "same activity again")

		var w *world
		dead := false
		synctest.Test(t, func(*testing.T) {
			w = s.world()
			w.faults, w.events = faults, events
			if _, dead = w.run(again); dead {
				w.ended()
			}
		})
		if !dead && !w.stuck() {
			r.Fatalf("%s: it never came to an end\n%s", s.name, w.story())
		}
		if len(w.broken) > 0 {
			r.Fatalf("%s: %v\n%s", s.name, slices.Compact(w.broken), w.story())
		}
	})
}
