package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/postgres/settings"
)

// looking is the cluster as a role looks at it.
func looking(t *testing.T, role, password string, servers ...*lab.Postgres) *System {
	t.Helper()
	c := settings.Cluster{CA: string(ca.PEM), Bind: []authority.Login{{Name: role}}, Connections: 4, Timeout: time.Minute}
	for _, s := range servers {
		c.Servers = append(c.Servers, s.URL())
	}
	s, err := OpenSystem("db", c, held(password))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func asSuperSystem(t *testing.T) *System {
	return looking(t, primary.Super, primary.SuperPassword, primary, replica)
}

func lookAt(t *testing.T, s *System, ids ...string) authority.Seen {
	t.Helper()
	var accounts []authority.Account
	for _, id := range ids {
		accounts = append(accounts, authority.Account{Subject: id})
	}
	seen, err := s.LookAt(t.Context(), accounts)
	require.NoError(t, err)
	return seen
}

// told is what was seen of one problem of a role; empty if it has it not.
func told(seen authority.Seen, id string, p credential.Problem) string {
	i := slices.IndexFunc(seen.Problems[id], func(x authority.Problem) bool { return x.Code == p })
	if i < 0 {
		return ""
	}
	return seen.Problems[id][i].Detail
}

func TestARoleByWhichServersReplicateIsSeenByWhatShowsIt(t *testing.T) {
	t.Parallel()
	follows := scan(t, "SELECT oid::text FROM pg_roles WHERE rolname = 'replicator'")
	idle, _, _ := newRole(t, "REPLICATION")
	plain, _, _ := newRole(t, "")
	require.NoError(t, replica.AwaitReplication(t.Context()))
	for name, s := range map[string]*System{
		"a superuser":                        asSuperSystem(t),
		"CREATEROLE, with pg_read_all_stats": looking(t, primary.Admin, primary.AdminPassword, primary, replica),
	} {
		t.Run(name, func(t *testing.T) {
			seen := lookAt(t, s, follows, idle, plain)
			by := told(seen, follows, credential.Replicates)
			require.Contains(t, by, "it has REPLICATION")
			require.Contains(t, by, "replica@127.0.0.1 (streaming) takes the log of "+primary.URL()+" by it")
			require.Contains(t, by, replica.URL()+" follows by it (primary_conninfo)")
			require.Contains(t, by, "accept it by name")
			require.Contains(t, told(seen, idle, credential.Replicates), "it has REPLICATION", "what follows by it may be down just now")
			require.Empty(t, seen.Problems[plain])
		})
	}
	checks := asSuperSystem(t).Check(t.Context())
	i := slices.IndexFunc(checks, func(k authority.Check) bool { return k.What == "followers" })
	require.Contains(t, checks[i].Detail, "its log is taken by replica@127.0.0.1 (streaming)")
}

func TestTheUserOfAConnectionStringIsFoundInBothForms(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]string{
		"host=db user=svc password=x port=5432":      {"svc", "x"},
		`user = 'sv\'c' password='a b\\c' host=db`:   {"sv'c", `a b\c`},
		"password=user=x user=svc":                   {"svc", "user=x"},
		"passfile=/x/user dbname=replication":        {"", ""},
		"postgresql://svc:p%40ss@db:5432/app":        {"svc", "p@ss"},
		"postgres://db/app?user=svc&password=x":      {"svc", "x"},
		"fallback_application_name=user user=replic": {"replic", ""},
	} {
		user, password := connectionString(text)
		require.Equal(t, want, [2]string{user, password}, text)
		if strings.HasPrefix(text, "post") && !strings.Contains(text, "@") || strings.HasPrefix(text, "password=user") {
			continue // the server's reading is for primary_conninfo as people write it
		}
		asked.Lock()
		var there string
		err := asked.conn.QueryRow(t.Context(), "SELECT "+strings.ReplaceAll(userIn, "%[1]s", "$1::text"), text).Scan(&there)
		asked.Unlock()
		require.NoError(t, err)
		require.Equal(t, want[0], strings.ReplaceAll(there, `\'`, "'"), text)
	}
}

func TestARoleThatIsLetInByAnythingButItsPasswordIsSeenOnEveryServer(t *testing.T) {
	t.Parallel()
	ids := map[string]string{}
	for _, way := range []string{"by_trust", "by_password", "by_md5", "by_reject", "by_cert", "by_ldap"} {
		ids[way], _, _ = newRole(t, "IN ROLE "+way)
	}
	indirect, name, _ := newRole(t, "")
	exec(t, "CREATE ROLE between IN ROLE by_ldap", `GRANT between TO "`+name+`"`)
	plain, _, _ := newRole(t, "")
	super, _, _ := newRole(t, "SUPERUSER")
	require.NoError(t, replica.AwaitReplication(t.Context()))

	// As docs/rights.md says, for a role with CREATEROLE.
	exec(t, "GRANT SELECT ON pg_catalog.pg_hba_file_rules TO "+primary.Partner, "GRANT EXECUTE ON FUNCTION pg_catalog.pg_hba_file_rules() TO "+primary.Partner)
	require.NoError(t, replica.AwaitReplication(t.Context()))
	for name, s := range map[string]*System{
		"a superuser": asSuperSystem(t),
		"CREATEROLE":  looking(t, primary.Partner, primary.PartnerPassword, primary, replica),
	} {
		t.Run(name, func(t *testing.T) {
			seen := lookAt(t, s, append([]string{indirect, plain, super}, ids["by_trust"], ids["by_password"], ids["by_md5"], ids["by_reject"], ids["by_cert"], ids["by_ldap"])...)
			require.Contains(t, told(seen, ids["by_trust"], credential.NotAsked), primary.URL()+": line 1 of pg_hba.conf (hostssl, database all, from 127.0.0.1) lets it in without a password (trust)")
			require.Contains(t, told(seen, ids["by_cert"], credential.NotAsked), "by something else than its password (cert)")
			require.NotEmpty(t, seen.Binds, "it looks people up in a directory")
			for _, b := range seen.Binds {
				require.Equal(t, "uid=esg,ou=people,dc=org", b.Name)
				require.Equal(t, []string{"ldap://127.0.0.1:1"}, b.URLs)
				require.NotContains(t, fmt.Sprint(b), "of-the-line", "the password stays in the server")
			}
			for _, id := range []string{ids["by_ldap"], indirect} {
				require.Contains(t, told(seen, id, credential.NotAsked), "checked elsewhere (ldap)")
			}
			for _, id := range []string{ids["by_password"], ids["by_md5"], ids["by_reject"], plain, super} {
				require.Empty(t, told(seen, id, credential.NotAsked), "a superuser is a member of no group by being one")
			}
			require.False(t, slices.ContainsFunc(seen.Hidden, func(h authority.Hidden) bool { return h.Code == credential.FindingRulesHidden }), "%v", seen.Hidden)
		})
	}

	hidden := lookAt(t, looking(t, primary.Admin, primary.AdminPassword, primary, replica), ids["by_trust"])
	require.Empty(t, hidden.Problems)
	lines := slices.DeleteFunc(hidden.Hidden, func(h authority.Hidden) bool { return h.Code != credential.FindingRulesHidden })
	require.Len(t, lines, 2, "one for each server: each has a file of its own")
	for _, h := range lines {
		require.True(t, h.Code.Incomplete())
		require.Contains(t, h.Detail, "GRANT EXECUTE ON FUNCTION pg_catalog.pg_hba_file_rules()")
	}
}

// Whoever has such a role sets the passwords of others again, so it goes first.
func TestAMemberOfWhatResetsOthersIsOneThatMay(t *testing.T) {
	t.Parallel()
	exec(t, "CREATE ROLE dba CREATEROLE", "CREATE ROLE dbas IN ROLE dba", "CREATE ROLE roots SUPERUSER", "CREATE ROLE readers IN ROLE pg_read_all_data")
	want := map[string]string{}
	var ids []string
	for group, why := range map[string]string{
		"dba": "dba, which has CREATEROLE", "dbas": "dba, which has CREATEROLE", "roots": "roots, a superuser",
		"pg_execute_server_program": "pg_execute_server_program", "pg_write_server_files": "pg_write_server_files",
		"readers": "", "pg_signal_backend": "",
	} {
		id, _, _ := newRole(t, "IN ROLE "+group)
		want[id], ids = why, append(ids, id)
	}
	alone, _, _ := newRole(t, "NOINHERIT IN ROLE dba")
	want[alone], ids = "SET ROLE", append(ids, alone)
	seen := lookAt(t, looking(t, primary.Admin, primary.AdminPassword, primary), ids...)
	for id, why := range want {
		if why == "" {
			require.Empty(t, seen.Resets[id])
			continue
		}
		require.Contains(t, seen.Resets[id], why)
	}
}

// What a cluster keeps itself nobody brings the new password to.
func TestAPasswordThatTheClusterKeepsItselfIsSeenByASuperuserAndElseSaidToBeHidden(t *testing.T) {
	ctx := t.Context()
	own, err := lab.StartPostgres(ctx, lab.PostgresOptions{Dir: t.TempDir(), CA: ca, Conf: []string{"wal_level = logical"}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = own.Stop(context.Background()) })
	look := func(role, password string) (authority.Seen, authority.Check) {
		s := looking(t, role, password, own)
		seen := lookAt(t, s, "16500", "16501", "16502")
		checks := s.Check(ctx)
		return seen, checks[slices.IndexFunc(checks, func(k authority.Check) bool { return k.What == "kept passwords" })]
	}
	_, none := look(own.Admin, own.AdminPassword)
	require.False(t, none.NotChecked, "that there is none shows to everybody: %s", none.Detail)

	var ids [3]string
	conn, err := own.AdminConn(ctx)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for i, name := range []string{"mapped", "subscribed", "namesake"} {
		require.NoError(t, own.Exec(ctx, "CREATE ROLE "+name+" LOGIN PASSWORD 'of-"+name+"'"))
		require.NoError(t, conn.QueryRow(ctx, "SELECT oid::text FROM pg_roles WHERE rolname = $1", name).Scan(&ids[i]))
	}
	require.NoError(t, own.Exec(ctx, "CREATE DATABASE app"))
	app, err := own.Connect(ctx, own.Super, own.SuperPassword, "app")
	require.NoError(t, err)
	defer func() { _ = app.Close(context.WithoutCancel(ctx)) }()
	for _, q := range []string{"CREATE EXTENSION postgres_fdw",
		`CREATE SERVER "far; DROP ROLE ""a""" FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '192.0.2.1')`,
		`CREATE USER MAPPING FOR CURRENT_USER SERVER "far; DROP ROLE ""a""" OPTIONS (user 'mapped', password 'of-mapped')`,
		`CREATE USER MAPPING FOR PUBLIC SERVER "far; DROP ROLE ""a""" OPTIONS (user 'namesake', password 'of a role of that name elsewhere')`,
		"CREATE SUBSCRIPTION sub CONNECTION 'host=192.0.2.1 user=subscribed password=of-subscribed' PUBLICATION p WITH (connect = false)"} {
		_, err := app.Exec(ctx, q)
		require.NoError(t, err, q)
	}
	s := looking(t, own.Super, own.SuperPassword, own)
	seen := lookAt(t, s, ids[:]...)
	require.Contains(t, told(seen, ids[0], credential.KeptElsewhere), "in the user mapping of postgres for the foreign server far; DROP ROLE \"a\" in database app")
	require.Contains(t, told(seen, ids[0], credential.KeptElsewhere), `ALTER USER MAPPING FOR "postgres" SERVER "far; DROP ROLE ""a""" OPTIONS (SET password '…')`)
	require.Contains(t, told(seen, ids[1], credential.KeptElsewhere), "in the subscription sub in database app")
	require.Empty(t, seen.Problems[ids[2]], "another cluster's role of that name")
	for _, ps := range seen.Problems {
		require.NotContains(t, ps[0].Detail, "of-")
	}

	unseen, hidden := look(own.Admin, own.AdminPassword)
	require.True(t, hidden.NotChecked)
	require.Len(t, slices.DeleteFunc(unseen.Hidden, func(h authority.Hidden) bool { return h.Code != credential.FindingKeptHidden }), 2, "a listing warns of each")
	require.True(t, credential.FindingKeptHidden.Incomplete(), "who goes through one is cut off weeks later")
	require.Contains(t, hidden.Detail, "not checked, because which passwords user mappings of database app hold (2) shows to superusers alone; with which password its subscription logs in")
	_, shown := look(own.Super, own.SuperPassword)
	require.False(t, shown.NotChecked)
	require.Contains(t, shown.Detail, "kept-elsewhere")
}
