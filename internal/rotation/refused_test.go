package rotation

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
)

// changeAs has the administrator set another password.
func (r *real) changeAs(dn, password string) {
	r.admin(r.slapd, func(conn *ldap.Conn) error {
		_, err := conn.PasswordModify(ldap.NewPasswordModifyRequest(dn, "", password))
		return err
	})
}

// TestAPasswordThatSomebodySetsRightAfterOursIsNotLockedByUs, nor does the new
// value go past its consumers: the account was seen to accept what the path
// holds.
func TestAPasswordThatSomebodySetsRightAfterOursIsNotLockedByUs(t *testing.T) {
	t.Parallel()
	for most := 2; most <= 5; most++ {
		for guesses := 0; guesses < most-1; guesses++ { // of somebody, between two passes
			t.Run(fmt.Sprintf("locks at %d, %d of somebody else", most, guesses), func(t *testing.T) {
				t.Parallel()
				r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: most}})
				c := r.credential(0)
				got := r.during("try", 1, []credential.Credential{c}, func() { r.changeAs(c.Name, "somebody else's 1") })
				require.Equal(t, protocol.ReasonNewRefused, got.Stop.Reason)
				require.Empty(t, r.attribute(r.slapd, c.Name, "pwdAccountLockedTime"))
				for range guesses {
					_ = r.logsIn(r.slapd, c.Name, "a guess")
				}
				if r.attribute(r.slapd, c.Name, "pwdAccountLockedTime") != "" {
					return // by them: ours alone were too few
				}
				got = r.run([]credential.Credential{c}, nothing)[0]
				require.Empty(t, r.attribute(r.slapd, c.Name, "pwdAccountLockedTime"))
				require.True(t, got.Dead(), "%+v", got.Stop)
				now, _ := r.store.ReadLive(t.Context(), c.Paths[0], 0)
				require.True(t, r.logsIn(r.slapd, c.Name, now.Value.Reveal()), "its consumers have it")
				aside, _ := r.store.ReadLive(t.Context(), *c.Spare, 0)
				require.False(t, aside.Found, "and nothing went past them")
			})
		}
	}
}

// TestWhatTheAccountWasSeenToAcceptBeforeSetStaysItsPath although somebody sets
// another value before the new one was seen to work, whatever it was that came
// in between.
func TestWhatTheAccountWasSeenToAcceptBeforeSetStaysItsPath(t *testing.T) {
	for name, story := range map[string]func() *world{
		"plain":                        plain,
		"by its secret's own word":     func() *world { return hearsay(plain()) },
		"the third wrong login locks":  func() *world { return plain().counts(3) },
		"by word, and the fifth locks": func() *world { return hearsay(plain()).counts(5) },
		"the one before keeps working": func() *world { w := plain(); w.grace = true; return w.counts(3) },
		"the answer to Set was lost":   func() *world { w := plain(); w.faults[callSet] = replyLost; return w },
		"the login afterwards has no answer": func() *world {
			w := plain()
			for n := range 3 {
				w.faults[callVerify+4*n] = dropped
			}
			return w
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := story()
				w.events[callSet+1] = func(w *world) {
					for range 2 { // ours is not the one before any more
						w.strangerSets("X")
					}
				}
				a, dead := w.run(false)
				require.True(t, dead, "%+v\n%s", a.Stop, w.story())
				require.Equal(t, w.write().inForce(), w.live(0), w.story())
				require.Empty(t, w.spare(), w.story())
				require.Zero(t, w.lockouts, w.story())
				w.ended()
				w.kept(t, name)
			})
		})
	}
}

// TestASeenPathThatSomebodyWroteSinceKeepsWhatItHeld: the value there may be
// the only copy of what he set.
func TestASeenPathThatSomebodyWroteSinceKeepsWhatItHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := plain()
		w.events[callVerify] = func(w *world) { w.strangerSets("X") }
		_, dead := w.pass(false)
		require.False(t, dead)
		require.Equal(t, map[string]string{w.cred.Paths[0].String(): ownmount.PlaceSeen}, w.staging[w.cred.ID].Places)
		w.strangerWrites(0, "another one")
		w.stolen = append(w.stolen, "another one")
		a, dead := w.run(false)
		require.True(t, dead, "%+v\n%s", a.Stop, w.story())
		require.Equal(t, w.write().inForce(), w.live(0), w.story())
		require.False(t, w.secrets["kv/app"].versions[1].destroyed)
		w.kept(t, "written since")
	})
}

// TestWhoeverSetsAnotherValueAfterEachOfOursDoesNotHaveTheAccountLockedByUs,
// although in Active Directory a change leaves the count of wrong logins.
func TestWhoeverSetsAnotherValueAfterEachOfOursDoesNotHaveTheAccountLockedByUs(t *testing.T) {
	for locks := 2; locks <= 5; locks++ {
		for _, grace := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				w := plain()
				w.grace = grace
				w.counts(locks)
				w.afterSet = func(w *world) {
					for range 2 {
						w.strangerSets("X")
					}
				}
				for range 6 {
					_, dead := w.pass(false)
					require.False(t, dead)
				}
				require.Zero(t, w.lockouts, "locks at %d\n%s", locks, w.story())
				w.afterSet = nil
				a, dead := w.run(false)
				require.True(t, dead, "%+v\n%s", a.Stop, w.story())
				require.Zero(t, w.lockouts, "locks at %d\n%s", locks, w.story())
				require.Equal(t, w.write().inForce(), w.live(0), w.story())
				w.kept(t, "set after each of ours")
			})
		}
	}
}

// TestAMarkThatMovedWithoutAnotherPasswordReplacesNothing: who ticks and
// unticks must-change, or lifts an expiry, moves it too.
func TestAMarkThatMovedWithoutAnotherPasswordReplacesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(2, "P0")
		w.grace, w.servers[1].lag = true, pause+pause/2
		w.counts(3)
		a, dead := w.pass(false)
		require.False(t, dead)
		require.Equal(t, protocol.ReasonLagging, a.Stop.Reason, w.story())
		require.NotEmpty(t, w.staging[w.cred.ID].Retired)
		w.spread(func(e *entry) { e.mark += " lifted" })
		w.write().fails, w.write().failed = 2, time.Now()
		a, dead = w.run(false)
		require.True(t, dead, w.story())
		require.Equal(t, 1, a.Attempt, w.story())
		require.Empty(t, codes(a.Findings))
		require.Zero(t, w.lockouts)
		w.kept(t, "touched")
	})
}

// TestAValueThatWasRefusedIsKnownAsLongAsItIsTheStagedOne: not once another one
// is staged, nor once it was seen to work.
func TestAValueThatWasRefusedIsKnownAsLongAsItIsTheStagedOne(t *testing.T) {
	for name, act := range map[string]func(*world){
		"works":    func(w *world) { w.servers[1].lag = time.Hour },
		"replaced": func(w *world) { w.binder.refuses = map[string]bool{"S1": true} },
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(2, "P0").counts(4)
			w.events[callVerify] = func(w *world) { w.strangerSets("X") }
			_, dead := w.pass(false)
			require.False(t, dead)
			require.True(t, w.staging[w.cred.ID].Refused)
			act(w)
			for range 3 {
				_, dead = w.pass(false)
				require.False(t, dead)
				if st := w.staging[w.cred.ID]; st.Attempt > 1 || w.write().inForce() == "S1" {
					break
				}
			}
			require.False(t, w.staging[w.cred.ID].Refused, "%s\n%s", name, w.story())
			w.kept(t, name)
		})
	}
}
