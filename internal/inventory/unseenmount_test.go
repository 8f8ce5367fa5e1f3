package inventory

import (
	"strings"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/setup"
)

// What a stolen login reads is told whoever lists: with what init gives, and
// with less, for its policies say it. The file has logins to Vault alone.
func TestWhatAStolenLoginReadsIsToldOfMountsThatTheListingIsNotShown(t *testing.T) {
	servers(t)
	api := realVault.Client()
	for name, body := range map[string]map[string]any{"um-v1": {"type": "kv"}, "um-v2": {"type": "kv", "options": map[string]any{"version": "2"}}} {
		_, err := api.Logical().WriteWithContext(t.Context(), "sys/mounts/"+name, body)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, api.Sys().Unmount(name)) })
	}
	require.Eventually(t, func() bool {
		_, err := api.KVv2("um-v2").Put(t.Context(), "apps/relay", map[string]any{"password": "x"})
		return err == nil
	}, 5*time.Minute, 50*time.Millisecond)
	write(t, "um-v1/apps/old", map[string]any{"password": "x"})
	require.NoError(t, realVault.SeedKV(t.Context(), map[string]map[string]any{"um/own/app": {"password": "x"}}))
	require.NoError(t, api.Sys().PutPolicy("um-also", `path "kv/data/um/own/*" { capabilities = ["read"] }
path "um-v1/*" { capabilities = ["read"] }
path "um-v2/data/apps/relay" { capabilities = ["read"] }
path "auth/token/lookup-self" { capabilities = ["read"] }
path "sys/internal/ui/mounts/*" { capabilities = ["read"] }
path "rollcall/data/secret-ids" { capabilities = ["read"] }
path "um-more/data/x" { capabilities = ["list"] }`))
	write(t, "auth/approle/role/um-esg", map[string]any{"token_policies": "um-also"})
	t.Cleanup(func() { _, _ = api.Logical().Delete("auth/approle/role/um-esg") })
	c := campaign()
	c.Directories = nil
	c.Vault = config.Vault{Mount: "rollcall", Transit: "rollcall-transit", Adopt: "kv/rollcall/{directory}/{account}#password"}
	c.Sources = []config.Source{{Name: "vault", Type: config.VaultKV, Prefix: "kv/um/own"}, {Name: "login", Type: config.VaultAppRole, Mount: "approle", Role: "um-esg"}}
	told := func(policy string) (out []string) {
		require.NoError(t, api.Sys().PutPolicy("um-lists", policy))
		token, err := api.Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{"um-lists"}, NoParent: true})
		require.NoError(t, err)
		roll, _, err := listIn(t.Context(), c, nil, openVault(t, token.Auth.ClientToken), "c", time.Now())
		require.NoError(t, err)
		for _, w := range roll.Warnings {
			if place, _, _ := strings.Cut(w.Detail, ":"); w.Code == credential.FindingAlsoReadable {
				out = append(out, place)
			}
		}
		return out
	}
	want := []string{"um-v1/*", "um-v2/apps/relay"}
	unseen := []string{"um-v1/*", "um-v2/data/apps/relay"} // which version the mount is of is not shown
	logins := 0
	for _, p := range setup.Policies(c, nil) {
		if !strings.Contains(p.HCL, `"sys/policies/acl/*"`) {
			continue // the ledger's login lists nothing
		}
		logins++
		require.Equal(t, want, told(p.HCL), p.Name)
		require.Equal(t, unseen, told(strings.ReplaceAll(p.HCL, `"sys/mounts"`, `"sys/no-mounts"`)), p.Name)
	}
	require.Equal(t, 2, logins)
}
