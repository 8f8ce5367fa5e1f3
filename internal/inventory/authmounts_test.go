package inventory

import (
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/setup"
)

// ldapMount makes an auth mount, and takes it away after the test.
func ldapMount(t *testing.T, name string, more map[string]any) {
	t.Helper()
	write(t, "sys/auth/"+name, map[string]any{"type": "ldap"})
	t.Cleanup(func() { require.NoError(t, realVault.Client().Sys().DisableAuth(name)) })
	body := map[string]any{
		"url": slapd.LDAPS(), "certificate": slapd.CA, "userdn": slapd.PeopleDN(), "userattr": "uid", "groupdn": "ou=services," + slapd.BaseDN(),
		"binddn": slapd.BinderDN, "bindpass": slapd.BinderPassword,
	}
	for k, v := range more {
		body[k] = v
	}
	write(t, "auth/"+name+"/config", body)
}

func listOf(t *testing.T, token string, accounts ...string) (*credential.Roll, []Warning) {
	t.Helper()
	c := campaign()
	c.Directories["corp"] = corp()
	c.Sources = []config.Source{manifestSource(append([]string{"account"}, accounts...)...)}
	roll, warnings, err := listIn(t.Context(), c, openDirectory(t, corp()), openVault(t, token), "c", time.Now())
	require.NoError(t, err)
	return roll, warnings
}

func loginsOf(roll *credential.Roll) map[string][]credential.VaultLogin {
	out := map[string][]credential.VaultLogin{}
	for _, c := range roll.Credentials {
		name, _, _ := strings.Cut(strings.TrimPrefix(c.Name, "uid="), ",")
		out[name] = c.Logins
	}
	return out
}

// group makes one with members in the directory.
func group(t *testing.T, cn string, members ...string) {
	t.Helper()
	conn, err := slapd.AdminConn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	dn := "cn=" + cn + ",ou=services," + slapd.BaseDN()
	req := ldap.NewAddRequest(dn, nil)
	req.Attribute("objectClass", []string{"groupOfNames"})
	req.Attribute("member", members)
	require.NoError(t, conn.Add(req))
	t.Cleanup(func() {
		conn, err := slapd.AdminConn(t.Context())
		if err == nil {
			_ = conn.Del(ldap.NewDelRequest(dn, nil))
			_ = conn.Close()
		}
	})
}

func TestDirectoryAccountsThatLogInToVaultAreLoginsToVault(t *testing.T) {
	servers(t)
	ldapMount(t, "all", map[string]any{"token_policies": "reads"})
	ldapMount(t, "mail", map[string]any{"userattr": "mail", "token_policies": "reads"})
	ldapMount(t, "services", map[string]any{"userdn": "ou=services," + slapd.BaseDN(), "token_policies": "reads"})
	ldapMount(t, "other", map[string]any{"url": "ldaps://192.0.2.1", "userdn": "dc=other,dc=org", "token_policies": "reads"})
	ldapMount(t, "balanced", map[string]any{"url": "ldaps://192.0.2.1", "token_policies": "reads"})
	ldapMount(t, "several", map[string]any{"url": slapd.LDAPS() + ",ldaps://192.0.2.1", "token_policies": "reads"})
	ldapMount(t, "batch", map[string]any{"token_policies": "reads", "token_type": "batch"})
	write(t, "sys/auth/unset", map[string]any{"type": "ldap"})
	t.Cleanup(func() { require.NoError(t, realVault.Client().Sys().DisableAuth("unset")) })
	roll, warnings := listOf(t, realVault.RootToken().Reveal(), "alice", "esg0001")
	alice := loginsOf(roll)["alice"]
	at := map[string]credential.VaultLogin{}
	for _, l := range alice {
		at[l.Mount] = l
		require.False(t, l.Plain, "%+v", l)
	}
	require.Len(t, at, 5)
	require.Equal(t, credential.VaultLogin{Mount: "all", Names: []string{"alice"}, Servers: []string{slapd.LDAPS()}}, at["all"])
	require.Equal(t, []string{"alice@example.org", "alice"}, at["mail"].Names, "the alias goes by userattr")
	require.Equal(t, []string{slapd.LDAPS()}, at["balanced"].Servers, "it may be any server of the file")
	require.Equal(t, []string{slapd.LDAPS()}, at["several"].Servers, "one that is known, and one that is not")
	require.Len(t, loginsOf(roll)["esg0001"], 5)
	require.Equal(t, "logins-to-vault", roll.Waves[0].Name)
	for _, c := range roll.Credentials {
		require.True(t, c.ReachesVault())
		require.Zero(t, c.Wave)
		require.True(t, c.Batch)
		require.Equal(t, credential.FindingBatchTokens, roll.Findings[c.ID][len(roll.Findings[c.ID])-1].Code)
	}
	var told []string
	for _, w := range warnings {
		if w.Code == credential.FindingVaultHidden && strings.Contains(w.Detail, "the directory that it asks cannot be told") {
			told = append(told, w.Detail)
			require.True(t, w.Code.Incomplete(), "a server that is in no file may let the thief in, and he reads new values")
		}
	}
	require.Len(t, told, 2)
	require.Contains(t, told[0], "auth/balanced: it logs in to Vault with directory passwords, and whether corp is the directory that it asks cannot be told")
}

// A mount admits every account of a company, and its policies come to a few by
// name or by group.
func TestOnlyAccountsThatGetPoliciesAtAMountGoBeforeTheOthers(t *testing.T) {
	servers(t)
	ldapMount(t, "some", nil)
	group(t, "vault-admins", slapd.AccountDN("bob"))
	group(t, "everybody", slapd.AccountDN("alice"), slapd.AccountDN("bob"), slapd.AccountDN("carol"))
	write(t, "auth/some/groups/Vault-Admins", map[string]any{"policies": "admin"})
	write(t, "auth/some/groups/everybody", map[string]any{"policies": "default"})
	write(t, "auth/some/users/esg0001", map[string]any{"policies": "reads"})
	write(t, "auth/some/users/esg0002", map[string]any{"groups": "vault-admins"})
	write(t, "auth/some/users/esg0003", map[string]any{"policies": "default"})
	about, err := realVault.Client().Sys().ListAuth()
	require.NoError(t, err)
	entity := write(t, "identity/entity", map[string]any{"name": "of-esg0004", "policies": "reads"})
	write(t, "identity/entity-alias", map[string]any{"name": "esg0004", "canonical_id": entity["id"], "mount_accessor": about["some/"].Accessor})
	t.Cleanup(func() { _, _ = realVault.Client().Logical().Delete("identity/entity/name/of-esg0004") })
	all := []string{"alice", "bob", "carol", "esg0001", "esg0002", "esg0003", "esg0004", "esg0005"}
	first := func(token string) (out []string) {
		roll, _ := listOf(t, token, all...)
		for _, c := range roll.Credentials {
			require.Len(t, c.Logins, 1, "%+v", c)
			if c.ReachesVault() {
				name, _, _ := strings.Cut(strings.TrimPrefix(c.Name, "uid="), ",")
				out = append(out, name)
				require.Equal(t, "logins-to-vault", roll.Waves[c.Wave].Name)
			} else {
				require.NotEqual(t, "logins-to-vault", roll.Waves[c.Wave].Name)
			}
		}
		return out
	}
	root := realVault.RootToken().Reveal()
	require.ElementsMatch(t, []string{"bob", "esg0001", "esg0002", "esg0004"}, first(root))

	// What the product's own policy shows is enough for that.
	spec := campaign()
	spec.Vault = config.Vault{Mount: "rollcall", Adopt: "kv/rollcall/{directory}/{account}#password"}
	spec.Directories["corp"] = corp()
	policy := setup.Policies(spec, nil)[0]
	require.NoError(t, realVault.Client().Sys().PutPolicy("lists", policy.HCL))
	token := func(policies ...string) string {
		got, err := realVault.Client().Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: policies})
		require.NoError(t, err)
		return got.Auth.ClientToken
	}
	require.ElementsMatch(t, []string{"bob", "esg0001", "esg0002", "esg0004"}, first(token("lists")))

	// Where it is not ours to tell, all are taken to get more.
	had, err := realVault.Client().Sys().GetPolicy("default")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, realVault.Client().Sys().PutPolicy("default", had)) })
	const usual = "(|(memberUid={{.Username}})(member={{.UserDN}})(uniqueMember={{.UserDN}}))"
	for _, row := range []struct{ tokens, filter, inDefault string }{
		{"reads", usual, ""},
		{"", "(seeAlso={{.UserDN}})", ""},
		{"", usual, "\npath \"kv/data/apps/*\" { capabilities = [\"read\"] }\n"},
	} {
		write(t, "auth/some/config", map[string]any{"token_policies": row.tokens, "groupfilter": row.filter})
		require.NoError(t, realVault.Client().Sys().PutPolicy("default", had+row.inDefault))
		require.ElementsMatch(t, all, first(root), "%+v", row)
	}
}

func TestAMountThatMayNotBeReadIsSaid(t *testing.T) {
	servers(t)
	ldapMount(t, "hidden", map[string]any{"token_policies": "reads"})
	l := &lister{c: campaign(), vault: openVault(t, realVault.RootToken().Reveal())}
	l.c.Directories["corp"] = corp()
	require.NoError(t, realVault.Client().Sys().PutPolicy("before", `path "sys/auth" { capabilities = ["read"] }`))
	got, err := realVault.Client().Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{"before"}})
	require.NoError(t, err)
	l.vault = openVault(t, got.Auth.ClientToken)
	require.NoError(t, l.ldapMounts(t.Context()))
	require.Empty(t, l.mounts)
	require.Len(t, l.warnings, 1)
	require.Equal(t, credential.FindingVaultHidden, l.warnings[0].Code)
	require.True(t, l.warnings[0].Code.Incomplete(), "its tokens may live and read what is written")
	require.Contains(t, l.warnings[0].Detail, "auth/hidden: it logs in to Vault with directory passwords, and this login may not read its configuration")
}
