package lab

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// PauseReplication has this replica receive changes and not apply them
// (pg_wal_replay_pause), until ResumeReplication. It returns once that is so.
func (s *Postgres) PauseReplication(ctx context.Context) error {
	return s.poll(ctx, "SELECT pg_wal_replay_pause(); SELECT pg_get_wal_replay_pause_state() = 'paused'")
}

// ResumeReplication lets the replica go on, and returns once it has caught up.
func (s *Postgres) ResumeReplication(ctx context.Context) error {
	if err := s.Exec(ctx, "SELECT pg_wal_replay_resume()"); err != nil {
		return err
	}
	return s.AwaitReplication(ctx)
}

// AwaitReplication returns once the replica has applied all that its primary
// had written when it was called, or an error when ctx ends.
func (s *Postgres) AwaitReplication(ctx context.Context) error {
	conn, err := s.opts.ReplicaOf.AdminConn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var written string // to where it is flushed: what is inserted is not sent before, for seconds on an idle server
	if err := conn.QueryRow(ctx, "SELECT pg_current_wal_flush_lsn()::text").Scan(&written); err != nil {
		return fmt.Errorf("lab: read how far the primary is: %w", err)
	}
	return s.poll(ctx, "SELECT coalesce(pg_last_wal_replay_lsn() >= '"+written+"'::pg_lsn, false)")
}

// Promote makes the replica a primary of its own.
func (s *Postgres) Promote(ctx context.Context) error {
	return s.poll(ctx, "SELECT CASE WHEN pg_is_in_recovery() THEN pg_promote() ELSE true END; SELECT NOT pg_is_in_recovery()")
}

// poll repeats queries until the last one answers true.
func (s *Postgres) poll(ctx context.Context, queries string) error {
	conn, err := s.AdminConn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		results, err := conn.PgConn().Exec(ctx, queries).ReadAll()
		if err == nil && len(results) > 0 {
			last := results[len(results)-1]
			if len(last.Rows) == 1 && string(last.Rows[0][0]) == "t" {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("lab: %s did not become true: %w", queries, errors.Join(ctx.Err(), err))
		case <-tick.C:
		}
	}
}
