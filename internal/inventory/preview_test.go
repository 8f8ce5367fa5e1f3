package inventory

import (
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

func TestWhatLoginsCouldReadIsShownBeforeTheRun(t *testing.T) {
	servers(t)
	admin := realVault.Client()
	policy := func(name, text string) { require.NoError(t, admin.Sys().PutPolicy(name, text)) }
	policy("pre-device", `path "kv/data/apps/pre/*" { capabilities = ["read"] }
path "kv/data/apps/pre/secret" { capabilities = ["deny"] }`)
	policy("pre-staging", `path "rollcall/data/staging/*" { capabilities = ["read"] }`)
	policy("pre-group", `path "kv/data/+/pre/secret" { capabilities = ["read"] }
path "kv/data/apps/pre/secret" { capabilities = ["read"] }`)
	roll := &credential.Roll{}
	place := func(path string) []credential.Path {
		return []credential.Path{{Mount: "kv", Path: path, Field: "password"}}
	}
	role := func(name string, settings map[string]any) {
		write(t, "auth/approle/role/"+name, settings)
		batch := settings["token_type"] == "batch"
		roll.Credentials = append(roll.Credentials, credential.Credential{ID: "vault/approle/" + name, Kind: credential.AppRoleSecretID, Authority: "vault",
			Subject: "approle/" + name, Name: "approle/" + name, Paths: place("apps/pre/" + name), Batch: batch})
	}
	role("pre-reads", map[string]any{"token_policies": "pre-device"})
	role("pre-batch", map[string]any{"token_policies": "pre-device", "token_type": "batch"})
	role("pre-nothing", map[string]any{"token_policies": "gone", "token_no_default_policy": true})
	role("pre-stages", map[string]any{"token_policies": "pre-staging"})
	role("pre-grouped", map[string]any{})
	policy("pre-makes", `path "auth/approle/role/pre-backup/secret-id" { capabilities = ["update"] }`)
	policy("pre-makes-listed", `path "auth/approle/role/pre-reads/secret-id" { capabilities = ["update"] }`)
	role("pre-makes", map[string]any{"token_policies": "pre-makes"})
	role("pre-makes-listed", map[string]any{"token_policies": "pre-makes-listed"})
	write(t, "sys/auth/pre-people", map[string]any{"type": "userpass"})
	write(t, "auth/pre-people/users/carol", map[string]any{"password": "x", "token_policies": "pre-device"})
	roll.Credentials = append(roll.Credentials, credential.Credential{ID: "vault/pre-people/carol", Kind: credential.UserpassPassword, Authority: "vault",
		Subject: "pre-people/carol", Name: "pre-people/carol", Problem: credential.SameName})
	for _, c := range []credential.Credential{{ID: "corp/a", Name: "uid=a", Logins: []credential.VaultLogin{{Mount: "ldap", Names: []string{"a"}}}, Paths: place("apps/pre/mta")}, {ID: "corp/b", Paths: place("apps/pre/secret")},
		{ID: "corp/c", Paths: place("elsewhere"), Spare: &place("apps/pre/spare")[0]}, {ID: "corp/d", Paths: place("elsewhere")},
		{ID: "corp/e", Paths: place("apps/pre/e"), Problem: credential.NoAccount}, {ID: "corp/f", Paths: place("apps/pre/f"), Own: true}} {
		c.Kind, c.Authority = credential.LDAPPassword, "corp"
		roll.Credentials = append(roll.Credentials, c)
	}
	roll.Credentials = append(roll.Credentials, credential.Credential{ID: "vault/approle/rollcall-worker", Kind: credential.AppRoleSecretID, Subject: "approle/rollcall-worker", Own: true})

	// Entities are made at the first login.
	got, err := admin.Logical().Read("auth/approle/role/pre-grouped/role-id")
	require.NoError(t, err)
	secret := write(t, "auth/approle/role/pre-grouped/secret-id", map[string]any{})
	login, err := admin.Logical().Write("auth/approle/login", map[string]any{"role_id": got.Data["role_id"], "secret_id": secret["secret_id"]})
	require.NoError(t, err)
	write(t, "identity/group", map[string]any{"name": "pre", "policies": "pre-group", "member_entity_ids": login.Auth.EntityID})

	by := func(token string) map[string]credential.Reach {
		out := map[string]credential.Reach{}
		all, err := Preview(t.Context(), openVault(t, token), "rollcall", roll)
		require.NoError(t, err)
		for _, r := range all {
			out[r.Name] = r
		}
		require.Len(t, out, 9, "not Rollcall's own")
		return out
	}
	known := by(realVault.RootToken().Reveal())
	device := []string{"vault/approle/pre-reads", "vault/approle/pre-batch", "vault/approle/pre-nothing", "vault/approle/pre-stages", "vault/approle/pre-grouped", "vault/approle/pre-makes", "vault/approle/pre-makes-listed", "corp/a", "corp/c"}
	require.Equal(t, device, known["approle/pre-reads"].Reads)
	require.Empty(t, known["approle/pre-reads"].Hidden)
	require.Equal(t, device, known["approle/pre-batch"].Reads)
	require.Equal(t, device, known["pre-people/carol"].Reads)
	require.Empty(t, known["pre-people/carol"].Hidden)
	require.Empty(t, known["approle/pre-nothing"].Reads)
	require.True(t, known["approle/pre-stages"].Staging)
	require.Equal(t, []string{"corp/b"}, known["approle/pre-grouped"].Reads, "by a group of its entity")

	of := Rotated(roll)
	require.Equal(t, 11, of)
	require.Len(t, known["approle/pre-makes"].Reads, of, "as another role")
	require.Contains(t, Outlook(known["approle/pre-makes"], of), "could read 11 of 11 new values where they go (its own among them): it may make or change roles")
	require.Empty(t, known["approle/pre-makes-listed"].Reads, "that one is retired too")
	require.Equal(t, "approle/pre-reads could read 9 of 11 new values where they go (its own among them); these wait until it is dead", Outlook(known["approle/pre-reads"], of))
	require.Contains(t, Outlook(known["approle/pre-batch"], of), "gives batch tokens, which nobody can revoke, so these wait until a person accepts it")
	require.Contains(t, Outlook(known["uid=a"], of), "what uid=a could read of 11 new values is not known. Not seen, and perhaps more: which policies it gets at an auth mount of type ldap")
	require.Contains(t, Outlook(known["pre-people/carol"], of), "cannot be rotated as listed (its own line says why), so these wait")
	require.Contains(t, Outlook(known["approle/pre-stages"], of), "take that right from it before the run")
	require.Equal(t, "approle/pre-nothing could read 0 of 11 new values where they go", Outlook(known["approle/pre-nothing"], of))

	policy("pre-sees-roles", `path "auth/approle/role/+" { capabilities = ["read"] }`)
	token, err := admin.Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{"pre-sees-roles"}})
	require.NoError(t, err)
	less := by(token.Auth.ClientToken)["approle/pre-reads"]
	require.Empty(t, less.Reads)
	require.Contains(t, Outlook(less, of), "the text of its policies default, pre-device (read on sys/policies/acl/…)")
	require.Contains(t, Outlook(less, of), "what its entity and groups give it besides")
	token, err = admin.Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{"pre-nothing"}})
	require.NoError(t, err)
	require.Contains(t, Outlook(by(token.Auth.ClientToken)["approle/pre-reads"], of), "which policies it gets (read on auth/approle/role/pre-reads)")
}
