package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/intruder"
	"rollcall/internal/lab"
)

// The crash matrix of a cluster's roles: a primary, its replica by streaming
// replication, and Vault. A login is one request, and so is each transaction.
func TestCrashMatrixOfPostgresRoles(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 1, Postgres: 700, PostgresBystanders: 1})
	file, err := e.CampaignFile(nil, quick)
	require.NoError(t, err)
	newUser(t, e, file).must("init")
	pool := &supply{e: e, keeps: func(s intruder.Stolen) (func() bool, error) { return keepSessions(e, s) }}
	for _, at := range []seat{"primary", "replica", "vault"} {
		for _, m := range mishaps {
			t.Run(fmt.Sprintf("%s, %s", at, m.name), func(t *testing.T) {
				t.Parallel()
				walk(t, pool, credential.PostgresPassword, at, m)
			})
		}
	}
	t.Cleanup(func() { require.NoError(t, e.CheckBystanders(context.Background())) })
}

// keepSessions logs in to each server with the stolen value and stays. closed
// tells whether all of those sessions were ended.
func keepSessions(e *estate.Estate, s intruder.Stolen) (closed func() bool, err error) {
	var sessions []*pgx.Conn
	for _, server := range []*lab.Postgres{e.Postgres, e.PostgresReplica} {
		conn, err := server.Connect(context.Background(), s.User, s.Password, "postgres")
		if err != nil {
			return nil, err
		}
		sessions = append(sessions, conn)
	}
	return func() bool {
		all := true
		for _, conn := range sessions {
			all = conn.Ping(context.Background()) != nil && all
			_ = conn.Close(context.Background())
		}
		return all
	}, nil
}
