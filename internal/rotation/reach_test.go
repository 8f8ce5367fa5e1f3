package rotation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// outlasting is a login of which tokens live on that could read the place of
// its new value, until a person accepts it.
type outlasting struct{ open, closed, waits, aside bool }

func (o *outlasting) Closed(string) { o.closed = true }
func (o *outlasting) Opened(string) { o.closed = false }

func (o *outlasting) Before(context.Context, credential.Credential) *protocol.Stop { return o.stop() }
func (o *outlasting) Stand(context.Context, credential.Credential, func() error) error {
	if o.aside = false; o.waits {
		return &protocol.Stop{Reason: protocol.ReasonWithinReach}
	}
	return nil
}
func (o *outlasting) Aside(context.Context, credential.Credential)                 { o.aside = true }
func (o *outlasting) Within(context.Context, credential.Credential) *protocol.Stop { return o.stop() }

func (o *outlasting) stop() *protocol.Stop {
	if !o.open {
		return nil
	}
	return &protocol.Stop{Reason: protocol.ReasonWithinReach}
}

// loginStories are those in which the old value opens the live path.
func loginStories(t *testing.T) (out []story) {
	for _, s := range stories {
		if s.world().first {
			out = append(out, s)
		}
	}
	require.NotEmpty(t, out)
	return out
}

// Retired and not activated, its consumer would have no login for as long as
// nobody accepts it.
func TestALoginWhoseOldTokensWouldReadItsNewValueIsLeftAsItIsUntilAPersonAcceptsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, s := range loginStories(t) {
			for at := 1; at <= callsOf(s); at++ {
				for _, f := range allFaults {
					w, r := s.world(), &outlasting{open: true}
					w.faults[at], w.reach = f, r
					what := fmt.Sprintf("%s, call %d: %s", s.name, at, f)
					before := len(w.secrets["kv/app"].versions)
					for range 3 {
						a, dead := w.pass(at%2 == 0)
						require.False(t, dead, what)
						if a.Stop != nil && a.Stop.Reason == protocol.ReasonWithinReach {
							require.Equal(t, protocol.Intent, a.Step, what)
						}
					}
					require.Len(t, w.write().history, 1, "%s: nothing was set, and nothing retired\n%s", what, w.story())
					require.Len(t, w.secrets["kv/app"].versions, before, what)
					r.open = false
					w.rotate(t, at%2 == 0, what)
				}
			}
		}
	})
}

// Whenever its role begins to give such tokens, nothing is written where they
// read.
func TestALoginThatBeginsToGiveTokensThatOutlastItIsNotActivatedAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, s := range loginStories(t) {
			for at := 1; at <= callsOf(s); at++ {
				w, r := s.world(), &outlasting{}
				w.reach = r
				what := fmt.Sprintf("%s, before call %d", s.name, at)
				versions := func() int { return len(w.secrets["kv/app"].versions) }
				written := 0
				w.events[at] = func(*world) { r.open = true }
				w.events[at+1] = func(*world) { written = versions() }
				for range 3 {
					if _, dead := w.pass(false); dead {
						break
					}
				}
				if r.open && w.calls > at {
					require.Equal(t, written, versions(), "%s\n%s", what, w.story())
				}
				r.open = false
				if w.staging[w.cred.ID] != nil {
					w.rotate(t, false, what)
				}
			}
		}
	})
}

// The pass that proves it on the last server retires nothing, and finds nothing
// itself.
func TestWhatLivesOnOfALoginIsToldByThePassThatProvesIt(t *testing.T) {
	for _, code := range []credential.FindingCode{"", credential.FindingBatchTokens, credential.FindingOrphanTokens} {
		synctest.Test(t, func(t *testing.T) {
			w, r := slow(2*pause-time.Second), &outlasting{}
			w.first, w.reach = true, r
			if code != "" {
				w.lives = []credential.Finding{{Code: code}}
			}
			for {
				a, dead := w.pass(false)
				require.Equal(t, code != "", slices.ContainsFunc(a.Findings, func(f credential.Finding) bool { return f.Code == code && f.Code.LivesOn() }), "%+v", a.Findings)
				require.Equal(t, code == "", r.closed)
				if dead {
					break
				}
				require.Equal(t, protocol.ReasonLagging, a.Stop.Reason, w.story())
				require.Equal(t, code, w.staging[w.cred.ID].LivesOn)
				require.Equal(t, code == "", w.staging[w.cred.ID].Closed)
				<-time.After(pause)
			}
			require.Equal(t, 1, w.did("retire"), "one more would be one more change to follow: %s", w.story())
		})
	}
}

// What was retired was another value than the one in force by now.
func TestALoginThatSomebodyChangedAfterItWasClosedIsOpenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r := slow(3*pause-time.Second), &outlasting{}
		w.first, w.reach = true, r
		_, dead := w.pass(false)
		require.False(t, dead)
		require.True(t, r.closed)
		w.strangerSets("X")
		w.strangerSets("Y")
		a, dead := w.pass(false)
		require.False(t, dead)
		require.Equal(t, protocol.ReasonRestaged, a.Stop.Reason, w.story())
		require.False(t, r.closed)
		require.False(t, w.staging[w.cred.ID].Closed)
		<-time.After(3 * pause)
		w.rotate(t, false, "changed after it was closed")
		require.True(t, r.closed)
	})
}

// Others go on because one is about to be set.
func TestALoginThatIsNotSetAfterAllIsNotTakenForAboutToBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, waits := range []bool{true, false} {
			w, reach := loginStories(t)[0].world(), &outlasting{waits: waits}
			w.reach = reach
			r := w.rotator()
			r.BeforeSet = func(context.Context, credential.Credential) *protocol.Stop {
				if waits {
					return nil
				}
				return &protocol.Stop{Reason: protocol.ReasonInterrupted}
			}
			p := r.Prepare(t.Context(), w.cred)
			require.Nil(t, p.Stop)
			w.intents[p.Attempt] = true
			a := r.Apply(t.Context(), w.cred, p.Attempt, p.Fresh)
			require.Equal(t, waits, a.Stop.Reason == protocol.ReasonWithinReach, a.Stop.Reason)
			require.Equal(t, protocol.Intent, a.Step)
			require.Equal(t, !waits, reach.aside, "it stands where nothing but the others is in its way")
			require.Len(t, w.write().history, 1)
		}
	})
}

// Whatever ends a look before Set, others do not go by what an earlier one has
// noted.
func TestALookThatEndsAnywhereElseTakesBackThatALoginIsAboutToBeSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stands, aside := 0, 0
		for _, s := range loginStories(t) {
			for at := 1; at <= callsOf(s); at++ {
				for _, f := range allFaults {
					w, reach := s.world(), &outlasting{waits: true}
					w.reach, w.faults[at] = reach, f
					what := fmt.Sprintf("%s, call %d: %s", s.name, at, f)
					for range 2 {
						reach.aside = false
						before := len(w.trace)
						a, dead := w.pass(at%2 == 0)
						require.False(t, dead, what)
						applied := slices.ContainsFunc(w.trace[before:], func(s step) bool { return strings.HasPrefix(s.what, "apply stops at ") })
						switch {
						case !applied: // killed, or nothing was to be applied
						case a.Stop.Reason == protocol.ReasonWithinReach:
							stands++
							require.False(t, reach.aside, what)
						default:
							aside++
							require.True(t, reach.aside, "%s: %s\n%s", what, a.Stop, w.story())
						}
					}
					require.Len(t, w.write().history, 1, "%s: nothing was set\n%s", what, w.story())
					reach.waits = false
					w.rotate(t, at%2 == 0, what)
					require.True(t, reach.aside, what)
				}
			}
		}
		require.Greater(t, stands, 50)
		require.Greater(t, aside, 50)
		t.Log(stands, aside)
	})
}
