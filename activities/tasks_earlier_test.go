package activities

import (
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/listing"
	"rollcall/internal/people"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// Somebody said that a task is done, and the next campaign lists his login: the
// thief may have said it. Of a word that a later campaign asked for again
// nothing is told.
func TestAWordOfSomebodyWhoseLoginIsStolenByNowIsTold(t *testing.T) {
	p := newPeopled(t, nil, "radius", "console")
	ctx := t.Context()
	l := &Ledger{Store: p.store, Dir: folderOf(t)}
	call := func(name string, in, out any) {
		t.Helper()
		var suite testsuite.WorkflowTestSuite
		env := suite.NewTestActivityEnvironment()
		env.RegisterActivity(p.rotation)
		env.RegisterActivity(l)
		got, err := env.ExecuteActivity(name, in)
		require.NoError(t, err)
		if out != nil {
			require.NoError(t, got.Get(out))
		}
	}
	begin := func(campaign string, roll *credential.Roll) ownmount.RollIndex {
		require.NoError(t, p.store.OpenCampaign(ctx, ownmount.CampaignRecord{Campaign: campaign, Device: "esg-01", Starter: "test"}))
		roll.Campaign, roll.Device = campaign, "esg-01"
		index, err := p.store.WriteRoll(ctx, roll)
		require.NoError(t, err)
		call("RecordRoll", wire.Roll{Campaign: campaign, Device: "esg-01", Snapshot: index.Snapshot, Pages: index.Pages, Listed: index.Listed, Waves: index.Waves}, nil)
		return index
	}
	told := func(campaign string) (out []string) {
		state, err := l.stateNow(ctx, campaign)
		require.NoError(t, err)
		for _, f := range state.Findings {
			if f.Code == credential.FindingAttestedThen {
				out = append(out, f.Detail)
			}
		}
		return out
	}
	// Bob does both, who is on no roll.
	byBob := func(name string) credential.Credential {
		return credential.Credential{ID: "person/esg-01/" + name, Kind: credential.LocalAccountByHand, Authority: credential.PersonAuthority, Subject: "esg-01/" + name, Name: name,
			Task: &credential.Task{Due: time.Now().Add(time.Hour).UTC(), Ends: []credential.TaskEnd{{Name: "itself", Owner: "people/bob"}}}}
	}
	tasks := []credential.Wave{{Name: "by people", Tasks: true}}
	done := func(campaign string, index ownmount.RollIndex, n int) {
		in := wire.Tasks{Campaign: campaign, Snapshot: index.Snapshot}
		for i := range n {
			in.Refs = append(in.Refs, credential.Ref{Index: i})
		}
		var opened []wire.OpenedTask
		call(wire.DoOpenTasks, in, &opened)
		call(wire.DoRecordTasks, wire.TasksInput{Tasks: in, Items: opened, Round: 1}, nil)
		page, err := p.store.ReadPage(ctx, campaign, index.Snapshot, 0)
		require.NoError(t, err)
		for _, c := range page[:n] {
			_, err := p.store.WriteStatement(ctx, p.entity("bob"), campaign, c.ID, people.Statement{Does: people.Done, End: "itself"})
			require.NoError(t, err)
		}
		var look wire.TasksLook
		call(wire.DoLookAtTasks, in, &look)
		require.Len(t, look.Dead, n)
	}
	require.NoError(t, Open(ctx, p.store, ownmount.CampaignRecord{Campaign: "one", Device: "esg-01", Starter: "x"}, []byte(`{"device":"esg-01","vault":{"mount":"rollcall","transit":"rollcall-transit"}}`)))
	require.NoError(t, p.store.CloseCampaign(ctx, "c"))
	roll := &credential.Roll{Campaign: "one", Device: "esg-01", Waves: tasks, Credentials: []credential.Credential{byBob("console"), byBob("radius")}}
	index, err := p.store.WriteRoll(ctx, roll)
	require.NoError(t, err)
	call("RecordRoll", wire.Roll{Campaign: "one", Device: "esg-01", Snapshot: index.Snapshot, Pages: 1, Listed: 2, Waves: index.Waves}, nil)
	done("one", index, 2)
	require.Empty(t, told("one"))

	begin("two", &credential.Roll{Credentials: []credential.Credential{byBob("other")}, Waves: tasks})
	require.Empty(t, told("two"), "his login is his own")

	bobs := credential.Credential{ID: "vault/people/bob", Kind: credential.UserpassPassword, Authority: "vault", Subject: "people/bob", Name: "people/bob"}
	begin("three", &credential.Roll{Credentials: []credential.Credential{bobs}, Waves: []credential.Wave{{Name: "logins"}}})
	require.Len(t, told("three"), 2)
	require.Contains(t, told("three")[0], "campaign one has console as dead, at the end itself by the word of ")
	require.Contains(t, told("three")[0], "people/bob")
	state, err := l.stateNow(ctx, "three")
	require.NoError(t, err)
	require.NotEqual(t, ledger.Closed, state.Phase)

	// Another machine has none of those ledgers, and Vault has the words.
	l = &Ledger{Store: p.store, Dir: folderOf(t)}
	begin("four", &credential.Roll{Credentials: []credential.Credential{bobs}, Waves: []credential.Wave{{Name: "logins"}}})
	require.Len(t, told("four"), 2)
	require.Contains(t, told("four")[0], "in campaign one, whose ledger is not on this machine, ")
	require.Contains(t, told("four")[0], " said at ")
	require.Contains(t, strings.Join(told("four"), "\n"), "that console is done at the end itself")
	begin("five", &credential.Roll{Credentials: []credential.Credential{byBob("other")}, Waves: tasks})
	require.Empty(t, told("five"), "his login is his own")
}

// Who cannot do his task is told before a campaign waits for him.
func TestWhoCannotDoHisTaskIsToldBeforehand(t *testing.T) {
	p := newPeopled(t, nil, "radius")
	ctx := t.Context()
	roll := *p.roll
	task := func(name string, owners ...string) {
		c := credential.Credential{ID: "person/esg-01/" + name, Kind: credential.SecretByHand, Authority: credential.PersonAuthority, Name: name, Task: &credential.Task{}}
		for _, o := range owners {
			c.Task.Ends = append(c.Task.Ends, credential.TaskEnd{Name: "end of " + o, Owner: o})
		}
		roll.Credentials = append(roll.Credentials, c)
	}
	p.write("auth/people/users/gone", map[string]any{"password": "not-a-secret"})
	p.write("auth/people/login/gone", map[string]any{"password": "not-a-secret"})
	_, err := p.client.Logical().Delete("auth/people/users/gone")
	require.NoError(t, err)
	p.write("identity/entity/id/"+p.entity("bob"), map[string]any{"disabled": true})
	task("many", "people/alice", "people/nobody", "people/eve", "people/gone")
	task("one", "people/bob")
	task("again", "people/nobody")
	roll.Credentials = append(roll.Credentials, credential.Credential{ID: "person/esg-01/unnamed", Name: "unnamed", Problem: credential.NotNamed, Task: &credential.Task{Ends: []credential.TaskEnd{{Name: "itself"}}}})
	owners, err := listing.Owners(ctx, p.store, &roll)
	require.NoError(t, err)
	var got []string
	for _, o := range owners {
		got = append(got, o.Task.Name+": "+o.Text())
		require.False(t, o.NotAsked)
	}
	require.Len(t, got, 5)
	for i, want := range []string{
		"many: people/nobody sees to end of people/nobody: Vault knows no entity and no login of that name; have that person log in",
		"many: people/eve sees to end of people/eve: the word of that person would count for nothing: the entity has a login that is on the roll",
		"many: people/gone sees to end of people/gone: that person cannot log in: Vault has none of the logins any more",
		"one: people/bob sees to end of people/bob: the word of that person would count for nothing: the entity is disabled",
		"again: people/nobody sees to end of people/nobody: Vault knows no entity",
	} {
		require.Contains(t, got[i], want)
	}
}

// Vault does not show which directory stands behind a person's login: one of
// the name of an account of the roll is a doubt, until a person accepts it.
func TestALoginOfTheNameOfAnAccountOfTheRollIsHandedNothing(t *testing.T) {
	p := newPeopled(t, nil, "radius")
	ctx := t.Context()
	require.NoError(t, p.client.Sys().EnableAuthWithOptions("corp", &api.EnableAuthOptions{Type: "ldap"}))
	mounts, err := p.client.Sys().ListAuth()
	require.NoError(t, err)
	p.write("identity/entity-alias", map[string]any{"name": "alice.m@example.org", "canonical_id": p.entity("alice"), "mount_accessor": mounts["corp/"].Accessor})
	spec := []byte(`{"device":"esg-01","vault":{"mount":"rollcall","transit":"rollcall-transit"}}`)
	for campaign, c := range map[string]struct {
		names, own []string
		stops      bool
	}{"none": {nil, nil, false}, "same": {[]string{"Alice.M"}, nil, true}, "accepted": {[]string{"alice.m"}, []string{"corp/alice.m@example.org"}, false}} {
		require.NoError(t, Open(ctx, p.store, ownmount.CampaignRecord{Campaign: campaign, Device: campaign, Starter: "x"}, spec))
		task := p.roll.Credentials[p.first]
		task.ID, task.Wave = "person/"+campaign+"/radius", 1
		index, err := p.store.WriteRoll(ctx, &credential.Roll{Campaign: campaign, Device: campaign, PeoplesOwn: c.own, Waves: []credential.Wave{{Name: "rest"}, {Name: "by people", Tasks: true}},
			Credentials: []credential.Credential{{ID: "corp/1", Kind: credential.ADPassword, Authority: "corp", Subject: "1", Name: "CN=A M,DC=x", Names: c.names}, task}})
		require.NoError(t, err)
		var out []wire.OpenedTask
		p.call(wire.DoOpenTasks, wire.Tasks{Campaign: campaign, Snapshot: index.Snapshot, Refs: credential.Refs{{Index: 1}}}, &out)
		require.Equal(t, c.stops, out[0].Stop != nil, campaign)
		if c.stops {
			require.Contains(t, out[0].Stop.Detail, "of the name of an account that is on the roll")
			require.NotContains(t, strings.ToLower(out[0].Stop.Detail), "alice", "it goes through Temporal")
			_, staged, err := p.store.ReadStaged(ctx, task.ID)
			require.NoError(t, err)
			require.False(t, staged)
		}
	}
}
