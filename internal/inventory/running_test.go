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
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/postgres/settings"
	"rollcall/internal/vault/minted"
)

// A campaign ends the logins of its own roll. One that is listed while it runs
// is nobody's to end before the next: whoever stole it reads on, so what it may
// read waits, whatever policies a person accepted.
func TestALoginThatIsListedWhileTheCampaignRunsHoldsUpWhatItReads(t *testing.T) {
	servers(t)
	api := realVault.Client()
	for _, part := range []string{"role", "user", "token"} {
		require.NoError(t, api.Sys().PutPolicy("ru-"+part, `path "kv/data/ru/`+part+`" { capabilities = ["read"] }`))
	}
	write(t, "auth/approle/role/ru-nas", map[string]any{"token_policies": "ru-role"})
	write(t, "auth/approle/role/ru-nas/secret-id", nil)
	t.Cleanup(func() { _, _ = api.Logical().Delete("auth/approle/role/ru-nas") })
	write(t, "sys/auth/ru-users", map[string]any{"type": "userpass"})
	t.Cleanup(func() { _ = api.Sys().DisableAuth("ru-users") })
	write(t, "auth/ru-users/users/relay", map[string]any{"password": "x", "token_policies": "ru-user"})
	client, err := vaultapi.NewClient(api.CloneConfig())
	require.NoError(t, err)
	in, err := client.Logical().Write("auth/ru-users/login/relay", map[string]any{"password": "x"})
	require.NoError(t, err)
	static, err := api.Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{"ru-token"}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = api.Auth().Token().RevokeAccessor(static.Auth.Accessor) })
	require.NoError(t, realVault.SeedKV(t.Context(), map[string]map[string]any{"ru/role": {"password": "x"}, "ru/user": {"password": "x"}, "ru/token": {"password": "x"}}))

	c := campaign()
	c.Vault = config.Vault{Mount: "rollcall", Transit: "rollcall-transit", Adopt: "kv/rollcall/{directory}/{account}#password"}
	c.Directories["corp"] = corp()
	c.Sources = []config.Source{
		manifestSource("account,path", "esg0201,kv/ru/role#password", "esg0202,kv/ru/user#password", "esg0204,kv/ru/token#password"),
		{Name: "role", Type: config.VaultAppRole, Mount: "approle", Role: "ru-nas"},
		{Name: "user", Type: config.VaultUserpass, Mount: "ru-users", User: "relay"},
		{Name: "token", Type: config.VaultTokens, Accessors: []string{static.Auth.Accessor}},
	}
	for _, policy := range []string{"ru-role", "ru-user", "ru-token"} {
		c.Accept = append(c.Accept, config.Accept{Vault: byPolicy + policy, On: time.Now(), Reason: "consumers'"})
	}
	v := openVault(t, realVault.RootToken().Reveal())
	list := func(running *Running) (waits map[string][]string, roll *credential.Roll) {
		t.Helper()
		waits = map[string][]string{}
		roll, _, err := List(t.Context(), c, Authorities{Directories: openDirectory(t, corp()), Tokens: minted.New(v.API(), "vault"), Running: running}, v, "c", time.Now())
		require.NoError(t, err)
		for _, x := range roll.Credentials {
			if len(x.ReadBy) > 0 {
				waits[x.Paths[0].Path] = x.ReadBy
			}
		}
		return waits, roll
	}
	waits, begins := list(nil)
	require.Empty(t, waits, "the campaign that begins with them ends them first")
	waits, _ = list(&Running{Credentials: begins.Credentials})
	require.Empty(t, waits, "the running campaign ends them")

	onRoll := slices.DeleteFunc(slices.Clone(begins.Credentials), credential.Credential.ReachesVault)
	require.Len(t, onRoll, len(begins.Credentials)-3)
	waits, roll := list(&Running{Credentials: onRoll})
	require.Equal(t, map[string][]string{
		"ru/role": {"auth/approle/role/ru-nas"}, "ru/user": slices.Sorted(slices.Values([]string{"auth/ru-users/users/relay", in.Auth.Accessor})),
		"ru/token": {static.Auth.Accessor},
	}, waits)
	told := 0
	for _, w := range roll.Warnings {
		if w.Code == credential.FindingReader && strings.Contains(w.Detail, listedNow) {
			told++
		}
	}
	require.Equal(t, 4, told)
}

// What Vault holds while a campaign runs may be the new value of an account.
func TestWhoListsAgainOffersNothingAndKnowsWhoRefusedWhatWasStolen(t *testing.T) {
	servers(t)
	api := realVault.Client()
	for _, path := range []string{"a", "b", "c"} {
		_, err := api.KVv2("kv").Put(t.Context(), "again/"+path, map[string]any{"password": "new of " + path})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, api.KVv2("kv").DeleteMetadata(context.Background(), "again/"+path)) })
	}
	role := func(id, name string) authority.Account {
		return authority.Account{Subject: id, Name: name, Short: name, Names: []string{name}}
	}
	db := namedCluster{cluster{roles: map[string]authority.Account{"Bystander0003": role("16384", "Bystander0003"), "bystander0004": role("16385", "bystander0004"), "bystander0005": role("16386", "bystander0005")}}}
	c := campaign()
	c.Directories["corp"] = corp()
	c.Systems = config.Systems{"appdb": settings.Cluster{Servers: db.Servers(), Bind: []authority.Login{{Name: "rollcall", Secret: credential.Path{Mount: "kv", Path: "own", Field: "password"}}}}}
	c.Sources = []config.Source{manifestSource("account,directory,path", "bystander0003,corp,kv/again/a#password", "bystander0004,corp,kv/again/b#password", "bystander0005,corp,kv/again/c#password")}
	on := credential.Credential{ID: "appdb/16384", Authority: "appdb", Subject: "16384", Name: "Bystander0003", Problem: credential.SameName}
	roll, _, err := List(t.Context(), c, Authorities{
		Directories: openDirectory(t, corp()), Systems: map[string]authority.Finder{"appdb": db}, Running: &Running{Credentials: []credential.Credential{on}, Unlike: []string{"appdb/16385"}},
	}, openVault(t, realVault.RootToken().Reveal()), "c", time.Now())
	require.NoError(t, err)
	require.Len(t, roll.Credentials, 3, "nobody is put on a roll for his name")
	told := map[credential.FindingCode]string{}
	for _, w := range roll.Warnings {
		told[w.Code] += w.Detail
	}
	require.Contains(t, told[credential.FindingSameName], "(appdb: bystander0004)", "who refused what was stolen is left alone")
	require.Contains(t, told[credential.FindingNotTakenUp], "1 account that no source names has the name of an account that is listed: appdb: bystander0005")
	require.NotContains(t, told[credential.FindingSameName]+told[credential.FindingNotTakenUp], "Bystander0003", "it is on the roll already")
	require.Equal(t, 1, (&credential.Roll{Warnings: slices.DeleteFunc(slices.Clone(roll.Warnings), func(w Warning) bool { return w.Code != credential.FindingNotTakenUp })}).Incomplete())
}
