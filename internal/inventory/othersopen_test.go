package inventory

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/minted"
	"rollcall/internal/vault/ownmount"
)

// besideOthers is a Vault in which campaigns of other devices left these rolls.
type besideOthers struct {
	Vault
	rolls []ownmount.OtherRoll
}

func (v besideOthers) OtherRolls(context.Context, string, ...string) ([]ownmount.OtherRoll, error) {
	return v.rolls, nil
}

// Whoever had another device logs in by what its campaign has open, whatever a
// person wrote of the policies.
func TestWhatIsOpenOnAnotherDevicesRollHoldsUpWhatItReads(t *testing.T) {
	servers(t)
	api := realVault.Client()
	reads := func(policy, path string) {
		require.NoError(t, api.Sys().PutPolicy(policy, `path "kv/data/oo/`+path+`" { capabilities = ["read"] }`))
	}
	reads("oo-role", "a")
	reads("oo-user", "b")
	reads("oo-group", "c")
	reads("oo-token", "d")
	write(t, "auth/approle/role/oo-mail", map[string]any{"token_policies": "oo-role"})
	write(t, "auth/approle/role/oo-mail/secret-id", nil)
	t.Cleanup(func() { _, _ = api.Logical().Delete("auth/approle/role/oo-mail") })
	write(t, "sys/auth/oo-users", map[string]any{"type": "userpass"})
	t.Cleanup(func() { _ = api.Sys().DisableAuth("oo-users") })
	write(t, "auth/oo-users/users/relay", map[string]any{"password": "x", "token_policies": "oo-user"})
	ldapMount(t, "oo-ldap", nil)
	group(t, "oo-mails", slapd.AccountDN("esg0203"))
	write(t, "auth/oo-ldap/groups/oo-mails", map[string]any{"policies": "oo-group"})
	static, err := api.Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{"oo-token"}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = api.Auth().Token().RevokeAccessor(static.Auth.Accessor) })
	client, err := vaultapi.NewClient(api.CloneConfig())
	require.NoError(t, err)
	in, err := client.Logical().Write("auth/oo-users/login/relay", map[string]any{"password": "x"})
	require.NoError(t, err)
	require.NoError(t, realVault.SeedKV(t.Context(), map[string]map[string]any{"oo/a": {"password": "x"}, "oo/b": {"password": "x"}, "oo/c": {"password": "x"}, "oo/d": {"password": "x"}}))

	c := campaign()
	c.Vault = config.Vault{Mount: "rollcall", Transit: "rollcall-transit", Adopt: "kv/rollcall/{directory}/{account}#password"}
	c.Directories["corp"] = corp()
	c.Sources = []config.Source{manifestSource("account,path", "esg0201,kv/oo/a#password", "esg0202,kv/oo/b#password", "esg0204,kv/oo/c#password", "esg0205,kv/oo/d#password")}
	for _, policy := range []string{"oo-role", "oo-user", "oo-group", "oo-token"} {
		c.Accept = append(c.Accept, config.Accept{Vault: byPolicy + policy, On: time.Now(), Reason: "the mail gateway's"})
	}
	open := []credential.Credential{
		{ID: "vault/approle/oo-mail", Kind: credential.AppRoleSecretID, Authority: "vault", Subject: "approle/oo-mail", Name: "approle/oo-mail"},
		{ID: "vault/oo-users/relay", Kind: credential.UserpassPassword, Authority: "vault", Subject: "oo-users/relay", Name: "oo-users/relay"},
		{ID: "other/1", Kind: credential.LDAPPassword, Authority: "other", Subject: "1", Name: slapd.AccountDN("esg0203"),
			Logins: []credential.VaultLogin{{Mount: "oo-ldap", Names: []string{"esg0203"}}}},
		{ID: "vault/token/" + static.Auth.Accessor, Kind: credential.VaultToken, Authority: "vault", Subject: "token/" + static.Auth.Accessor},
	}
	v := openVault(t, realVault.RootToken().Reveal())
	list := func(of ownmount.OtherRoll) (waits map[string][]string, told string) {
		waits = map[string][]string{}
		roll, _, err := List(t.Context(), c, Authorities{Directories: openDirectory(t, corp()), Tokens: minted.New(v.API(), "vault")}, besideOthers{v, []ownmount.OtherRoll{of}}, "c", time.Now())
		require.NoError(t, err)
		for _, x := range roll.Credentials {
			if len(x.ReadBy) > 0 {
				waits[x.Paths[0].Path] = x.ReadBy
			}
		}
		for _, w := range roll.Warnings {
			if w.Code == credential.FindingReader && (strings.Contains(w.Detail, "oo-") || strings.Contains(w.Detail, static.Auth.Accessor)) {
				told += w.Detail + "\n"
			}
		}
		return waits, told
	}
	for _, lives := range []bool{true, false} {
		waits, told := list(ownmount.OtherRoll{Device: "mail-02", Campaign: "m1", Open: open, Lives: lives})
		require.Equal(t, map[string][]string{
			"oo/a": {"auth/approle/role/oo-mail"}, "oo/b": slices.Sorted(slices.Values([]string{"auth/oo-users/users/relay", in.Auth.Accessor})),
			"oo/c": {"auth/oo-ldap/users/esg0203"}, "oo/d": {static.Auth.Accessor},
		}, waits)
		require.Equal(t, 5, strings.Count(told, "the roll of campaign m1 of device mail-02, which has it open"))
	}

	// What a person left out there nobody has proved dead; what was listed
	// there as that campaign's own that device did not have.
	from := func(sort string) []credential.Reason { return []credential.Reason{{Source: "s", Type: sort}} }
	var leftOut []credential.Exclusion
	for _, x := range open {
		leftOut = append(leftOut, credential.Exclusion{ID: x.ID, Kind: x.Kind, Name: x.Name, Logins: x.VaultLogins(), Reason: "the other team", Found: from("vault-approle")})
	}
	waits, told := list(ownmount.OtherRoll{Device: "mail-02", Campaign: "m1", LeftOut: leftOut, Lives: true})
	require.Equal(t, map[string][]string{
		"oo/a": {"auth/approle/role/oo-mail"}, "oo/b": slices.Sorted(slices.Values([]string{"auth/oo-users/users/relay", in.Auth.Accessor})),
		"oo/c": {"auth/oo-ldap/users/esg0203"}, "oo/d": {static.Auth.Accessor},
	}, waits)
	require.Equal(t, 5, strings.Count(told, "the roll of campaign m1 of device mail-02, which leaves it out (the other team)"))
	for i := range leftOut {
		leftOut[i].Found = from(ownSource)
	}
	waits, _ = list(ownmount.OtherRoll{Device: "mail-02", Campaign: "m1", LeftOut: leftOut})
	require.Empty(t, waits)

	// What is dead there, or accepted by its place, holds up nothing.
	c.Accept = append(c.Accept, config.Accept{Vault: "auth/approle/role/oo-mail", On: time.Now(), Reason: "ours alone"})
	waits, told = list(ownmount.OtherRoll{Device: "mail-02", Campaign: "m1", Open: open[:1], LeftOut: leftOut[:1]})
	require.Empty(t, waits)
	require.Empty(t, told)
}

// A token that another one made shows the entity of that one alone. Where a
// login of it is open on another device's roll, the child may be the thief's,
// although a person accepted another login of the same entity.
func TestAChildOfALoginThatIsOpenElsewhereWaitsWhateverLoginOfItsEntityIsAccepted(t *testing.T) {
	servers(t)
	api := realVault.Client()
	require.NoError(t, api.Sys().PutPolicy("oe-reads", `path "kv/data/oe/a" { capabilities = ["read"] }
path "auth/token/create" { capabilities = ["update"] }`))
	users := map[string]*vaultapi.Client{}
	entity := ""
	for _, mount := range []string{"oe-stolen", "oe-ours"} {
		write(t, "sys/auth/"+mount, map[string]any{"type": "userpass"})
		t.Cleanup(func() { _ = api.Sys().DisableAuth(mount) })
		write(t, "auth/"+mount+"/users/relay", map[string]any{"password": "x", "token_policies": "oe-reads"})
		if entity != "" {
			at, err := api.Logical().Read("sys/auth/" + mount)
			require.NoError(t, err)
			write(t, "identity/entity-alias", map[string]any{"name": "relay", "canonical_id": entity, "mount_accessor": at.Data["accessor"]})
		}
		c, err := vaultapi.NewClient(api.CloneConfig())
		require.NoError(t, err)
		in, err := c.Logical().Write("auth/"+mount+"/login/relay", map[string]any{"password": "x"})
		require.NoError(t, err)
		require.True(t, entity == "" || entity == in.Auth.EntityID, "one entity has both logins")
		entity = in.Auth.EntityID
		c.SetToken(in.Auth.ClientToken)
		users[mount] = c
	}
	require.NoError(t, users["oe-stolen"].Auth().Token().RevokeSelf("")) // which leaves no token of its own
	child, err := users["oe-ours"].Auth().Token().Create(&vaultapi.TokenCreateRequest{})
	require.NoError(t, err)
	require.NoError(t, realVault.SeedKV(t.Context(), map[string]map[string]any{"oe/a": {"password": "x"}}))

	c := campaign()
	c.Vault = config.Vault{Mount: "rollcall", Transit: "rollcall-transit", Adopt: "kv/rollcall/{directory}/{account}#password"}
	c.Directories["corp"] = corp()
	c.Sources = []config.Source{manifestSource("account,path", "esg0201,kv/oe/a#password")}
	c.Accept = []config.Accept{{Vault: "auth/oe-ours/users/relay", On: time.Now(), Reason: "the reports"}}
	v := openVault(t, realVault.RootToken().Reveal())
	waits := func(open ...credential.Credential) []string {
		of := ownmount.OtherRoll{Device: "mail-02", Campaign: "m1", Open: open}
		roll, _, err := List(t.Context(), c, Authorities{Directories: openDirectory(t, corp()), Tokens: minted.New(v.API(), "vault")}, besideOthers{v, []ownmount.OtherRoll{of}}, "c", time.Now())
		require.NoError(t, err)
		return roll.Credentials[0].ReadBy
	}
	require.Empty(t, waits(), "it is accepted with the login that may have made it")
	got := waits(credential.Credential{ID: "vault/oe-stolen/relay", Kind: credential.UserpassPassword, Authority: "vault", Subject: "oe-stolen/relay", Name: "oe-stolen/relay"})
	require.Contains(t, got, child.Auth.Accessor)
	require.Contains(t, got, "auth/oe-stolen/users/relay")
}
