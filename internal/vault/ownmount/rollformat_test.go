package ownmount

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/vault"
	"rollcall/internal/vault/vaulttest"
)

func TestARollOfANewerRollcallIsRefusedAndOneOfBeforeFormatsIsRead(t *testing.T) {
	worker, _, _ := restricted(t, vault.WorkerPolicy)
	ctx := t.Context()
	require.NoError(t, worker.OpenCampaign(ctx, CampaignRecord{Campaign: "c1", Device: "esg-01"}))
	idx, err := worker.WriteRoll(ctx, vaulttest.NewRoll("c1", 2))
	require.NoError(t, err)
	at := rollPath("c1", idx.Snapshot, "credentials-0")
	written, err := worker.Get(ctx, opReadRoll, worker.mount, at, 1)
	require.NoError(t, err)
	require.Equal(t, "1", written.Data[formatField])

	put := func(path, format string) {
		t.Helper()
		data := map[string]any{pageField: written.Data[pageField], formatField: format}
		if format == "" {
			delete(data, formatField)
		}
		_, err := worker.Put(ctx, opReadRoll, worker.mount, path, 0, data)
		require.NoError(t, err)
	}
	put(rollPath("c1", "before", "credentials-0"), "")
	page, err := worker.ReadPage(ctx, "c1", "before", 0)
	require.NoError(t, err)
	require.Len(t, page, 2)

	for _, format := range []string{"2", "10", "x"} {
		put(rollPath("c1", "of-"+format, "credentials-0"), format)
		put(rollPath("at-"+format, indexName), format)
		_, err = worker.ReadPage(ctx, "c1", "of-"+format, 0)
		require.ErrorContains(t, err, "a newer Rollcall wrote this roll")
		require.False(t, vault.IsNotFound(err))
		_, err = worker.ReadIndex(ctx, "at-"+format)
		require.ErrorContains(t, err, "a newer Rollcall wrote this roll")
		_, err = worker.WriteRoll(ctx, vaulttest.NewRoll("at-"+format, 2))
		require.ErrorContains(t, err, "a newer Rollcall wrote this roll", "and is not written over")
	}
	put(rollPath("c1", idx.Snapshot, amendedName+"-1"), "2")
	_, err = worker.ReadIndex(ctx, "c1")
	require.ErrorContains(t, err, "a newer Rollcall wrote this roll", "nor is what was taken up later passed over")
}
