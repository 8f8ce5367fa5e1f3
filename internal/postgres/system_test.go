package postgres

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/postgres/settings"
)

func TestAStandbyThatNoFileNamesIsToldUntilAPersonAccountsForIt(t *testing.T) {
	t.Parallel()
	others := func(servers []*lab.Postgres, accepted ...string) authority.Others {
		c := settings.Cluster{CA: string(ca.PEM), Bind: []authority.Login{{Name: primary.Admin}}, Connections: 2, Timeout: time.Minute}
		for _, s := range servers {
			c.Servers = append(c.Servers, s.URL())
		}
		s, err := OpenSystem("db", c, held(primary.AdminPassword))
		require.NoError(t, err)
		defer s.Close()
		o, err := s.Others(t.Context(), accepted...)
		require.NoError(t, err)
		return o
	}
	require.Equal(t, authority.Others{}, others([]*lab.Postgres{primary, replica}))
	alone := others([]*lab.Postgres{primary})
	require.Equal(t, []string{"replica@127.0.0.1"}, alone.Names)
	require.Contains(t, alone.Detail, "that servers does not name: replica@127.0.0.1")
	accepted := others([]*lab.Postgres{primary}, "replica@127.0.0.1", "another")
	require.Empty(t, accepted.Names)
	require.Equal(t, []string{"replica@127.0.0.1"}, accepted.Accepted)
}

// system is the cluster of all tests, with that login.
func system(t *testing.T, role, password string) *System {
	t.Helper()
	s, err := OpenSystem("db", settings.Cluster{Servers: []string{primary.URL(), replica.URL()}, Database: "postgres", CA: primary.CA,
		Bind: []authority.Login{{Name: role}}, Connections: 4, Timeout: time.Minute}, held(password))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// What accounts of a directory are called is asked at once and whatever its
// case; a name that the encoding cannot hold keeps no other one from being
// found.
func TestRolesAreFoundByTheNamesOfOtherAuthorities(t *testing.T) {
	t.Parallel()
	s := system(t, primary.Admin, primary.AdminPassword)
	require.NoError(t, primary.Exec(t.Context(), `CREATE ROLE "Like-App" LOGIN PASSWORD 'x'`, `CREATE ROLE "like-app" LOGIN PASSWORD 'y'`))
	found, err := s.Called(t.Context(), []string{"like-app", "nobody", "a\x00b", `o'neil "%_`})
	require.NoError(t, err)
	var names []string
	for _, a := range found {
		names = append(names, a.Name)
	}
	require.ElementsMatch(t, []string{"Like-App", "like-app"}, names)
	by, err := s.Find(t.Context(), []string{"like-app", "Like-App", "LIKE-APP", "a\x00b"})
	require.NoError(t, err)
	require.Len(t, by, 2, "its sources name a role by its very name")
}

func problems(a authority.Account) (codes []credential.Problem) {
	for _, p := range a.Problems {
		codes = append(codes, p.Code)
	}
	return codes
}

// A role that is stored by md5 is told whether or not the worker's role may see
// how roles are stored, and no login is tried for it.
func TestARoleStoredByMD5IsToldWhenItIsListed(t *testing.T) {
	t.Parallel()
	_, old := newRoleWith(t, "IN ROLE by_md5")
	exec(t, `SET LOCAL password_encryption = 'md5'; ALTER ROLE "`+old+`" PASSWORD 'of-before'`)
	_, scram, _ := newRole(t, "IN ROLE by_md5")
	_, none := newRoleWith(t, "IN ROLE by_md5")
	_, barred, _ := newRole(t, "IN ROLE by_reject")
	for name, s := range map[string]*System{
		"a superuser":      system(t, primary.Super, primary.SuperPassword),
		"CREATEROLE alone": system(t, primary.Admin, primary.AdminPassword),
	} {
		found, err := s.Find(t.Context(), []string{old, scram, none, barred, "svc-of-nobody"})
		require.NoError(t, err, name)
		require.Len(t, found, 4, name)
		require.Equal(t, []credential.Problem{credential.MD5Stored}, problems(found[old][0]), name)
		require.Empty(t, problems(found[scram][0]), name)
		require.Empty(t, problems(found[barred][0]), name)
		if name == "a superuser" {
			require.Equal(t, []credential.Problem{credential.NoPassword}, problems(found[none][0]))
		}
	}
	log, err := os.ReadFile(primary.LogFile())
	require.NoError(t, err)
	require.NotContains(t, string(log), `password authentication failed for user "`+old)

	weak := system(t, primary.Admin, primary.AdminPassword)
	for role, want := range map[string]Method{old: MD5, scram: SCRAM, barred: OtherMethod} {
		got, err := weak.Asks(t.Context(), weak.Servers()[0], role)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, trusted, _ := newRole(t, "IN ROLE by_trust")
	got, err := weak.Asks(t.Context(), weak.Servers()[0], trusted)
	require.NoError(t, err)
	require.Equal(t, NoPassword, got)
}

// Old databases are LATIN1.
func TestANameThatTheDatabaseCannotHoldEndsNoLookUp(t *testing.T) {
	require.NoError(t, primary.Exec(t.Context(), "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"))
	_, name, _ := newRole(t, "")
	c := conf(primary)
	s, err := OpenSystem("db", settings.Cluster{Servers: c.Servers, CA: c.CA, Database: "latin",
		Bind: []authority.Login{{Name: primary.Admin}}}, held(primary.AdminPassword))
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	found, err := s.Find(t.Context(), []string{name})
	require.NoError(t, err)
	require.Len(t, found[name], 1)
	found, err = s.Find(t.Context(), []string{name, "日本", "a\x00b", "\xff\xfe", "99999999999", "4294967295"})
	require.NoError(t, err, "whoever writes the metadata of a secret chooses what is asked")
	require.Len(t, found[name], 1)
}
