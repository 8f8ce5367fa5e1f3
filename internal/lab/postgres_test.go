package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func startTestPostgres(t *testing.T, o PostgresOptions) *Postgres {
	t.Helper()
	return started(t, func(ctx context.Context, dir string) (*Postgres, error) {
		o.Dir = dir
		return StartPostgres(ctx, o)
	})
}

func logsIn(t *testing.T, s *Postgres, role, password string) bool {
	t.Helper()
	conn, err := s.Connect(t.Context(), role, password, "postgres")
	if err != nil {
		return false
	}
	require.NoError(t, conn.Close(t.Context()))
	return true
}

func TestAPostgresReplicaFollowsItsPrimaryExceptWhilePaused(t *testing.T) {
	t.Parallel()
	ca, err := NewCA()
	require.NoError(t, err)
	accounts := SeedAccounts("svc", 2)
	primary := startTestPostgres(t, PostgresOptions{CA: ca, Accounts: accounts})
	replica := startTestPostgres(t, PostgresOptions{CA: ca, ReplicaOf: primary})
	name, old := accounts[0].UID, accounts[0].Password
	for _, s := range []*Postgres{primary, replica} {
		require.True(t, logsIn(t, s, name, old))
		require.False(t, logsIn(t, s, name, "wrong"))
	}
	require.Error(t, replica.Exec(t.Context(), "CREATE ROLE here"), "a replica is read-only")

	require.NoError(t, replica.PauseReplication(t.Context()))
	require.NoError(t, primary.Exec(t.Context(), "ALTER ROLE "+name+" PASSWORD 'another'"))
	require.False(t, logsIn(t, primary, name, old))
	require.True(t, logsIn(t, replica, name, old), "it has not applied the change")
	require.NoError(t, replica.ResumeReplication(t.Context()))
	require.False(t, logsIn(t, replica, name, old))

	// A crash loses nothing, and the port stays.
	url := primary.URL()
	primary.Process().Kill()
	require.False(t, logsIn(t, primary, name, "another"))
	require.NoError(t, primary.Restart(t.Context()))
	require.Equal(t, url, primary.URL())
	require.True(t, logsIn(t, primary, name, "another"))

	require.NoError(t, replica.Promote(t.Context()))
	require.NoError(t, replica.Exec(t.Context(), "CREATE ROLE here"))

	log, err := os.ReadFile(primary.LogFile())
	require.NoError(t, err)
	require.NotContains(t, string(log), accounts[1].Password)
	require.NotContains(t, string(log), primary.AdminPassword)
}

// A server that runs makes and removes files all the time.
func TestLinesAreSetWhileAServerRemovesFilesOfItsOwn(t *testing.T) {
	t.Parallel()
	ca, err := NewCA()
	require.NoError(t, err)
	s := startTestPostgres(t, PostgresOptions{CA: ca})
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			for n := range 100 {
				_ = os.WriteFile(filepath.Join(s.data(), "base", fmt.Sprint("of-a-session.", n)), nil, 0o600)
			}
			for n := range 100 {
				_ = os.Remove(filepath.Join(s.data(), "base", fmt.Sprint("of-a-session.", n)))
			}
		}
	}()
	for range 30 {
		require.NoError(t, s.rewriteHBA("# nobody else"))
	}
	close(stop)
	<-stopped
	require.NoError(t, s.LoadHBA(t.Context()))
}

// What lies where a test works is removed when it ends.
func TestNoSessionOutlivesAServerThatWasKilledAndStopped(t *testing.T) {
	t.Parallel()
	ca, err := NewCA()
	require.NoError(t, err)
	s := startTestPostgres(t, PostgresOptions{CA: ca})
	conn, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	session := int(conn.PgConn().PID())
	require.NoError(t, syscall.Kill(session, syscall.SIGSTOP)) // one that is slow
	s.Process().Kill()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.ErrorContains(t, s.Stop(ctx), "sessions outlive the server")
	require.NoError(t, syscall.Kill(session, syscall.SIGCONT))
	require.NoError(t, s.Stop(t.Context()))
	// A process lets go of its files and its folder first, and counts as
	// running for a moment more (Linux, do_exit).
	_, err = os.Readlink(fmt.Sprintf("/proc/%d/cwd", session))
	require.Error(t, err, "it works in the data no more")
	require.Eventually(t, func() bool { return !running(session) }, stopTimeout, time.Millisecond)
}
