package e2e

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// A server that takes a connection and says nothing holds up each try for as
// long as the directory's timeout, and nothing is recorded meanwhile.
func TestARunNamesTheServerWhoseAnswerItWaitsFor(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 4, Replica: true})
	file, err := e.CampaignFile(nil, patient)
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	e.Replica.PauseReplication()
	run := u.follow("run")
	soon := func(what string, is func() bool) {
		t.Helper()
		require.Eventually(t, is, patience, 50*time.Millisecond, "%s: %s", what, run.errors())
	}
	soon("it waits for the replica", func() bool {
		return u.count(func(l *ledger.CredentialState) bool { return l.Reason == protocol.ReasonLagging }) > 0
	})
	e.Replica.Process().Pause()
	soon("it names who does not answer, while that is so", func() bool {
		return run.said("waiting: no answer yet from " + e.Replica.LDAPS() + " (asked at ")
	})
	require.Eventually(t, func() bool {
		return strings.Contains(u.run("status").out, "waiting: no answer yet from "+e.Replica.LDAPS()+" (asked at ")
	}, patience, time.Second, "so does the status")
	e.Replica.Process().Resume()
	require.NoError(t, e.Replica.ResumeReplication(t.Context()))
	soon("it ends", run.over)
	require.Equal(t, 0, run.cmd.ProcessState.ExitCode(), run.errors())
}

// A door that takes connections and says nothing is named by its name, which is
// what leave-out takes.
func TestAStatusNamesTheDoorWhoseAnswerIsWaitedFor(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 1})
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = silent.Close() })
	at := silent.Addr().String()
	file, err := e.CampaignFile(nil, fmt.Sprintf("limits: {retry_min: 200ms, retry_max: 1s, deadline: 10m}\ndoors:\n  old: {type: imaps, address: %q, ca_file: ca.pem, for: [{directory: corp}]}\n", at))
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	run := u.follow("run")
	said := ""
	require.Eventually(t, func() bool {
		said = u.run("status").out
		return strings.Contains(said, "listing, 0 listed") && strings.Contains(said, "no answer yet from ")
	}, patience, 200*time.Millisecond, "the door is asked about nobody at first")
	require.Contains(t, said, "is being listed, and has no ledger before that is done")
	require.NotContains(t, said, "ledger serve", "there is none yet")
	require.Eventually(t, func() bool {
		said = u.run("status").out
		return strings.Contains(strings.Join(strings.Fields(said), " "), "`rollcall leave-out --door` takes out")
	}, patience, 200*time.Millisecond, "%s", run.errors())
	require.Contains(t, said, "no answer yet from door old at "+at+" (asked at ")
	u.must("leave-out", "--door", "old", "--reason", "it hangs")
	require.Eventually(t, run.over, patience, 50*time.Millisecond)
}
