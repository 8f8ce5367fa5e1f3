package rotation

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
)

// TestWhatWasAcceptedBeforeAKillIsKnownWhereNoLoginIsLeft: an account of
// OpenLDAP that is older than its policy keeps no time of a change. The process
// is killed when it has written that it is about to set, and somebody guesses
// until one wrong login is left.
func TestWhatWasAcceptedBeforeAKillIsKnownWhereNoLoginIsLeft(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: 3}})
	c := r.credential(0)
	stale := credential.Path{Mount: "kv", Path: "stale", Field: "password"}
	r.store.put(stale, "an old one")
	c.Paths = append(c.Paths, stale)
	c.Named = c.Paths
	r.older(c.Name)
	require.PanicsWithValue(t, "killed", func() {
		r.during("set", 1, []credential.Credential{c}, func() { panic("killed") })
	})
	r.meddle = func(string, string) {}
	require.True(t, r.logsIn(r.slapd, c.Name, r.accounts[0].Password), "it was not set")
	for range 2 {
		require.False(t, r.logsIn(r.slapd, c.Name, "a guess"))
	}
	got := r.run([]credential.Credential{c}, nothing)[0]
	require.True(t, got.Dead(), "%+v", got.Stop)
	require.Empty(t, r.attribute(r.slapd, c.Name, "pwdAccountLockedTime"))
	now, err := r.store.ReadLive(t.Context(), c.Paths[0], 0)
	require.NoError(t, err)
	require.True(t, r.logsIn(r.slapd, c.Name, now.Value.Reveal()))
	require.Equal(t, "an old one", r.store.live[stale.String()].Value.Reveal())
}

// TestAnOutageIsNoRefusal at whichever call the server goes away, also between
// two values that are offered.
func TestAnOutageIsNoRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for at := 1; ; at++ {
			w := several(1)
			w.events[at] = func(w *world) { w.servers[0].down = time.Now().Add(time.Hour) }
			a, _ := w.pass(false)
			if at > w.calls {
				break
			}
			if a.Stop != nil {
				require.NotContains(t, a.Stop.Detail, "refused a moment later", w.story())
			}
		}
	})
}
