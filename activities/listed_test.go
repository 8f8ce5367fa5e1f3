package activities

import (
	"encoding/json"
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/kind/registry"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// What the listing of this process read moments ago Prepare does not read
// again: the rotation goes out from the version that was listed, whatever
// somebody writes in between, and what he writes beside it is kept.
func TestWhatTheListingReadIsTakenOverByPrepare(t *testing.T) {
	g := newGround(t)
	d := g.directory(g.first.BaseDN(), g.first.LDAPS())
	d.Connections, d.Password = 2, config.PasswordPolicy{Length: 32}
	g.spec.Directories = map[string]config.Directory{"corp": d}
	g.spec.Vault.Adopt = "kv/adopted/{directory}/{account}#password"
	g.spec.Sources = []config.Source{{Name: "vault", Type: config.VaultKV, Prefix: "kv/device"}}
	kv := g.api.KVv2("kv")
	put := func(uid, password string, more map[string]any) {
		fields := map[string]any{"password": password}
		for k, v := range more {
			fields[k] = v
		}
		_, err := kv.Put(g.ctx, "device/"+uid, fields)
		require.NoError(t, err)
	}
	for _, uid := range []string{"user0001", "user0002"} {
		put(uid, g.first.SeededPassword(uid), nil)
		require.NoError(t, kv.PutMetadata(g.ctx, "device/"+uid, vaultapi.KVMetadataPutInput{CustomMetadata: map[string]any{"account": uid}}))
	}
	data, err := json.Marshal(g.spec)
	require.NoError(t, err)
	require.NoError(t, Open(g.ctx, g.store, ownmount.CampaignRecord{Campaign: "c", Device: "esg-01"}, data))
	kinds := registry.New(g.store.Client)
	t.Cleanup(func() { _ = kinds.Close() })
	r := NewRotation(g.store, kinds)
	call := func(name string, in, out any) {
		t.Helper()
		var suite testsuite.WorkflowTestSuite
		env := suite.NewTestActivityEnvironment()
		env.RegisterActivity(r)
		got, err := env.ExecuteActivity(name, in)
		require.NoError(t, err)
		require.NoError(t, got.Get(out))
	}
	var roll wire.Roll
	call("List", wire.ListInput{Campaign: "c"}, &roll)
	page, err := g.store.ReadPage(g.ctx, "c", roll.Snapshot, 0)
	require.NoError(t, err)
	require.Len(t, page, 2)

	put("user0001", g.first.SeededPassword("user0001"), map[string]any{"note": "a.example.org"})
	put("user0002", "somebody's own", nil)
	b := wire.Batch{Campaign: "c", Snapshot: roll.Snapshot, Authority: "corp", Kind: credential.LDAPPassword, Concurrency: 2, Span: credential.Span{To: 2}}
	var prepared []wire.PreparedItem
	call("Prepare", wire.PrepareInput{Batch: b, Pass: 1, Items: []int{0, 1}}, &prepared)
	in := wire.ApplyInput{Batch: b}
	for _, p := range prepared {
		require.Nil(t, p.Stop)
		require.Equal(t, []int{1}, p.From, "the version that was listed")
		in.Items = append(in.Items, wire.ApplyItem{Index: p.Index, Attempt: p.Attempt, Fresh: p.Fresh})
	}
	var applied []wire.AppliedItem
	call("Apply", in, &applied)
	for _, a := range applied {
		require.True(t, a.Dead(), "%s: %+v", page[a.Index].Name, a.Stop)
		require.Equal(t, []int{3}, a.To)
	}
	got, err := kv.Get(g.ctx, "device/user0001")
	require.NoError(t, err)
	require.Equal(t, "a.example.org", got.Data["note"])
}
