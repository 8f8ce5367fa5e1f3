package e2e

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// A worker that is there and busy answers late, and so does Temporal once it
// has handed a question to a worker that was killed. Whoever asks waits, and is
// told so.
func TestWhoAsksACampaignWhoseWorkerIsBusyWaitsForItsAnswer(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 1, Replica: true})
	file, err := e.CampaignFile(nil, unhurried)
	require.NoError(t, err)
	c := startCluster(t, e, file)
	worker := c.worker()
	c.ledgerWorker()
	e.Replica.PauseReplication()
	c.must("start")
	require.Eventually(t, func() bool {
		return c.count(func(l *ledger.CredentialState) bool { return l.Reason == protocol.ReasonLagging }) == 1
	}, patience, tick)

	worker.signal(syscall.SIGSTOP)
	watch := c.follow("watch")
	require.Eventually(t, func() bool { return watch.said("it is asked again, for 30s at most") || watch.over() }, patience, tick)
	require.False(t, watch.over(), watch.errors())
	worker.signal(syscall.SIGCONT)
	require.NoError(t, e.Replica.ResumeReplication(t.Context()))
	ended := watch.wait()
	require.Zero(t, ended.code, ended.err)
}
