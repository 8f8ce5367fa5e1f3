package activities

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// A value that was staged and never announced is on no server. A campaign that
// comes later must not take it for one that is in force and lies nowhere else.
func TestWhatAPersonExcludesInARunningCampaignLeavesNoStagedValueBehind(t *testing.T) {
	s := newSafe(t)
	names := []string{"staged", "sent", "taken-over"}
	var listed []credential.Credential
	for _, name := range names {
		s.role(name, "stolen")
		c := approle(name, "apps/"+name)
		_, err := s.store.Activate(s.ctx, c.Paths[0], vault.Live{}, credential.NewSecret("stolen"), "")
		require.NoError(t, err)
		listed = append(listed, c)
	}
	prepare := func(b wire.Batch, items ...int) {
		var out []wire.PreparedItem
		require.NoError(t, s.call("Prepare", wire.PrepareInput{Batch: b, Pass: 1, Items: items}, &out))
		for _, it := range out {
			require.Nil(t, it.Stop)
		}
	}
	prepare(s.batch("first", "esg-01", listed...), 2) // and may have set it
	require.NoError(t, s.store.CloseCampaign(s.ctx, "first"))
	b := s.batch("second", "esg-01", listed...)
	prepare(b, 0, 1, 2)
	staged := func(i int) (ownmount.Staged, bool) {
		st, found, err := s.store.ReadStaged(s.ctx, listed[i].ID)
		require.NoError(t, err)
		return st, found
	}
	sent, _ := staged(1)
	sent.Late = sent.CreatedAt
	_, err := s.store.Restage(s.ctx, listed[1].ID, sent)
	require.NoError(t, err)

	index, err := s.store.ReadIndex(s.ctx, "second")
	require.NoError(t, err)
	p := ownmount.Proposal{ID: "p1"}
	for i, c := range listed {
		p.Replaced = append(p.Replaced, credential.Ref{Index: i})
		p.Excluded = append(p.Excluded, credential.Exclusion{ID: c.ID, Name: c.Name, Reason: "hard-coded"})
	}
	_, err = s.store.Propose(s.ctx, index, p)
	require.NoError(t, err)
	for range 2 { // also where its reply was lost
		var now wire.Amended
		require.NoError(t, s.call("Amend", wire.AmendInput{Campaign: "second", Proposal: "p1", Replaced: p.Replaced}, &now))
		require.Equal(t, credential.Refs{{Index: 0}}, now.Replaced)
		require.Equal(t, credential.Refs{{Index: 1}, {Index: 2}}, now.Left, "a server may have what was staged of these")
		require.Equal(t, 2, now.Warnings, "that they stay is told")
	}
	_, found := staged(0)
	require.False(t, found)
	left, err := s.store.Leftovers(s.ctx, "esg-01", "third")
	require.NoError(t, err)
	var ids []string
	for _, l := range left {
		ids = append(ids, l.ID)
	}
	require.ElementsMatch(t, []string{listed[1].ID, listed[2].ID}, ids, "what the next campaign refuses to leave out")
}
