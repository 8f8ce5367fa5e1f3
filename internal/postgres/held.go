package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rollcall/internal/protocol"
)

// errHeld: another session holds the role's row, and nothing was changed.
const errHeld = ourError("another session holds the role's row")

// holder is who kept a change waiting.
type holder struct {
	own      bool // a session of the role itself
	prepared bool // a prepared transaction, which has no session
	pid      int
}

// String names no role.
func (h holder) String() string {
	if h.prepared {
		return "a prepared transaction holds the role's row (pg_prepared_xacts: ROLLBACK PREPARED ends it)"
	}
	return fmt.Sprintf("the session of process %d holds the role's row (SELECT * FROM pg_stat_activity WHERE pid = %[1]d; pg_terminate_backend(%[1]d) ends it; a change that waits for a synchronous standby ends when that is back)", h.pid)
}

// setAgain sets a password on which another session has an open change, once
// more. Whoever has a password may hold it alive so: one statement in a
// transaction that is never ended. Sessions of the role itself that stand in
// the way are ended: they end a moment later anyway. Those of others are not
// ours to end.
func (s *server) setAgain(ctx context.Context, conn *session, id, role string, set func(context.Context) error) error {
	pid := conn.PgConn().PID()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watched := make(chan *holder, 1)
	watch, stop := context.WithCancel(ctx)
	go func() { watched <- s.clear(watch, role, id, pid) }()
	err := s.do(ctx, conn, "set a password", set)
	stop()
	h := <-watched
	if !errors.Is(err, errHeld) {
		return err
	}
	detail := "another session holds the role's row; nothing was set"
	if h != nil {
		detail = h.String() + "; nothing was set"
	}
	return &protocol.Stop{Reason: protocol.ReasonHeld, Server: s.name, Detail: detail}
}

// clear ends the role's sessions that stand in the way of a process until it is
// told to stop, and gives who else did last.
func (s *server) clear(ctx context.Context, role, id string, pid uint32) (other *holder) {
	_ = s.apart(ctx, role, func(conn *session) error {
		for {
			var found []holder
			err := s.do(ctx, conn, "look who holds a role's row", func(ctx context.Context) (err error) {
				found, err = conn.blocking(ctx, id, pid)
				return err
			})
			if err != nil {
				return err
			}
			for _, h := range found {
				if !h.own {
					other = &h
				}
			}
			select {
			case <-time.After(sessionPoll):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	return other
}

// alone ends the role's sessions until it sees none. Whoever comes in after
// that has been let in by the password that is about to be replaced, and has a
// moment as long as a commit to set another one.
func (s *server) alone(ctx context.Context, id, role, which string) error {
	err := s.apart(ctx, role, func(conn *session) error {
		for {
			var left int
			err := s.do(ctx, conn, "end sessions", func(ctx context.Context) error {
				return conn.QueryRow(ctx, `SELECT count(pg_terminate_backend(pid)) FROM pg_catalog.pg_stat_activity
					WHERE usesysid = $1::text::oid AND `+which, id).Scan(&left)
			})
			if err != nil || left == 0 {
				return err
			}
			select {
			case <-time.After(alonePoll):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	switch {
	case refusal(err) != codeInsufficientRight && err != nil:
		// Nothing is committed then, whatever it was.
		return &protocol.Stop{Reason: protocol.ReasonHeld, Server: s.name, Detail: "the account's sessions could not all be ended: who is thrown out comes back; nothing was set"}
	case err != nil:
		return &protocol.Stop{Reason: protocol.ReasonRights, Server: s.name, Detail: "somebody who is logged in as the account sets another password after each of ours, and the worker's role may not end the account's sessions: grant it pg_signal_backend (a superuser's need a superuser), or end them (SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE …)"}
	}
	return nil
}

// alonePoll is short: who is thrown out comes back as fast as he can.
const alonePoll = 2 * time.Millisecond

// apart runs f on a connection of its own: the pool's may all wait for the row.
func (s *server) apart(ctx context.Context, role string, f func(*session) error) error {
	if i := s.partnerOf(role); i != nil {
		return i.once(ctx, f)
	}
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.close(ctx)
	return f(conn)
}

// blocking are those that a process waits for, of which the role's own are
// ended.
func (c *session) blocking(ctx context.Context, id string, pid uint32) (out []holder, err error) {
	rows, err := c.Query(ctx, `SELECT b.pid, b.pid = 0, coalesce(a.usesysid = $1::text::oid, false),
			CASE WHEN a.usesysid = $1::text::oid THEN pg_terminate_backend(a.pid) END
		FROM unnest(pg_blocking_pids($2::int)) AS b(pid) LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid`, id, int(pid))
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var h holder
		var ended *bool
		if err := rows.Scan(&h.pid, &h.prepared, &h.own, &ended); err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	return out, rows.Err()
}
