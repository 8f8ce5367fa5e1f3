package ownmount

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/vaulttest"
)

// What is open on the roll of another device is told, whole; of the rest the
// ids are enough, and no page of it pushes one of this campaign's out of
// memory.
func TestOfAnotherDevicesRollWhatIsOpenIsRead(t *testing.T) {
	worker, admin, c := restricted(t, vault.WorkerPolicy)
	ctx := t.Context()
	require.NoError(t, worker.OpenCampaign(ctx, CampaignRecord{Campaign: "others", Device: "vpn-01"}))
	roll := vaulttest.NewRoll("others", 1200)
	roll.Containment = &credential.Containment{How: credential.Off, Named: []string{"192.0.2.20"}}
	roll.Excluded = []credential.Exclusion{{ID: "vault/approle/relay", Name: "approle/relay", Reason: "another team's"}}
	idx, err := worker.WriteRoll(ctx, roll)
	require.NoError(t, err)
	require.Equal(t, 3, idx.Pages)
	dead := credential.Refs{}
	for n := range 500 {
		dead = append(dead, credential.Ref{Page: 0, Index: n}, credential.Ref{Page: 1, Index: n})
	}
	dead = append(dead, credential.Ref{Page: 2, Index: 0}, credential.Ref{Page: 7, Index: 0}) // of which there is no page
	require.NoError(t, worker.NoteDead(ctx, "others", idx.Snapshot, dead))
	require.NoError(t, worker.NoteReopened(ctx, "others", idx.Snapshot, credential.Refs{{Page: 1, Index: 3}}))

	living, err := worker.OtherRolls(ctx, "esg-01")
	require.NoError(t, err)
	require.Len(t, living, 1)
	require.True(t, living[0].Lives, "it has them in hand")
	for _, c := range living[0].Open {
		require.True(t, c.ReachesVault(), "the rest is that campaign's alone")
	}
	require.NoError(t, worker.CloseCampaign(ctx, "others"))

	got, err := worker.OtherRolls(ctx, "esg-01")
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Equal(t, "vpn-01", got[0].Device)
	require.False(t, got[0].Lives)
	require.Equal(t, []string{"192.0.2.20"}, got[0].Hosts)
	require.Equal(t, roll.Excluded, got[0].LeftOut)
	require.Len(t, got[0].Open, 200)
	gone, err := got[0].Dead(ctx)
	require.NoError(t, err)
	require.Len(t, gone, 1000)
	all, err := worker.ReadPage(ctx, "others", idx.Snapshot, 1)
	require.NoError(t, err)
	require.Equal(t, all[3], got[0].Open[0], "which was dead, and is open again")
	for _, c := range got[0].Open {
		require.False(t, gone[c.ID], c.ID)
	}
	require.Equal(t, 1, worker.pages.Len(), fmt.Sprint("the page that this test read", worker.pages.Keys()))

	// A page of which all is dead is not read for what is open.
	require.NoError(t, admin.Purge(ctx, "test", c.Vault.Mount, rollPath("others", idx.Snapshot, "credentials-0")))
	again, err := worker.OtherRolls(ctx, "esg-01")
	require.NoError(t, err)
	require.Equal(t, got[0].Open, again[0].Open)
	_, err = again[0].Dead(ctx)
	require.True(t, vault.IsNotFound(err), "%v", err)

	none, err := worker.OtherRolls(ctx, "vpn-01")
	require.NoError(t, err)
	require.Empty(t, none)
}
