package activities

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// finds puts a login on the roll that reads what the device's do, as a listing
// inside the running campaign does, and gives where it is.
func (w *reachable) finds(name string) credential.Refs {
	w.t.Helper()
	w.write("auth/approle/role/"+name, map[string]any{"token_policies": "reads-esg-01"})
	w.write("auth/approle/role/"+name+"/custom-secret-id", map[string]any{"secret_id": "stolen-" + name})
	w.write("kv/data/apps/esg-01/"+name, map[string]any{"data": map[string]any{"secret_id": "stolen-" + name}})
	login := credential.Credential{
		ID: "vault/approle/" + name, Kind: credential.AppRoleSecretID, Authority: "vault", Subject: "approle/" + name, Name: "approle/" + name,
		Paths: []credential.Path{{Mount: "kv", Path: "apps/esg-01/" + name, Field: "secret_id"}},
	}
	text, err := w.store.LoadSpec(w.t.Context(), ownmount.CampaignSpec("c"))
	require.NoError(w.t, err)
	require.NoError(w.t, w.store.SaveSpec(w.t.Context(), ownmount.RelistSpec("c", name), text))
	p, err := w.store.Propose(w.t.Context(), w.index, ownmount.Proposal{ID: name, Items: []ownmount.ProposalItem{{Now: login}}, Read: credential.Refs{{Page: 0, Index: 2}, {Page: 0, Index: 3}}})
	require.NoError(w.t, err)
	var now wire.Amended
	w.call("Amend", wire.AmendInput{Campaign: "c", Proposal: p.ID, Take: []int{0}}, &now)
	require.Len(w.t, now.Logins, 1)
	return now.Logins
}

// A batch is in hand while a login is found: what it was told of the logins of
// the campaign is out of date.
func TestNothingMoreIsSetOfWhatDoesNotKnowOfALoginThatWasFound(t *testing.T) {
	w := newReachable(t)
	var prepared []wire.PreparedItem
	w.call("Prepare", wire.PrepareInput{Batch: w.logins, Pass: 1, Items: []int{0}}, &prepared)
	require.Nil(t, prepared[0].Stop)
	listed := w.accounts.Logins
	w.accounts.Logins = nil // the others are dead, say
	require.Equal(t, []protocol.Reason{protocol.ReasonUnreachable, protocol.ReasonUnreachable}, w.reasons())

	found := w.finds("nas")
	w.restart()
	var out []wire.AppliedItem
	w.call("Apply", wire.ApplyInput{Batch: w.logins, Items: []wire.ApplyItem{{Index: 0, Attempt: prepared[0].Attempt, Fresh: true}}}, &out)
	require.Equal(t, protocol.ReasonWithinReach, out[0].Stop.Reason)
	require.Contains(t, out[0].Stop.Detail, "came on the roll, since this was begun; nothing was changed")
	require.Equal(t, protocol.Intent, out[0].Step)
	require.True(t, w.good("esg-01-a"), "its consumer has its login")
	require.Equal(t, []protocol.Reason{protocol.ReasonWithinReach, protocol.ReasonWithinReach}, w.reasons(), "what it reads nobody has asked")
	w.call("Prepare", wire.PrepareInput{Batch: w.accounts, Pass: 2, Items: []int{2}, Sent: []int{2}}, &prepared)
	require.Equal(t, protocol.ReasonUnreachable, prepared[0].Stop.Reason, "what may be in force is brought to its end")

	w.accounts.Logins, w.accounts.Found = found, 1
	require.Equal(t, []protocol.Reason{protocol.ReasonWithinReach, protocol.ReasonUnreachable}, w.reasons(), "what it could not read goes on")
	w.call("Prepare", wire.PrepareInput{Batch: w.accounts, Pass: 2, Items: []int{2}, Sent: []int{2}}, &prepared)
	require.Equal(t, protocol.ReasonUnreachable, prepared[0].Stop.Reason)

	// A login that was on the roll before is open again: nobody looks at the
	// end whether that one has read what is written now.
	w.accounts.Logins = append(slices.Clone(listed), found...)
	w.call("Prepare", wire.PrepareInput{Batch: w.accounts, Pass: 2, Items: []int{2, 3}, Sent: []int{2, 3}}, &prepared)
	require.Equal(t, []protocol.Reason{protocol.ReasonWithinReach, protocol.ReasonUnreachable}, []protocol.Reason{prepared[0].Stop.Reason, prepared[1].Stop.Reason})
	w.accounts.Logins = found

	// What may be in force and is not: it is not set once more.
	again := wire.ApplyInput{Batch: w.accounts, Items: []wire.ApplyItem{{Index: 2}, {Index: 3}}}
	var stops []*protocol.Stop
	w.inside(func(ctx context.Context) error {
		before, err := w.rotation.beforeSet(ctx, again, w.roll.Credentials)
		if err == nil {
			stops = append(stops, before(ctx, w.roll.Credentials[2]), before(ctx, w.roll.Credentials[3]))
		}
		return err
	})
	require.Equal(t, protocol.ReasonWithinReach, stops[0].Reason)
	require.Nil(t, stops[1])
	w.accounts.Logins = nil
	require.Equal(t, []protocol.Reason{protocol.ReasonUnreachable, protocol.ReasonUnreachable}, w.reasons(), "it is dead")
}

// The listing had its place among those that read the new values: it is asked
// itself from then on.
func TestWhatALoginThatWasFoundReadsWaitsForItselfAndNotForTheNextListing(t *testing.T) {
	place := "auth/approle/role/nas"
	w := reachableWith(t, func(w *reachable) {
		w.roll.Credentials[2].ReadBy = []string{place}
		w.roll.Credentials[3].ReadBy = []string{"auth/approle/role/other"}
	})
	w.accounts.Logins = nil
	waits := []protocol.Reason{protocol.ReasonWithinReach, protocol.ReasonWithinReach}
	require.Equal(t, waits, w.reasons())
	found := w.finds("nas")
	w.restart()
	w.accounts.Logins, w.accounts.Found = found, 1
	require.Equal(t, waits, w.reasons())
	w.accounts.Logins = nil
	require.Equal(t, []protocol.Reason{protocol.ReasonUnreachable, protocol.ReasonWithinReach}, w.reasons(), "it is dead, and the other one was not found")
}
