package database

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/doortest"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

type office struct {
	doortest.Office
	server *lab.Postgres
}

func newOffice(t *testing.T) *office {
	t.Helper()
	s := &office{Office: doortest.NewOffice(t, lab.SlapdOptions{Accounts: lab.SeedAccounts("ldap", 1)})}
	_, port, _ := strings.Cut(strings.TrimPrefix(s.Directory.LDAP(), "ldap://"), ":")
	s.server = doortest.Start(t, lab.StartPostgres, lab.PostgresOptions{Dir: t.TempDir(), CA: s.CA, Accounts: lab.SeedAccounts("svc", 12), HBA: []string{
		"host all svc0006 127.0.0.1/32 trust",
		"host all svc0007 127.0.0.1/32 reject",
		"hostssl all svc0008 127.0.0.1/32 cert",
		"host all svc0009 127.0.0.1/32 password",
		"host all svc0010 127.0.0.1/32 md5",
		"host all svc0011 127.0.0.1/32 scram-sha-256",
		fmt.Sprintf(`host all ldap0001 127.0.0.1/32 ldap ldapserver=127.0.0.1 ldapport=%s ldapprefix="uid=" ldapsuffix=",%s"`, port, s.Directory.PeopleDN()),
	}})
	require.NoError(t, s.server.Exec(t.Context(), "ALTER ROLE svc0002 NOLOGIN", "ALTER ROLE svc0003 CONNECTION LIMIT 0", "ALTER ROLE svc0004 VALID UNTIL '2020-01-01'", "ALTER ROLE svc0005 PASSWORD NULL",
		"CREATE ROLE ldap0001 LOGIN", "CREATE DATABASE shut", "REVOKE CONNECT ON DATABASE shut FROM PUBLIC"))
	return s
}

func (s *office) settings(database string) door.Settings {
	return door.Settings{Type: "postgres", Address: fmt.Sprintf("127.0.0.1:%d", s.server.Port()), TLS: door.Types["postgres"].TLS[0], CA: string(s.CA.PEM), Database: database, Timeout: 30 * time.Second}
}

func (s *office) right(uid string) credential.Secret {
	return credential.NewSecret(s.server.SeededPassword(uid))
}

var wrong = doortest.Wrong

func TestWhatAPostgreSQLServersAnswersMean(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	ldap := credential.NewSecret(s.Directory.SeededPassword("ldap0001"))
	for _, row := range []struct {
		role, database string
		value          credential.Secret
		right, wrong   protocol.Reply
		why            string
	}{
		{"svc0001", "", s.right("svc0001"), protocol.Accepted, protocol.Refused, "scram"},
		{"svc0002", "", s.right("svc0002"), protocol.Restricted, protocol.Refused, "NOLOGIN: 28000 after the password"},
		{"svc0003", "", s.right("svc0003"), protocol.Accepted, protocol.Refused, "no connection left for the role: 53300 after the password"},
		{"svc0004", "", s.right("svc0004"), protocol.Refused, protocol.Refused, "expired is the same as wrong"},
		{"svc0005", "", s.right("svc0005"), protocol.Refused, protocol.Refused, "no password is the same as wrong"},
		{"nobody", "", wrong, protocol.Refused, protocol.Refused, "an unknown role is the same as wrong"},
		{"svc0001", "none", s.right("svc0001"), protocol.Accepted, protocol.Refused, "no such database: 3D000 after the password"},
		{"svc0001", "shut", s.right("svc0001"), protocol.Accepted, protocol.Refused, "no CONNECT: 42501 after the password"},
		{"svc0006", "", s.right("svc0006"), protocol.Guest, protocol.Guest, "trust"},
		{"svc0007", "", s.right("svc0007"), protocol.NotThisWay, protocol.NotThisWay, "reject: 28000 before the password"},
		{"svc0008", "", s.right("svc0008"), protocol.NotThisWay, protocol.NotThisWay, "cert"},
		{"svc0009", "", s.right("svc0009"), protocol.Accepted, protocol.Refused, "clear text"},
		{"svc0010", "", s.right("svc0010"), protocol.Accepted, protocol.Refused, "md5, stored by SCRAM"},
		{"ldap0001", "", ldap, protocol.Accepted, protocol.Refused, "ldap"},
	} {
		d := OpenPostgres(s.settings(row.database))
		require.Equal(t, row.right, doortest.Ask(t, d, row.role, row.value), row.why)
		require.Equal(t, row.wrong, doortest.Ask(t, d, row.role, wrong), row.why)
	}
	at := s.settings("")
	at.TLS = door.ClearText
	require.Equal(t, protocol.NotThisWay, doortest.Ask(t, OpenPostgres(at), "svc0001", s.right("svc0001")), "no line for a login without TLS")
	require.Equal(t, protocol.Accepted, doortest.Ask(t, OpenPostgres(at), "svc0011", s.right("svc0011")))
	_, err := OpenPostgres(s.settings("")).Software(t.Context())
	require.NoError(t, err)
	for _, value := range []credential.Secret{{}, credential.NewSecret("zero\x00byte")} {
		require.Equal(t, protocol.NotCarried, doortest.Ask(t, OpenPostgres(at), "svc0001", value))
	}

	hangs := s.settings("")
	hangs.Timeout = time.Second
	s.Directory.Process().Pause()
	for _, value := range []credential.Secret{ldap, wrong} {
		require.Equal(t, protocol.Unreachable, doortest.Ask(t, OpenPostgres(hangs), "ldap0001", value), "its directory hangs")
	}
	s.Directory.Process().Resume()
	require.NoError(t, s.Directory.Stop(t.Context()))
	require.Equal(t, protocol.Refused, doortest.Ask(t, OpenPostgres(s.settings("")), "ldap0001", ldap), "a directory that is down is the same as wrong, so the new value is refused too")
	s.server.Process().Pause()
	at = s.settings("")
	at.Timeout = 300 * time.Millisecond
	require.Equal(t, protocol.Unreachable, doortest.Ask(t, OpenPostgres(at), "svc0001", s.right("svc0001")))
	s.server.Process().Resume()
}

func TestNothingFoulIsAVerdict(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	subject := doortest.Subject{At: s.settings(""), Login: "svc0011", Value: s.right("svc0011"),
		Open: func(d door.Settings) door.Door { return OpenPostgres(d) }}
	subject.Certificates(t)
	subject.NotTLS(t)
	subject.Foul(t, "S", "N", "E\x7f\xff\xff\xff")
	subject.At.TLS = door.ClearText
	subject.Foul(t, "R\x00\x00\x00\x08\x00\x00\x00\x03", "E\x7f\xff\xff\xff", "R\x7f\xff\xff\xff\x00\x00\x00\x0a", "R\x00\x00\x00\x08\x00\x00\x00\x05")
	subject.Login, subject.Value = "svc0009", s.right("svc0009")
	subject.Cut(t, subject.At, subject.Value, protocol.Accepted)
	subject.Cut(t, subject.At, wrong, protocol.Refused)
}

func TestAPostgreSQLServerThatBeginsNoTLSIsNotTheDoorOfTheFile(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	require.NoError(t, s.server.Exec(t.Context(), "ALTER SYSTEM SET ssl = off", "SELECT pg_reload_conf()"))
	require.Eventually(t, func() bool {
		return OpenPostgres(s.settings("")).Ask(t.Context(), "svc0011", wrong).Reply == protocol.Unreachable
	}, time.Minute, 50*time.Millisecond, "it has not read its settings")
	doortest.Subject{At: s.settings(""), Login: "svc0011", Value: s.right("svc0011"),
		Open: func(d door.Settings) door.Door { return OpenPostgres(d) }}.BeginsNoTLS(t, "N to SSLRequest")

	// One that cannot start a process for it says E (PostgreSQL 15, 55.2.10).
	at := s.settings("")
	at.Address = doortest.Says(t, "Ecould not fork new process for connection\n\x00")
	said := OpenPostgres(at).Ask(t.Context(), "svc0011", wrong)
	require.Equal(t, protocol.Unreachable, said.Reply)
	require.Empty(t, said.Fault)
}
