package activities

import (
	"slices"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/record"
	"rollcall/internal/wire"
)

// Two devices had one service account, and each has a copy of its password: the
// second campaign finds its copy refused, and says that the first may have
// changed it.
func TestAChangeByAnEarlierCampaignIsNotPutOnSomebodyElse(t *testing.T) {
	o := newOutage(t, 4)
	o.grant("")
	token := o.token(vaultapi.TokenCreateRequest{TTL: "1h"})
	first := o.campaign("esg-01-first", token, 0, 2)
	require.Empty(t, first.pass(1))
	for i, b := range first.batches {
		first.call("Clean", wire.CleanInput{Batch: b, Items: []wire.CleanItem{{Index: i, Dead: wire.Dead{Attempt: 1, To: []int{2}, Written: make([]time.Time, 1), Doomed: make([][]int, 1)}}}}, nil)
	}

	second := o.campaign("esg-02-second", token, 0, 3) // seeds the paths with the stolen values
	findings := map[string][]credential.Finding{}
	for _, b := range second.batches {
		var items []int
		var in []wire.ApplyItem
		for i := b.Span.From; i < b.Span.To; i++ {
			items, in = append(items, i), append(in, wire.ApplyItem{Index: i, Attempt: 1, Fresh: true})
		}
		var prepared []wire.PreparedItem
		second.call("Prepare", wire.PrepareInput{Batch: b, Pass: 1, Items: items}, &prepared)
		var applied []wire.AppliedItem
		second.call("Apply", wire.ApplyInput{Batch: b, Items: in}, &applied)
		for _, a := range applied {
			findings[second.credentials[a.Index].ID] = a.Findings
		}
	}
	for _, c := range second.credentials {
		had := slices.ContainsFunc(first.credentials, func(x credential.Credential) bool { return x.ID == c.ID })
		require.Equal(t, had, slices.ContainsFunc(findings[c.ID], record.Accuses), "%+v", findings[c.ID])
		for _, f := range findings[c.ID] {
			if record.Accuses(f) {
				require.Contains(t, f.Detail, "campaign esg-01-first of device esg-01")
				require.Contains(t, f.Detail, "Rollcall itself may have changed it then")
			}
		}
	}
}
