package lab_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/lab"
)

func startVault(t *testing.T, o lab.VaultOptions) *lab.Vault {
	t.Helper()
	o.Dir = t.TempDir()
	v, err := lab.StartVault(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		require.NoError(t, v.Stop(ctx))
	})
	return v
}

func TestVaultServesEveryEngineThatRollcallMeets(t *testing.T) {
	client := startVault(t, lab.VaultOptions{}).Client()
	write := func(path string, body map[string]any) map[string]any {
		t.Helper()
		s, err := client.Logical().WriteWithContext(t.Context(), path, body)
		require.NoError(t, err, path)
		if s == nil {
			return nil
		}
		return s.Data
	}
	for _, kind := range []string{"transit", "pki", "ldap"} {
		require.NoError(t, client.Sys().MountWithContext(t.Context(), kind, &vaultapi.MountInput{Type: kind}))
	}
	require.NoError(t, client.Sys().EnableAuthWithOptionsWithContext(t.Context(), "userpass", &vaultapi.EnableAuthOptions{Type: "userpass"}))

	write("transit/keys/ledger", map[string]any{"type": "ed25519"})
	require.Contains(t, write("transit/sign/ledger", map[string]any{"input": "cm9sbGNhbGw="})["signature"], "vault:v1:")

	write("auth/approle/role/esg-01", map[string]any{"token_policies": "default"})
	id, err := client.Logical().ReadWithContext(t.Context(), "auth/approle/role/esg-01/role-id")
	require.NoError(t, err)
	write("auth/approle/role/esg-01/custom-secret-id", map[string]any{"secret_id": "chosen-by-the-caller"})
	login, err := client.Logical().WriteWithContext(t.Context(), "auth/approle/login",
		map[string]any{"role_id": id.Data["role_id"], "secret_id": "chosen-by-the-caller"})
	require.NoError(t, err)
	require.NotEmpty(t, login.Auth.Accessor)

	write("auth/userpass/users/operator", map[string]any{"password": "wonderland"})
	write("auth/userpass/login/operator", map[string]any{"password": "wonderland"})

	write("sys/policies/password/service", map[string]any{"policy": "length = 24\nrule \"charset\" { charset = \"abcdef\" }"})
	made, err := client.Logical().ReadWithContext(t.Context(), "sys/policies/password/service/generate")
	require.NoError(t, err)
	require.Len(t, made.Data["password"], 24)

	write("ldap/config", map[string]any{"binddn": "cn=admin,dc=example,dc=org", "bindpass": "x", "url": "ldap://127.0.0.1:1"})
}

func TestVaultOnFileStorageServesAgainWhatItHeldWhenItWasKilled(t *testing.T) {
	ca, err := lab.NewCA()
	require.NoError(t, err)
	v := startVault(t, lab.VaultOptions{File: true, CA: ca, Audit: true})
	address := v.Address()
	require.NoError(t, v.SeedKV(t.Context(), map[string]map[string]any{"apps/esg-01/ldap": {"password": "before"}}))

	v.Kill()
	_, err = v.Client().KVv2("kv").Get(t.Context(), "apps/esg-01/ldap")
	require.Error(t, err)

	require.NoError(t, v.Restart(t.Context()))
	require.Equal(t, address, v.Address())
	secret, err := v.Client().KVv2("kv").Get(t.Context(), "apps/esg-01/ldap")
	require.NoError(t, err)
	require.Equal(t, "before", secret.Data["password"])

	audit, err := os.ReadFile(v.AuditFile())
	require.NoError(t, err)
	require.Contains(t, string(audit), "kv/data/apps/esg-01/ldap")
	require.NotContains(t, string(audit), `"before"`, "the audit device hashes values")
}

func TestSealedVaultRefusesUntilItIsUnsealed(t *testing.T) {
	v := startVault(t, lab.VaultOptions{})
	require.NoError(t, v.SeedKV(t.Context(), map[string]map[string]any{"a": {"password": "kept"}}))
	require.NoError(t, v.Seal(t.Context()))
	_, err := v.Client().KVv2("kv").Get(t.Context(), "a")
	var refused *vaultapi.ResponseError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 503, refused.StatusCode)

	require.NoError(t, v.Unseal(t.Context()))
	secret, err := v.Client().KVv2("kv").Get(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, "kept", secret.Data["password"])
}

func TestSeedingWritesEverySecretAndItsMetadata(t *testing.T) {
	v := startVault(t, lab.VaultOptions{})
	secrets, metadata := map[string]map[string]any{}, map[string]map[string]any{}
	for i := range 200 {
		path := fmt.Sprintf("apps/esg-01/%03d", i)
		secrets[path] = map[string]any{"password": fmt.Sprint(i)}
		metadata[path] = map[string]any{"directory": "corp", "account": fmt.Sprintf("svc-%03d", i)}
	}
	require.NoError(t, v.SeedKV(t.Context(), secrets))
	require.NoError(t, v.SeedMetadata(t.Context(), metadata))
	list, err := v.Client().Logical().ListWithContext(t.Context(), "kv/metadata/apps/esg-01")
	require.NoError(t, err)
	require.Len(t, list.Data["keys"], 200)
	got, err := v.Client().KVv2("kv").GetMetadata(t.Context(), "apps/esg-01/007")
	require.NoError(t, err)
	require.Equal(t, map[string]any{"directory": "corp", "account": "svc-007"}, got.CustomMetadata)
}

func TestVaultThatCannotStartSaysWhyAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(dir+"/vault.log", 0o700))
	_, err := lab.StartVault(t.Context(), lab.VaultOptions{Dir: dir})
	require.ErrorContains(t, err, "vault.log")
	require.True(t, strings.Contains(err.Error(), "is a directory"), err)
}
