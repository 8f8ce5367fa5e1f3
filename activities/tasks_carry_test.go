package activities

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/kind/registry"
	"rollcall/internal/protocol"
	"rollcall/internal/tasks"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// What people are given to set is a value that each door of the task can carry;
// where the policy makes none they are given nothing, until it does.
func TestWhatPeopleAreGivenIsAValueThatEachDoorCanCarry(t *testing.T) {
	w := reachableWith(t, func(w *reachable) {
		require.NoError(t, w.client.Sys().EnableAuthWithOptions("people", &api.EnableAuthOptions{Type: "userpass"}))
		w.write("auth/people/users/alice", map[string]any{"password": "not-a-secret"})
		w.write("auth/people/login/alice", map[string]any{"password": "not-a-secret"})
		w.roll.Credentials = append(w.roll.Credentials, credential.Credential{
			ID: "person/esg-01/api", Kind: credential.APIKeyByHand, Authority: credential.PersonAuthority, Subject: "esg-01/api", Name: "api", Wave: 2,
			Doors: []credential.DoorLogin{{Door: "cloud", Login: "api"}},
			Task:  &credential.Task{Make: true, Due: time.Now().Add(time.Hour).UTC().Truncate(time.Second), Ends: []credential.TaskEnd{{Name: "itself", Owner: "people/alice"}}}})
		w.roll.Waves = []credential.Wave{{Name: "logins"}, {Name: "rest"}, {Name: "by people", Tasks: true}}
	})
	policy := func(rule string) {
		w.write("sys/policies/password/api", map[string]any{"policy": "length = 20\n" + rule})
	}
	spec := &config.Campaign{Device: "esg-01",
		Vault: config.Vault{Mount: "rollcall", Transit: "rollcall-transit", Password: config.PasswordPolicy{VaultPolicy: "api"}},
		Doors: map[string]door.Settings{"cloud": {Type: "https", Auth: door.ByBearer}}}
	meanwhile := func() {}
	open := func(leftOut ...string) wire.OpenedTask {
		kinds := registry.New(w.store.Client)
		defer kinds.Close()
		h := tasks.Handing{Store: w.store, Kinds: kinds, Spec: spec, Ask: func(context.Context, []credential.Credential, []credential.Credential) (tasks.Around, error) {
			meanwhile()
			return tasks.Around{}, nil
		}}
		in := wire.Tasks{Campaign: "c", Snapshot: w.index.Snapshot, Refs: credential.Refs{{Index: 4}}, DoorsLeftOut: leftOut}
		cs, err := tasks.Of(t.Context(), w.store, in)
		require.NoError(t, err)
		out, err := h.Open(t.Context(), in, cs)
		require.NoError(t, err)
		return out[0]
	}
	alice, err := w.store.Person(t.Context(), "people/alice")
	require.NoError(t, err)

	policy(`rule "charset" { charset = "é" min-chars = 1 }` + "\n" + `rule "charset" { charset = "abcdefghijklmnopqrst" }`)
	got := open()
	require.Equal(t, protocol.ReasonNotCarried, got.Stop.Reason, got.Stop.Detail)
	require.Equal(t, "cloud", got.Stop.Server)
	require.Contains(t, got.Stop.Detail, "one beyond ASCII")
	cards, err := w.store.Cards(t.Context(), alice.ID)
	require.NoError(t, err)
	require.Empty(t, cards)

	policy(`rule "charset" { charset = "abcdefghijklmnopqrsté" }`)
	require.Nil(t, open().Stop)
	cards, err = w.store.Cards(t.Context(), alice.ID)
	require.NoError(t, err)
	require.Len(t, cards, 1)
	require.False(t, strings.Contains(cards[0].Value.Reveal(), "é"))

	// A campaign that lets go of it after what lies with people was looked at:
	// who could read that is looked at first.
	st, _, err := w.store.ReadStaged(t.Context(), "person/esg-01/api")
	require.NoError(t, err)
	require.NoError(t, w.store.OpenCampaign(t.Context(), ownmount.CampaignRecord{Campaign: "other", Device: "esg-02"}))
	st.Campaign, st.Looked = "other", ""
	_, err = w.store.Restage(t.Context(), "person/esg-01/api", st)
	require.NoError(t, err)
	meanwhile = func() { require.NoError(t, w.store.CloseCampaign(t.Context(), "other")) }
	got = open()
	require.Equal(t, protocol.ReasonOtherOwner, got.Stop.Reason)
	require.Contains(t, got.Stop.Detail, "looked at in the next try")
	meanwhile = func() {}
	require.Nil(t, open().Stop)
}
