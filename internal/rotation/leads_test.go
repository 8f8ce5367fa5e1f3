package rotation

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// The listing may be hours old when a value is set: a secret that came to send
// its readers to another host since takes no new value, and is not changed.
func TestASecretThatCameToLeadElsewhereSinceItWasListedTakesNoNewValue(t *testing.T) {
	r := newReal(t, lab.SlapdOptions{})
	v := startRealVault(t, "team")
	for i, row := range []struct {
		name        string
		listed, now map[string]any // beside the password
		change      func(*credential.Credential)
		held        bool
	}{
		{"as it was", map[string]any{"host": "app.example.org"}, map[string]any{"host": "app.example.org", "note": "x"}, nil, false},
		{"another host", map[string]any{"host": "app.example.org"}, map[string]any{"host": "192.0.2.66"}, nil, true},
		{"a host where there was none", nil, map[string]any{"url": "https://192.0.2.66/"}, nil, true},
		{"listed by a build that did not look", nil, map[string]any{"host": "192.0.2.66"}, func(c *credential.Credential) { c.LeadsKnown = false }, false},
		{"not shown to whoever listed it", nil, map[string]any{"host": "192.0.2.66"},
			func(c *credential.Credential) {
				c.Leads = map[string]string{c.Paths[0].String(): credential.LeadsUnseen}
			}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			at := v.at("team", "apps/"+r.accounts[i].UID)
			put := func(beside map[string]any) vault.Live {
				data := map[string]any{"password": r.accounts[i].Password}
				for k, value := range beside {
					data[k] = value
				}
				v.write("team/data/"+at.Path, map[string]any{"data": data})
				live, err := v.store.ReadLive(t.Context(), at, 0)
				require.NoError(t, err)
				return live
			}
			c := r.credential(i)
			c.Paths, c.Named, c.Spare = []credential.Path{at}, []credential.Path{at}, nil
			c.LeadsKnown = true
			if digest := put(row.listed).Leads().Digest(nil); digest != "" {
				c.Leads = map[string]string{at.String(): digest}
			}
			put(row.now)
			if row.change != nil {
				row.change(&c)
			}
			rot := r.rotator()
			rot.Store, rot.Listed = v.store, time.Now()
			p := rot.Prepare(t.Context(), c)
			if !row.held {
				require.Nil(t, p.Stop, "%+v", p.Stop)
				a := rot.Apply(t.Context(), c, p.Attempt, p.Fresh)
				require.True(t, a.Dead(), "%+v", a.Stop)
				return
			}
			require.NotNil(t, p.Stop)
			require.Equal(t, protocol.ReasonLedElsewhere, p.Stop.Reason)
			require.Contains(t, p.Stop.Detail, "another host than when it was listed")
			require.Equal(t, protocol.Precheck, p.Step)
			require.NotContains(t, p.Stop.Detail, "192.0.2.66")
			require.Equal(t, r.accounts[i].Password, v.gets(at))
			require.True(t, r.logsIn(r.slapd, c.Name, r.accounts[i].Password), "nothing was set")
			put(row.listed)
			rot = r.rotator()
			rot.Store, rot.Listed = v.store, time.Now()
			p = rot.Prepare(t.Context(), c)
			require.Nil(t, p.Stop, "who puts it back has done all: %+v", p.Stop)
			a := rot.Apply(t.Context(), c, p.Attempt, p.Fresh)
			require.True(t, a.Dead(), "%+v", a.Stop)
		})
	}
	between := func(t *testing.T, i int, left string) {
		at := v.at("team", "apps/"+r.accounts[i].UID)
		write := func(host, value string) {
			v.write("team/data/"+at.Path, map[string]any{"data": map[string]any{"password": value, "host": host}})
		}
		write("app.example.org", r.accounts[i].Password)
		live, err := v.store.ReadLive(t.Context(), at, 0)
		require.NoError(t, err)
		c := r.credential(i)
		c.Paths, c.Named, c.Spare = []credential.Path{at}, []credential.Path{at}, nil
		c.LeadsKnown, c.Leads = true, map[string]string{at.String(): live.Leads().Digest(nil)}
		meddled := false
		rot := r.rotator()
		rot.Store, rot.Listed = v.store, time.Now()
		r.meddle = func(what, _ string) {
			if what == "try" && !meddled && !r.logsIn(r.slapd, c.Name, r.accounts[i].Password) { // it was set
				meddled = true
				write("192.0.2.66", left)
			}
		}
		p := rot.Prepare(t.Context(), c)
		require.Nil(t, p.Stop)
		a := rot.Apply(t.Context(), c, p.Attempt, p.Fresh)
		require.True(t, meddled)
		require.NotNil(t, a.Stop)
		require.Equal(t, protocol.ReasonLedElsewhere, a.Stop.Reason, a.Stop.Detail)
		require.Equal(t, left, v.gets(at), "the new value was not written beside his host")
		for _, host := range []string{"192.0.2.66", "app.example.org"} {
			write(host, r.accounts[i].Password)
			rot = r.rotator()
			rot.Store, rot.Listed = v.store, time.Now()
			p = rot.Prepare(t.Context(), c)
			require.Nil(t, p.Stop, "%+v", p.Stop)
			a = rot.Apply(t.Context(), c, p.Attempt, p.Fresh)
			require.Equal(t, host == "app.example.org", a.Dead(), "%s: %+v", host, a.Stop)
		}
		require.True(t, r.logsIn(r.slapd, c.Name, v.gets(at)))
	}
	t.Run("between set and activate", func(t *testing.T) { between(t, 5, r.accounts[5].Password) })
	t.Run("between set and activate, without the value", func(t *testing.T) { between(t, 6, "") })
}

// TestAPathThatGetsNoNewValueMayLeadAnywhere: one that takes no part, and one
// that has it already where the server took the reset back.
func TestAPathThatGetsNoNewValueMayLeadAnywhere(t *testing.T) {
	leads := func(w *world, i int) {
		w.cred.LeadsKnown, w.cred.Leads = true, map[string]string{w.cred.Paths[i].String(): "another host"}
	}
	for name, story := range map[string]func() *world{
		"stale": func() *world {
			w := newWorld(1, "P0")
			w.addPath("second", "stale")
			w.events[1] = func(w *world) { leads(w, 1) } // Apply has it so, and Prepare had it as it was listed
			return w
		},
		"stale, and but its own word says that it is the account's": func() *world {
			w := newWorld(1, "P0")
			w.addPath("second", "stale")
			w.cred.Named = w.cred.Named[:len(w.cred.Named)-1]
			leads(w, 1)
			return w
		},
		"activated": func() *world {
			w := plain().counts(5)
			before := w.write().mark
			w.faults[callProve] = diedFirst
			_, dead := w.pass(false)
			require.False(t, dead)
			require.Equal(t, "S1", w.live(0), w.story())
			w.spread(func(e *entry) { e.history, e.mark = e.history[:1], before })
			leads(w, 0)
			return w
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := story()
				a, dead := w.pass(false)
				require.True(t, dead, "%+v\n%s", a.Stop, w.story())
				require.Equal(t, "S1", w.live(0), w.story())
				w.kept(t, name)
			})
		})
	}
}

// TestASecretThatHoldsItsAccountBackCostsNoWrongLogins: it may be so for long,
// and each pass would offer the value that nothing was done with yet.
func TestASecretThatHoldsItsAccountBackCostsNoWrongLogins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := plain()
		w.addPath("second", "P0")
		w.cred.Named = w.cred.Named[:1] // but for its own word
		w.counts(5)
		w.cred.LeadsKnown, w.cred.Leads = true, map[string]string{w.cred.Paths[1].String(): "another host"}
		for range 3 {
			a, dead := w.pass(false)
			require.False(t, dead, w.story())
			require.Equal(t, protocol.ReasonLedElsewhere, a.Stop.Reason, w.story())
		}
		for _, s := range w.trace {
			require.NotContains(t, s.what, "try S", "never sent, and so not asked for\n%s", w.story())
		}
		w.cred.Leads = nil
		a, dead := w.run(false)
		require.True(t, dead, "%+v\n%s", a.Stop, w.story())
		w.kept(t, "put back")
	})
}
