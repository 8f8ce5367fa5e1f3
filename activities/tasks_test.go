package activities

import (
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// What is handed over to a person is no thief's: while a login of the roll that
// is not dead could read there, it is not even made. An owner whose own login
// is on the roll, or who is a program, is given nothing.
func TestNothingIsHandedOverWhereAStolenLoginCouldRead(t *testing.T) {
	task := func(name, owner string) credential.Credential {
		return credential.Credential{ID: "person/esg-01/" + name, Kind: credential.SecretByHand, Authority: credential.PersonAuthority, Subject: "esg-01/" + name, Name: name, Wave: 2,
			Task: &credential.Task{Make: true, Due: time.Now().Add(time.Hour).UTC().Truncate(time.Second), Ends: []credential.TaskEnd{{Name: "itself", Owner: owner}}}}
	}
	person := func(w *reachable, name string) {
		w.write("auth/people/users/"+name, map[string]any{"password": "not-a-secret"})
		w.write("auth/people/login/"+name, map[string]any{"password": "not-a-secret"})
	}
	w := reachableWith(t, func(w *reachable) {
		require.NoError(t, w.client.Sys().EnableAuthWithOptions("people", &api.EnableAuthOptions{Type: "userpass"}))
		person(w, "alice")
		person(w, "eve")
		require.NoError(t, w.client.Sys().PutPolicy("reads-esg-01", `path "rollcall/data/handover/*" { capabilities = ["read"] }`))
		eve := credential.Credential{ID: "vault/people/eve", Kind: credential.UserpassPassword, Authority: "vault", Subject: "people/eve", Name: "people/eve", Problem: credential.SameName, Wave: 1}
		w.roll.Credentials = append(w.roll.Credentials, eve, task("radius", "people/alice"), task("stolen", "people/eve"), task("nobody", "people/nobody"))
		w.roll.Waves = []credential.Wave{{Name: "logins"}, {Name: "rest"}, {Name: "by people", Tasks: true}}
	})
	require.True(t, w.index.Waves[2].Tasks)
	in := wire.Tasks{Campaign: "c", Snapshot: w.index.Snapshot, Refs: credential.Refs{{Index: 5}, {Index: 6}, {Index: 7}}, Logins: credential.Refs{{Index: 0}, {Index: 1}}}
	open := func() (out []wire.OpenedTask) { w.call(wire.DoOpenTasks, in, &out); return out }
	alice, err := w.store.Person(t.Context(), "people/alice")
	require.NoError(t, err)

	first := open()
	require.Equal(t, protocol.ReasonWithinReach, first[0].Stop.Reason)
	require.Equal(t, protocol.ReasonByHand, first[1].Stop.Reason)
	require.Contains(t, first[1].Stop.Detail, "on the roll")
	require.Contains(t, first[2].Stop.Detail, "no entity and no login")
	_, staged, err := w.store.ReadStaged(t.Context(), "person/esg-01/radius")
	require.NoError(t, err)
	require.False(t, staged)

	// The logins are dead: it is made once, whatever process asks again.
	in.Logins = nil
	require.Nil(t, open()[0].Stop)
	value := func() credential.Secret {
		cards, err := w.store.Cards(t.Context(), alice.ID)
		require.NoError(t, err)
		require.Len(t, cards, 1)
		return cards[0].Value
	}
	made := value()
	require.False(t, made.IsZero())
	w.restart()
	require.Nil(t, open()[0].Stop)
	require.Equal(t, made, value())

	// A campaign that has ended has handed it over: the value stays.
	st, _, err := w.store.ReadStaged(t.Context(), "person/esg-01/radius")
	require.NoError(t, err)
	st.Campaign, st.Looked = "earlier", "c" // while the logins were open
	_, err = w.store.Restage(t.Context(), "person/esg-01/radius", st)
	require.NoError(t, err)
	require.Nil(t, open()[0].Stop)
	require.Equal(t, made, value())

	// One that runs has it in hand.
	require.NoError(t, w.store.OpenCampaign(t.Context(), ownmount.CampaignRecord{Campaign: "other", Device: "esg-02"}))
	st, _, err = w.store.ReadStaged(t.Context(), "person/esg-01/radius")
	require.NoError(t, err)
	require.Equal(t, "c", st.Campaign)
	st.Campaign = "other"
	_, err = w.store.Restage(t.Context(), "person/esg-01/radius", st)
	require.NoError(t, err)
	require.Equal(t, protocol.ReasonOtherOwner, open()[0].Stop.Reason)

	// Done, and nothing of it is left.
	require.NoError(t, w.store.CloseCampaign(t.Context(), "other"))
	require.Nil(t, open()[0].Stop)
	in.Refs = in.Refs[:1]
	w.call(wire.DoCloseTasks, in, nil)
	cards, err := w.store.Cards(t.Context(), alice.ID)
	require.NoError(t, err)
	require.Empty(t, cards)
	_, staged, err = w.store.ReadStaged(t.Context(), "person/esg-01/radius")
	require.NoError(t, err)
	require.False(t, staged)
}
