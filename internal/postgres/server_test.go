package postgres

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

func quoted(s string) string { return strings.ReplaceAll(s, "'", "''") }

func TestAPasswordIsSetAndNothingElseIsChanged(t *testing.T) {
	t.Parallel()
	client := asAdmin(t)
	server := client.Servers()[0]
	id, role, old := newRole(t, "VALID UNTIL '2099-01-01' CONNECTION LIMIT 7 CREATEDB")
	row := `SELECT row(rolcanlogin, rolconnlimit, rolvaliduntil, rolcreatedb, rolinherit)::text FROM pg_roles WHERE oid = ` + id
	before := scan(t, row)
	value := credential.NewSecret("new-" + old.Reveal())
	change, err := client.SetPassword(t.Context(), id, role, value)
	require.NoError(t, err)
	require.NotEmpty(t, change.LSN)
	require.Equal(t, "00000001", change.Timeline)
	require.Equal(t, before, scan(t, row))
	for offered, want := range map[credential.Secret]protocol.Reply{old: protocol.Refused, value: protocol.Accepted} {
		got, err := client.Try(t.Context(), server, id, role, offered)
		require.NoError(t, err)
		require.Equal(t, want, got.Answer)
	}
	log, err := os.ReadFile(primary.LogFile())
	require.NoError(t, err)
	require.Contains(t, string(log), "ALTER ROLE \""+role+"\" PASSWORD 'SCRAM-SHA-256$4096:", "log_statement is on")
	require.NotContains(t, string(log), value.Reveal())
	require.Equal(t, "SCRAM-SHA-256", scan(t, "SELECT left(rolpassword, 13) FROM pg_authid WHERE oid = "+id))
}

func TestNamesAreTakenAsTheyAre(t *testing.T) {
	t.Parallel()
	client := asAdmin(t)
	server := client.Servers()[0]
	for _, name := range []string{`we"ird; DROP ROLE x; --`, "Näme ünd Leer", "UPPER", "current_user", `back\slash'quote`, "$1 %s"} {
		exec(t, "CREATE ROLE "+pgx.Identifier{name}.Sanitize()+" LOGIN")
		r, there, err := client.Find(t.Context(), server, name)
		require.NoError(t, err)
		require.True(t, there, name)
		require.Equal(t, name, r.Name)
		value := credential.NewSecret("value of " + name)
		_, err = client.SetPassword(t.Context(), r.ID, name, value)
		require.NoError(t, err)
		got, err := client.Try(t.Context(), server, r.ID, name, value)
		require.NoError(t, err)
		require.Equal(t, protocol.Accepted, got.Answer)
	}
}

// A function that somebody put where a careless session would find it first.
func TestFunctionsOfOthersAreNotCalled(t *testing.T) {
	t.Parallel()
	exec(t, "CREATE FUNCTION public.pg_control_system(OUT system_identifier bigint) LANGUAGE sql AS 'SELECT 666::bigint'",
		`ALTER ROLE "`+primary.Super+`" SET search_path = public, pg_catalog`)
	defer exec(t, `ALTER ROLE "`+primary.Super+`" RESET search_path`)
	m, err := asSuper(t).Who(t.Context(), primary.URL())
	require.NoError(t, err)
	require.NotEqual(t, "666", m.System)
}

func TestRefusedChangesSayWhatIsMissingAndChangeNothing(t *testing.T) {
	t.Parallel()
	client := asAdmin(t)
	value := credential.NewSecret("another")
	set := func(c *Client, id, role string) error {
		_, err := c.SetPassword(t.Context(), id, role, value)
		require.Error(t, err)
		require.NotContains(t, err.Error(), role)
		return err
	}
	id, role, _ := newRole(t, "SUPERUSER")
	requireStop(t, set(client, id, role), protocol.ReasonRights)
	id, role, _ = newRole(t, "REPLICATION")
	requireStop(t, set(client, id, role), protocol.ReasonRights)
	requireStop(t, set(client, "4294967295", "nobody-there"), protocol.ReasonGone)
	requireStop(t, set(client, scan(t, "SELECT oid::text FROM pg_roles WHERE rolname = 'rollcall'"), primary.Admin), protocol.ReasonSelf)

	id, role, old := newRole(t, "")
	exec(t, `ALTER ROLE "`+role+`" RENAME TO "`+role+`b"`, `CREATE ROLE "`+role+`" LOGIN PASSWORD '`+old.Reveal()+`'`)
	requireStop(t, set(client, id, role), protocol.ReasonInterrupted)
	got, err := client.Offer(t.Context(), client.Servers()[0], role, old)
	require.NoError(t, err)
	require.Equal(t, protocol.Accepted, got.Answer, "the other role has its password still")

	backwards := open(t, conf(replica, primary), primary.AdminPassword)
	requireStop(t, set(backwards, id, role+"b"), protocol.ReasonRights)
	_, err = client.SetPassword(t.Context(), id, role, credential.Secret{})
	require.Error(t, err)

	weak := conf(primary)
	weak.Admin.Role = role
	requireStop(t, set(open(t, weak, old.Reveal()), id, role+"b"), protocol.ReasonRights)

	wrong := open(t, conf(primary), "wrong")
	for range 3 {
		_, _, err = wrong.ByID(t.Context(), wrong.Servers()[0], id)
		require.ErrorContains(t, err, "kv/rollcall/db#password")
	}
}

func TestAReplicaThatLagsIsKnownByThePositionAndByTheMark(t *testing.T) {
	client := asSuper(t) // alone: it pauses the replica
	ctx := t.Context()
	id, role, old := newRole(t, "")
	require.NoError(t, replica.AwaitReplication(ctx))
	require.NoError(t, replica.PauseReplication(ctx))
	defer func() { require.NoError(t, replica.ResumeReplication(context.Background())) }()
	value := credential.NewSecret("next")
	change, err := client.SetPassword(ctx, id, role, value)
	require.NoError(t, err)
	at, has, err := client.Arrived(ctx, client.Servers()[0], change)
	require.NoError(t, err)
	require.True(t, has)
	require.Equal(t, change.At, at)
	_, has, err = client.Arrived(ctx, client.Servers()[1], change)
	require.NoError(t, err)
	require.False(t, has)
	show := func(n int) Role {
		r, there, err := client.ByID(ctx, client.Servers()[n], id)
		require.NoError(t, err)
		require.True(t, there)
		return r
	}
	require.Greater(t, show(0).Mark, show(1).Mark)
	require.True(t, show(0).Holds(value))
	require.True(t, show(1).Holds(old))
	got, err := client.Try(ctx, client.Servers()[1], id, role, old)
	require.NoError(t, err)
	require.Equal(t, protocol.Accepted, got.Answer)

	require.NoError(t, replica.ResumeReplication(ctx))
	at, has, err = client.Arrived(ctx, client.Servers()[1], change)
	require.NoError(t, err)
	require.True(t, has)
	require.True(t, at.After(change.At))
	require.Equal(t, show(0).Mark, show(1).Mark)
	require.Equal(t, show(0).Verifier, show(1).Verifier)
	got, err = client.Try(ctx, client.Servers()[1], id, role, old)
	require.NoError(t, err)
	require.Equal(t, protocol.Refused, got.Answer)

	other := change
	other.Timeline = "00000002"
	_, has, err = client.Arrived(ctx, client.Servers()[1], other)
	require.NoError(t, err)
	require.False(t, has, "positions of another timeline tell nothing")
	backwards := open(t, conf(replica, primary), primary.AdminPassword)
	for _, s := range backwards.Servers() {
		_, _, err = backwards.Arrived(ctx, s, change)
		requireStop(t, err, protocol.ReasonContradicts)
	}
	_, err = backwards.Moment(ctx)
	requireStop(t, err, protocol.ReasonRights)
}

func TestMarksMoveWithChangesAndWithNoLogin(t *testing.T) {
	t.Parallel()
	client := asSuper(t)
	server := client.Servers()[0]
	id, role, old := newRole(t, "")
	mark := func(c *Client) string {
		r, _, err := c.ByID(t.Context(), server, id)
		require.NoError(t, err)
		return r.Mark
	}
	last := mark(client)
	for _, v := range []credential.Secret{old, credential.NewSecret("wrong")} {
		_, err := client.Try(t.Context(), server, id, role, v)
		require.NoError(t, err)
		require.Equal(t, last, mark(client))
	}
	for _, v := range []string{"a", "b", "b"} {
		_, err := client.SetPassword(t.Context(), id, role, credential.NewSecret(v))
		require.NoError(t, err)
		require.Greater(t, mark(client), last)
		last = mark(client)
	}
	admin := asAdmin(t)
	require.Empty(t, mark(admin), "without a right on pg_authid")
	// As narrow as it can be: neither a verifier nor another column.
	exec(t, "CREATE ROLE looker LOGIN PASSWORD 'l'", "GRANT SELECT (oid, xmin) ON pg_catalog.pg_authid TO looker")
	c := conf(primary)
	c.Admin.Role = "looker"
	looker := open(t, c, "l")
	require.Equal(t, last, mark(looker))
	r, _, err := looker.ByID(t.Context(), server, id)
	require.NoError(t, err)
	require.Equal(t, StoredUnknown, r.Stored)
}

// openSession opens one as the role and keeps it.
func openSession(t *testing.T, s *lab.Postgres, role, value string) *pgx.Conn {
	t.Helper()
	conn, err := s.Connect(t.Context(), role, value, "postgres")
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func alive(conn *pgx.Conn) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return conn.Ping(ctx) == nil
}

func TestSessionsOfTheOldPasswordEndOnEveryServerAndNoOthers(t *testing.T) {
	t.Parallel()
	client := asAdmin(t)
	ctx := t.Context()
	id, role, old := newRole(t, "")
	_, other, otherValue := newRole(t, "")
	require.NoError(t, replica.AwaitReplication(ctx))
	var olds []*pgx.Conn
	for _, s := range []*lab.Postgres{primary, primary, replica} {
		olds = append(olds, openSession(t, s, role, old.Reveal()))
	}
	stays := openSession(t, primary, other, otherValue.Reveal())
	_, err := olds[0].Exec(ctx, "BEGIN; SELECT pg_advisory_lock(1)")
	require.NoError(t, err)

	value := credential.NewSecret("new-" + old.Reveal())
	change, err := client.SetPassword(ctx, id, role, value)
	require.NoError(t, err)
	for _, s := range olds {
		require.True(t, alive(s), "a new password ends no session by itself")
	}
	news := openSession(t, primary, role, value.Reveal())
	for i, server := range client.Servers() {
		var at time.Time
		await(t, func() bool {
			var has bool
			at, has, err = client.Arrived(ctx, server, change)
			return err == nil && has
		})
		ended, err := client.EndSessions(ctx, server, id, role, at)
		require.NoError(t, err)
		require.Equal(t, []int{2, 1}[i], ended)
		ended, err = client.EndSessions(ctx, server, id, role, at)
		require.NoError(t, err)
		require.Zero(t, ended)
	}
	for _, s := range olds {
		require.False(t, alive(s))
	}
	require.True(t, alive(news))
	require.True(t, alive(stays))
}

// slow is a login that has begun and not answered the server's challenge yet.
type slow struct {
	conn chan *pgx.Conn
	goOn chan struct{}
}

func slowLogin(t *testing.T, s *lab.Postgres, role, value string) slow {
	t.Helper()
	out := slow{make(chan *pgx.Conn, 1), make(chan struct{})}
	at := make(chan struct{})
	text := "host=127.0.0.1 sslmode=verify-full"
	c, err := pgx.ParseConfig(text)
	require.NoError(t, err)
	helper := open(t, conf(s), "x").servers[0]
	c.Port, c.TLSConfig, c.User, c.Password, c.Database = uint16(s.Port()), helper.tls, role, value, "postgres"
	c.BuildFrontend = pausing(at, out.goOn)
	go func() {
		conn, err := pgx.ConnectConfig(context.Background(), c)
		if err != nil {
			conn = nil
		}
		out.conn <- conn
	}()
	select {
	case <-at:
	case <-out.conn:
		require.Fail(t, "the login has ended before it was held back")
	}
	return out
}

// A thief who began to log in before the change is let in after it.
func TestALoginThatWasOnItsWayLeavesNoSession(t *testing.T) {
	t.Parallel()
	client := asAdmin(t)
	ctx := t.Context()
	id, role, old := newRole(t, "")
	thief := slowLogin(t, primary, role, old.Reveal())
	change, err := client.SetPassword(ctx, id, role, credential.NewSecret("new"))
	require.NoError(t, err)
	server := client.Servers()[0]
	got, err := client.Try(ctx, server, id, role, old)
	require.NoError(t, err)
	require.Equal(t, protocol.Refused, got.Answer, "dead for whoever comes now")
	require.Equal(t, "0", scan(t, "SELECT count(*)::text FROM pg_stat_activity WHERE usesysid = "+id), "and no view of sessions shows the login")

	// Ending sessions waits for it.
	short, cancel := context.WithTimeout(ctx, time.Second)
	_, err = client.EndSessions(short, server, id, role, change.At)
	cancel()
	require.True(t, IsUnreachable(err), "%v", err)
	done := make(chan error, 1)
	go func() {
		_, err := client.EndSessions(ctx, server, id, role, change.At)
		done <- err
	}()
	close(thief.goOn)
	conn := <-thief.conn
	require.NoError(t, <-done)
	// How many were ended is not known here: the last statement of the call
	// that was given up may have ended this one, on a server that is slow.
	require.True(t, conn == nil || !alive(conn), "it got in by the old password after the change, and is out again")
}

func TestSessionsThatMayNotBeSeenOrEndedAreSaidToBeSo(t *testing.T) {
	t.Parallel()
	id, role, value := newRole(t, "")
	_, blind, blindValue := newRole(t, "CREATEROLE IN ROLE pg_signal_backend")
	_, weak, weakValue := newRole(t, "CREATEROLE IN ROLE pg_read_all_stats")
	openSession(t, primary, role, value.Reveal())
	for name, password := range map[string]credential.Secret{blind: blindValue, weak: weakValue} {
		c := conf(primary)
		c.Admin.Role = name
		_, err := open(t, c, password.Reveal()).EndSessions(t.Context(), primary.URL(), id, role, time.Now().Add(time.Hour))
		requireStop(t, err, protocol.ReasonRights)
	}
	superID, super, superValue := newRole(t, "SUPERUSER")
	conn := openSession(t, primary, super, superValue.Reveal())
	_, err := asAdmin(t).EndSessions(t.Context(), primary.URL(), superID, super, time.Now().Add(time.Hour))
	requireStop(t, err, protocol.ReasonRights)
	require.True(t, alive(conn))
}

func TestEachOfAPairIsRotatedByTheOther(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	_, a, va := newRole(t, "CREATEROLE IN ROLE pg_signal_backend, pg_read_all_stats")
	idB, b, vb := newRole(t, "CREATEROLE IN ROLE pg_signal_backend, pg_read_all_stats")
	current := map[string]credential.Secret{a: va, b: vb}
	c := conf(primary)
	c.Admin.Role, c.Partner = a, Identity{Role: b, Password: credential.Path{Mount: "kv", Path: "rollcall/db-b", Field: "password"}}
	read := func(role string) func(context.Context) (credential.Secret, error) {
		return func(context.Context) (credential.Secret, error) { return current[role], nil }
	}
	client, err := Open("db", c, read(a), read(b))
	require.NoError(t, err)
	defer client.Close()
	require.False(t, client.IsIdentity(a))
	server := client.Servers()[0]
	old := current[b]
	next := credential.NewSecret("next")
	change, err := client.SetPassword(ctx, idB, b, next)
	require.NoError(t, err)
	current[b] = next
	_, err = client.EndSessions(ctx, server, idB, b, change.At)
	require.NoError(t, err)
	got, err := client.Try(ctx, server, idB, b, old)
	require.NoError(t, err)
	require.Equal(t, protocol.Refused, got.Answer)

	// One that is not let in does not stop the work, but nothing works on the
	// other.
	current[a] = credential.NewSecret("wrong")
	require.NoError(t, client.Close())
	client, err = Open("db", c, read(a), read(b))
	require.NoError(t, err)
	defer client.Close()
	_, there, err := client.Find(ctx, server, a)
	require.NoError(t, err)
	require.True(t, there)
	_, err = client.SetPassword(ctx, idB, b, credential.NewSecret("third"))
	requireStop(t, err, protocol.ReasonRights)
}
