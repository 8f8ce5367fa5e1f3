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

// A directory account that logs in to Vault may make itself another way in, as
// an AppRole may: by what its mount, its name, a group or its entity gives it.
func TestWhatDirectoryAccountsMayHaveMadeInVaultIsToldToo(t *testing.T) {
	servers(t)
	for name, rules := range map[string]string{
		"mount":  `path "kv/*" { capabilities = ["read"] }`,
		"user":   `path "auth/people/users/+/password" { capabilities = ["update"] }`,
		"group":  `path "auth/token/create/deploy" { capabilities = ["update"] }`,
		"entity": `path "sys/policies/acl/theirs" { capabilities = ["update"] }`,
		"nested": `path "auth/approle/role/backup/secret-id" { capabilities = ["update"] }`,
	} {
		write(t, "sys/policies/acl/makes-"+name, map[string]any{"policy": rules})
	}
	ldapMount(t, "makes", nil)
	group(t, "deployers", slapd.AccountDN("bob"), slapd.AccountDN("esg0001"))
	group(t, "parents", slapd.AccountDN("esg0002"))
	write(t, "auth/makes/users/alice", map[string]any{"policies": "makes-user"})
	write(t, "auth/makes/groups/deployers", map[string]any{"policies": "makes-group"})
	about, err := realVault.Client().Sys().ListAuth()
	require.NoError(t, err)
	entity := write(t, "identity/entity", map[string]any{"name": "makes-carol", "policies": "makes-entity"})
	write(t, "identity/entity-alias", map[string]any{"name": "carol", "canonical_id": entity["id"], "mount_accessor": about["makes/"].Accessor})
	inner := write(t, "identity/group", map[string]any{"name": "makes-inner", "type": "external"})
	write(t, "identity/group-alias", map[string]any{"name": "parents", "canonical_id": inner["id"], "mount_accessor": about["makes/"].Accessor})
	write(t, "identity/group", map[string]any{"name": "makes-outer", "policies": "makes-nested", "member_group_ids": []any{inner["id"]}})
	t.Cleanup(func() {
		for _, at := range []string{"identity/entity/name/makes-carol", "identity/group/name/makes-outer", "identity/group/name/makes-inner"} {
			_, _ = realVault.Client().Logical().Delete(at)
		}
	})

	told := func(token string, accept ...config.Accept) map[string]string {
		c := campaign()
		c.Directories["corp"], c.Accept = corp(), accept
		c.Sources = []config.Source{manifestSource("account", "alice", "bob", "carol", "esg0001", "esg0002", "esg0003")}
		roll, warnings, err := listIn(t.Context(), c, openDirectory(t, corp()), openVault(t, token), "c", time.Now())
		require.NoError(t, err)
		out := map[string]string{}
		for _, w := range warnings {
			if w.Code == credential.FindingMade {
				place, text, _ := strings.Cut(w.Detail, ": ")
				out[place] = text
			}
		}
		require.Equal(t, len(out) > 0, roll.Incomplete() > 0)
		return out
	}
	root := realVault.RootToken().Reveal()
	all := told(root)
	require.Len(t, all, 4, "%v", all)
	require.Contains(t, all["auth/people/users/+/password"], "by the policies of "+slapd.AccountDN("alice")+":")
	require.Contains(t, all["auth/token/create/deploy"], "and 1 more login")
	require.Contains(t, all["sys/policies/acl/theirs"], slapd.AccountDN("carol"))
	require.Contains(t, all["auth/approle/role/backup"], slapd.AccountDN("esg0002"))
	require.NotContains(t, told(root, config.Accept{Vault: "sys/policies/acl/theirs", Reason: "looked at", On: time.Now()}), "sys/policies/acl/theirs")

	// What everybody gets there hides nothing of the rest; who is in a group is
	// Vault's alone to know where it has a filter of its own.
	write(t, "auth/makes/config", map[string]any{"token_policies": "makes-mount", "groupfilter": "(seeAlso={{.UserDN}})"})
	all = told(root)
	require.Len(t, all, 3, "%v", all)
	require.Contains(t, all, "auth/people/users/+/password")
	require.Contains(t, all, "sys/policies/acl/theirs")
	require.Contains(t, all["auth/makes"], "in which groups they are is not known (it finds groups by a filter of its own")
	require.Contains(t, all["auth/makes"], "auth/approle/role/backup/secret-id, auth/token/create/deploy")

	blind := `path "+/data/*" { capabilities = ["read"] } path "kv/metadata/*" { capabilities = ["read", "list"] } path "rollcall/*" { capabilities = ["read", "list"] }
path "sys/auth" { capabilities = ["read"] } path "auth/+/config" { capabilities = ["read"] } path "sys/mounts" { capabilities = ["read"] } path "sys/policies/acl/default" { capabilities = ["read"] }`
	write(t, "sys/policies/acl/makes-blind", map[string]any{"policy": blind})
	token, err := realVault.Client().Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{"makes-blind"}})
	require.NoError(t, err)
	all = told(token.Auth.ClientToken)
	require.Contains(t, all["auth/makes"], notKnown)
}
