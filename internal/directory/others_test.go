package directory

import (
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/lab"
)

// With a balancer, or a file that forgot one, the other provider is never
// asked. Its changes tell that it is there.
func TestAProviderThatTheFileDoesNotNameShowsByItsChanges(t *testing.T) {
	t.Parallel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	first := startSlapd(t, lab.SlapdOptions{CA: ca, Provider: true, Accounts: lab.SeedAccounts("user", 1)})
	second := startSlapd(t, lab.SlapdOptions{CA: ca, ReplicaOf: first, Provider: true})
	leaf := startSlapd(t, lab.SlapdOptions{CA: ca, ReplicaOf: first, Leaf: true})
	b, err := lab.StartBalancer("127.0.0.1:0", first.LDAPS())
	require.NoError(t, err)
	t.Cleanup(b.Close)
	others := func(servers []string, accepted ...string) Others {
		d := configOf(first)
		d.Servers = servers
		o, err := open(t, d, first.BinderPassword).Others(t.Context(), accepted...)
		require.NoError(t, err)
		require.Empty(t, o.Hidden)
		return o
	}
	alone := []string{"ldaps://" + b.Addr()}
	conn, err := second.AdminConn(t.Context())
	require.NoError(t, err)
	change := ldap.NewModifyRequest(first.PeopleDN(), nil)
	change.Replace("description", []string{"made at the second one"})
	require.NoError(t, conn.Modify(change))
	require.NoError(t, conn.Close())
	require.NoError(t, first.AwaitReplication(t.Context()))

	o := others(alone)
	require.Equal(t, []string{"001", "002"}, o.Names)
	require.Contains(t, o.Detail, "servers with the ids 001, 002 (contextCSN at "+alone[0]+"), and of the servers that the file names 1 can have made them: 1 not asked")
	require.Len(t, others(append(alone, leaf.LDAPS())).Names, 2, "a replica that feeds nobody makes no changes, and is not the other one")
	require.Empty(t, others(append(alone, second.LDAPS())).Names)
	o = others(append(alone, first.LDAPS())) // the same machine by another address
	require.Equal(t, []string{"001", "002"}, o.Names)
	require.Contains(t, o.Detail, "that the file names 1 can have made them: 1 not asked; "+alone[0]+" and "+first.LDAPS()+" count as one, because nothing tells them apart")
	require.Empty(t, others([]string{alone[0], first.LDAPS(), second.LDAPS()}).Names)
	o = others(alone, "002", "007")
	require.Empty(t, o.Names)
	require.Equal(t, []string{"002"}, o.Accepted)
	require.Len(t, others(append(alone, "ldaps://127.0.0.1:1")).Names, 0, "one that does not answer may be it; it keeps credentials open by itself")
}
