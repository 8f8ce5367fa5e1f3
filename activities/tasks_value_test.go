package activities

import (
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// peopled is a Vault with people and a roll with one task for each of them.
type peopled struct {
	*reachable
	in    wire.Tasks
	first int // of the tasks on the roll
	names []string
}

// newPeopled puts a task of alice's on the roll for each name, and eve's login.
func newPeopled(t *testing.T, change func(*credential.Credential), names ...string) *peopled {
	p := &peopled{names: names}
	p.reachable = reachableWith(t, func(w *reachable) {
		require.NoError(t, w.client.Sys().EnableAuthWithOptions("people", &api.EnableAuthOptions{Type: "userpass"}))
		for _, name := range []string{"alice", "bob", "eve"} {
			w.write("auth/people/users/"+name, map[string]any{"password": "not-a-secret"})
			w.write("auth/people/login/"+name, map[string]any{"password": "not-a-secret"})
		}
		eve := credential.Credential{ID: "vault/people/eve", Kind: credential.UserpassPassword, Authority: "vault", Subject: "people/eve", Name: "people/eve", Problem: credential.SameName, Wave: 1}
		w.roll.Credentials = append(w.roll.Credentials, eve)
		p.first = len(w.roll.Credentials)
		for _, name := range names {
			c := credential.Credential{ID: "person/esg-01/" + name, Kind: credential.SecretByHand, Authority: credential.PersonAuthority, Subject: "esg-01/" + name, Name: name, Wave: 2,
				Task: &credential.Task{Make: true, Due: time.Now().Add(time.Hour).UTC().Truncate(time.Second), Ends: []credential.TaskEnd{{Name: "itself", Owner: "people/alice"}}}}
			if change != nil {
				change(&c)
			}
			w.roll.Credentials = append(w.roll.Credentials, c)
		}
		w.roll.Waves = []credential.Wave{{Name: "logins"}, {Name: "rest"}, {Name: "by people", Tasks: true}}
	})
	p.in = wire.Tasks{Campaign: "c", Snapshot: p.index.Snapshot}
	for i := range names {
		p.in.Refs = append(p.in.Refs, credential.Ref{Index: p.first + i})
	}
	return p
}

func (p *peopled) entity(name string) string {
	p.t.Helper()
	who, err := p.store.Person(p.t.Context(), "people/"+name)
	require.NoError(p.t, err)
	return who.ID
}

func (p *peopled) open() map[string]wire.OpenedTask {
	var out []wire.OpenedTask
	p.call(wire.DoOpenTasks, p.in, &out)
	by := map[string]wire.OpenedTask{}
	for _, it := range out {
		by[p.names[it.Ref.Index-p.first]] = it
	}
	return by
}

func (p *peopled) staged(name string) ownmount.Staged {
	p.t.Helper()
	st, found, err := p.store.ReadStaged(p.t.Context(), "person/esg-01/"+name)
	require.NoError(p.t, err)
	require.True(p.t, found, name)
	return st
}

// cards are those of a task, by whoever has one.
func (p *peopled) cards(name, entity string) (out []ownmount.Card) {
	p.t.Helper()
	all, err := p.store.Cards(p.t.Context(), entity)
	require.NoError(p.t, err)
	for _, c := range all {
		if c.Name == name {
			out = append(out, c)
		}
	}
	return out
}

// before has a value staged and handed over by a campaign that has ended.
func (p *peopled) before(name string, change func(*ownmount.Staged)) credential.Secret {
	p.t.Helper()
	st := ownmount.Staged{Secret: credential.NewSecret("first-value-of-" + name), Campaign: "esg-01-earlier", Attempt: 1, CreatedAt: time.Now().UTC(), Handed: []string{p.entity("alice")}, Looked: "c"}
	if change != nil {
		change(&st)
	}
	_, _, err := p.store.Stage(p.t.Context(), "person/esg-01/"+name, st)
	require.NoError(p.t, err)
	require.NoError(p.t, p.store.WriteCard(p.t.Context(), p.entity("alice"), ownmount.Card{Campaign: st.Campaign, Device: "esg-01", Credential: "person/esg-01/" + name, Name: name, Kind: credential.SecretByHand, Ends: []string{"itself"}, Value: st.Secret}))
	return st.Secret
}

// What an ended campaign handed over is handed over again only while nobody
// else can have read it: else the thief's value would be the new one, and dead
// by people's word.
func TestAValueThatSomebodyElseMayHaveReadIsNeverHandedOverAgain(t *testing.T) {
	causes := map[string]struct {
		was func(p *peopled, st *ownmount.Staged)
		why string
	}{
		"kept":     {nil, ""},
		"given-on": {func(p *peopled, st *ownmount.Staged) { st.Handed = append(st.Handed, p.entity("bob")) }, ""},
		"stolen":   {func(p *peopled, st *ownmount.Staged) { st.Handed = append(st.Handed, p.entity("eve")) }, "on the roll"},
		"gone": {func(_ *peopled, st *ownmount.Staged) {
			st.Handed = append(st.Handed, "00000000-0000-0000-0000-000000000000")
		}, "no such entity"},
		"not-noted": {func(_ *peopled, st *ownmount.Staged) { st.Handed = nil }, "who had it is not known"},
		"machine":   {func(p *peopled, st *ownmount.Staged) { st.Handed = append(st.Handed, p.machine()) }, "login of a machine"},
		"came-back": {func(p *peopled, st *ownmount.Staged) { st.Campaign = "esg-01-answered" }, "the device answered"},
		"seen": {func(p *peopled, st *ownmount.Staged) {
			require.NoError(p.t, p.store.Discard(p.t.Context(), st.Campaign, "person/esg-01/seen", 1))
		}, "a person said"},
		"seen-before": {func(_ *peopled, st *ownmount.Staged) { st.Spoiled = "it was seen then" }, "it was seen then"},
		"token":       {nil, "a token of Vault"},
		"late":        {func(_ *peopled, st *ownmount.Staged) { st.Looked = "" }, "was not asked while that was open"},
	}
	var names []string
	for name := range causes {
		names = append(names, name)
	}
	p := newPeopled(t, func(c *credential.Credential) {
		if c.Name == "token" {
			c.ReadBy = []string{"an-accessor-that-ended"}
		}
	}, names...)
	require.NoError(t, p.store.NoteCameBack(t.Context(), "esg-01-answered"))
	was := map[string]credential.Secret{}
	for name, c := range causes {
		was[name] = p.before(name, func(st *ownmount.Staged) {
			if c.was != nil {
				c.was(p, st)
			}
		})
	}
	alice := p.entity("alice")
	for turn := range 2 {
		opened := p.open()
		for name, c := range causes {
			require.Nil(t, opened[name].Stop, name)
			st, cards := p.staged(name), p.cards(name, alice)
			require.Len(t, cards, 1, "the card of before is taken back: %s", name)
			require.Equal(t, "c", cards[0].Campaign)
			require.Equal(t, st.Secret, cards[0].Value, name)
			if c.why == "" {
				require.Equal(t, was[name], st.Secret, name)
				require.Empty(t, opened[name].Findings, name)
				continue
			}
			require.False(t, st.Secret.Equal(was[name]), name)
			require.Equal(t, was[name], st.Old[ownmount.TakenOver+"1"], "nobody loses what may be in force at one end: %s", name)
			require.Len(t, opened[name].Findings, 1, name)
			require.Equal(t, credential.FindingAnotherValue, opened[name].Findings[0].Code)
			require.Contains(t, opened[name].Findings[0].Detail, c.why, name)
			require.Contains(t, cards[0].Do[len(cards[0].Do)-1], "change it once more")
		}
		if turn == 0 {
			p.restart()
		}
	}
}

// machine is the entity of an AppRole.
func (p *peopled) machine() string {
	p.write("auth/approle/role/careless", map[string]any{"token_policies": "default"})
	id, err := p.client.Logical().Read("auth/approle/role/careless/role-id")
	require.NoError(p.t, err)
	secret := p.write("auth/approle/role/careless/secret-id", nil)
	in := p.write("auth/approle/login", map[string]any{"role_id": id.Data["role_id"], "secret_id": secret.Data["secret_id"]})
	return in.Auth.EntityID
}

// A login that is open now, and could read what lies with people: the value is
// marked before the login is dead, for after that nothing shows it any more.
func TestAValueThatLiesWithinReachIsSpoiledForGood(t *testing.T) {
	p := newPeopled(t, nil, "radius", "waits")
	require.NoError(t, p.client.Sys().PutPolicy("reads-esg-01", `path "rollcall/data/handover/+/esg-01-earlier/*" { capabilities = ["read"] }`))
	was := map[string]credential.Secret{}
	for _, name := range p.names {
		was[name] = p.before(name, func(st *ownmount.Staged) { st.Looked = "" })
	}
	p.in.Logins = credential.Refs{{Index: 0}, {Index: 1}}
	opened := p.open()
	// Where it would go now nobody reads, so it goes there at once, and is
	// another one.
	require.Nil(t, opened["radius"].Stop)
	require.Contains(t, opened["radius"].Findings[0].Detail, "could read it where it lies")
	require.False(t, p.staged("radius").Secret.Equal(was["radius"]))

	// And where the new place is within reach, too, it is marked and waits.
	p = newPeopled(t, nil, "radius")
	require.NoError(t, p.client.Sys().PutPolicy("reads-esg-01", `path "rollcall/data/handover/*" { capabilities = ["read"] }`))
	first := p.before("radius", func(st *ownmount.Staged) { st.Looked = "" })
	p.in.Logins = credential.Refs{{Index: 0}, {Index: 1}}
	require.Equal(t, protocol.ReasonWithinReach, p.open()["radius"].Stop.Reason)
	st := p.staged("radius")
	require.Equal(t, first, st.Secret)
	require.Equal(t, "esg-01-earlier", st.Campaign)
	require.Contains(t, st.Spoiled, "could read it")
	require.Len(t, p.cards("radius", p.entity("alice")), 1, "a person may need it still, to log in where it is set")
	p.in.Logins = nil
	p.restart()
	require.Nil(t, p.open()["radius"].Stop)
	require.False(t, p.staged("radius").Secret.Equal(first))
}

// A person says that a value was seen: another one is made, once, whoever asks
// how often, and who has the card by then gets that one.
func TestAValueThatAPersonDiscardsIsReplacedOnce(t *testing.T) {
	p := newPeopled(t, nil, "radius")
	ctx, id := t.Context(), "person/esg-01/radius"
	require.Nil(t, p.open()["radius"].Stop)
	first := p.staged("radius").Secret
	alice, bob := p.entity("alice"), p.entity("bob")
	require.NoError(t, p.store.Discard(ctx, "c", id, 1))
	require.NoError(t, p.store.MoveTask(ctx, "c", id, 1, []string{alice}))
	p.in.Moved = []wire.Moved{{Ref: p.in.Refs[0], Times: 1}}
	for range 2 {
		opened := p.open()["radius"]
		require.Nil(t, opened.Stop)
		require.Equal(t, 1, opened.Again)
		require.Empty(t, opened.Findings, "the ledger has it from the person")
		p.restart()
	}
	st := p.staged("radius")
	require.False(t, st.Secret.Equal(first))
	require.Equal(t, first, st.Old[ownmount.TakenOver+"1"])
	cards := p.cards("radius", alice)
	require.Len(t, cards, 1)
	require.Equal(t, st.Secret, cards[0].Value)
	_, handed, err := p.store.HandedAgainAt(ctx, "c", id, 1)
	require.NoError(t, err)
	require.True(t, handed)

	// Again, and given on before that was seen to.
	require.NoError(t, p.store.Discard(ctx, "c", id, 2))
	require.NoError(t, p.store.MoveTask(ctx, "c", id, 3, []string{bob}))
	p.in.Moved[0].Times = 3
	require.Equal(t, 2, p.open()["radius"].Again)
	third := p.staged("radius")
	require.Len(t, third.Old, 2)
	require.Empty(t, p.cards("radius", alice))
	require.Equal(t, third.Secret, p.cards("radius", bob)[0].Value)
	require.Equal(t, []string{bob}, third.Handed)
}

// Nobody is asked any more to do what no row names, or what is left out: the
// cards go, and the value that somebody may have set stays.
func TestWhatNobodyIsAskedToDoIsTakenBackAndNothingIsLost(t *testing.T) {
	p := newPeopled(t, func(c *credential.Credential) {
		if c.Name == "unnamed" {
			c.Problem = credential.NotNamed
		}
	}, "unnamed", "never")
	first := p.before("unnamed", nil)
	for range 2 {
		opened := p.open()["unnamed"]
		require.Equal(t, protocol.Reason(credential.NotNamed), opened.Stop.Reason)
		require.Len(t, opened.Findings, 1)
		require.Equal(t, credential.FindingTakenFromPeople, opened.Findings[0].Code)
		require.Empty(t, p.cards("unnamed", p.entity("alice")))
		require.Equal(t, first, p.staged("unnamed").Secret)
	}

	// A row that asks for no value any more: the one of before goes when the
	// task is dead, and not sooner.
	p = newPeopled(t, func(c *credential.Credential) { c.Task.Make = false }, "unmade")
	kept := p.before("unmade", nil)
	require.Nil(t, p.open()["unmade"].Stop)
	require.Equal(t, kept, p.staged("unmade").Secret)
	require.True(t, p.cards("unmade", p.entity("alice"))[0].Value.IsZero())
	p.call(wire.DoCloseTasks, p.in, nil)
	_, staged, err := p.store.ReadStaged(t.Context(), "person/esg-01/unmade")
	require.NoError(t, err)
	require.False(t, staged)

	// Left out: the campaign's beginning takes it back.
	p = newPeopled(t, nil, "left-in")
	left := p.before("left-out", nil)
	roll := *p.roll
	roll.Campaign = "d"
	roll.Excluded = []credential.Exclusion{{ID: "person/esg-01/left-out", Name: "left-out", Reason: "it went with the box"}}
	require.NoError(t, p.store.OpenCampaign(t.Context(), ownmount.CampaignRecord{Campaign: "d", Device: "esg-01", Starter: "test"}))
	_, err = p.store.WriteRoll(t.Context(), &roll)
	require.NoError(t, err)
	p.call(wire.DoTakeOver, "d", nil)
	require.Empty(t, p.cards("left-out", p.entity("alice")))
	require.Equal(t, left, p.staged("left-out").Secret)
	require.True(t, roll.Waves[2].Tasks, fmt.Sprint(roll.Waves))
}
