package rotation

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// Offered by the next pass it would be a wrong login for nothing, and another
// device's campaign would be told that it may be in force.
func TestAPassThatEndsBeforeAnythingWasSentSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := 0
		for _, s := range stories {
			for at := 1; at <= callsOf(s); at++ {
				for _, f := range []fault{dropped, replyLost} {
					w := s.world()
					w.faults[at] = f
					what := fmt.Sprintf("%s, call %d: %s", s.name, at, f)
					a, dead := w.pass(false)
					now := w.staging[w.cred.ID]
					if dead || a.Stop == nil || len(w.intents) == 0 || now == nil || now.Campaign != us || a.Attempt != now.Attempt ||
						a.Step != protocol.Precheck && a.Step != protocol.Intent || a.Stop.Reason.OfAllVault() || w.did("set") > 0 || w.did("try S") > 0 {
						continue
					}
					told++
					require.True(t, now.Unsent, "%s: %s\n%s", what, a.Stop, w.story())
					w.rotate(t, false, what)
				}
			}
		}
		require.Greater(t, told, 100, "the faults end passes before anything is sent")
	})
}

// stopsBeforeSet are what ends a look before anything is sent, and what lets
// the next one go on.
var stopsBeforeSet = map[string]func(*world, *Rotator) (free func()){
	"what has changed since the batch began": func(_ *world, r *Rotator) func() {
		r.BeforeSet = func(context.Context, credential.Credential) *protocol.Stop {
			return &protocol.Stop{Reason: protocol.ReasonWithinReach}
		}
		return func() {}
	},
	"it is hindered by now": func(_ *world, r *Rotator) func() {
		r.Hindering = func(context.Context) (map[string][]credential.Problem, error) {
			return map[string][]credential.Problem{"corp/" + subject: {credential.CheckedElsewhere}}, nil
		}
		return func() {}
	},
	"a copy beside": func(w *world, _ *Rotator) func() {
		w.beside()
		return func() { delete(w.secrets["kv/app"].versions[0].fields, "copy") }
	},
	"the account is locked": func(w *world, _ *Rotator) func() {
		w.write().state = protocol.Locked
		return func() { w.write().state = "" }
	},
	"the secret deletes itself": func(w *world, r *Rotator) func() {
		w.deletes = map[string]time.Duration{"kv/app": time.Hour}
		r.Listed = time.Time{}
		return func() { w.deletes = nil }
	},
}

// didBefore counts the calls of a name before the first of another one.
func (w *world) didBefore(first, name string) (n int) {
	for _, s := range w.trace {
		switch {
		case strings.HasPrefix(s.what, first):
			return n
		case strings.HasPrefix(s.what, name):
			n++
		}
	}
	return n
}

func TestWhateverKeepsAnAccountFromBeingSetItsStagedValueIsOfferedToNobody(t *testing.T) {
	for name, stops := range stopsBeforeSet {
		for _, remembered := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(1, "P0")
				if remembered {
					w.cache = NewPreparedCache()
				}
				r := w.rotator()
				p := r.Prepare(t.Context(), w.cred)
				require.Nil(t, p.Stop)
				w.intents[p.Attempt] = true
				free := stops(w, r)
				a := r.Apply(t.Context(), w.cred, p.Attempt, p.Fresh)
				if remembered && a.Stop == nil {
					return // what Prepare saw a moment ago is not read again
				}
				require.NotNil(t, a.Stop, name)
				require.True(t, w.staging[w.cred.ID].Unsent, "%s: %s, %s", name, a.Step, a.Stop)
				require.False(t, w.staging[w.cred.ID].MayBeInForce(), name)
				free()
				w.rotate(t, false, name)
				require.Zero(t, w.didBefore("set S1", "try S1")+w.didBefore("set S1", "offer S1"), "%s\n%s", name, w.story())
			})
		}
	}
}
