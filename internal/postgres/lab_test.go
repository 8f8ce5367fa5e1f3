package postgres

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// One primary and its replica for all tests, each of which has roles of its
// own.
var (
	ca      *lab.CA
	primary *lab.Postgres
	replica *lab.Postgres
)

// ways are groups whose members pg_hba.conf lets in otherwise than by SCRAM.
var ways = []string{
	"hostssl all +by_trust 127.0.0.1/32 trust",
	"hostssl all +by_password 127.0.0.1/32 password",
	"hostssl all +by_md5 127.0.0.1/32 md5",
	"hostssl all +by_reject 127.0.0.1/32 reject",
	"hostssl all +by_cert 127.0.0.1/32 cert",
	"hostssl all +by_ldap 127.0.0.1/32 ldap ldapserver=127.0.0.1 ldapport=1 ldapbasedn=\"ou=people,dc=org\" ldapbinddn=\"uid=esg,ou=people,dc=org\" ldapbindpasswd=of-the-line",
}

func TestMain(m *testing.M) {
	os.Exit(lab.WithPostgresPair(lab.PostgresOptions{HBA: ways}, func(p lab.PostgresPair) int {
		ca, primary, replica = p.CA, p.Primary, p.Replica
		if err := prepareAll(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}))
}

func prepareAll(ctx context.Context) (err error) {
	statements := []string{"CREATE DATABASE closed ALLOW_CONNECTIONS false", "CREATE DATABASE shut", "REVOKE CONNECT ON DATABASE shut FROM PUBLIC"}
	for _, way := range ways {
		group := strings.TrimPrefix(strings.Fields(way)[2], "+")
		statements = append(statements, "CREATE ROLE "+group)
	}
	if err := primary.Exec(ctx, statements...); err != nil {
		return err
	}
	if err := replica.AwaitReplication(ctx); err != nil {
		return err
	}
	asked.conn, err = primary.AdminConn(ctx)
	return err
}

func conf(servers ...*lab.Postgres) Config {
	c := Config{CA: string(ca.PEM), Admin: Identity{Role: primary.Admin, Password: credential.Path{Mount: "kv", Path: "rollcall/db", Field: "password"}}}
	for _, s := range servers {
		c.Servers = append(c.Servers, s.URL())
	}
	return c
}

func held(value string) func(context.Context) (credential.Secret, error) {
	return func(context.Context) (credential.Secret, error) { return credential.NewSecret(value), nil }
}

func open(t *testing.T, c Config, passwords ...string) *Client {
	t.Helper()
	var reads []func(context.Context) (credential.Secret, error)
	for _, p := range passwords {
		reads = append(reads, held(p))
	}
	client, err := Open("db", c, reads...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

// asAdmin is the worker as it should be: CREATEROLE, pg_signal_backend,
// pg_read_all_stats.
func asAdmin(t *testing.T) *Client {
	return open(t, conf(primary, replica), primary.AdminPassword)
}

func asSuper(t *testing.T) *Client {
	c := conf(primary, replica)
	c.Admin.Role = primary.Super
	return open(t, c, primary.SuperPassword)
}

var roles atomic.Int64

// newRole makes a role that may log in, with a random password.
func newRole(t *testing.T, more string) (id, name string, value credential.Secret) {
	t.Helper()
	value = credential.NewSecret(rand.Text())
	id, name = newRoleWith(t, "PASSWORD '"+value.Reveal()+"' "+more)
	return id, name, value
}

func newRoleWith(t *testing.T, options string) (id, name string) {
	t.Helper()
	name = fmt.Sprintf("svc-%03d", roles.Add(1))
	if !strings.Contains(options, "NOLOGIN") {
		options = "LOGIN " + options
	}
	exec(t, `CREATE ROLE "`+name+`" `+options)
	return scan(t, "SELECT oid::text FROM pg_roles WHERE rolname = '"+name+"'"), name
}

// asked is one session of the lab's superuser for all tests.
var asked struct {
	sync.Mutex
	conn *pgx.Conn
}

func exec(t *testing.T, statements ...string) {
	t.Helper()
	asked.Lock()
	defer asked.Unlock()
	for _, q := range statements {
		_, err := asked.conn.Exec(t.Context(), q, pgx.QueryExecModeSimpleProtocol)
		require.NoError(t, err, q)
	}
}

func scan(t *testing.T, query string) (out string) {
	t.Helper()
	asked.Lock()
	defer asked.Unlock()
	require.NoError(t, asked.conn.QueryRow(t.Context(), query, pgx.QueryExecModeExec).Scan(&out))
	return out
}

func requireStop(t *testing.T, err error, reason protocol.Reason) {
	t.Helper()
	var stop *protocol.Stop
	require.ErrorAs(t, err, &stop)
	require.Equal(t, reason, stop.Reason, stop.Detail)
}

func await(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, 5*time.Minute, 10*time.Millisecond)
}
