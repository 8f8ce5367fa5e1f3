package ownmount

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/people"
	"rollcall/internal/vault"
	"rollcall/internal/vault/vaulttest"
)

const taskID = "person/esg-01/radius"

// person makes a userpass user with the policy for people, logs in as that one
// and gives his store and entity.
func person(t *testing.T, c *config.Campaign, root *Store, name string) (*Store, string) {
	t.Helper()
	sys := root.API()
	if err := sys.Sys().EnableAuthWithOptions("people", &vaultapi.EnableAuthOptions{Type: "userpass"}); err != nil {
		require.ErrorContains(t, err, "path is already in use")
	}
	name = fmt.Sprintf("%s-%s", name, c.Vault.Mount)
	_, err := sys.Logical().Write("auth/people/users/"+name, map[string]any{"password": "not-a-secret", "token_policies": "rollcall-tasks-on-" + c.Vault.Mount})
	require.NoError(t, err)
	in, err := sys.Logical().Write("auth/people/login/"+name, map[string]any{"password": "not-a-secret"})
	require.NoError(t, err)
	s := open(t, c, server.Address(), credential.NewSecret(in.Auth.ClientToken))
	entity, err := s.Self(t.Context())
	require.NoError(t, err)
	require.Equal(t, in.Auth.EntityID, entity)
	return s, entity
}

// What a person may: read what is handed over to him, and add a word of his
// own. Nothing of anybody else's, and nothing that is there.
func TestAPersonReadsHisOwnCardsAndAddsHisOwnWord(t *testing.T) {
	root, c := newStoreOf(t)
	alice, aliceID := person(t, c, root, "alice")
	bob, bobID := person(t, c, root, "bob")
	value := credential.NewSecret("new-value")
	card := Card{Campaign: "c1", Device: "esg-01", Credential: taskID, Name: "radius", Kind: credential.SecretByHand, Due: time.Now().UTC().Truncate(time.Second), Ends: []string{"gateway"}, Value: value}
	for range 2 {
		require.NoError(t, root.WriteCard(t.Context(), aliceID, card), "twice changes nothing")
	}
	got, err := alice.Cards(t.Context(), aliceID)
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Equal(t, root.CardPlace(aliceID, "c1", taskID).Path, got[0].Path[len(c.Vault.Mount)+1:])
	require.WithinDuration(t, time.Now(), got[0].Written, time.Minute)
	got[0].Path, got[0].Written = "", time.Time{}
	require.Equal(t, card, got[0])
	_, err = bob.Cards(t.Context(), aliceID)
	denied(t, err)
	empty, err := bob.Cards(t.Context(), bobID)
	require.NoError(t, err)
	require.Empty(t, empty)

	opened, seats, err := root.OpenTask(t.Context(), "c1", taskID, []string{aliceID})
	require.NoError(t, err)
	require.Equal(t, []string{aliceID}, seats)
	again, seats, err := root.OpenTask(t.Context(), "c1", taskID, []string{bobID})
	require.NoError(t, err)
	require.Equal(t, opened, again)
	require.Equal(t, []string{aliceID}, seats, "the first word on it counts")
	require.NoError(t, root.MoveTask(t.Context(), "c1", taskID, 1, []string{bobID}))
	seats, err = root.SeatsAfter(t.Context(), "c1", taskID, 1)
	require.NoError(t, err)
	require.Equal(t, []string{bobID}, seats)
	_, err = root.SeatsAfter(t.Context(), "c1", taskID, 2)
	require.ErrorContains(t, err, "nobody noted")

	name, err := alice.WriteStatement(t.Context(), aliceID, "c1", taskID, people.Statement{Does: people.Done, End: "gateway", Note: "done"})
	require.NoError(t, err)
	_, err = alice.WriteStatement(t.Context(), bobID, "c1", taskID, people.Statement{Does: people.Done, End: "gateway"})
	denied(t, err)
	at := statementFolder(aliceID, "c1", taskID) + "/" + name
	_, err = alice.Put(t.Context(), opStatement, c.Vault.Mount, at, 1, map[string]any{statementField: "{}"})
	denied(t, err)
	denied(t, alice.Purge(t.Context(), opStatement, c.Vault.Mount, at))
	_, err = alice.Put(t.Context(), opCard, c.Vault.Mount, cardPath(aliceID, "c1", taskID), 1, map[string]any{"card": "{}"})
	denied(t, err)
	_, err = alice.Statements(t.Context(), "c1")
	denied(t, err)
	own, err := alice.OwnWords(t.Context(), aliceID, "c1", taskID)
	require.NoError(t, err)
	require.Len(t, own, 1)
	require.Equal(t, name, own[0].ID)
	_, err = bob.Get(t.Context(), opStatement, c.Vault.Mount, at, 0)
	denied(t, err)
	none, err := bob.OwnWords(t.Context(), aliceID, "c1", taskID)
	require.NoError(t, err)
	require.Empty(t, none, "of anybody else he is told nothing")
	self, err := alice.Myself(t.Context(), aliceID)
	require.NoError(t, err)
	require.True(t, self.Called("People/ALICE-"+c.Vault.Mount))
	require.False(t, self.Called("people/bob-"+c.Vault.Mount))
	other, err := bob.Myself(t.Context(), aliceID)
	require.NoError(t, err)
	require.Nil(t, other)
	_, _, err = alice.ReadStaged(t.Context(), taskID)
	denied(t, err)

	said, err := root.Statements(t.Context(), "c1")
	require.NoError(t, err)
	require.Len(t, said[taskID], 1)
	require.Equal(t, aliceID, said[taskID][0].Entity)
	require.Equal(t, name, said[taskID][0].ID)
	require.Equal(t, "done", said[taskID][0].Note)
	require.False(t, said[taskID][0].At.Before(opened))
	later, err := root.Statements(t.Context(), "c2")
	require.NoError(t, err)
	require.Empty(t, later)

	taken, err := root.KeepCards(t.Context(), "c1", taskID, aliceID)
	require.NoError(t, err)
	require.Zero(t, taken)
	got, err = alice.Cards(t.Context(), aliceID)
	require.NoError(t, err)
	require.Len(t, got, 1)
	taken, err = root.KeepCards(t.Context(), "c1", taskID)
	require.NoError(t, err)
	require.Equal(t, 1, taken)
	got, err = alice.Cards(t.Context(), aliceID)
	require.NoError(t, err)
	require.Empty(t, got)
}

func TestAPersonIsKnownByTheEntityOrALogin(t *testing.T) {
	root, c := newStoreOf(t)
	_, id := person(t, c, root, "carol")
	login := "people/carol-" + c.Vault.Mount
	for _, name := range []string{login, "people/CAROL-" + c.Vault.Mount} {
		p, err := root.Person(t.Context(), name)
		require.NoError(t, err)
		require.Equal(t, id, p.ID)
		require.Equal(t, []people.Login{{Method: "userpass", Mount: "people", Name: "carol-" + c.Vault.Mount}}, p.Logins)
		require.Empty(t, p.Doubt(people.Roll{}))
		byID, err := root.PersonByID(t.Context(), p.ID)
		require.NoError(t, err)
		require.Equal(t, p, byID)
		byName, err := root.Person(t.Context(), p.Name)
		require.NoError(t, err)
		require.Equal(t, p, byName)
	}
	for _, name := range []string{"nobody", "people/nobody", "nowhere/carol"} {
		p, err := root.Person(t.Context(), name)
		require.NoError(t, err)
		require.Nil(t, p, name)
	}
	none, err := root.PersonByID(t.Context(), "00000000-0000-0000-0000-000000000000")
	require.NoError(t, err)
	require.Nil(t, none)
	self, err := root.Self(t.Context())
	require.NoError(t, err)
	require.Empty(t, self, "a root token is nobody")
}

// What the workers need for it they have, and neither more: the ledger's reads
// no value that was made, and none of them may say what a person says.
func TestWorkersMayNotSpeakForPeople(t *testing.T) {
	worker, root, c := restricted(t, vault.WorkerPolicy)
	_, entity := person(t, c, root, "dave")
	ledger := open(t, c, server.Address(), vaulttest.TokenWith(t, vault.LedgerPolicy))
	card := Card{Campaign: "c1", Credential: taskID, Ends: []string{"x"}, Value: credential.NewSecret("v")}
	require.NoError(t, worker.WriteCard(t.Context(), entity, card))
	_, _, err := worker.OpenTask(t.Context(), "c1", taskID, []string{entity})
	require.NoError(t, err)
	p, err := worker.Person(t.Context(), "people/dave-"+c.Vault.Mount)
	require.NoError(t, err)
	require.Equal(t, entity, p.ID)
	_, _, found, err := ledger.TaskOpened(t.Context(), "c1", taskID)
	require.NoError(t, err)
	require.True(t, found)
	require.NoError(t, ledger.MoveTask(t.Context(), "c1", taskID, 1, []string{entity}))
	_, err = ledger.Put(t.Context(), opTask, c.Vault.Mount, taskPath("c1", taskID, "1"), 1, map[string]any{"seats": "[]"})
	denied(t, err)
	_, err = ledger.Statements(t.Context(), "c1")
	require.NoError(t, err)
	_, err = ledger.PersonByID(t.Context(), entity)
	require.NoError(t, err)
	_, err = ledger.Cards(t.Context(), entity)
	denied(t, err)
	for _, s := range []*Store{worker, ledger} {
		_, err = s.WriteStatement(t.Context(), entity, "c1", taskID, people.Statement{Does: people.Done, End: "x"})
		denied(t, err)
	}
	taken, err := worker.KeepCards(t.Context(), "c1", taskID)
	require.NoError(t, err)
	require.Equal(t, 1, taken)
}
