package ownmount

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/vaulttest"
)

func TestTheNextListingKnowsWhatBecameOfTheLastRoll(t *testing.T) {
	worker, _, c := restricted(t, vault.WorkerPolicy)
	ctx := t.Context()
	none, err := worker.LastRoll(ctx, "esg-01", "c1")
	require.NoError(t, err)
	require.Nil(t, none)

	for _, rec := range []CampaignRecord{{Campaign: "c1", Device: "esg-01"}, {Campaign: "other", Device: "vpn-01"}, {Campaign: "c2", Device: "esg-01"}, {Campaign: "c3", Device: "esg-01"}} {
		require.NoError(t, worker.OpenCampaign(ctx, rec))
	}
	roll := vaulttest.NewRoll("c1", 600)
	roll.Excluded = []credential.Exclusion{{ID: "corp/x", Name: "x", Reason: "asked"}}
	idx, err := worker.WriteRoll(ctx, roll)
	require.NoError(t, err)
	_, err = worker.WriteRoll(ctx, vaulttest.NewRoll("other", 1))
	require.NoError(t, err)
	for range 2 { // said twice, as by a retry
		require.NoError(t, worker.NoteDead(ctx, "c1", idx.Snapshot, credential.Refs{{Page: 0, Index: 0}, {Page: 0, Index: 1}, {Page: 1, Index: 2}}))
	}
	require.NoError(t, worker.NoteOnSome(ctx, "c1", idx.Snapshot, credential.Refs{{Page: 1, Index: 3}, {Page: 1, Index: 4}}))
	require.NoError(t, worker.NoteReopened(ctx, "c1", idx.Snapshot, credential.Refs{{Page: 0, Index: 1}, {Page: 1, Index: 4}}))
	first, second := readAll(t, worker, idx)[0], worker
	last, err := second.LastRoll(ctx, "esg-01", "c3")
	require.NoError(t, err)
	require.Equal(t, "c1", last.Campaign, "c2 ended before it had a roll")
	require.Len(t, last.Credentials, 600)
	require.Len(t, last.Excluded, 1)
	third, err := worker.ReadPage(ctx, "c1", idx.Snapshot, 1)
	require.NoError(t, err)
	require.Equal(t, map[string]bool{first.ID: true, third[2].ID: true}, last.Dead)
	require.Equal(t, map[string]bool{third[3].ID: true}, last.OnSome)

	again, err := worker.WriteRoll(ctx, roll)
	require.NoError(t, err)
	require.Equal(t, idx, again)
	operator := open(t, c, server.Address(), vaulttest.TokenWith(t, vault.OperatorPolicy))
	seen, err := operator.LastRoll(ctx, "esg-01", "dry")
	require.NoError(t, err)
	require.Equal(t, last.Dead, seen.Dead, "who plans sees what who runs sees")
	own, err := worker.LastRoll(ctx, "esg-01", "c1")
	require.NoError(t, err)
	require.Nil(t, own, "a campaign's own roll is not the one before it")
}

func TestOnlyWhatMayBeInForceAndNobodyHasInHandIsLeftOver(t *testing.T) {
	worker, _, c := restricted(t, vault.WorkerPolicy)
	ctx := t.Context()
	for _, rec := range []CampaignRecord{{Campaign: "mine", Device: "esg-01"}, {Campaign: "ended", Device: "vpn-01"}, {Campaign: "runs", Device: "vpn-02"}} {
		require.NoError(t, worker.OpenCampaign(ctx, rec))
	}
	require.NoError(t, worker.CloseCampaign(ctx, "ended"))
	roll := vaulttest.NewRoll("mine", 3)
	_, err := worker.WriteRoll(ctx, roll)
	require.NoError(t, err)
	put := func(id, campaign string, change func(*Staged)) {
		t.Helper()
		st := staged("v", campaign)
		st.Unsent, st.Old = false, nil
		st.Base, st.CreatedAt, st.Before = map[string]int{"kv/a#password": 1, "kv/b#password": 1}, time.Now(), "mark"
		st.Places = map[string]string{"kv/b#password": PlaceApart}
		if change != nil {
			change(&st)
		}
		_, created, err := worker.Stage(ctx, id, st)
		require.NoError(t, err)
		require.True(t, created)
	}
	put(roll.Credentials[1].ID, "mine", nil)
	put("corp/ended", "ended", nil)
	put("corp/none", "never opened", nil)
	put("corp/now", "now", nil)
	put("corp/runs", "runs", nil)
	put("corp/unsent", "ended", func(st *Staged) { st.Unsent = true })
	put("corp/taken", "ended", func(st *Staged) {
		st.Unsent = true // and what it took over may be in force
		st.Old = map[string]credential.Secret{TakenOver + "1": credential.NewSecret("x"), TakenOver + "1" + BeforeIt + "kv/c#password": credential.NewSecret("y")}
	})
	left, err := worker.Leftovers(ctx, "esg-01", "now")
	require.NoError(t, err)
	got := map[string]Leftover{}
	for _, l := range left {
		got[l.ID] = l
	}
	require.Len(t, got, 4, "%+v", left)
	require.Equal(t, &roll.Credentials[1], got[roll.Credentials[1].ID].Listed)
	require.Equal(t, Leftover{ID: "corp/ended", Campaign: "ended", Device: "vpn-01", Before: "mark", Paths: []string{"kv/a#password"}}, got["corp/ended"])
	require.Equal(t, Leftover{ID: "corp/none", Campaign: "never opened", Before: "mark", Paths: []string{"kv/a#password"}}, got["corp/none"])
	require.Equal(t, Leftover{ID: "corp/taken", Campaign: "ended", Device: "vpn-01", Paths: []string{"kv/a#password", "kv/c#password"}}, got["corp/taken"])

	operator := open(t, c, server.Address(), vaulttest.TokenWith(t, vault.OperatorPolicy))
	left, err = operator.Leftovers(ctx, "esg-01", "dry")
	require.NoError(t, err)
	require.Empty(t, left, "who may not read them cannot tell what another device's campaign has in hand")
	require.NoError(t, worker.CloseCampaign(ctx, "runs"))
	left, err = operator.Leftovers(ctx, "esg-01", "dry")
	require.NoError(t, err)
	require.Len(t, left, 7)
	require.Equal(t, Leftover{ID: "corp/ended"}, left[1])
}
