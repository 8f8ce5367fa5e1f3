package rotation

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
)

// guesses has consumers, or somebody else, log in with wrong values: the next
// one would lock the account.
func (w *world) guesses() {
	e := w.write()
	e.fails, e.failed = w.maxFails-1, time.Now()
	w.counted(e)
}

// failsAt has the first call of that name fail in the next pass, by what a
// world like this one does undisturbed.
func (w *world) failsAt(name string, f fault, undisturbed *world) {
	undisturbed.pass(false)
	for _, s := range undisturbed.trace {
		if strings.HasPrefix(s.what, name) {
			w.faults[s.call] = f
			return
		}
	}
	panic("no call " + name)
}

// TestAValueIsNotTakenForRefusedForWhatCameBeforeItWasSent: where the process
// died right after, it is in force, and wrong logins are those of consumers
// that it cut off.
func TestAValueIsNotTakenForRefusedForWhatCameBeforeItWasSent(t *testing.T) {
	for _, f := range []fault{diedFirst, diedAfter} {
		synctest.Test(t, func(t *testing.T) {
			story := func() *world {
				w := newWorld(1, "P0")
				w.secrets["kv/app"].versions[0].fields["password"] = "stale"
				w.addPath("second", "P0")
				return w.counts(4)
			}
			w := story()
			w.failsAt("set S1", f, story())
			_, dead := w.pass(false)
			require.False(t, dead)
			require.Equal(t, f == diedAfter, w.write().inForce() == "S1")
			w.guesses()
			a, dead := w.pass(false)
			require.Zero(t, w.lockouts, "%s\n%s", f, w.story())
			if f == diedAfter {
				require.True(t, dead, "%+v\n%s", a.Stop, w.story())
				require.Equal(t, "S1", w.live(1))
			}
			w.kept(t, f.String())
		})
	}
}

// refusedOnce is a world after a pass in which somebody set another value right
// after ours.
func refusedOnce(t *testing.T, w *world) *world {
	w.events[callVerify] = func(w *world) { w.strangerSets("X") }
	_, dead := w.pass(false)
	require.False(t, dead)
	require.Equal(t, ownmount.PlaceSeen, w.staging[w.cred.ID].Places[w.cred.Paths[0].String()], w.story())
	return w
}

// TestAValueThatWasRefusedAndIsSentAgainCutsNobodyOff: where the process dies
// right after and no wrong login is left, it is set once more.
func TestAValueThatWasRefusedAndIsSentAgainCutsNobodyOff(t *testing.T) {
	for _, f := range []fault{diedFirst, diedAfter, dropped, replyLost} {
		for name, story := range map[string]func() *world{
			"plain":                    func() *world { return plain().counts(4) },
			"by its secret's own word": func() *world { return hearsay(plain()).counts(4) },
		} {
			synctest.Test(t, func(t *testing.T) {
				w, undisturbed := refusedOnce(t, story()), refusedOnce(t, story())
				w.guesses()
				undisturbed.guesses()
				undisturbed.trace = nil
				w.failsAt("set S1", f, undisturbed)
				_, dead := w.pass(false)
				if !dead {
					w.guesses()
					_, dead = w.run(false)
				}
				require.True(t, dead, "%s, %s\n%s", name, f, w.story())
				require.Equal(t, "S1", w.live(0))
				require.Zero(t, w.lockouts, "%s, %s\n%s", name, f, w.story())
				w.kept(t, name)
			})
		}
	}
}

// TestAValueThatMayBeInForceIsKeptAlthoughTheServerTakesNoSecondOne: that it
// was refused was true before a reset without an answer arrived.
func TestAValueThatMayBeInForceIsKeptAlthoughTheServerTakesNoSecondOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := refusedOnce(t, plain().counts(4))
		w.change("S1")
		w.guesses()
		w.binder.noRights = true
		a, dead := w.pass(false)
		require.False(t, dead)
		require.Equal(t, protocol.ReasonRights, a.Stop.Reason, w.story())
		require.True(t, w.staging[w.cred.ID].MayBeInForce())

		w.endsOpen()
		_, dead = w.pass(false)
		require.False(t, dead)
		require.True(t, w.inVault("S1"), w.story())
		w.binder.noRights, w.theirs["S1"] = false, true // what the ended one had set is replaced
		a, dead = w.run(false)
		require.True(t, dead, "%+v\n%s", a.Stop, w.story())
		require.Zero(t, w.lockouts)
		w.kept(t, "no second one")
	})
}

// endsOpen has the campaign end as it is: the next pass is of another one.
func (w *world) endsOpen() {
	w.staging[w.cred.ID].Campaign, w.closed["campaign-1"] = "campaign-1", true
}

// TestWhatTheAccountWasSeenToAcceptStaysItsPathInTheNextCampaign although that
// value and the ended one are refused by then.
func TestWhatTheAccountWasSeenToAcceptStaysItsPathInTheNextCampaign(t *testing.T) {
	for name, story := range map[string]func() *world{
		"plain":                    plain,
		"by its secret's own word": func() *world { return hearsay(plain()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := refusedOnce(t, story())
				w.endsOpen()
				a, dead := w.run(false)
				require.True(t, dead, "%+v\n%s", a.Stop, w.story())
				require.Equal(t, w.write().inForce(), w.live(0), w.story())
				require.Empty(t, w.spare(), w.story())
				w.ended()
				w.kept(t, name)
			})
		})
	}
}

// TestASeenPathThatSomebodyWroteBeforeTheNextCampaignIsNotSeenThere: it may
// have been given to another account.
func TestASeenPathThatSomebodyWroteBeforeTheNextCampaignIsNotSeenThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := refusedOnce(t, plain())
		w.strangerWrites(0, "another one")
		w.stolen = append(w.stolen, "another one")
		w.foreign["kv/app"] = true
		w.endsOpen()
		a, dead := w.run(false)
		require.True(t, dead, "%+v\n%s", a.Stop, w.story())
		require.Equal(t, "another one", w.live(0), w.story())
		w.kept(t, "written since")
	})
}

// TestASeenPathThatWasMadeAnewWithAnotherValueKeepsIt although it has the same
// version number: it may be another account's only one.
func TestASeenPathThatWasMadeAnewWithAnotherValueKeepsIt(t *testing.T) {
	for _, single := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := refusedOnce(t, plain())
			w.secrets["kv/app"] = &kv{}
			w.strangerWrites(0, "another one")
			w.stolen = append(w.stolen, "another one")
			w.single = map[string]bool{"kv/app": single}
			a, dead := w.run(false)
			require.True(t, dead, "%+v\n%s", a.Stop, w.story())
			require.False(t, w.secrets["kv/app"].versions[0].destroyed, w.story())
			require.Equal(t, single, w.live(0) == "another one", w.story())
			w.kept(t, "made anew")
		})
	}
}

// TestAResetThatWasLostIsNotAskedForByTheLoginThatLocks: two wrong logins were
// spent on finding out what is in force, the request of Set did not arrive, and
// the account's mark is as it was before it.
func TestAResetThatWasLostIsNotAskedForByTheLoginThatLocks(t *testing.T) {
	for name, story := range map[string]func() *world{
		"OpenLDAP":         plain,
		"Active Directory": func() *world { w := plain(); w.grace = true; return w },
	} {
		synctest.Test(t, func(t *testing.T) {
			begun := func() *world {
				w := story()
				w.secrets["kv/app"].versions[0].fields["password"], w.theirs["P0"] = "P0\n", true
				w.cache = NewPreparedCache()
				w.events[3] = func(w *world) { // after it was looked up
					for range 2 { // the stolen one is not the one before any more
						w.strangerSets("X")
					}
				}
				return w.counts(3)
			}
			w := begun()
			w.failsAt("set S1", dropped, begun())
			a, dead := w.run(false)
			require.Zero(t, w.lockouts, "%s\n%s", name, w.story())
			require.True(t, dead, "%s: %+v\n%s", name, a.Stop, w.story())
			w.kept(t, name)
		})
	}
}

// TestANoteOfWrongLoginsThatIsLostOnceIsWrittenAgain: the next pass goes by it,
// and offers nothing where the third wrong login locks.
func TestANoteOfWrongLoginsThatIsLostOnceIsWrittenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := func() *world {
			w := plain()
			w.secrets["kv/app"].versions[0].fields["password"], w.theirs["P0"] = "P0\n", true
			w.counts(3).wasListed()
			w.strangerSets("Z")
			w.strangerWrites(0, "Z")
			w.stolen = append(w.stolen, "Z")
			return w
		}
		w := begun()
		w.failsAt("restage", dropped, begun())
		a, dead := w.run(false)
		require.Zero(t, w.lockouts, w.story())
		require.True(t, dead, "%+v\n%s", a.Stop, w.story())
		w.kept(t, "a note")
	})
}

// TestTheLastAnswerToAValueIsNotTheOneBeforeAWrongLogin: in a proof the new
// value is good, somebody sets another one, and what the account shows after
// the refusal of the new one has no answer.
func TestTheLastAnswerToAValueIsNotTheOneBeforeAWrongLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := func() *world {
			w := plain()
			w.addPath("second", "Z")
			w.cred.Confirmed = w.cred.Paths
			return w.counts(3)
		}
		look := begun()
		look.pass(false)
		good, after := 0, 0 // the first good login of the proof, and the look after the next one
		for _, s := range look.trace {
			switch {
			case s.what == "offer S1 at ldap1" && good == 0:
				good = s.call
			case s.what == "offer S1 at ldap1" && after == 0:
				after = s.call + 1
			}
		}
		require.NotZero(t, after, look.story())
		w := begun()
		w.events[good+1] = func(w *world) { w.strangerSets("X") }
		w.faults[after] = dropped
		a, dead := w.run(false)
		require.Zero(t, w.lockouts, w.story())
		require.True(t, dead, "%+v\n%s", a.Stop, w.story())
		w.kept(t, "a proof")
	})
}

// TestWhatTheMarksSaidOfAValueIsWrittenDown: they said that it was not set, and
// after wrong logins of that look, or before it, they may not say it any more.
func TestWhatTheMarksSaidOfAValueIsWrittenDown(t *testing.T) {
	for name, begun := range map[string]func() *world{
		"wrong logins of that look": func() *world {
			w := plain()
			w.binder.refuses = map[string]bool{"S1": true}
			w.events[4] = func(w *world) { w.strangerSets("X") } // after it was looked up
			return w
		},
		"wrong logins before it": func() *world {
			w := plain()
			w.addPath("second", "stale")
			w.binder.safeModify, w.theirs["P0"] = true, true
			w.strangerWrites(0, "typo")
			w.events[3] = func(w *world) { w.strangerSets("X") }
			return w
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			prepared := func() *world {
				w := begun().counts(3)
				w.cache = NewPreparedCache()
				return w
			}
			w := prepared()
			w.failsAt("set S1", dropped, prepared())
			for at := range w.faults {
				w.events[at+4] = func(w *world) { w.strangerWrites(0, "typo") }
			}
			a, dead := w.run(false)
			require.Zero(t, w.lockouts, "%s\n%s", name, w.story())
			require.True(t, dead || w.stuck(), "%s: %+v\n%s", name, a.Stop, w.story())
			w.kept(t, name)
		})
	}
}

// TestAValueThatIsStillOnItsWayIsNotCalledUnsent: what was sent without an
// answer may arrive after the server said that it takes no second one.
func TestAValueThatIsStillOnItsWayIsNotCalledUnsent(t *testing.T) {
	for name, locks := range map[string]int{"asked for": 0, "taken for refused by the marks": 3} {
		synctest.Test(t, func(t *testing.T) {
			begun := func() *world {
				w := plain()
				if locks > 0 {
					w.counts(locks)
				}
				return w
			}
			w := begun()
			w.failsAt("set S1", dropped, begun())
			for at := range w.faults {
				w.events[at+1] = func(w *world) { w.binder.noRights = true }
			}
			a, dead := w.pass(false)
			require.False(t, dead, w.story())
			require.Equal(t, protocol.ReasonRights, a.Stop.Reason, "%s\n%s", name, w.story())
			require.True(t, w.staging[w.cred.ID].MayBeInForce(), "%s\n%s", name, w.story())
			w.binder.noRights = false
			a, dead = w.run(false)
			require.True(t, dead, "%s: %+v\n%s", name, a.Stop, w.story())
			w.kept(t, name)
		})
	}
}

// TestWhatOneLookTookForRefusedTheNextOneOfTheSameApplyKnows: by the account's
// mark the staged value is not in force, and the old ones are offered. The
// second of them is a wrong login too, which moves the mark, and its answer is
// lost: the next look sees no mark that says anything, and has no wrong login
// left.
func TestWhatOneLookTookForRefusedTheNextOneOfTheSameApplyKnows(t *testing.T) {
	for name, story := range map[string]func() *world{
		"two readings of a value": func() *world {
			w := plain()
			w.secrets["kv/app"].versions[0].fields["password"], w.theirs["P0"] = "P0\n", true
			return w
		},
		"two paths": func() *world {
			w := newWorld(1, "P0")
			w.addPath("second", "stale")
			return w
		},
	} {
		lost := false
		for at := 8; at < 14; at++ {
			synctest.Test(t, func(t *testing.T) {
				w := story().counts(3)
				w.strangerSets("X") // right before it is staged
				p := w.rotator().Prepare(t.Context(), w.cred)
				require.Nil(t, p.Stop)
				w.intents[p.Attempt] = true
				w.faults[at] = replyLost
				w.apply(p.Attempt, false)
				lost = lost || w.write().fails == 2
				require.Zero(t, w.lockouts, "%s, call %d\n%s", name, at, w.story())
			})
		}
		require.True(t, lost, "one of the calls was the second wrong login")
	}
}
