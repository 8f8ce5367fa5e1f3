package ownmount

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/vaulttest"
)

func TestAllThatIsDeadIsCountedWhetherOrNotItIsDoneWith(t *testing.T) {
	worker, _, _ := restricted(t, vault.WorkerPolicy)
	ctx := t.Context()
	require.NoError(t, worker.OpenCampaign(ctx, CampaignRecord{Campaign: "c1", Device: "esg-01"}))
	idx, err := worker.WriteRoll(ctx, vaulttest.NewRoll("c1", 6))
	require.NoError(t, err)
	at := func(i int) credential.Refs { return credential.Refs{{Page: 0, Index: i}} }
	require.NoError(t, worker.NoteDead(ctx, "c1", idx.Snapshot, at(0)))
	require.NoError(t, worker.NoteAside(ctx, "c1", idx.Snapshot, at(1)))
	require.NoError(t, worker.NoteOnSome(ctx, "c1", idx.Snapshot, at(2)))
	require.NoError(t, worker.NoteAside(ctx, "c1", idx.Snapshot, at(3)))
	require.NoError(t, worker.NoteReopened(ctx, "c1", idx.Snapshot, at(3)))
	require.NoError(t, worker.NoteWithoutServers(ctx, "c1", idx.Snapshot, at(4)))
	st, found, err := worker.StandingOf(ctx, "c1")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, Standing{Listed: 6, Dead: 4, OnSome: 2, Noted: true}, st)
	var fates []Fate
	require.NoError(t, worker.Fates(ctx, "c1", func(f Fate) { fates = append(fates, f) }))
	require.Len(t, fates, 6)
	for i, want := range []struct{ dead, aside, some bool }{{true, false, false}, {true, true, false}, {true, false, true}, {}, {true, false, true}, {}} {
		require.Equal(t, want.dead, !fates[i].DeadAt.IsZero(), i)
		require.Equal(t, want.aside, fates[i].Aside, i)
		require.Equal(t, want.some, fates[i].Some, i)
	}
	last, err := worker.LastRoll(ctx, "esg-01", "c2")
	require.NoError(t, err)
	require.Equal(t, map[string]bool{fates[0].ID: true}, last.Dead, "what is not done with is open for the next listing")
	require.Equal(t, map[string]bool{fates[2].ID: true}, last.OnSome, "the other one lacked no door")
}

func TestWhatIsTakenUpLiesBehindTheRollAndEachCredentialCountsInOnePlace(t *testing.T) {
	worker, _, c := restricted(t, vault.WorkerPolicy)
	ctx := t.Context()
	require.NoError(t, worker.OpenCampaign(ctx, CampaignRecord{Campaign: "c1", Device: "esg-01"}))
	roll := vaulttest.NewRoll("c1", 600)
	idx, err := worker.WriteRoll(ctx, roll)
	require.NoError(t, err)
	item := func(i int) ProposalItem {
		c := roll.Credentials[i]
		c.Paths = []credential.Path{{Mount: "kv", Path: "corrected", Field: "password"}}
		return ProposalItem{Now: c, Old: &credential.Ref{Page: 0, Index: i}, Findings: []credential.Finding{{Code: credential.FindingOwner}}}
	}
	fresh := ProposalItem{Now: credential.Credential{ID: "corp/new", Kind: credential.LDAPPassword, Authority: "corp", Subject: "new", Name: "new"}}
	p := Proposal{ID: "p1", Items: []ProposalItem{item(3), item(5), fresh}, Replaced: credential.Refs{{Page: 0, Index: 7}}}
	first, err := worker.Propose(ctx, idx, p)
	require.NoError(t, err)
	kept, err := worker.Propose(ctx, idx, Proposal{ID: "p1", Items: []ProposalItem{item(4)}})
	require.NoError(t, err)
	require.Equal(t, first.Items, kept.Items, "the first one is kept")
	operator := open(t, c, server.Address(), vaulttest.TokenWith(t, vault.OperatorPolicy))
	seen, err := operator.ReadProposal(ctx, idx, "p1")
	require.NoError(t, err)
	require.Equal(t, p.Items, seen.Items, "who asks sees it with an operator's login")

	// A try that was broken off left a page of something else.
	_, err = worker.Put(ctx, opAmend, worker.mount, rollPath("c1", idx.Snapshot, "credentials-2"), 0, map[string]any{pageField: `{}`})
	require.NoError(t, err)
	a, err := worker.Amend(ctx, "c1", seen, []int{0, 2}, p.Replaced, 0)
	require.NoError(t, err)
	again, err := worker.Amend(ctx, "c1", seen, []int{0, 2}, p.Replaced, 0)
	require.NoError(t, err)
	require.Equal(t, a, again)
	require.Equal(t, credential.Refs{{Page: 2, Index: 0}}, a.Changed)
	require.Equal(t, credential.Refs{{Page: 2, Index: 1}}, a.Added)

	now, err := worker.ReadIndex(ctx, "c1")
	require.NoError(t, err)
	require.Equal(t, 3, now.Pages)
	require.Equal(t, 600, now.Listed, "one more, and one less")
	n, ids := 0, map[string]credential.Credential{}
	require.NoError(t, worker.Current(ctx, now, func(_ credential.Ref, c credential.Credential) { n++; ids[c.ID] = c }))
	require.Equal(t, 600, n)
	require.Len(t, ids, 600)
	require.Equal(t, "corrected", ids[roll.Credentials[3].ID].Paths[0].Path)
	require.NotEqual(t, "corrected", ids[roll.Credentials[5].ID].Paths[0].Path, "nobody took it up")
	require.NotContains(t, ids, roll.Credentials[7].ID)
	found, err := worker.ReadFindings(ctx, "c1", idx.Snapshot, 2)
	require.NoError(t, err)
	require.Len(t, found[roll.Credentials[3].ID], 1)

	require.NoError(t, worker.NoteDead(ctx, "c1", idx.Snapshot, a.Changed))
	last, err := worker.LastRoll(ctx, "esg-01", "c2")
	require.NoError(t, err)
	require.Len(t, last.Credentials, 600)
	require.Equal(t, map[string]bool{roll.Credentials[3].ID: true}, last.Dead)
	fates := map[string][]Fate{}
	require.NoError(t, worker.Fates(ctx, "c1", func(f Fate) { fates[f.ID] = append(fates[f.ID], f) }))
	require.Len(t, fates, 600)
	for id, of := range fates {
		require.Len(t, of, 1, "each where it counts")
		require.Equal(t, id == roll.Credentials[3].ID, !of[0].DeadAt.IsZero())
	}
}
