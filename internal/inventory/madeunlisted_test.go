package inventory

import (
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/minted"
)

// Who names the device and is on no roll is revoked or accepted by a person.
// What it made before lives on.
func TestWhatLoginsAndTokensThatNameTheDeviceAndAreOnNoRollMayHaveMadeIsTold(t *testing.T) {
	servers(t)
	api := realVault.Client()
	require.NoError(t, api.Sys().PutPolicy("mu-makes", `path "auth/approle/role/mu-backup/secret-id" { capabilities = ["update"] }`))
	require.NoError(t, api.Sys().PutPolicy("mu-writes", `path "sys/policies/acl/mu-x" { capabilities = ["update"] }`))
	for _, role := range []string{"mu-backup", "esg-mu-reports", "mu-consumer"} {
		policies := "default"
		if role == "esg-mu-reports" {
			policies = "mu-writes"
		}
		write(t, "auth/approle/role/"+role, map[string]any{"token_policies": policies})
		t.Cleanup(func() { _, _ = api.Logical().Delete("auth/approle/role/" + role) })
	}
	token := func(name string, policies ...string) string {
		got, err := api.Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: policies, DisplayName: name, TTL: "10m"})
		require.NoError(t, err)
		t.Cleanup(func() { _ = api.Auth().Token().RevokeAccessor(got.Auth.Accessor) })
		return got.Auth.Accessor
	}
	// The device's by no more than its secret-id, or an address, and readers of
	// nothing of the roll; and another consumer's.
	require.NoError(t, api.Sys().PutPolicy("mu-users", `path "auth/mu-users/users/mu-y" { capabilities = ["update"] }`))
	require.NoError(t, api.Sys().PutPolicy("mu-groups", `path "sys/policies/acl/mu-z" { capabilities = ["update"] }`))
	for role, about := range map[string]map[string]any{
		"mu-meta": {"metadata": `{"device":"esg-mu"}`}, "mu-bound": {"cidr_list": "192.0.2.30/32"}, "mu-elses": {"metadata": `{"device":"web"}`},
	} {
		write(t, "auth/approle/role/"+role, map[string]any{"token_policies": map[string]string{"mu-meta": "mu-users", "mu-bound": "mu-groups", "mu-elses": "mu-users"}[role]})
		t.Cleanup(func() { _, _ = api.Logical().Delete("auth/approle/role/" + role) })
		write(t, "auth/approle/role/"+role+"/secret-id", about)
	}
	unlisted, consumers, root := token("esg-mu", "mu-makes"), token("other", "mu-makes"), token("esg-mu-root", "root")
	require.NoError(t, realVault.SeedKV(t.Context(), map[string]map[string]any{"mu/a": {"password": "x"}}))
	c := campaign()
	c.Device, c.Vault.Mount = "esg-mu", "rollcall"
	c.Containment = &config.Containment{How: credential.Off, Addresses: []string{"192.0.2.30"}}
	c.Directories["corp"] = corp()
	c.Sources = []config.Source{manifestSource("account,path", "esg0001,kv/mu/a#password")}
	c.Accept = []config.Accept{{Vault: "auth/token/policy/root", On: time.Now(), Reason: "the tests own this Vault"}}
	v := openVault(t, realVault.RootToken().Reveal())
	made := func() string {
		t.Helper()
		roll, _, err := List(t.Context(), c, Authorities{Directories: openDirectory(t, corp()), Tokens: minted.New(v.API(), credential.VaultAuthority)}, v, "c", time.Now())
		require.NoError(t, err)
		told := ""
		for _, w := range roll.Warnings {
			if w.Code == credential.FindingMade {
				told += w.Detail + "\n"
			}
		}
		return told
	}
	told := made()
	require.Contains(t, told, "auth/approle/role/mu-backup: by the policies of auth/token/accessor/"+unlisted+", which no source lists and which names the device by its display name")
	require.Contains(t, told, "sys/policies/acl/mu-x: by the policies of auth/approle/role/esg-mu-reports, which no source lists and which names the device by its name")
	require.Contains(t, told, "auth/token/accessor/"+root+": it, which no source lists and which names the device by its display name, has the policy root", "whoever stole it may have done anything")
	require.NotContains(t, told, consumers)
	require.Contains(t, told, "auth/mu-users/users/mu-y: by the policies of auth/approle/role/mu-meta, which no source lists and which names the device by the metadata of a secret-id")
	require.Contains(t, told, "sys/policies/acl/mu-z: by the policies of auth/approle/role/mu-bound, which no source lists and which names the device by an address that it is bound to")
	require.NotContains(t, told, "mu-elses")

	c.Accept = append(c.Accept, config.Accept{Vault: "auth/token/accessor/" + unlisted, Reason: "the new machine's"}, config.Accept{Vault: "auth/approle/role/esg-mu-reports", On: time.Now(), Reason: "its monitoring"})
	told = made()
	require.NotContains(t, told, "mu-backup")
	require.NotContains(t, told, "mu-x")

	// A root token of the roll is named by its accessor.
	c.Sources = append(c.Sources, config.Source{Name: "root", Type: config.VaultTokens, Accessors: []string{root}})
	told = made()
	require.Contains(t, told, "auth/token/accessor/"+root+": token/"+root+" has the policy root")
}
