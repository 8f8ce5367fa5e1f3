package ownmount

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
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

func TestWhatANoteSaysIsReadByEveryWorker(t *testing.T) {
	worker, _, c := restricted(t, vault.WorkerPolicy)
	ctx := t.Context()
	require.NoError(t, worker.OpenCampaign(ctx, CampaignRecord{Campaign: "saying", Device: "esg-01"}))
	_, err := worker.WriteRoll(ctx, vaulttest.NewRoll("saying", 1))
	require.NoError(t, err)
	beside := open(t, c, server.Address(), vaulttest.TokenWith(t, vault.WorkerPolicy))
	const id = "corp/uid=a/b,dc=example"
	said := credential.Finding{Code: credential.FindingFlushed, Detail: "door mail: its flush exit code 0"}
	var got credential.Finding
	noted, err := beside.NotedSaid(ctx, "saying", "flushed", "mail", id, &got)
	require.NoError(t, err)
	require.False(t, noted)
	for n, what := range []credential.Finding{said, {Code: credential.FindingFlushFailed}} {
		first, err := worker.NoteOnceSaying(ctx, "saying", "flushed", "mail", id, what)
		require.NoError(t, err)
		require.Equal(t, n == 0, first)
		noted, err = beside.NotedSaid(ctx, "saying", "flushed", "mail", id, &got)
		require.NoError(t, err)
		require.True(t, noted)
		require.Equal(t, said, got)
	}
	_, err = worker.NoteOnce(ctx, "saying", "flushed", "other", id) // as an earlier version
	require.NoError(t, err)
	noted, err = beside.NotedSaid(ctx, "saying", "flushed", "other", id, &got)
	require.NoError(t, err)
	require.False(t, noted)
}

func TestANoteOfAValueIsKnownToWhoeverHasTheValueAndShowsItToNobody(t *testing.T) {
	worker, _, _ := restricted(t, vault.WorkerPolicy)
	ctx := t.Context()
	require.NoError(t, worker.OpenCampaign(ctx, CampaignRecord{Campaign: "of", Device: "esg-01"}))
	_, err := worker.WriteRoll(ctx, vaulttest.NewRoll("of", 1))
	require.NoError(t, err)
	const where, id = "ldaps://ldap1:636", "corp/uid=a,dc=example"
	value, other := credential.NewSecret("stolen"), credential.NewSecret("another")
	_, _, noted, err := worker.NotedOf(ctx, "of", "tried-1", where, id, value)
	require.NoError(t, err)
	require.False(t, noted)
	for n := range 2 {
		first, err := worker.NoteOnceOf(ctx, "of", "tried-1", where, id, value)
		require.NoError(t, err)
		require.Equal(t, n == 0, first)
	}
	for v, want := range map[credential.Secret]bool{value: true, other: false} {
		same, at, noted, err := worker.NotedOf(ctx, "of", "tried-1", where, id, v)
		require.NoError(t, err)
		require.True(t, noted)
		require.WithinDuration(t, time.Now(), at, time.Minute)
		require.Equal(t, want, same)
	}
	path, err := worker.onceAt(ctx, "of", "tried-1", where, id)
	require.NoError(t, err)
	e, err := worker.Get(ctx, "look", worker.mount, path, 0)
	require.NoError(t, err)
	require.NotContains(t, e.Data[pageField], "stolen")
	_, err = worker.NoteOnce(ctx, "of", "tried-2", where, id)
	require.NoError(t, err)
	same, _, noted, err := worker.NotedOf(ctx, "of", "tried-2", where, id, value)
	require.NoError(t, err)
	require.True(t, noted)
	require.False(t, same, "a note of no value")
}
