package e2e

import (
	"syscall"
	"testing"
	"time"

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
		require.Eventually(t, func() bool { return run.said("waiting: 2 open of ") }, time.Minute, 50*time.Millisecond, run.errors())
		require.True(t, run.said("`rollcall close` leaves them open"), run.errors())
		require.False(t, run.said("its worker stops"), run.errors())
		run.signal(syscall.SIGTERM)
		require.Eventually(t, run.over, time.Minute, 50*time.Millisecond, run.errors())
		require.Equal(t, 3, run.cmd.ProcessState.ExitCode(), run.errors())
	}
	require.NoError(t, e.Replica.ResumeReplication(t.Context()))
}
