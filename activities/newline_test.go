package activities

import (
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// `vault kv put … password=@file` stores the end of the line too, and shells
// take it off again: nobody changed anything, and the proof is a refused login.
func TestAValueStoredWithTheEndOfALineIsProvedByBind(t *testing.T) {
	o := newOutage(t, 4)
	o.grant("")
	c := o.campaign("newline", o.token(vaultapi.TokenCreateRequest{TTL: "1h"}), 0, 4)
	for i, end := range []string{"\n", "\r\n", "\n\n", ""} {
		path := c.credentials[i].Paths[0].Path
		got, err := o.admin.Logical().Read("kv/data/" + path)
		require.NoError(t, err)
		value := got.Data["data"].(map[string]any)["password"].(string)
		_, err = o.admin.Logical().Write("kv/data/"+path, map[string]any{"data": map[string]any{"password": value + end}})
		require.NoError(t, err)
	}
	for _, b := range c.batches {
		var items []int
		var in []wire.ApplyItem
		for i := b.Span.From; i < b.Span.To; i++ {
			items, in = append(items, i), append(in, wire.ApplyItem{Index: i, Attempt: 1, Fresh: true})
		}
		var prepared []wire.PreparedItem
		c.call("Prepare", wire.PrepareInput{Batch: b, Pass: 1, Items: items}, &prepared)
		var applied []wire.AppliedItem
		c.call("Apply", wire.ApplyInput{Batch: b, Items: in}, &applied)
		for _, a := range applied {
			require.Nil(t, a.Stop)
			require.Equal(t, protocol.ProofBind, a.Proof)
			require.Empty(t, a.Findings, "nobody is accused")
		}
	}
	require.Empty(t, c.cutOff())
}
