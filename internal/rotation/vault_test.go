package rotation

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// realVault is a Vault with a mount for Rollcall, kv, and others.
type realVault struct {
	*testing.T
	store *ownmount.Store
	api   *vaultapi.Logical
	sys   *vaultapi.Sys
}

func startRealVault(t *testing.T, mounts ...string) *realVault {
	t.Helper()
	v, err := lab.StartVault(t.Context(), lab.VaultOptions{Dir: filepath.Join(t.TempDir(), "vault")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, v.Stop(context.Background())) })
	for _, name := range []string{vault.EnvRoleID, vault.EnvSecretIDFile, "VAULT_NAMESPACE", "VAULT_CACERT", "VAULT_SKIP_VERIFY"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("VAULT_ADDR", v.Address())
	t.Setenv("VAULT_TOKEN", v.RootToken().Reveal())
	t.Setenv("VAULT_CLIENT_TIMEOUT", "5m") // the machine does much besides
	out := &realVault{T: t, api: v.Client().Logical(), sys: v.Client().Sys()}
	for _, name := range append([]string{"rollcall"}, mounts...) {
		require.NoError(t, v.Client().Sys().MountWithContext(t.Context(), name, &vaultapi.MountInput{Type: "kv", Options: map[string]string{"version": "2"}}))
		require.Eventually(t, func() bool {
			_, err := out.api.WriteWithContext(t.Context(), name+"/config", map[string]any{"max_versions": 10})
			return err == nil
		}, time.Minute, 20*time.Millisecond)
	}
	out.store, err = ownmount.Open(t.Context(), ownmount.Settings{Mount: "rollcall", Transit: "transit"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, out.store.Close()) })
	return out
}

func (v *realVault) write(at string, data map[string]any) {
	_, err := v.api.WriteWithContext(v.Context(), at, data)
	require.NoError(v, err, at)
}

// puts writes a secret with one field, as somebody who knows nothing of
// Rollcall.
func (v *realVault) puts(p credential.Path, value string) {
	v.write(p.Mount+"/data/"+p.Path, map[string]any{"data": map[string]any{p.Field: value}})
}

// gets is what consumers read.
func (v *realVault) gets(p credential.Path) string {
	got, err := v.api.ReadWithContext(v.Context(), p.Mount+"/data/"+p.Path)
	require.NoError(v, err)
	require.NotNil(v, got, p)
	data, _ := got.Data["data"].(map[string]any)
	text, _ := data[p.Field].(string)
	return text
}

func (v *realVault) at(mount, path string) credential.Path {
	return credential.Path{Mount: mount, Path: path, Field: "password"}
}
