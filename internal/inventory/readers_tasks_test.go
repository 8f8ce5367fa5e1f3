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

// What is made for people is handed over in Vault: a token of the device that
// reads there, or where it is staged, holds it up as it does every new value.
func TestATokenOfTheDeviceHoldsUpWhatIsHandedOverToPeople(t *testing.T) {
	servers(t)
	accessors := map[string]string{}
	for name, rules := range map[string]string{
		"ht-cards":  `path "ht/data/handover/*" { capabilities = ["read"] }`,
		"ht-stages": `path "ht/data/staging/*" { capabilities = ["read"] }`,
		"ht-rises":  `path "sys/policies/acl/*" { capabilities = ["update"] }`,
		"ht-own":    `path "ht/data/handover/{{identity.entity.id}}/*" { capabilities = ["read"] }`,
	} {
		require.NoError(t, realVault.Client().Sys().PutPolicy(name, rules))
		got, err := realVault.Client().Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{name}, DisplayName: "esg-77", TTL: "10m", NoParent: true})
		require.NoError(t, err)
		accessors[name] = got.Auth.Accessor
		t.Cleanup(func() { _ = realVault.Client().Auth().Token().RevokeAccessor(got.Auth.Accessor) })
	}
	c := campaign()
	c.Device, c.Vault.Mount = "esg-77", "ht"
	c.Directories["corp"] = corp()
	c.Sources = []config.Source{manifestSource("kind,name,owner,due", "shared-secret,radius,alice,8h", "purge,old backups,alice,8h")}
	v := openVault(t, realVault.RootToken().Reveal())
	roll, _, err := List(t.Context(), c, Authorities{Directories: openDirectory(t, corp()), Tokens: minted.New(v.API(), credential.VaultAuthority)}, v, "c", time.Now())
	require.NoError(t, err)
	require.Len(t, roll.Credentials, 2)
	for _, task := range roll.Credentials {
		if !task.Task.Make {
			require.Empty(t, task.ReadBy, task.ID)
			continue
		}
		require.ElementsMatch(t, []string{accessors["ht-cards"], accessors["ht-stages"], accessors["ht-rises"]}, task.ReadBy)
	}
	require.NotZero(t, roll.Incomplete())
}

// Whoever stole a token that may make others makes many that name the device,
// and others end while they are asked about: neither hides one that reads.
func TestManyTokensAndOnesThatEndHideNone(t *testing.T) {
	servers(t)
	api := realVault.Client()
	require.NoError(t, api.Sys().PutPolicy("hm-cards", `path "hm/data/handover/*" { capabilities = ["read"] }`))
	token := func() string {
		got, err := api.Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{"hm-cards"}, DisplayName: "esg-78", TTL: "10m", NoParent: true})
		require.NoError(t, err)
		t.Cleanup(func() { _ = api.Auth().Token().RevokeAccessor(got.Auth.Accessor) })
		return got.Auth.Accessor
	}
	for range toldAlone {
		token()
	}
	c := campaign()
	c.Device, c.Vault.Mount = "esg-78", "hm"
	c.Directories["corp"] = corp()
	c.Sources = []config.Source{manifestSource("kind,name,owner,due", "shared-secret,radius,alice,8h")}
	v := openVault(t, realVault.RootToken().Reveal())
	list := func() *credential.Roll {
		roll, _, err := List(t.Context(), c, Authorities{Directories: openDirectory(t, corp()), Tokens: minted.New(v.API(), credential.VaultAuthority)}, v, "c", time.Now())
		require.NoError(t, err)
		return roll
	}
	roll := list()
	require.Len(t, roll.Credentials[0].ReadBy, toldAlone)
	require.NotContains(t, roll.Credentials[0].ReadBy, credential.MoreReaders)
	last := token()
	roll = list()
	require.Len(t, roll.Credentials[0].ReadBy, toldAlone+1)
	require.Contains(t, roll.Credentials[0].ReadBy, credential.MoreReaders)

	ended := token()
	require.NoError(t, api.Auth().Token().RevokeAccessor(ended))
	r := (&lister{c: c, vault: v, tokens: minted.New(v.API(), credential.VaultAuthority)}).newReaders(roll)
	of := func(accessor string) liveToken {
		return liveToken{Token: minted.Token{Policies: []string{"hm-cards"}}, accessor: accessor}
	}
	group := &sameRights{policies: []string{"hm-cards"}, tokens: []liveToken{of(ended), of(last)}}
	require.NoError(t, r.ask(t.Context(), []*sameRights{group}))
	require.NotEmpty(t, group.paths)
	require.Len(t, group.tokens, 2)
}
