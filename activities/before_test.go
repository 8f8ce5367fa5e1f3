package activities

import (
	"encoding/json"
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// The rights of a directory account at an auth mount were taken away before
// anything was listed, and a token that it minted before lives: the account
// goes first, and its token is dead before a new value is written where it
// reads.
func TestATokenFromBeforeTheListingReadsNoNewValue(t *testing.T) {
	g := newGround(t)
	accounts := lab.SeedAccounts("svc", 2)
	dir := g.slapd(lab.SlapdOptions{Accounts: accounts})
	d := g.directory(dir.BaseDN(), dir.LDAPS())
	d.Connections, d.Password = 2, config.PasswordPolicy{Length: 32}
	d.Bind = config.Bind{DN: dir.BinderDN, Password: credential.Path{Mount: "rollcall", Path: "bind-svc", Field: "password"}}
	_, err := g.store.Activate(g.ctx, d.Bind.Password, vault.Live{}, credential.NewSecret(dir.BinderPassword), "")
	require.NoError(t, err)
	write := func(at string, body map[string]any) *vaultapi.Secret {
		got, err := g.api.Logical().Write(at, body)
		require.NoError(t, err, at)
		return got
	}
	rows := "account,path\n"
	for _, a := range accounts {
		write("rollcall/data/device/"+a.UID, map[string]any{"data": map[string]any{"password": a.Password}})
		rows += a.UID + ",rollcall/device/" + a.UID + "#password\n"
	}
	g.spec.Directories = map[string]config.Directory{"corp": d}
	g.spec.Vault.Adopt = "rollcall/adopted/{directory}/{account}#password"
	g.spec.Sources = []config.Source{{Name: "list", Type: config.Manifest, File: "m.csv", Content: []byte(rows)}}
	require.NoError(t, g.api.Sys().PutPolicy("reads-device", `path "rollcall/data/device/*" { capabilities = ["read"] }`))
	write("sys/auth/people", map[string]any{"type": "ldap"})
	write("auth/people/config", map[string]any{"url": dir.LDAPS(), "certificate": string(g.ca.PEM), "userdn": dir.PeopleDN(), "userattr": "uid", "groupdn": dir.BaseDN(), "binddn": dir.BinderDN, "bindpass": dir.BinderPassword})

	write("auth/people/users/"+accounts[0].UID, map[string]any{"policies": "reads-device"})
	thief, err := g.api.Clone()
	require.NoError(t, err)
	thief.SetToken(write("auth/people/login/"+accounts[0].UID, map[string]any{"password": accounts[0].Password}).Auth.ClientToken)
	_, err = g.api.Logical().Delete("auth/people/users/" + accounts[0].UID)
	require.NoError(t, err)
	reads := func(uid string) error {
		_, err := thief.Logical().Read("rollcall/data/device/" + uid)
		return err
	}
	require.NoError(t, reads(accounts[1].UID))

	data, err := json.Marshal(g.spec)
	require.NoError(t, err)
	require.NoError(t, Open(g.ctx, g.store, ownmount.CampaignRecord{Campaign: "c", Device: "esg-01"}, data))
	var roll wire.Roll
	require.NoError(t, g.call("List", wire.ListInput{Campaign: "c"}, &roll))
	require.Len(t, roll.Logins, 1)
	require.Equal(t, "logins-to-vault", roll.Waves[0].Name)
	page, err := g.store.ReadPage(g.ctx, "c", roll.Snapshot, 0)
	require.NoError(t, err)
	login, other := roll.Logins[0].Index, 1-roll.Logins[0].Index
	require.Contains(t, page[login].Name, accounts[0].UID)

	b := wire.Batch{Campaign: "c", Snapshot: roll.Snapshot, Authority: "corp", Kind: credential.LDAPPassword, Concurrency: 1, Span: credential.Span{To: len(page)}, Logins: roll.Logins}
	pass := func(i int) wire.AppliedItem {
		var prepared []wire.PreparedItem
		require.NoError(t, g.call("Prepare", wire.PrepareInput{Batch: b, Pass: 1, Items: []int{i}}, &prepared))
		if prepared[0].Stop != nil {
			out := wire.AppliedItem{}
			out.Stop = prepared[0].Stop
			return out
		}
		var out []wire.AppliedItem
		require.NoError(t, g.call("Apply", wire.ApplyInput{Batch: b, Items: []wire.ApplyItem{{Index: i, Attempt: prepared[0].Attempt, Fresh: prepared[0].Fresh}}}, &out))
		return out[0]
	}
	require.Equal(t, protocol.ReasonWithinReach, pass(other).Stop.Reason)
	require.NoError(t, reads(accounts[1].UID), "his token lives, and nothing new is there")
	require.True(t, pass(login).Dead())
	require.Error(t, reads(accounts[1].UID))
	out := pass(other)
	require.True(t, out.Dead(), "%+v", out.Stop)
}
