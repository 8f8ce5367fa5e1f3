package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
)

// A campaign had two servers of the directory, the replica is cut off since,
// and another person's file names the provider alone: Rollcall's own mount is
// the one place that knows the replica.
func TestAServerThatAnEarlierCampaignHadIsNotForgottenByAFileThatLeavesItOut(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 2, Replica: true})
	const brief = "limits: {retry_min: 200ms, retry_max: 1s, deadline: 12s, batch: 20}\n"
	file, err := e.CampaignFile(nil, brief)
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	u.must("run")

	e.Replica.PauseReplication()
	_, err = e.CampaignFile([]string{e.Slapd.LDAPS()}, brief)
	require.NoError(t, err)
	told := e.Replica.LDAPS()
	for command, code := range map[string]int{"doctor": 1, "plan": 1, "run": 2} {
		r := u.run(command)
		require.Equal(t, code, r.code, "%s: %s%s", command, r.out, r.err)
		require.Contains(t, r.out+r.err, told, command)
	}

	_, err = e.CampaignFile([]string{e.Slapd.LDAPS()}, brief+"accept: [{directory: corp, server: \""+told+"\", on: "+time.Now().UTC().Format(time.RFC3339)+", reason: its disk burnt}]\n")
	require.NoError(t, err)
	r := u.run("run")
	require.Zero(t, r.code, "%s%s", r.out, r.err)
}
