package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
)

// That nobody on the roll replicates says nothing of whether a server is up.
func TestAListWithAServerDownSaysSoWhateverIsAccepted(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 2, Replica: true, Postgres: 1})
	file, err := e.CampaignFile(nil, "accept:\n  - {directory: corp, finding: replicators-not-shown, reason: jo looked}\n  - {directory: appdb, finding: login-rules-hidden, reason: jo looked}\n")
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	require.NotContains(t, u.run("list").err, "no answer")

	require.NoError(t, e.Replica.Stop(t.Context()))
	require.NoError(t, e.PostgresReplica.Stop(t.Context()))
	r := u.run("list")
	require.Equal(t, 2, r.code, r.out+r.err)
	require.Contains(t, r.err, "warning: no answer: directory corp: connect at "+e.Replica.LDAPS())
	require.Contains(t, r.err, "warning: no answer: PostgreSQL cluster appdb: connect at ")
	require.Contains(t, r.err, "2 servers gave no answer")
}
