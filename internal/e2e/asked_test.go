package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
	"rollcall/internal/ledger"
)

// Whoever ends a campaign, or cuts its proofs, is asked about that one, with
// numbers; and is asked nothing where there is none.
func TestWhoEndsACampaignIsAskedAboutThatOneWithNumbers(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 3, Replica: true})
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 10m}\naccept:\n  - {directory: corp, finding: replicators-not-shown, reason: jo looked}\n")
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	words := func(r ran) string { return strings.Join(strings.Fields(r.out+r.err), " ") }
	abort, closes := []string{"abort"}, []string{"close", "--reason", "a", "--owner", "jo@example.org", "--due", "2099-12-05"}
	gone := e.Replica.LDAPS()
	leave := []string{"leave-out", "--server", gone, "--reason", "x"}
	for _, command := range [][]string{abort, closes, leave} {
		r := u.atTerminal("esg-01\n", command...)
		require.Equal(t, 1, r.code, r.out)
		require.NotContains(t, r.out, "type esg-01", "there is nothing to ask about")
	}
	e.Replica.PauseReplication()
	cmd, said := u.begin("run")
	requireSoon(t, "it waits for the replica", said, func() bool { return strings.Contains(said.String(), "0 of 3 dead, 0 in work, 3 open") })
	campaign := u.ledger().Campaign
	no := func(command []string, want ...string) {
		t.Helper()
		r := u.atTerminal("no\n", command...)
		require.Equal(t, 1, r.code, r.out)
		require.Contains(t, r.out, "esg-01 was not typed; nothing was done")
		for _, text := range want {
			require.Contains(t, words(r), text)
		}
	}
	stands := "campaign " + campaign + ": 0 of 3 dead, 3 open. "
	no(abort, stands+"It ends: what lies between set and proof is finished")
	no(closes, stands+"It ends, and what is open stays open, with its stolen value in force where it is. jo@example.org sees to it, until 2099-12-05T00:00:00Z")
	no(leave, "campaign "+campaign+": 0 of 3 dead", "No proof of it asks "+gone+" any more", "3 credentials of the roll are not dead there by now.", "Its port ANSWERS from here, so it may be well.")
	require.Nil(t, u.ledger().OpenAccepted)
	require.Empty(t, u.ledger().LeftOut)

	// Nobody works on it: it is not started before somebody said yes.
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Error(t, cmd.Wait())
	before := u.entries()
	no(closes, stands+"Nobody works on it: it is started for that. It ends, and")
	require.Equal(t, before, u.entries())
	yes := u.atTerminal("esg-01\n", closes...)
	require.Equal(t, 2, yes.code, yes.out)
	require.Equal(t, ledger.Closed, u.ledger().Phase)
	over := u.atTerminal("esg-01\n", closes...)
	require.Equal(t, 1, over.code, over.out)
	require.NotContains(t, over.out, "type esg-01")
	require.Contains(t, words(over), "cannot close: no campaign is running on this machine")
	require.Contains(t, words(over), "campaign "+campaign+", started ")
	require.Contains(t, words(over), ", who accepted what was open, ended ")
}
