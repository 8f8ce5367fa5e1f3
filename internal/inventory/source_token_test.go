package inventory

import (
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/minted"
	"rollcall/internal/vault/ownmount"
)

// A token that is on the roll is revoked, so a person names it, or what it is
// known by; who may write a secret's metadata has nobody's revoked.
func TestATokenIsOnTheRollByAPersonsWordAlone(t *testing.T) {
	servers(t)
	made := func(meta map[string]string, name string, policies ...string) string {
		got, err := realVault.Client().Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: policies, Metadata: meta, DisplayName: name, TTL: "10m"})
		require.NoError(t, err)
		t.Cleanup(func() { _ = realVault.Client().Auth().Token().RevokeAccessor(got.Auth.Accessor) })
		return got.Auth.Accessor
	}
	ours := map[string]string{"device": "esg-77"}
	fits, otherPolicy, otherDevice := made(ours, "", "tk-static"), made(ours, "", "tk-none"), made(map[string]string{"device": "esg-78"}, "", "tk-static")
	root, own := made(ours, "", "root", "tk-static"), made(ours, "", "rollcall-worker-esg-77", "tk-static")
	byRow, planted := made(nil, "static", "tk-other"), made(nil, "consumer", "tk-other")
	ended := made(nil, "ended", "tk-other")
	require.NoError(t, realVault.Client().Auth().Token().RevokeAccessor(ended))
	workers := made(nil, "", "rollcall-worker-esg-77")
	require.NoError(t, realVault.SeedKV(t.Context(), map[string]map[string]any{"tk/a": {"password": "x"}}))
	write(t, "kv/metadata/tk/a", map[string]any{"custom_metadata": map[string]string{"directory": "vault", "account": "token/" + planted}})

	c := campaign()
	c.Vault.Mount, c.Device = "rollcall", "esg-77"
	c.Sources = []config.Source{
		manifestSource("kind,account", "vault-token,"+byRow, "vault-token,auth/token/accessor/"+ended, "vault-token,"+workers),
		{Name: "kv", Type: config.VaultKV, Prefix: "kv/tk"},
		{Name: "alike", Type: config.VaultTokens, Policy: "tk-st*", Metadata: ours},
	}
	v := openVault(t, realVault.RootToken().Reveal())
	list := func(at Authorities) (map[string]credential.Credential, *credential.Roll) {
		at.Directories = map[string]Directory{}
		c.Directories = map[string]config.Directory{}
		roll, _, err := List(t.Context(), c, at, v, "c", time.Now())
		require.NoError(t, err)
		return byName(roll), roll
	}
	got, roll := list(Authorities{Tokens: minted.New(v.API(), credential.VaultAuthority)})
	for _, accessor := range []string{fits, byRow} {
		x, there := got["token/"+accessor]
		require.True(t, there, accessor)
		require.Empty(t, x.Problem)
		require.Empty(t, x.Paths, "nothing new is left anywhere")
		require.Nil(t, x.Spare)
		require.Equal(t, waveTokens, roll.Waves[x.Wave].Name)
		require.Zero(t, x.Wave)
		require.Contains(t, x.Reasons[0].Detail, "accessor "+accessor)
	}
	for what, accessor := range map[string]string{"policy": otherPolicy, "device": otherDevice, "root": root, "own": own, "planted": planted} {
		x, there := got["token/"+accessor]
		require.True(t, !there || x.Subject == "" && x.Problem == credential.NoAccount, "%s: %+v", what, x)
	}
	require.Equal(t, credential.NoAccount, got["token/"+ended].Problem)
	require.Contains(t, details(roll, got["token/"+ended].ID, credential.FindingNoAccount), "it has ended, or the accessor is mistyped")
	require.NotEmpty(t, got["token/"+workers].Problem)
	require.Contains(t, warned(roll), "is one of Rollcall's own")

	// What an earlier roll of the device had has ended, and is called dead.
	past := past{last: &ownmount.LastRoll{Credentials: []credential.Credential{{ID: "vault/token/" + ended, Subject: "token/" + ended}}}}
	require.True(t, past.had("vault/token/"+ended))

	// Who lists for himself looks at no token but those that are named.
	got, roll = list(Authorities{})
	require.NotContains(t, got, "token/"+fits)
	require.Contains(t, got, "token/"+byRow)
	require.Contains(t, warned(roll), "the worker does, when a campaign starts")
}

func TestATokenInAFileIsRefusedAndNotRepeated(t *testing.T) {
	const token = "hvs.CAESIJ0abcdefghijklmnopqrstuvwxyz"
	_, err := read(campaign(), "m.csv", "kind,account,path\nvault-token,"+token+",\nvault-token,a b,\nvault-token,abcdefghijklmnop,kv/x\n")
	require.ErrorContains(t, err, "m.csv:2: account: has the form of a token and is not repeated here")
	require.ErrorContains(t, err, "m.csv:3: account: must be the accessor of a token")
	require.ErrorContains(t, err, "m.csv:4: path: leave it out")
	require.NotContains(t, err.Error(), token)
}
