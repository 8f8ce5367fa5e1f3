package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// PostgresPair is a primary and its replica.
type PostgresPair struct {
	CA               *CA
	Primary, Replica *Postgres
}

// StartPostgresPair starts both in folders below o.Dir. On an error none is
// left running.
func StartPostgresPair(ctx context.Context, o PostgresOptions) (p PostgresPair, err error) {
	if p.CA = o.CA; p.CA == nil {
		if p.CA, err = NewCA(); err != nil {
			return p, err
		}
	}
	dir := o.Dir
	o.CA, o.Dir = p.CA, filepath.Join(dir, "primary")
	if p.Primary, err = StartPostgres(ctx, o); err != nil {
		return p, err
	}
	p.Replica, err = StartPostgres(ctx, PostgresOptions{Dir: filepath.Join(dir, "replica"), CA: p.CA, Conf: o.Conf, ReplicaOf: p.Primary})
	if err != nil {
		return p, errors.Join(err, p.Primary.Stop(context.WithoutCancel(ctx)))
	}
	return p, nil
}

// Stop stops both.
func (p PostgresPair) Stop(ctx context.Context) error {
	return errors.Join(p.Replica.Stop(ctx), p.Primary.Stop(ctx))
}

// URLs name the servers as campaign files do, the primary first.
func (p PostgresPair) URLs() []string { return []string{p.Primary.URL(), p.Replica.URL()} }

// NewRole makes a role that may log in, with what else CREATE ROLE says of it,
// and returns its oid once the replica has it.
func (p PostgresPair) NewRole(ctx context.Context, name, options string) (id string, err error) {
	if err := p.Primary.Exec(ctx, `CREATE ROLE "`+name+`" LOGIN `+options); err != nil {
		return "", err
	}
	if id, err = p.Primary.RoleID(ctx, name); err != nil {
		return "", err
	}
	return id, p.Replica.AwaitReplication(ctx)
}

// RoleID is the oid of a role.
func (s *Postgres) RoleID(ctx context.Context, name string) (id string, err error) {
	conn, err := s.AdminConn(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := conn.QueryRow(ctx, "SELECT oid::text FROM pg_roles WHERE rolname = $1", name).Scan(&id); err != nil {
		return "", fmt.Errorf("lab: reading the oid of a role: %w", err)
	}
	return id, nil
}

// WithPostgresPair runs the tests of a package (testing.M.Run) on a pair of
// their own, and returns their exit code.
func WithPostgresPair(o PostgresOptions, run func(PostgresPair) int) int {
	code, err := withPostgresPair(o, run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func withPostgresPair(o PostgresOptions, run func(PostgresPair) int) (code int, err error) {
	if o.Dir, err = os.MkdirTemp("", "rollcall-postgres"); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.Dir)) }()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	pair, err := StartPostgresPair(ctx, o)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, pair.Stop(context.Background())) }()
	return run(pair), nil
}
