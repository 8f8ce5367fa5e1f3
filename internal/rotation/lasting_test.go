package rotation

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
	"rollcall/internal/rotation/gate"
)

// TestNothingIsSetWhereVaultWouldDeleteTheNewValueByItself: once the old value
// is dead the new one is the only copy. It is so whatever call fails.
func TestNothingIsSetWhereVaultWouldDeleteTheNewValueByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, world := range map[string]func() *world{
			"the path": func() *world {
				w := newWorld(1, "P0")
				w.deletes = map[string]time.Duration{"kv/app": time.Hour}
				return w
			},
			"a second path, where nothing is yet": func() *world {
				w := newWorld(1, "P0")
				w.addPath("second", "")
				w.deletes = map[string]time.Duration{"kv/second": time.Hour}
				return w
			},
			"Rollcall's own path, which takes the value": func() *world {
				w := newWorld(1, "P0")
				w.secrets["kv/app"].versions[0].fields["password"], w.foreign["kv/app"] = "theirs", true
				w.deletes = map[string]time.Duration{"kv/spare": time.Hour}
				return w
			},
		} {
			for at := 0; at <= 12; at++ {
				for _, f := range allFaults {
					w := world()
					w.theirs["P0"] = true
					w.faults[at] = f
					stopped := false
					for range 4 {
						a, dead := w.pass(true)
						require.False(t, dead, name)
						if a.Stop != nil && a.Stop.Reason == protocol.ReasonDeletesItself {
							require.Contains(t, a.Stop.Detail, "nothing was changed")
							stopped = true
							break
						}
					}
					require.True(t, stopped, "%s\n%s", name, w.story())
					require.Equal(t, "P0", w.write().inForce(), name)
					require.Empty(t, w.secrets["kv/spare"].versions, name)
					w.kept(t, name)
				}
			}
		}
	})
}

// TestAPathThatIsLeftAsItIsMayDeleteItsVersions: nothing is written there.
func TestAPathThatIsLeftAsItIsMayDeleteItsVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(1, "P0")
		w.addPath("stale", "stale")
		w.foreign["kv/stale"] = true
		w.deletes = map[string]time.Duration{"kv/stale": time.Hour, "kv/spare": time.Hour}
		w.rotate(t, false, "a stale path that deletes")
	})
}

// TestAValueAtRollcallsOwnPathIsNotPushedOutOfVault where one version is kept
// and nobody saw whose it is.
func TestAValueAtRollcallsOwnPathIsNotPushedOutOfVault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, single := range []bool{true, false} {
			w := newWorld(1, "P0")
			w.theirs["P0"] = true
			w.secrets["kv/app"].versions[0].fields["password"], w.foreign["kv/app"] = "theirs", true
			w.secrets["kv/spare"].versions = []version{{fields: map[string]string{"password": "earlier"}, at: time.Now()}}
			w.single = map[string]bool{"kv/spare": single}
			a, dead := w.pass(false)
			require.Equal(t, !single, dead, w.story())
			if single {
				require.Equal(t, protocol.ReasonUnproved, a.Stop.Reason)
				require.Contains(t, a.Stop.Detail, "max_versions")
				require.Equal(t, "P0", w.write().inForce())
				require.Equal(t, "earlier", w.spare())
			}
			w.kept(t, "single")
		}
	})
}

// TestASecretThatGetsASettingWheneverItPleasesLosesNoValue: what no look before
// Set can see is in staging until consumers get a version that stays.
func TestASecretThatGetsASettingWheneverItPleasesLosesNoValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, first := range []bool{false, true} {
			for fault := range 20 {
				for at := 1; at <= 24; at++ {
					w := newWorld(2, "P0")
					w.first = first
					if fault > 0 {
						w.faults[fault+2] = allFaults[(fault+at)%len(allFaults)]
					}
					w.events[at] = func(w *world) { w.fleeting = map[string]bool{"kv/app": true} }
					var a Applied
					dead := false
					for n := 0; n < 6 && !dead && (a.Stop == nil || a.Stop.Reason != protocol.ReasonDeletesItself); n++ {
						a, dead = w.pass(true)
					}
					w.kept(t, "a setting")
					ends := slices.ContainsFunc(w.secrets["kv/app"].versions, func(v version) bool { return v.ends })
					require.Equal(t, ends, !dead, "%v\n%s", a.Stop, w.story())
					if ends {
						require.Equal(t, protocol.ReasonDeletesItself, a.Stop.Reason, w.story())
						require.Equal(t, w.write().inForce(), w.staging[w.cred.ID].Secret.Reveal(), w.story())
					}
				}
			}
		}
	})
}

// TestASettingThatComesRightBeforeSetLosesNothing, on a real Vault: it deletes
// what consumers read, and the next campaign goes on with what is staged.
func TestASettingThatComesRightBeforeSetLosesNothing(t *testing.T) {
	r := newReal(t, lab.SlapdOptions{})
	v := startRealVault(t)
	g := gate.NewGate(v.store)
	rotate := func(n int, campaign string, then func(credential.Path)) (credential.Credential, Prepared, Applied) {
		c := r.credential(n)
		at := v.at("kv", fmt.Sprintf("late/%d", n))
		c.Paths, c.Named, c.Spare = []credential.Path{at}, []credential.Path{at}, nil
		if then != nil {
			v.puts(at, r.accounts[n].Password)
		}
		rot := r.rotator()
		rot.Store, rot.Listed, rot.Campaign, rot.Gate, rot.Slots = v.store, time.Now(), campaign, g, 4
		p := rot.Prepare(t.Context(), c)
		require.Nil(t, p.Stop)
		if then != nil {
			then(at)
		}
		return c, p, rot.Apply(t.Context(), c, p.Attempt, p.Fresh)
	}
	var at credential.Path
	c, _, a := rotate(0, us, func(p credential.Path) {
		at = p
		v.write("kv/metadata/"+p.Path, map[string]any{"delete_version_after": "1s"})
	})
	require.Equal(t, protocol.ReasonDeletesItself, a.Stop.Reason)
	require.Contains(t, a.Stop.Detail, "also in staging")
	require.False(t, r.logsIn(r.slapd, c.Name, r.accounts[0].Password))
	require.Eventually(t, func() bool {
		live, err := v.store.ReadLive(t.Context(), at, 0)
		return err == nil && live.Problem == credential.DeletedVersion
	}, time.Minute, 20*time.Millisecond)
	staged, found, err := v.store.ReadStaged(t.Context(), c.ID)
	require.NoError(t, err)
	require.True(t, found && r.logsIn(r.slapd, c.Name, staged.Secret.Reveal()), "the one copy that is left")

	// Whose setting comes after that one is asked, and nothing is set.
	later, _, a := rotate(1, us, func(p credential.Path) {
		v.write("kv/metadata/"+p.Path, map[string]any{"delete_version_after": "1s"})
	})
	require.Equal(t, protocol.ReasonDeletesItself, a.Stop.Reason)
	require.Contains(t, a.Stop.Detail, "nothing was changed")
	require.True(t, r.logsIn(r.slapd, later.Name, r.accounts[1].Password))

	v.write("kv/metadata/"+at.Path, map[string]any{"delete_version_after": "0s"})
	v.write("kv/undelete/"+at.Path, map[string]any{"versions": []int{2}})
	_, _, a = rotate(0, "campaign-3", nil)
	for range 3 {
		if a.Dead() {
			break
		}
		_, _, a = rotate(0, "campaign-3", nil)
	}
	require.True(t, a.Dead(), "%v", a.Stop)
	require.True(t, r.logsIn(r.slapd, c.Name, v.gets(at)))
	require.False(t, r.logsIn(r.slapd, c.Name, staged.Secret.Reveal()))
}

// TestWhatARealVaultDeletesByItselfIsSeenRightBeforeSet: settings that came
// after the listing, on a mount and on a secret, are seen there too.
func TestWhatARealVaultDeletesByItselfIsSeenRightBeforeSet(t *testing.T) {
	r := newReal(t, lab.SlapdOptions{})
	v := startRealVault(t, "fleeting")
	store, write, at := v.store, v.write, v.at
	type row struct {
		name        string
		path, spare credential.Path
		holds       string // "" is nothing
		listed      time.Time
		open        bool
	}
	var rows []row
	for i, x := range []row{
		{name: "the mount's came after the version", path: at("fleeting", "a"), holds: "own", listed: time.Now(), open: true},
		{name: "nothing is there yet", path: at("fleeting", "b"), listed: time.Now(), open: true},
		{name: "the secret's came after the version", path: at("kv", "c"), holds: "own", open: true},
		{name: "nothing but the secret's settings are there", path: at("kv", "d"), open: true},
		{name: "Rollcall's own path", path: at("kv", "e"), spare: at("fleeting", "e-own"), holds: "stale", listed: time.Now(), open: true},
		{name: "nothing deletes", path: at("kv", "f"), spare: at("fleeting", "f-own"), holds: "own", listed: time.Now()},
	} {
		if value := x.holds; value != "" {
			if value == "own" {
				value = r.accounts[i].Password
			}
			write(x.path.Mount+"/data/"+x.path.Path, map[string]any{"data": map[string]any{"password": value}})
		}
		rows = append(rows, x)
	}
	write("fleeting/config", map[string]any{"delete_version_after": "1h"})
	write("kv/metadata/c", map[string]any{"delete_version_after": "1h"})
	write("kv/metadata/d", map[string]any{"delete_version_after": "1h"})
	for i, x := range rows {
		c := r.credential(i)
		c.Paths, c.Named, c.Spare = []credential.Path{x.path}, []credential.Path{x.path}, nil
		if x.spare.Mount != "" {
			c.Spare = &x.spare
		}
		rot := r.rotator()
		rot.Store, rot.Listed = store, x.listed
		p := rot.Prepare(t.Context(), c)
		require.Nil(t, p.Stop, x.name)
		a := rot.Apply(t.Context(), c, p.Attempt, p.Fresh)
		require.Equal(t, !x.open, a.Dead(), "%s: %v", x.name, a.Stop)
		require.Equal(t, x.open, r.logsIn(r.slapd, c.Name, r.accounts[i].Password), x.name)
		if x.open {
			require.Equal(t, protocol.ReasonDeletesItself, a.Stop.Reason, x.name)
			require.Equal(t, protocol.Intent, a.Step, x.name)
		}
	}
}
