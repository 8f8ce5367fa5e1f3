package activities

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"rollcall/internal/kind/registry"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// A pass that ends with a replica behind costs retry_min, and while it waits
// the thief gets in there. So the batch that set the values waits for it, and
// offers nothing to any server meanwhile.
func TestAReplicaThatIsSomeTimeBehindCostsNoPassAndNoLoginMore(t *testing.T) {
	g := newGround(t)
	const accounts = 12
	first := g.slapd(lab.SlapdOptions{Accounts: lab.SeedAccounts("esg", accounts), Stats: true})
	replica := g.slapd(lab.SlapdOptions{ReplicaOf: first, Stats: true})
	g.bind.Password = g.secretAt("corp", first.BinderPassword)
	in := g.prepared(g.directory("dc=example,dc=org", first.LDAPS(), replica.LDAPS()), accounts, nil, first.SeededPassword)
	fresh(in)
	replica.LagReplication(1500 * time.Millisecond)
	var applied []wire.AppliedItem
	require.NoError(t, g.call("Apply", in, &applied))
	for _, a := range applied {
		require.True(t, a.Dead(), "%+v", a.Stop)
		require.Equal(t, protocol.ProofBind, a.Proof)
		require.Len(t, a.Evidence, 2)
	}
	for _, s := range []*lab.Slapd{first, replica} {
		require.Equal(t, accounts, wrongLogins(t, s), "each stolen value was offered once")
	}
}

func TestAReplicaThatDoesNotFollowKeepsABatchOpenAndIsOfferedNothing(t *testing.T) {
	g := newGround(t)
	const accounts = 6
	first := g.slapd(lab.SlapdOptions{Accounts: lab.SeedAccounts("esg", accounts), Stats: true})
	replica := g.slapd(lab.SlapdOptions{ReplicaOf: first, Stats: true})
	g.bind.Password = g.secretAt("corp", first.BinderPassword)
	in := g.prepared(g.directory("dc=example,dc=org", first.LDAPS(), replica.LDAPS()), accounts, replica.PauseReplication, first.SeededPassword)
	fresh(in)
	var applied []wire.AppliedItem
	require.NoError(t, g.call("Apply", in, &applied))
	for _, a := range applied {
		require.Equal(t, protocol.ReasonLagging, a.Stop.Reason)
		require.Equal(t, protocol.Prove, a.Step)
		require.Equal(t, replica.LDAPS(), a.Stop.Server)
		require.NotZero(t, a.To[0], "consumers have the new value")
	}
	require.Equal(t, accounts, wrongLogins(t, first), "the write server was asked all the same")
	require.Zero(t, wrongLogins(t, replica))
}

// Who goes on after such a wait may set a value once more. By then another
// campaign may be at the same accounts.
func TestWhatWaitedForAReplicaDoesNotGoOnOnceItsCampaignWasClosed(t *testing.T) {
	g := newGround(t)
	const accounts = 4
	first := g.slapd(lab.SlapdOptions{Accounts: lab.SeedAccounts("esg", accounts), Stats: true})
	replica := g.slapd(lab.SlapdOptions{ReplicaOf: first, Stats: true})
	g.bind.Password = g.secretAt("corp", first.BinderPassword)
	in := g.prepared(g.directory("dc=example,dc=org", first.LDAPS(), replica.LDAPS()), accounts, replica.PauseReplication, first.SeededPassword)
	fresh(in)
	r := NewRotation(g.store, registry.New(g.store.Client))
	defer r.Kinds.Close()
	var applied []wire.AppliedItem
	done := make(chan error, 1)
	go func() {
		var suite testsuite.WorkflowTestSuite
		env := suite.NewTestActivityEnvironment()
		env.RegisterActivity(r)
		got, err := env.ExecuteActivity("Apply", in)
		if err == nil {
			err = got.Get(&applied)
		}
		done <- err
	}()
	require.Eventually(t, func() bool { return sets(t, first) == accounts }, time.Minute, 5*time.Millisecond, "each was asked before whether it may be set")
	before := looksTogether(t, replica)
	require.Eventually(t, func() bool { return looksTogether(t, replica) >= before+2 }, time.Minute, 5*time.Millisecond, "all are left, and waited for together")
	require.NoError(t, g.store.CloseCampaign(g.ctx, "one"))
	r.goOn.Clear() // as ten seconds do
	require.NoError(t, errors.Join(replica.ResumeReplication(g.ctx), <-done))
	require.Len(t, applied, accounts)
	for _, a := range applied {
		require.False(t, a.Dead())
		require.Equal(t, protocol.ReasonLagging, a.Stop.Reason)
		require.NotZero(t, a.To[0], "consumers have the new value")
	}
}

// sets counts the passwords that a server was told to set.
func sets(t *testing.T, s *lab.Slapd) int {
	text, err := os.ReadFile(s.LogFile())
	require.NoError(t, err)
	return strings.Count(string(text), "PASSMOD id=\"uid=esg")
}

// looksTogether counts the searches for several accounts that a server had.
func looksTogether(t *testing.T, s *lab.Slapd) int {
	text, err := os.ReadFile(s.LogFile())
	require.NoError(t, err)
	return strings.Count(string(text), `filter="(|(entryUUID=`)
}

// fresh says of what was staged that no server can have it.
func fresh(in wire.ApplyInput) {
	for i := range in.Items {
		in.Items[i].Fresh = true
	}
}

// wrongLogins counts those that a server has answered so.
func wrongLogins(t *testing.T, s *lab.Slapd) int {
	text, err := os.ReadFile(s.LogFile())
	require.NoError(t, err)
	return strings.Count(string(text), "RESULT tag=97 err=49")
}
