package ownmount

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/vault"
	"rollcall/internal/vault/vaulttest"
)

func TestWhatIsNotedOnceIsNotedForEveryWorker(t *testing.T) {
	worker, _, c := restricted(t, vault.WorkerPolicy)
	ctx := t.Context()
	require.NoError(t, worker.OpenCampaign(ctx, CampaignRecord{Campaign: "once", Device: "esg-01"}))
	_, err := worker.WriteRoll(ctx, vaulttest.NewRoll("once", 1))
	require.NoError(t, err)
	none, err := worker.NotedOnce(ctx, "once")
	require.NoError(t, err)
	require.Empty(t, none)
	beside := open(t, c, server.Address(), vaulttest.TokenWith(t, vault.WorkerPolicy))
	const id = "corp/uid=a/b,dc=example"
	for n, w := range []*Store{worker, beside, worker} {
		first, err := w.NoteOnce(ctx, "once", "refused-1", "mail@192.0.2.7", id)
		require.NoError(t, err)
		require.Equal(t, n == 0, first)
	}
	_, err = worker.NoteOnce(ctx, "once", "flush", "mail", id)
	require.NoError(t, err)
	got, err := beside.NotedOnce(ctx, "once")
	require.NoError(t, err)
	require.ElementsMatch(t, []Once{{"refused-1", "mail@192.0.2.7", id}, {"flush", "mail", id}}, got)
}
