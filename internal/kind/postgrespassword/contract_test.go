package postgrespassword

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
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
	servers          lab.PostgresPair
	primary, replica *lab.Postgres
	roles            atomic.Int64
)

func TestMain(m *testing.M) {
	os.Exit(lab.WithPostgresPair(lab.PostgresOptions{HBA: []string{"hostssl all +by_md5 127.0.0.1/32 md5", "hostssl replication all 127.0.0.1/32 scram-sha-256"}}, func(p lab.PostgresPair) int {
		servers, primary, replica = p, p.Primary, p.Replica
		if err := primary.Exec(context.Background(), "CREATE ROLE by_md5"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}))
}

// cluster is the lab's as a campaign file describes it, with that login.
func cluster(role string) settings.Cluster {
	return settings.Cluster{
		Servers: servers.URLs(), Database: "postgres", CA: primary.CA,
		Bind:        []authority.Login{{Name: role, Secret: credential.Path{Mount: "kv", Path: "rollcall/db", Field: "password"}}},
		Connections: 8, Timeout: time.Minute,
	}
}

// authorityAs works as a role of the lab.
func authorityAs(t *testing.T, role, password string) *Authority {
	t.Helper()
	db, err := postgres.OpenSystem("appdb", cluster(role), func(context.Context) (credential.Secret, error) { return credential.NewSecret(password), nil })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	a := New(db, authority.PasswordPolicy{}, nil)
	a.arrives = 5 * time.Minute // the machine is busy with other tests' servers
	return a
}

// newRole makes a role that may log in, and waits until the replica has it.
func newRole(t *testing.T) (credential.Credential, credential.Secret) {
	t.Helper()
	name, value := fmt.Sprintf("svc-%03d", roles.Add(1)), credential.NewSecret(rand.Text())
	id, err := servers.NewRole(t.Context(), name, `PASSWORD '`+value.Reveal()+`'`)
	require.NoError(t, err)
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
				States: map[protocol.Reply]func(*testing.T, credential.Credential){
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
