package postgrespassword

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// follow takes the primary's log as a role, like pg_receivewal and a standby.
func follow(t *testing.T, role string, value credential.Secret) *pgconn.PgConn {
	t.Helper()
	c, err := pgconn.ParseConfig(fmt.Sprintf("host=127.0.0.1 port=%d sslmode=require replication=true application_name=backup-01", primary.Port()))
	require.NoError(t, err)
	c.User, c.Password = role, value.Reveal()
	conn, err := pgconn.ConnectConfig(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	at, err := conn.Exec(t.Context(), "IDENTIFY_SYSTEM").ReadAll()
	require.NoError(t, err)
	f := conn.Frontend()
	f.Send(&pgproto3.Query{String: "START_REPLICATION PHYSICAL " + string(at[0].Rows[0][2])})
	require.NoError(t, f.Flush())
	got, err := f.Receive()
	require.NoError(t, err)
	require.IsType(t, &pgproto3.CopyBothResponse{}, got)
	return conn
}

// follows reports whether something takes the primary's log as a role.
func follows(t *testing.T, role string) bool {
	t.Helper()
	conn, err := primary.AdminConn(t.Context())
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	var yes bool
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE usename = $1 AND state = 'streaming')", role).Scan(&yes))
	return yes
}

// What follows logs in again by itself, with the old password, and is refused:
// ended, it would never come back, and no change would arrive any more.
func TestWhatFollowsByARoleIsNotEndedWithItsSessions(t *testing.T) {
	t.Parallel()
	c, old := newRole(t)
	exec(t, `ALTER ROLE "`+c.Name+`" REPLICATION`)
	a := authorityAs(t, primary.Super, primary.SuperPassword)
	follow(t, c.Name, old)
	require.Eventually(t, func() bool { return follows(t, c.Name) }, time.Minute, 20*time.Millisecond)
	consumer := session(t, primary, c.Name, old)

	acc := account(t, a, c)
	require.Equal(t, []credential.Problem{credential.Replicates}, acc.Hindered)
	requireStop(t, a.Set(t.Context(), acc, credential.NewSecret("one-that-is-not-set"), credential.Secret{}), protocol.ReasonReplicates)

	acc, new := setNew(t, a, c)
	_, findings, err := a.Retire(t.Context(), acc, new)
	require.NoError(t, err)
	require.False(t, lives(t, consumer))
	require.True(t, follows(t, c.Name))
	require.Len(t, findings, 1)
	require.Equal(t, credential.FindingFollows, findings[0].Code)
	require.Contains(t, findings[0].Detail, "backup-01 at 127.0.0.1 (streaming)")
	require.NotContains(t, findings[0].Detail, c.Name)

	// Nobody accepted it: a thief's, of a role that does not replicate.
	acc.Accepted = nil
	_, _, err = a.Retire(t.Context(), acc, new)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return !follows(t, c.Name) }, time.Minute, 20*time.Millisecond)
}

// The lines are looked at again with the read that precedes Set.
func TestARoleThatIsLetInOtherwiseSinceItWasListedIsNotSet(t *testing.T) {
	c, old := newRole(t) // the lines are those of all tests: not in parallel
	require.NoError(t, replica.SetHBA(t.Context(), "hostssl other "+c.Name+" 127.0.0.1/32 radius radiusservers=127.0.0.1 radiussecrets=x"))
	defer func() { require.NoError(t, replica.SetHBA(context.WithoutCancel(t.Context()))) }()
	a := authorityAs(t, primary.Super, primary.SuperPassword)
	acc := account(t, a, c)
	require.Equal(t, []credential.Problem{credential.NotAsked}, acc.Hindered, "on any server")
	requireStop(t, a.Set(t.Context(), acc, credential.NewSecret("one-that-is-not-set"), credential.Secret{}), protocol.ReasonNotAsked)
	session(t, primary, c.Name, old)
	require.Equal(t, acc, a.Accounts(t.Context(), primary.URL(), []credential.Credential{c})[c.ID])
}
