package activities

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/kind/registry"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// In a list of hosts a part of a password may be taken for one. Who reads a
// roll, and no secret, cannot try what it is: the roll tells hosts by a key
// that he has not. The processes that rotate have it.
func TestARollTellsHostsByAKeyThatItsReadersHaveNot(t *testing.T) {
	g := newGround(t)
	d := g.directory(g.first.BaseDN(), g.first.LDAPS())
	d.Connections, d.Password = 2, config.PasswordPolicy{Length: 32}
	g.spec.Directories = map[string]config.Directory{"corp": d}
	g.spec.Vault.Adopt = "kv/adopted/{directory}/{account}#password"
	g.spec.Sources = []config.Source{{Name: "vault", Type: config.VaultKV, Prefix: "kv/device"}}
	kv := g.api.KVv2("kv")
	put := func(uid, servers string) {
		_, err := kv.Put(g.ctx, "device/"+uid, map[string]any{"password": g.first.SeededPassword(uid), "servers": servers})
		require.NoError(t, err)
	}
	for _, uid := range []string{"user0001", "user0002"} {
		put(uid, "mx.example.org,hunter2")
		require.NoError(t, kv.PutMetadata(g.ctx, "device/"+uid, vaultapi.KVMetadataPutInput{CustomMetadata: map[string]any{"account": uid}}))
	}
	data, err := json.Marshal(g.spec)
	require.NoError(t, err)
	require.NoError(t, Open(g.ctx, g.store, ownmount.CampaignRecord{Campaign: "c", Device: "esg-01"}, data))
	call := func(name string, in, out any) { // each another process
		t.Helper()
		kinds := registry.New(g.store.Client)
		defer func() { _ = kinds.Close() }()
		var suite testsuite.WorkflowTestSuite
		env := suite.NewTestActivityEnvironment()
		env.RegisterActivity(NewRotation(g.store, kinds))
		got, err := env.ExecuteActivity(name, in)
		require.NoError(t, err)
		require.NoError(t, got.Get(out))
	}
	var roll wire.Roll
	call("List", wire.ListInput{Campaign: "c"}, &roll)
	page, err := g.store.ReadPage(g.ctx, "c", roll.Snapshot, 0)
	require.NoError(t, err)
	require.Len(t, page, 2)
	for _, c := range page {
		require.Len(t, c.Leads, 1, "it leads somewhere")
		for _, digest := range c.Leads {
			require.NotEqual(t, credential.LeadsUnseen, digest)
			for _, guess := range []string{"hunter2\x00", "hunter2\x00mx.example.org\x00", "mx.example.org\x00hunter2\x00"} {
				sum := sha256.Sum256([]byte(guess))
				require.NotEqual(t, hex.EncodeToString(sum[:8]), digest, "who guesses the password is told that it is right")
			}
		}
	}

	b := wire.Batch{Campaign: "c", Snapshot: roll.Snapshot, Authority: "corp", Kind: credential.LDAPPassword, Concurrency: 2, Span: credential.Span{To: 2}}
	var prepared []wire.PreparedItem
	call("Prepare", wire.PrepareInput{Batch: b, Pass: 1, Items: []int{0, 1}}, &prepared)
	in := wire.ApplyInput{Batch: b}
	for _, p := range prepared {
		require.Nil(t, p.Stop)
		in.Items = append(in.Items, wire.ApplyItem{Index: p.Index, Attempt: p.Attempt})
	}
	put("user0002", "mx.example.org,192.0.2.66")
	var applied []wire.AppliedItem
	call("Apply", in, &applied)
	require.Len(t, applied, 2)
	for _, a := range applied {
		if page[a.Index].Paths[0].Path == "device/user0001" {
			require.True(t, a.Dead(), "%+v", a.Stop)
			continue
		}
		require.NotNil(t, a.Stop)
		require.Equal(t, protocol.ReasonLedElsewhere, a.Stop.Reason)
	}
}
