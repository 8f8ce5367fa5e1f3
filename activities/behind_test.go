package activities

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
