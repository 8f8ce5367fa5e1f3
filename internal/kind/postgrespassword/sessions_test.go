package postgrespassword

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

func asAdmin(t *testing.T) *Authority { return authorityAs(t, primary.Admin, primary.AdminPassword) }

// session logs in and stays.
func session(t *testing.T, s *lab.Postgres, role string, value credential.Secret) *pgx.Conn {
	t.Helper()
	conn, err := s.Connect(t.Context(), role, value.Reveal(), "postgres")
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func lives(t *testing.T, c *pgx.Conn) bool {
	t.Helper()
	return c.Ping(t.Context()) == nil
}

// account is the role as the primary shows it.
func account(t *testing.T, a *Authority, c credential.Credential) kind.Account {
	t.Helper()
	acc, err := a.Account(t.Context(), primary.URL(), c)
	require.NoError(t, err)
	return acc
}

// accept does as rotation does where a person accepted what hinders the role.
func accept(acc *kind.Account) { acc.Hindered, acc.Accepted = nil, acc.Hindered }

// setNew gives the role a new value.
func setNew(t *testing.T, a *Authority, c credential.Credential) (kind.Account, credential.Secret) {
	t.Helper()
	acc := account(t, a, c)
	accept(&acc)
	new, err := a.Generate(t.Context(), c)
	require.NoError(t, err)
	require.NoError(t, a.Set(t.Context(), acc, new, credential.Secret{}))
	return acc, new
}

func requireStop(t *testing.T, err error, reason protocol.Reason) *protocol.Stop {
	t.Helper()
	var stop *protocol.Stop
	require.ErrorAs(t, err, &stop)
	require.Equal(t, reason, stop.Reason)
	require.NotContains(t, stop.Detail, "svc-", "no name of a role leaves the process")
	return stop
}

func TestRetireEndsTheSessionsOfTheOldValueOnEveryServerAndKeepsThoseOfTheNew(t *testing.T) {
	t.Parallel()
	c, old := newRole(t)
	a := asAdmin(t)
	before := []*pgx.Conn{session(t, primary, c.Name, old), session(t, primary, c.Name, old), session(t, replica, c.Name, old)}
	acc, new := setNew(t, a, c)
	after := session(t, primary, c.Name, new)
	for _, s := range before {
		require.True(t, lives(t, s), "a new password alone ends no session")
	}
	_, _, err := a.Retire(t.Context(), acc, new)
	require.NoError(t, err)
	for _, s := range before {
		require.False(t, lives(t, s))
	}
	require.True(t, lives(t, after))
	onReplica := session(t, replica, c.Name, new)
	require.True(t, lives(t, onReplica))
}

// It stands still for the others, too: not in parallel.
func TestAReplicaThatLagsKeepsItOpenAndEndsNothingLessElsewhere(t *testing.T) {
	c, old := newRole(t)
	a := asAdmin(t)
	a.arrives = 100 * time.Millisecond
	there, here := session(t, replica, c.Name, old), session(t, primary, c.Name, old)
	require.NoError(t, replica.PauseReplication(t.Context()))
	defer func() { require.NoError(t, replica.ResumeReplication(context.WithoutCancel(t.Context()))) }()
	acc, new := setNew(t, a, c)
	_, _, err := a.Retire(t.Context(), acc, new)
	require.Equal(t, replica.URL(), requireStop(t, err, protocol.ReasonLagging).Server)
	require.False(t, lives(t, here), "the primary does not wait for its replica")
	require.True(t, lives(t, there))
	late := session(t, replica, c.Name, old) // the lagging one lets it in

	_, _, err = a.Retire(t.Context(), leftOut(acc), new)
	require.NoError(t, err, "a person left it out")
	require.NoError(t, replica.ResumeReplication(t.Context()))
	_, _, err = a.Retire(t.Context(), acc, new)
	require.NoError(t, err)
	require.False(t, lives(t, there))
	require.False(t, lives(t, late))
}

func leftOut(acc kind.Account) kind.Account {
	acc.LeftOut = []string{replica.URL()}
	return acc
}

func TestAReplicaThatIsDownKeepsItOpenAndNothingElseWaits(t *testing.T) {
	c, old := newRole(t)
	a := asAdmin(t)
	here := session(t, primary, c.Name, old)
	require.NoError(t, replica.Stop(t.Context()))
	defer func() { require.NoError(t, replica.Restart(context.WithoutCancel(t.Context()))) }()
	acc, new := setNew(t, a, c)
	_, _, err := a.Retire(t.Context(), acc, new)
	require.Equal(t, replica.URL(), requireStop(t, err, protocol.ReasonUnreachable).Server)
	require.False(t, lives(t, here))
	reply, err := a.Try(t.Context(), replica.URL(), acc, old)
	require.NoError(t, err)
	require.Equal(t, protocol.Unreachable, reply, "which is no refusal")
}

// Another process does not know when the value was set. What it ends is more,
// and the password is as it was set.
func TestAnotherProcessThatRetiresEndsWhatIsOpenAndChangesNothing(t *testing.T) {
	t.Parallel()
	c, old := newRole(t)
	stolen := session(t, primary, c.Name, old)
	acc, new := setNew(t, asAdmin(t), c)
	mine := session(t, primary, c.Name, new)
	next := asAdmin(t)
	for range 2 {
		_, _, err := next.Retire(t.Context(), acc, new)
		require.NoError(t, err)
	}
	require.False(t, lives(t, stolen))
	require.False(t, lives(t, mine), "a consumer logs in again")
	for value, want := range map[credential.Secret]protocol.Reply{old: protocol.Refused, new: protocol.Accepted} {
		for _, server := range next.Servers() {
			reply, err := next.Try(t.Context(), server, acc, value)
			require.NoError(t, err)
			require.Equal(t, want, reply)
		}
	}
}
