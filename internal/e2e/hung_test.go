package e2e

import (
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
