package rotation

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
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

// TestWhatARealVaultDeletesByItselfIsSeenRightBeforeSet: settings that came
// after the listing, on a mount and on a secret, are seen there too.
func TestWhatARealVaultDeletesByItselfIsSeenRightBeforeSet(t *testing.T) {
	v, err := lab.StartVault(t.Context(), lab.VaultOptions{Dir: filepath.Join(t.TempDir(), "vault")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, v.Stop(context.Background())) })
	r := newReal(t, lab.SlapdOptions{})
	for _, name := range []string{vault.EnvRoleID, vault.EnvSecretIDFile, "VAULT_NAMESPACE", "VAULT_CACERT", "VAULT_SKIP_VERIFY"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("VAULT_ADDR", v.Address())
	t.Setenv("VAULT_TOKEN", v.RootToken().Reveal())
	api := v.Client().Logical()
	mount := func(name string) {
		require.NoError(t, v.Client().Sys().MountWithContext(t.Context(), name, &vaultapi.MountInput{Type: "kv", Options: map[string]string{"version": "2"}}))
		require.Eventually(t, func() bool {
			_, err := api.WriteWithContext(t.Context(), name+"/config", map[string]any{"max_versions": 10})
			return err == nil
		}, 10*time.Second, 20*time.Millisecond)
	}
	mount("rollcall")
	mount("fleeting")
	store, err := ownmount.Open(t.Context(), ownmount.Settings{Mount: "rollcall", Transit: "transit"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	write := func(at string, data map[string]any) {
		_, err := api.WriteWithContext(t.Context(), at, data)
		require.NoError(t, err, at)
	}
	at := func(mount, path string) credential.Path {
		return credential.Path{Mount: mount, Path: path, Field: "password"}
	}
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
