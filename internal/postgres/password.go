package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// Change is a moment on the primary: what was committed before it is at or
// before LSN.
type Change struct {
	At       time.Time // by the primary's clock
	Timeline string    // eight hexadecimal digits
	LSN      string    // flushed to disk (pg_lsn)
	Mark     string    // the change's own, as Role.Mark; empty of a Moment
}

// SetPassword gives the role that has an id and, when it was last looked at,
// that name another password, on the primary. It changes nothing else of the
// role, VALID UNTIL included. The primary gets a SCRAM verifier that was
// computed here, so that the value is in no log and no statement, whatever
// password_encryption says. The change is flushed to disk before it returns,
// and is on the synchronous standbys where there are any (synchronous_commit).
//
// A *protocol.Stop says that nothing was changed and why; after any other error
// that may have happened or not. A commit that waits for a synchronous standby
// for too long is such an error: the primary has it then, or (if it was not
// reached by our giving up) has it when the standby is back. What was sent
// before the commit has no effect without one, so that no change that was given
// up overtakes a later one. Change is from after the commit: sessions that
// began before Change.At on the primary were not opened with the new value.
func (c *Client) SetPassword(ctx context.Context, id, role string, value credential.Secret) (Change, error) {
	return c.setPassword(ctx, id, role, value, nil)
}

// SetPasswordAlone is SetPassword for a role of which somebody who is logged in
// sets another password after each of ours (ALTER ROLE CURRENT_USER needs no
// right). While the row is locked the role's sessions are ended, those that
// wait for the row among them, until there is none: then it is committed.
// followers says that what takes the server's log goes on.
func (c *Client) SetPasswordAlone(ctx context.Context, id, role string, value credential.Secret, followers bool) (Change, error) {
	s, which := c.servers[0], allSessions
	if followers {
		which = allButFollowers
	}
	return c.setPassword(ctx, id, role, value, func(ctx context.Context) error { return s.alone(ctx, id, role, which) })
}

// setPassword: ready, if there is one, is called between the statement and its
// commit.
func (c *Client) setPassword(ctx context.Context, id, role string, value credential.Secret, ready func(context.Context) error) (Change, error) {
	s := c.servers[0]
	if c.IsIdentity(role) {
		return Change{}, s.self()
	}
	v, err := newVerifier(value)
	if err != nil {
		return Change{}, fmt.Errorf("database %s: set a password: %w", c.name, err)
	}
	var at Change
	err = s.admin(ctx, role, false, func(conn *session) error {
		var mark string
		set := func(ctx context.Context) (err error) {
			mark, err = conn.setPassword(ctx, id, role, v, ready)
			return err
		}
		err := s.do(ctx, conn, "set a password", set)
		if errors.Is(err, errHeld) {
			err = s.setAgain(ctx, conn, id, role, set)
		}
		if err == nil {
			err = s.do(ctx, conn, "read the time of the change", func(ctx context.Context) error {
				at, err = conn.moment(ctx)
				at.Mark = mark
				return err
			})
		}
		return err
	})
	return at, s.refusedChange(err)
}

func (s *server) self() error {
	return &protocol.Stop{Reason: protocol.ReasonSelf, Server: s.name,
		Detail: "this is the role as which the worker logs in; name a pair, and each is rotated by the other"}
}

// Moment is now on the primary. For a change that another process made it is a
// later moment than that of the change, which ends sessions of the new value
// too.
func (c *Client) Moment(ctx context.Context) (Change, error) {
	var at Change
	err := c.servers[0].read(ctx, "read the primary's clock", func(ctx context.Context, conn *session) (err error) {
		at, err = conn.moment(ctx)
		return err
	})
	return at, c.servers[0].refusedChange(err)
}

// moment reads to where the log is flushed, not to where it is written: what is
// not flushed is not sent to standbys, on an idle server for seconds.
func (c *session) moment(ctx context.Context) (Change, error) {
	var at Change
	err := c.QueryRow(ctx, `SELECT clock_timestamp(), left(pg_walfile_name(l), 8), l::text FROM pg_current_wal_flush_lsn() AS l`).Scan(&at.At, &at.Timeline, &at.LSN)
	return at, err
}

// errAnother: the name is another role's by now, and the transaction was rolled
// back.
const errAnother = ourError("another role has the name")

// errStandby: a server in recovery takes no transaction that writes.
const errStandby = ourError("the server is a standby")

// setPassword: the statement takes a name, so that the id is looked at in the
// same transaction. mark is the one that the role has by it.
func (c *session) setPassword(ctx context.Context, id, role string, verifier credential.Secret, ready func(context.Context) error) (mark string, err error) {
	if !verifierForm.MatchString(verifier.Reveal()) || strings.ContainsRune(role, 0) {
		return "", ourError("not a verifier, or not a name")
	}
	tx, err := c.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadWrite})
	if codeOf(err) == "0A000" {
		return "", errStandby
	}
	if err != nil {
		return "", err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	b := &pgx.Batch{}
	if until, ok := ctx.Deadline(); ok {
		// The server does not notice that nobody waits any more.
		wait := max(time.Until(until)*3/4, 100*time.Millisecond)
		b.Queue("SELECT set_config('lock_timeout', $1::text, true)", strconv.FormatInt(wait.Milliseconds(), 10))
	}
	b.Queue("SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') IN ('off', 'local')")
	b.Queue(fmt.Sprintf("ALTER ROLE %s PASSWORD '%s'", pgx.Identifier{role}.Sanitize(), verifier.Reveal()))
	var is string
	b.Queue("SELECT oid::text, lpad(pg_current_xact_id()::text, 20, '0') FROM pg_catalog.pg_roles WHERE rolname = $1::text", role).QueryRow(func(row pgx.Row) error { return row.Scan(&is, &mark) })
	if err := tx.SendBatch(ctx, b).Close(); codeOf(err) == codeLocked || lostRace(err) {
		return "", errHeld // or somebody was quicker
	} else if err != nil {
		return "", err
	}
	if is != id {
		return "", errAnother
	}
	if ready != nil {
		if err := ready(ctx); err != nil {
			return "", err
		}
	}
	defer c.dropUnsent()()
	return mark, tx.Commit(ctx)
}

// dropUnsent has what was not yet sent dropped with the connection, if it is
// given up before the answer or this process is killed: the kernel would send a
// COMMIT again for a minute and more (tcp(7), tcp_orphan_retries), after a
// newer one.
func (c *session) dropUnsent() (restore func()) {
	wire, _ := c.PgConn().Conn().(*tls.Conn)
	if wire == nil {
		return func() {}
	}
	tcp, _ := wire.NetConn().(*net.TCPConn)
	if tcp == nil {
		return func() {}
	}
	_ = tcp.SetLinger(0)
	return func() {
		if !c.IsClosed() {
			_ = tcp.SetLinger(-1)
		}
	}
}

// refusedChange says what a refused change means. Nothing was changed then.
func (s *server) refusedChange(err error) error {
	stop := func(r protocol.Reason, detail string) error {
		return &protocol.Stop{Reason: r, Server: s.name, Detail: detail}
	}
	if errors.Is(err, errAnother) {
		return stop(protocol.ReasonInterrupted, "another role has the account's name: it was renamed while it was worked on; nothing was changed, and the next pass reads it by its id")
	}
	code := refusal(err)
	if errors.Is(err, errStandby) {
		code = codeReadOnly
	}
	class := code
	if len(code) > 2 {
		class = code[:2]
	}
	switch {
	case code == "":
		return err
	case code == codeInsufficientRight:
		return stop(protocol.ReasonRights, "the worker's role may not do this: CREATEROLE is enough for roles that are neither superuser nor REPLICATION, which only a superuser may change (from version 16 on it needs ADMIN OPTION on the role as well); nothing was changed")
	case code == codeReadOnly, code == "55000":
		return stop(protocol.ReasonRights, "this server is read-only: it is a standby now, or was always one; name the primary first in servers")
	case code == codeNoRole:
		return stop(protocol.ReasonGone, "no such role; nothing was changed")
	case class == "22", class == "23", class == "28", class == "0A", class == "P0", class == "F0", code == codeReservedName:
		return stop(protocol.ReasonPolicy, "the server refuses the password ("+meaning(code)+"), perhaps by an extension that checks passwords and takes none that is hashed already; nothing was changed")
	}
	return err
}
