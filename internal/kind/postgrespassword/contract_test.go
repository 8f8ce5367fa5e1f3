package postgrespassword

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/kind/kindtest"
	"rollcall/internal/lab"
	"rollcall/internal/postgres"
	"rollcall/internal/postgres/settings"
	"rollcall/internal/protocol"
)

// One primary and its replica for all tests, each of which has roles of its
// own.
var (
	ca               *lab.CA
	primary, replica *lab.Postgres
	roles            atomic.Int64
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "rollcall-postgres")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if ca, err = lab.NewCA(); err == nil {
		primary, err = lab.StartPostgres(ctx, lab.PostgresOptions{Dir: filepath.Join(dir, "primary"), CA: ca})
	}
	if err == nil {
		replica, err = lab.StartPostgres(ctx, lab.PostgresOptions{Dir: filepath.Join(dir, "replica"), CA: ca, ReplicaOf: primary})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		_ = replica.Stop(context.Background())
		_ = primary.Stop(context.Background())
	}()
	return m.Run()
}

// cluster is the lab's as a campaign file describes it, with that login.
func cluster(role string) settings.Cluster {
	return settings.Cluster{
		Servers: []string{primary.URL(), replica.URL()}, Database: "postgres", CA: string(ca.PEM),
		Bind:        []authority.Login{{Name: role, Secret: credential.Path{Mount: "kv", Path: "rollcall/db", Field: "password"}}},
		Connections: 8, Timeout: 10 * time.Second,
	}
}

// authorityAs works as a role of the lab.
func authorityAs(t *testing.T, role, password string) *Authority {
	t.Helper()
	db, err := postgres.OpenSystem("appdb", cluster(role), func(context.Context) (credential.Secret, error) { return credential.NewSecret(password), nil })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return New(db, authority.PasswordPolicy{}, nil)
}

// newRole makes a role that may log in, and waits until the replica has it.
func newRole(t *testing.T) (credential.Credential, credential.Secret) {
	t.Helper()
	name, value := fmt.Sprintf("svc-%03d", roles.Add(1)), credential.NewSecret(rand.Text())
	exec(t, `CREATE ROLE "`+name+`" LOGIN PASSWORD '`+value.Reveal()+`'`)
	conn, err := primary.AdminConn(t.Context())
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	var id string
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT oid::text FROM pg_roles WHERE rolname = $1", name).Scan(&id))
	require.NoError(t, replica.AwaitReplication(t.Context()))
	return credential.Credential{ID: "appdb/" + id, Kind: credential.PostgresPassword, Authority: "appdb", Subject: id, Name: name}, value
}

func exec(t *testing.T, statements ...string) {
	t.Helper()
	require.NoError(t, primary.Exec(t.Context(), statements...))
}

func TestContract(t *testing.T) {
	for name, as := range map[string]func(t *testing.T) *Authority{
		"a superuser, who sees when roles changed": func(t *testing.T) *Authority { return authorityAs(t, primary.Super, primary.SuperPassword) },
		"CREATEROLE alone, who does not":           func(t *testing.T) *Authority { return authorityAs(t, primary.Admin, primary.AdminPassword) },
	} {
		t.Run(name, func(t *testing.T) {
			kindtest.Run(t, kindtest.Fixture{
				Authority: as(t),
				New:       newRole,
				Delete: func(t *testing.T, c credential.Credential) {
					exec(t, `DROP ROLE "`+c.Name+`"`)
					require.NoError(t, replica.AwaitReplication(t.Context()))
				},
				States: map[protocol.Answer]func(*testing.T, credential.Credential){
					protocol.Disabled: func(t *testing.T, c credential.Credential) {
						exec(t, `ALTER ROLE "`+c.Name+`" NOLOGIN`)
						require.NoError(t, replica.AwaitReplication(t.Context()))
					},
					protocol.Expired: func(t *testing.T, c credential.Credential) {
						exec(t, `ALTER ROLE "`+c.Name+`" VALID UNTIL '2020-01-01'`)
						require.NoError(t, replica.AwaitReplication(t.Context()))
					},
				},
				Interrupt: func(t *testing.T) func(*testing.T) {
					require.NoError(t, primary.Stop(t.Context()))
					return func(t *testing.T) { require.NoError(t, primary.Restart(context.WithoutCancel(t.Context()))) }
				},
			})
		})
	}
}
