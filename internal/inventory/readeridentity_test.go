package inventory

import (
	"strings"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
)

// A role or user may have nothing of its own: what it reads its entity gives
// it, or a group. Who stole it and has no token alive just now logs in again.
func TestALoginThatReadsByItsEntityOrAGroupAloneIsToldAndHeldIfItNamesTheDevice(t *testing.T) {
	servers(t)
	api := realVault.Client()
	require.NoError(t, api.Sys().PutPolicy("ri-reads", `path "kv/data/ri/*" { capabilities = ["read"] }`))
	mounts, err := api.Sys().ListAuth()
	require.NoError(t, err)
	if mounts["ri-people/"] == nil {
		require.NoError(t, api.Sys().EnableAuthWithOptions("ri-people", &vaultapi.EnableAuthOptions{Type: "userpass"}))
		t.Cleanup(func() { _ = api.Sys().DisableAuth("ri-people") })
	}
	if mounts["approle/"] == nil {
		require.NoError(t, api.Sys().EnableAuthWithOptions("approle", &vaultapi.EnableAuthOptions{Type: "approle"}))
	}
	mounts, err = api.Sys().ListAuth()
	require.NoError(t, err)
	entity := func(name, mount, alias string, policies ...string) string {
		got, err := api.Logical().Write("identity/entity", map[string]any{"name": name, "policies": policies})
		require.NoError(t, err)
		id := got.Data["id"].(string)
		t.Cleanup(func() { _, _ = api.Logical().Delete("identity/entity/id/" + id) })
		_, err = api.Logical().Write("identity/entity-alias", map[string]any{"name": alias, "canonical_id": id, "mount_accessor": mounts[mount+"/"].Accessor})
		require.NoError(t, err)
		return id
	}
	for _, role := range []string{"esg-ri-reads", "ri-plain"} {
		write(t, "auth/approle/role/"+role, map[string]any{"token_policies": "default"})
		write(t, "auth/approle/role/"+role+"/secret-id", map[string]any{})
		t.Cleanup(func() { _, _ = api.Logical().Delete("auth/approle/role/" + role) })
		id, err := api.Logical().Read("auth/approle/role/" + role + "/role-id")
		require.NoError(t, err)
		policies := []string{}
		if role != "ri-plain" {
			policies = append(policies, "ri-reads")
		}
		entity(role, "approle", id.Data["role_id"].(string), policies...)
	}
	write(t, "auth/ri-people/users/jdoe", map[string]any{"password": "x"})
	write(t, "auth/ri-people/users/nobody", map[string]any{"password": "x"})
	jdoe := entity("ri-jdoe", "ri-people", "jdoe")
	group, err := api.Logical().Write("identity/group", map[string]any{"name": "ri-team", "policies": []string{"ri-reads"}, "member_entity_ids": []string{jdoe}})
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = api.Logical().Delete("identity/group/id/" + group.Data["id"].(string)) })
	require.NoError(t, realVault.SeedKV(t.Context(), map[string]map[string]any{"ri/a": {"password": "x"}}))

	c := campaign()
	c.Device, c.Vault.Mount = "esg-ri", "rollcall"
	c.Directories["corp"] = corp()
	c.Sources = []config.Source{manifestSource("account,path", "esg0001,kv/ri/a#password")}
	list := func(token string) (told string, roll *credential.Roll) {
		t.Helper()
		roll, _, err := List(t.Context(), c, Authorities{Directories: openDirectory(t, corp())}, openVault(t, token), "c", time.Now())
		require.NoError(t, err)
		for _, w := range roll.Warnings {
			if w.Code == credential.FindingReader || w.Code == credential.FindingVaultHidden {
				told += w.Detail + "\n"
			}
		}
		return told, roll
	}
	told, roll := list(realVault.RootToken().Reveal())
	require.Contains(t, told, "auth/approle/role/esg-ri-reads: a login to Vault that no source lists names the device by its name, and may read the new value of 1 credential")
	require.Equal(t, []string{"auth/approle/role/esg-ri-reads"}, roll.Credentials[0].ReadBy)
	require.Contains(t, told, "logins to Vault that no source lists may read new values (kv/ri/a) by the policies ri-reads: auth/ri-people/users/jdoe")
	require.NotContains(t, told, "ri-plain")
	require.NotContains(t, told, "nobody")

	// A role that logged in is known by its name, to whoever may not read its
	// role-id.
	roleID, err := api.Logical().Read("auth/approle/role/esg-ri-reads/role-id")
	require.NoError(t, err)
	secretID, err := api.Logical().Write("auth/approle/role/esg-ri-reads/secret-id", nil)
	require.NoError(t, err)
	login, err := api.Logical().Write("auth/approle/login", map[string]any{"role_id": roleID.Data["role_id"], "secret_id": secretID.Data["secret_id"]})
	require.NoError(t, err)
	require.NoError(t, api.Auth().Token().RevokeAccessor(login.Auth.Accessor))
	require.NoError(t, api.Sys().PutPolicy("ri-worker", `path "*" { capabilities = ["create", "read", "update", "list", "delete", "sudo"] }
path "auth/approle/role/esg-ri-reads/role-id" { capabilities = ["deny"] }`))
	worker, err := api.Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{"ri-worker"}})
	require.NoError(t, err)
	told, _ = list(worker.Auth.ClientToken)
	require.Contains(t, told, "auth/approle/role/esg-ri-reads: a login to Vault that no source lists names the device by its name")

	// Whoever may not list entities says so.
	require.NoError(t, api.Sys().PutPolicy("ri-old-worker", `path "*" { capabilities = ["create", "read", "update", "list", "delete", "sudo"] }
path "identity/entity/id" { capabilities = ["deny"] }`))
	old, err := api.Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{"ri-old-worker"}})
	require.NoError(t, err)
	told, _ = list(old.Auth.ClientToken)
	require.NotContains(t, told, "jdoe")
	require.Equal(t, 1, strings.Count(told, "identity/entity/id: not checked, because this login may not list Vault's entities"))
}
