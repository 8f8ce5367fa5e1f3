package inventory

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/minted"
	"rollcall/internal/vault/setup"
)

// What an account has no more at an auth mount, tokens from before have still,
// by whatever was typed, and so have those that were made with them and cut
// off.
func TestAnAccountOfWhichATokenFromBeforeLivesIsALoginToVault(t *testing.T) {
	servers(t)
	ldapMount(t, "before", nil)
	write(t, "sys/policies/acl/before-reads", map[string]any{"policy": `path "kv/data/apps/*" { capabilities = ["read"] }
path "auth/token/create" { capabilities = ["update"] }
path "auth/token/revoke-orphan" { capabilities = ["update", "sudo"] }
path "sys/policies/acl/theirs" { capabilities = ["update"] }`})
	conn, err := slapd.AdminConn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	login := func(uid, typed string, policies string) *vaultapi.Client {
		_, err := conn.PasswordModify(ldap.NewPasswordModifyRequest(slapd.AccountDN(uid), "", "stolen-"+uid))
		require.NoError(t, err)
		write(t, "auth/before/users/"+uid, map[string]any{"policies": policies})
		got, err := realVault.Client().Logical().WriteWithContext(t.Context(), "auth/before/login/"+typed, map[string]any{"password": "stolen-" + uid})
		require.NoError(t, err)
		_, err = realVault.Client().Logical().DeleteWithContext(t.Context(), "auth/before/users/"+uid)
		require.NoError(t, err)
		c := realVault.Client()
		c.SetToken(got.Auth.ClientToken)
		return c
	}
	login("esg0101", "esg0101", "before-reads")
	login("esg0102", "ESG0102", "before-reads")
	login("esg0103", "esg0103", "default")
	cut := login("esg0104", "esg0104", "before-reads")
	child, err := cut.Logical().Write("auth/token/create", map[string]any{"policies": []string{"before-reads"}})
	require.NoError(t, err)
	_, err = cut.Logical().Write("auth/token/revoke-orphan", map[string]any{"token": cut.Token()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = realVault.Client().Auth().Token().RevokeAccessor(child.Auth.Accessor) })
	ended := login("esg0105", "esg0105", "before-reads")
	require.NoError(t, ended.Auth().Token().RevokeSelf(""))

	var accepted []config.Accept
	list := func(token string, looks bool) (first []string, roll *credential.Roll) {
		c := campaign()
		c.Accept = accepted
		c.Directories["corp"] = corp()
		c.Sources = []config.Source{manifestSource("account", "esg0101", "esg0102", "esg0103", "esg0104", "esg0105", "esg0106")}
		v := openVault(t, token)
		at := Authorities{Directories: openDirectory(t, corp())}
		if looks {
			at.Tokens = minted.New(v.API(), credential.VaultAuthority)
		}
		roll, _, err := List(t.Context(), c, at, v, "c", time.Now())
		require.NoError(t, err)
		for _, c := range roll.Credentials {
			require.Len(t, c.Logins, 1)
			if c.ReachesVault() {
				name, _, _ := strings.Cut(strings.TrimPrefix(c.Name, "uid="), ",")
				first = append(first, name)
				require.Equal(t, "logins-to-vault", roll.Waves[c.Wave].Name)
			}
		}
		return first, roll
	}
	root := realVault.RootToken().Reveal()
	first, roll := list(root, true)
	require.ElementsMatch(t, []string{"esg0101", "esg0102", "esg0104"}, first)
	require.Contains(t, warned(roll), "sys/policies/acl/theirs: by the policies of ", "and what they may have made is told")
	require.Contains(t, warned(roll), "and 2 more logins")

	// Who lists for himself ends no token, and says what was not looked at.
	first, roll = list(root, false)
	require.Empty(t, first)
	require.Contains(t, warned(roll), "6 logins of the roll at this auth mount of type ldap get no policy but Vault's default one")
	require.Equal(t, 1, roll.Incomplete(), "exit code 2: such a token reads what is written")
	i := slices.IndexFunc(roll.Warnings, func(w credential.Finding) bool { return w.Code == credential.FindingVaultHidden })
	place, _, _ := strings.Cut(roll.Warnings[i].Detail, ": ")
	require.Regexp(t, "^auth/.+/login$", place)
	accepted = append(accepted, config.Accept{Vault: place, Reason: "an administrator looked at all tokens"})
	_, roll = list(root, false)
	require.Zero(t, roll.Incomplete())
	accepted = nil

	// The worker's own rights are enough, and without them it does not go
	// unsaid.
	spec := campaign()
	spec.Vault = config.Vault{Mount: "rollcall", Adopt: "kv/rollcall/{directory}/{account}#password"}
	spec.Directories["corp"] = corp()
	for accessors, want := range map[string]int{"auth/token/accessors": 3, "auth/token/nothing": 0} {
		policy := setup.Policies(spec, roll.Credentials[:1])[0]
		require.NoError(t, realVault.Client().Sys().PutPolicy("before-worker", strings.ReplaceAll(policy.HCL, `"auth/token/accessors"`, `"`+accessors+`"`)))
		got, err := realVault.Client().Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{"before-worker"}})
		require.NoError(t, err)
		first, roll := list(got.Auth.ClientToken, true)
		require.Len(t, first, want)
		require.Equal(t, want == 0, strings.Contains(warned(roll), "auth/token/accessors: this login may not look at the tokens of Vault"))
	}
}
