package postgres

import (
	"context"
	"fmt"
	"time"

	"rollcall/internal/address"
	"rollcall/internal/plural"
	"rollcall/internal/protocol"
)

// sessionPoll is how often a server is asked whether sessions are gone.
const sessionPoll = 20 * time.Millisecond

// EndSessions ends the sessions of a role, by its id, that began at one server
// before a moment by that server's clock, and returns once they are gone: how
// many there were. On the primary the moment is Change.At, on a replica what
// Arrived gives.
//
// A login is no session until it is through, and it goes by the password that
// was in force when it began: whoever opens a connection and answers the
// server's challenge later, for up to authentication_timeout (a minute), is let
// in by the old one after it was changed. Such logins are in no view of
// sessions, but hold a transaction, so that pg_locks shows them. It waits until
// those that were there are sessions, which it ends, or gone.
//
// Rights: pg_signal_backend (a superuser for superusers' sessions), and
// pg_read_all_stats to see when sessions began. Without them it is a
// *protocol.Stop (ReasonRights). Prepared transactions and what the session has
// left in the database stay.
func (c *Client) EndSessions(ctx context.Context, server, id, role string, before time.Time) (int, error) {
	return c.endSessions(ctx, server, id, role, before, allSessions)
}

// EndAllButFollowers is EndSessions without those that take the server's log:
// what follows by the role would be refused, and with it every later change of
// the cluster. They are given, for a person to look at: a thief may be among
// them.
func (c *Client) EndAllButFollowers(ctx context.Context, server, id, role string, before time.Time) (left []Standby, err error) {
	if _, err = c.endSessions(ctx, server, id, role, before, allButFollowers); err != nil {
		return nil, err
	}
	a, err := c.around(ctx, server)
	for _, f := range a.followers {
		if f.role == id {
			left = append(left, f.Standby)
		}
	}
	return left, err
}

// What is ended. A base backup is no follower: it is begun anew.
const (
	allSessions     = `backend_type IN ('client backend', 'walsender')`
	allButFollowers = `(backend_type = 'client backend' OR backend_type = 'walsender' AND pid NOT IN
		(SELECT r.pid FROM pg_catalog.pg_stat_replication r WHERE r.state IN ('streaming', 'catchup')))`
)

func (c *Client) endSessions(ctx context.Context, server, id, role string, before time.Time, which string) (int, error) {
	s, err := c.server(server)
	if err != nil {
		return 0, err
	}
	if !isID(id) || before.IsZero() {
		return 0, fmt.Errorf("database %s: end sessions: no role, or no moment", c.name)
	}
	if c.IsIdentity(role) {
		return 0, s.self()
	}
	for _, i := range s.identities {
		if i.who.Role == role {
			i.pool.drop() // our own of it
		}
	}
	ended := map[int]bool{}
	err = s.admin(ctx, role, true, func(conn *session) error {
		var waiting []int
		for first := true; ; first = false {
			left, logins, err := s.endOnce(ctx, conn, id, before, which, ended)
			if err != nil {
				return err
			}
			if first {
				waiting = logins
			}
			waiting = both(waiting, logins)
			if left == 0 && len(waiting) == 0 {
				return nil
			}
			pause := time.NewTimer(sessionPoll)
			select {
			case <-pause.C:
			case <-ctx.Done():
				pause.Stop()
				return &address.Unreachable{Server: s.name, What: fmt.Sprintf("wait until what was there before the change is gone: %s, %s", plural.Count(left, "session", "sessions"), plural.Count(len(waiting), "login", "logins")), Err: ctx.Err()}
			}
		}
	})
	if refusal(err) == codeInsufficientRight {
		err = &protocol.Stop{Reason: protocol.ReasonRights, Server: server,
			Detail: "the worker's role may not end the account's sessions, which the old password opened: grant it pg_signal_backend (a superuser's need a superuser)"}
	}
	return len(ended), err
}

// endOnce signals every session that is left, and gives the logins that are not
// through. Logins are read first: what becomes a session between the two is
// seen as one.
func (s *server) endOnce(ctx context.Context, conn *session, id string, before time.Time, which string, ended map[int]bool) (left int, logins []int, err error) {
	err = s.do(ctx, conn, "end sessions", func(ctx context.Context) error {
		logins = nil
		err := conn.QueryRow(ctx, `SELECT coalesce(array_agg(pid), '{}') FROM pg_catalog.pg_locks
			WHERE locktype = 'virtualxid' AND granted AND pid NOT IN (SELECT pid FROM pg_catalog.pg_stat_activity)`).Scan(&logins)
		if err != nil {
			return err
		}
		var hidden int
		err = conn.QueryRow(ctx, `SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE usesysid = $1::text::oid AND backend_start IS NULL`, id).Scan(&hidden)
		if err != nil {
			return err
		}
		if hidden > 0 {
			return &protocol.Stop{Reason: protocol.ReasonRights, Server: s.name,
				Detail: "the worker's role does not see when the account's sessions began: grant it pg_read_all_stats"}
		}
		rows, err := conn.Query(ctx, `SELECT pid, pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
			WHERE usesysid = $1::text::oid AND backend_start < $2 AND `+which, id, before)
		if err != nil {
			return err
		}
		for rows.Next() {
			var pid int
			var signalled bool
			if err := rows.Scan(&pid, &signalled); err != nil {
				return err
			}
			left++
			ended[pid] = true
		}
		return rows.Err()
	})
	return left, logins, err
}

// both are the elements of a that are in b.
func both(a, b []int) []int {
	in := map[int]bool{}
	for _, x := range b {
		in[x] = true
	}
	var out []int
	for _, x := range a {
		if in[x] {
			out = append(out, x)
		}
	}
	return out
}
