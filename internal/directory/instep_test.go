package directory

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
)

func TestAReplicaThatDoesNotFollowIsToldBeforeAnythingIsSet(t *testing.T) {
	t.Parallel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	provider := startSlapd(t, lab.SlapdOptions{CA: ca, Accounts: lab.SeedAccounts("user", 1)})
	replica := startSlapd(t, lab.SlapdOptions{CA: ca, ReplicaOf: provider})
	d := configOf(provider)
	d.Servers = []string{provider.LDAPS(), replica.LDAPS()}
	c := open(t, d, provider.BinderPassword)
	look := func() Check {
		rows := c.CheckInStep(t.Context())
		require.Len(t, rows, 1)
		require.Equal(t, replica.LDAPS(), rows[0].Server)
		return rows[0]
	}
	require.True(t, look().OK)
	require.Equal(t, "it has what the write server has", look().Detail)

	replica.PauseReplication()
	require.NoError(t, c.ResetPassword(t.Context(), provider.AccountDN("user0001"), credential.NewSecret("fresh-and-long-1"), credential.Secret{}))
	bad := look()
	require.False(t, bad.OK)
	require.False(t, bad.Stops, "the accounts of a campaign wait for it")
	require.Contains(t, bad.Detail, "it has not what the write server has: contextCSN of server 001 is ")
	require.Contains(t, bad.Do, "lagging")
	require.NoError(t, replica.ResumeReplication(t.Context()))
	require.True(t, look().OK)
}

func TestOneServerIsInStepWithItself(t *testing.T) {
	t.Parallel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	alone := startSlapd(t, lab.SlapdOptions{CA: ca, Accounts: lab.SeedAccounts("user", 1)})
	require.Empty(t, open(t, configOf(alone), alone.BinderPassword).CheckInStep(t.Context()))
}
