package intruder

import (
	"context"
	"strings"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/lab"
)

func TestAStolenAppRoleIsDeadOnlyWhenItsTokenIsToo(t *testing.T) {
	v, err := lab.StartVault(t.Context(), lab.VaultOptions{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, v.Stop(context.Background())) })
	vault := v.Client()
	call := func(path string, body map[string]any) *vaultapi.Secret {
		t.Helper()
		s, err := vault.Logical().WriteWithContext(t.Context(), path, body)
		require.NoError(t, err)
		return s
	}
	call("auth/approle/role/esg-01", map[string]any{"token_policies": "default"})
	role, err := vault.Logical().ReadWithContext(t.Context(), "auth/approle/role/esg-01/role-id")
	require.NoError(t, err)
	secret := call("auth/approle/role/esg-01/secret-id", nil)

	f := startIntruder(t, Stolen{ID: "vault/approle/esg-01", Kind: AppRole, Servers: []string{v.Address()},
		RoleID: role.Data["role_id"].(string), Password: secret.Data["secret_id"].(string)})
	f.out.waitFor(t, `"change"`, `"via":"login"`, `"to":"accepted"`)
	f.out.waitFor(t, `"change"`, `"via":"session"`, `"to":"accepted"`)

	call("auth/approle/role/esg-01/secret-id-accessor/destroy", map[string]any{"secret_id_accessor": secret.Data["secret_id_accessor"]})
	destroyed := time.Now()
	f.out.waitFor(t, `"change"`, `"via":"login"`, `"to":"refused"`)
	require.Eventually(t, func() bool {
		f.send(Command{Command: Report})
		results, sum, err := ReadResults(strings.NewReader(f.out.String()))
		if err != nil {
			return false // a line is being written
		}
		for _, r := range results {
			if r.Via == Session && r.LastSuccess.After(destroyed) {
				return sum.Open == 1
			}
		}
		return false
	}, 2*time.Minute, 20*time.Millisecond, "the session was not tried again")

	accessors, err := vault.Logical().ListWithContext(t.Context(), "auth/token/accessors")
	require.NoError(t, err)
	revoked := 0
	for _, a := range accessors.Data["keys"].([]any) {
		info, err := vault.Auth().Token().LookupAccessorWithContext(t.Context(), a.(string))
		if err != nil {
			continue // one that the intruder has just revoked
		}
		if info.Data["path"] == "auth/approle/login" {
			require.NoError(t, vault.Auth().Token().RevokeAccessorWithContext(t.Context(), a.(string)))
			revoked++
		}
	}
	require.Equal(t, 1, revoked, "it keeps one session and revokes the tokens of its other logins")
	died := time.Now()
	f.out.waitFor(t, `"change"`, `"via":"session"`, `"to":"refused"`)
	results, sum := f.finish()
	require.Len(t, results, 2)
	require.Zero(t, sum.Open)
	require.Empty(t, Judge(results, []Death{{"vault/approle/esg-01", died}}))
	early := Judge(results, []Death{{"vault/approle/esg-01", destroyed}})
	require.Len(t, early, 1, "the session outlived the secret-id")
	require.Equal(t, Session, early[0].Via)
	require.NotContains(t, f.out.String(), secret.Data["secret_id"])
	require.NotContains(t, f.out.String(), "hvs.")

	require.NoError(t, v.Seal(t.Context()))
	sealed := startIntruder(t, Stolen{ID: "vault/approle/esg-01", Kind: AppRole, Servers: []string{v.Address()}, RoleID: "x", Password: "y"})
	sealed.out.waitFor(t, `"change"`, `"to":"unreachable","detail":"Service Unavailable"`)
	results, _ = sealed.finish()
	require.True(t, results[0].FirstRefusal.IsZero(), "a sealed Vault refuses nobody")
}
