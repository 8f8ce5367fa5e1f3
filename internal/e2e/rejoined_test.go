package e2e

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
)

// Whose run ended by a signal and is begun again is told the same as before it:
// what is waited for, until when, and what there is to do. That the last worker
// ended keeps nothing from going on.
func TestWhoRejoinsIsToldWhatIsWaitedFor(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 2, Replica: true})
	file, err := e.CampaignFile(nil, "limits: {retry_min: 5m, retry_max: 5m, deadline: 1h}\n")
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	e.Replica.PauseReplication()
	for range 2 {
		run := u.follow("run")
		waits := func() bool { return run.said("waiting: 2 open are tried again at ") }
		if !assert.Eventually(t, waits, patience, 50*time.Millisecond) {
			require.Fail(t, run.errors())
		}
		require.True(t, run.said("`rollcall close` leaves them open"), run.errors())
		require.False(t, run.said("its worker stops"), run.errors())
		run.signal(syscall.SIGTERM)
		require.Eventually(t, run.over, patience, 50*time.Millisecond, run.errors())
		require.Equal(t, 3, run.cmd.ProcessState.ExitCode(), run.errors())
	}
	require.NoError(t, e.Replica.ResumeReplication(t.Context()))
}

// Whose campaign another one took over is told so, and his command comes back
// by itself.
func TestWhoIsTakenOverIsToldSoAndComesBack(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 2, Replica: true})
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 1h}\n")
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	e.Replica.PauseReplication()
	mine := u.follow("run", "--stay")
	require.Eventually(t, func() bool { return mine.said("2 lagging") }, patience, 50*time.Millisecond, mine.errors())
	colleague := *u
	colleague.state = filepath.Join(t.TempDir(), "state")
	colleague.file = u.edited("exposure:", "ledger: {dir: of-the-colleague}\nexposure:").file
	theirs := colleague.follow("run", "--take-over", "--yes")
	require.Eventually(t, mine.over, patience, 50*time.Millisecond, "%s\n%s", mine.errors(), theirs.errors())
	require.Equal(t, 2, mine.cmd.ProcessState.ExitCode(), mine.errors())
	require.True(t, mine.said("which took over: nothing more of this one is begun"), mine.errors())
	require.NoError(t, e.Replica.ResumeReplication(t.Context()))
	require.Eventually(t, theirs.over, patience, 50*time.Millisecond, theirs.errors())
	require.Zero(t, theirs.cmd.ProcessState.ExitCode(), theirs.errors())
	requireConsumersServed(t, e)
}
