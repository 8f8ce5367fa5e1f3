package postgres

import (
	"context"
	"fmt"
	"time"

	"rollcall/internal/protocol"
)

// Arrived reports whether a server has a change that was made on the primary,
// and if so a moment by the server's own clock at which it had it. A replica
// has it when it has applied the log as far as the change, on the same
// timeline: after a failover positions of another timeline tell nothing, and no
// change is taken for one that arrived (compare Role.Mark, or Role.Holds).
//
// The first server has its own changes. One of the others that is no standby is
// a *protocol.Stop (ReasonContradicts), and so is the first one as a standby:
// changes of one do not reach the other.
func (c *Client) Arrived(ctx context.Context, server string, ch Change) (time.Time, bool, error) {
	s, err := c.server(server)
	if err != nil {
		return time.Time{}, false, err
	}
	if ch.LSN == "" || ch.Timeline == "" {
		return time.Time{}, false, fmt.Errorf("database %s: has a change arrived: no change", c.name)
	}
	var at time.Time
	var standby, has bool
	var timeline string
	err = s.read(ctx, "look whether a change has arrived", func(ctx context.Context, conn *session) error {
		return conn.QueryRow(ctx, `SELECT clock_timestamp(), pg_is_in_recovery(), `+timelineNow+`,
			coalesce(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END >= $1::text::pg_lsn, false)`, ch.LSN).
			Scan(&at, &standby, &timeline, &has)
	})
	switch first := s == c.servers[0]; {
	case err != nil:
		return time.Time{}, false, err
	case first && standby:
		return time.Time{}, false, &protocol.Stop{Reason: protocol.ReasonContradicts, Server: server, Detail: "the server that is named first is a standby now: another one is the primary; name that first, and start a new campaign"}
	case !first && !standby:
		return time.Time{}, false, &protocol.Stop{Reason: protocol.ReasonContradicts, Server: server, Detail: "this server is no standby: it was promoted, or takes changes by itself, so that a password that is set on the primary does not reach it"}
	case timeline != ch.Timeline:
		return time.Time{}, false, nil
	case first:
		return ch.At, has, nil
	}
	return at, has, nil
}

// timelineNow: the log's on a primary; on a standby the one that it receives,
// or (where it receives none just now) the one of its last restart point.
const timelineNow = `CASE WHEN pg_is_in_recovery()
	THEN lpad(upper(to_hex(coalesce((SELECT received_tli FROM pg_catalog.pg_stat_wal_receiver), (SELECT timeline_id FROM pg_control_checkpoint())))), 8, '0')
	ELSE left(pg_walfile_name(pg_current_wal_flush_lsn()), 8) END`
