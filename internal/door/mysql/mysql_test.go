package mysql

import (
	"os"
	"path/filepath"
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
	t  *testing.T
	ca *lab.CA
	*lab.MariaDB
}

var (
	right = credential.NewSecret("the value of the account 1")
	wrong = doortest.Wrong
)

func newOffice(t *testing.T) *office {
	t.Helper()
	s := &office{t: t}
	var err error
	s.ca, err = lab.NewCA()
	require.NoError(t, err)
	by := "IDENTIFIED BY '" + right.Reveal() + "'"
	using := "USING PASSWORD('" + right.Reveal() + "')"
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "compare"), []byte("read -r given\n[ \"$given\" = '"+right.Reveal()+"' ]\n"), 0o600))
	held := "auth required pam_exec.so quiet expose_authtok /bin/sh " + filepath.Join(dir, "compare") + "\n"
	s.MariaDB = doortest.Start(t, lab.StartMariaDB, lab.MariaDBOptions{Dir: dir, CA: s.ca, PAM: map[string]string{
		"held":    held + "account required pam_permit.so\n",
		"expired": held + "account required pam_deny.so\n",
		"twice":   "auth required pam_exec.so quiet expose_authtok /bin/true\n" + "auth required pam_unix.so\naccount required pam_permit.so\n",
		"down":    "auth required pam_there_is_no_such_module.so\naccount required pam_permit.so\n",
		"any":     "auth required pam_permit.so\naccount required pam_permit.so\n",
	}, SQL: []string{
		"CREATE USER plain@'%' " + by,
		"CREATE USER signs@'%' IDENTIFIED VIA ed25519 " + using,
		"CREATE USER either@'%' IDENTIFIED VIA ed25519 " + using + " OR mysql_native_password USING PASSWORD('another value')",
		"CREATE USER other@'%' IDENTIFIED VIA ed25519 USING PASSWORD('another value') OR mysql_native_password " + using,
		"CREATE USER locked@'%' " + by + " ACCOUNT LOCK",
		"CREATE USER expired@'%' " + by + " PASSWORD EXPIRE",
		"CREATE USER crowded@'%' " + by + " WITH MAX_CONNECTIONS_PER_HOUR 1",
		"CREATE USER elsewhere@'192.0.2.1' " + by,
		"CREATE USER secured@'%' " + by + " REQUIRE SSL",
		"CREATE USER certified@'%' " + by + " REQUIRE X509",
		"CREATE USER socket@'%' IDENTIFIED VIA unix_socket",
		"CREATE USER bare@'%'",
		"CREATE USER nativeorsocket@'%' IDENTIFIED VIA mysql_native_password " + using + " OR unix_socket",
		"CREATE USER socketornative@'%' IDENTIFIED VIA unix_socket OR mysql_native_password " + using,
		"CREATE USER pam@'%' IDENTIFIED VIA pam USING 'held'",
		"CREATE USER pamexpired@'%' IDENTIFIED VIA pam USING 'expired'",
		"CREATE USER pamdown@'%' IDENTIFIED VIA pam USING 'down'",
		"CREATE USER pamany@'%' IDENTIFIED VIA pam USING 'any'",
		"CREATE USER nativeorpam@'%' IDENTIFIED VIA mysql_native_password " + using + " OR pam USING 'down'",
		"CREATE USER ed25519orpam@'%' IDENTIFIED VIA ed25519 USING PASSWORD('another value') OR pam USING 'held'",
		"CREATE USER pamornative@'%' IDENTIFIED VIA pam USING 'down' OR mysql_native_password " + using,
		"CREATE USER boss@'127.0.0.1' " + by, "GRANT ALL ON *.* TO boss@'127.0.0.1'",
		"SET old_passwords=1", "CREATE USER ancient@'%' IDENTIFIED VIA mysql_old_password " + using,
	}})
	return s
}

func (s *office) settings() door.Settings {
	return door.Settings{Type: "mysql", Address: s.Address(), TLS: door.Types["mysql"].TLS[0], CA: string(s.ca.PEM), Timeout: 30 * time.Second}
}

func (s *office) ask(login string, value credential.Secret) protocol.Reply {
	s.t.Helper()
	return doortest.Ask(s.t, Open(s.settings(), nil), login, value)
}

func (s *office) exec(sql string) {
	s.t.Helper()
	require.NoError(s.t, s.Exec(s.t.Context(), sql))
}

func TestWhatAMariaDBServersAnswersMean(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	for _, row := range []struct {
		login        string
		right, wrong protocol.Reply
		why          string
	}{
		{"plain", protocol.Accepted, protocol.Refused, "mysql_native_password"},
		{"signs", protocol.Accepted, protocol.Refused, "ed25519"},
		{"either", protocol.Accepted, protocol.Refused, "the first of two methods"},
		{"other", protocol.Accepted, protocol.Refused, "the second of two methods"},
		{"nativeorsocket", protocol.Accepted, protocol.Refused, "1698 after a wrong value"},
		{"socketornative", protocol.Accepted, protocol.Refused, "the second of two methods"},
		{"pam", protocol.Accepted, protocol.Refused, "a prompt of PAM's"},
		{"pamornative", protocol.Accepted, protocol.NotThisWay, "PAM is down, and takes a value of its own"},
		{"nativeorpam", protocol.Accepted, protocol.NotThisWay, "the same, the other way round"},
		{"pamdown", protocol.Refused, protocol.Refused, "PAM is down: the same as wrong"},
		{"pamexpired", protocol.Refused, protocol.Refused, "of PAM's account management: the same as wrong"},
		{"pamany", protocol.Accepted, protocol.Accepted, "PAM takes whatever comes, so the old value is never dead"},
		{"locked", protocol.Restricted, protocol.Refused, "4151 comes after the value"},
		{"expired", protocol.MustChange, protocol.Refused, "a session in which nothing goes: 1820"},
		{"crowded", protocol.Accepted, protocol.Refused, "its one login of this hour"},
		{"crowded", protocol.Restricted, protocol.Refused, "1226 comes after the value"},
		{"elsewhere", protocol.Refused, protocol.Refused, "of another host: the same as wrong"},
		{"secured", protocol.Accepted, protocol.Refused, "TLS is required, and there"},
		{"certified", protocol.Refused, protocol.Refused, "a certificate is required: the same as wrong"},
		{"socket", protocol.Refused, protocol.Refused, "by its Unix socket alone: 1698"},
		{"bare", protocol.Refused, protocol.Refused, "no password: what is sent is wrong"},
		{"ancient", protocol.NotThisWay, protocol.NotThisWay, "by the method of before 4.1, which nobody is sent"},
		{"", protocol.NotThisWay, protocol.NotThisWay, "no name"},
		{strings.Repeat("n", 129), protocol.NotThisWay, protocol.NotThisWay, "a name that is cut"},
	} {
		require.Equal(t, row.right, s.ask(row.login, right), "%s: %s", row.login, row.why)
		require.Equal(t, row.wrong, s.ask(row.login, wrong), "%s: %s", row.login, row.why)
	}
	sure := s.settings()
	sure.OneAccount = true // they may not read mysql.global_priv
	one := Open(sure, nil)
	for _, row := range []struct {
		login string
		wrong protocol.Reply
	}{{"ed25519orpam", protocol.Refused}, {"nativeorpam", protocol.NotThisWay}} {
		require.Equal(t, protocol.NotThisWay, doortest.Ask(t, one, row.login, wrong), "whether PAM is up is not known")
		require.Equal(t, protocol.Accepted, doortest.Ask(t, one, row.login, right))
		require.Equal(t, row.wrong, doortest.Ask(t, one, row.login, wrong), "after PAM let the right one in, it is up")
	}
	for _, value := range []credential.Secret{{}, credential.NewSecret("zero\x00byte")} {
		require.Equal(t, protocol.NotCarried, s.ask("plain", value))
	}
	s.exec("DROP USER ancient@'%'")
	require.Equal(t, protocol.Refused, s.ask("nobody-of-that-name", wrong), "the same as wrong, by the method of an account that the server picks")
	software, err := Open(s.settings(), nil).Software(t.Context())
	require.NoError(t, err)
	require.Regexp(t, `^10\.11\.\d+-MariaDB`, software)

	clear := s.settings()
	clear.TLS = door.ClearText
	for _, row := range []struct {
		login string
		want  protocol.Reply
		why   string
	}{
		{"plain", protocol.Accepted, "what is sent is no value"},
		{"signs", protocol.Accepted, "nor here"},
		{"secured", protocol.Refused, "TLS is required: the same as wrong"},
		{"pam", protocol.NotThisWay, "the value itself is asked for, and not sent"},
		{"nobody-of-that-name", protocol.Refused, "unknown"},
	} {
		require.Equal(t, row.want, doortest.Ask(t, Open(clear, nil), row.login, right), "%s: %s", row.login, row.why)
	}
	s.exec("SET GLOBAL require_secure_transport=1")
	require.Equal(t, protocol.Refused, doortest.Ask(t, Open(clear, nil), "plain", right), "TLS is required of all: the same as wrong")
	require.Equal(t, protocol.Accepted, s.ask("plain", right))

	// What an administrator sets for all.
	s.exec("SET GLOBAL disconnect_on_expired_password=1")
	require.Equal(t, protocol.PasswordExpired, s.ask("expired", right))
	require.Equal(t, protocol.Refused, s.ask("expired", wrong))
	s.exec("SET GLOBAL init_connect='SELECT * FROM nowhere.nothing'")
	require.Equal(t, protocol.Restricted, s.ask("plain", right), "logged in, and hung up on: 1184")
	require.Equal(t, protocol.Refused, s.ask("plain", wrong))
	s.exec("SET GLOBAL init_connect=''; SET GLOBAL max_password_errors=3")
	require.Equal(t, protocol.Accepted, s.ask("plain", right), "which is what counts from")
	for range 3 {
		require.Equal(t, protocol.Refused, s.ask("plain", wrong))
	}
	require.Equal(t, protocol.Locked, s.ask("plain", right), "4150 for whatever value")
	require.Equal(t, protocol.Locked, s.ask("plain", wrong))
	s.exec("SET GLOBAL max_password_errors=4294967295; FLUSH PRIVILEGES")

	// An anonymous account takes the place of one that is for any host.
	s.exec("CREATE USER ''@'127.0.0.1'; CREATE USER anyhost@'%' IDENTIFIED BY '" + right.Reveal() + "'")
	require.Equal(t, protocol.Refused, s.ask("anyhost", right), "the anonymous account is the nearer one, and has no password")
	s.exec("ALTER USER ''@'127.0.0.1' IDENTIFIED BY '" + right.Reveal() + "'")
	require.Equal(t, protocol.Guest, s.ask("anyhost", right), "a session of nobody's")
	require.Equal(t, protocol.Guest, s.ask("nobody-of-that-name", right))

	s.crowd()
	// 1040 with 08004 comes after the value: the last one is kept for an
	// administrator. It is free again a while after each of these.
	s.eventually("plain", right, protocol.Restricted)
	s.eventually("plain", wrong, protocol.Refused)
	s.hold("boss")
	require.Equal(t, protocol.TooMany, s.ask("plain", right), "1040 instead of a greeting")
	require.Equal(t, protocol.TooMany, s.ask("plain", wrong))

	at := s.settings()
	at.Timeout = 300 * time.Millisecond
	s.Process().Pause()
	require.Equal(t, protocol.Unreachable, doortest.Ask(t, Open(at, nil), "plain", right))
	s.Process().Resume()
	require.NoError(t, s.Stop(t.Context()))
	require.Equal(t, protocol.Unreachable, s.ask("plain", right), "nobody is there")
}

func TestAMariaDBSessionOutlivesItsPassword(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	c := s.hold("plain")
	goesOn := func() error { _, err := c.currentUser(); return err }
	for _, sql := range []string{"ALTER USER plain@'%' IDENTIFIED BY 'the new value'", "ALTER USER plain@'%' ACCOUNT LOCK", "FLUSH PRIVILEGES", "DROP USER plain@'%'"} {
		s.exec(sql)
		require.NoError(t, goesOn(), sql)
		require.NotEqual(t, protocol.Accepted, s.ask("plain", right), sql)
	}
	s.exec("KILL USER plain")
	require.Eventually(t, func() bool { return goesOn() != nil }, time.Minute, 20*time.Millisecond)

	s.exec("DELETE FROM mysql.global_priv WHERE Host IN ('%', '127.0.0.1')")
	require.Equal(t, protocol.Accepted, s.ask("signs", right), "its table is not read again")
	s.exec("FLUSH PRIVILEGES")
	require.Equal(t, protocol.NotThisWay, s.ask("signs", right), "1130 instead of a greeting: no account is for this host")
	_, err := Open(s.settings(), nil).Software(t.Context())
	require.EqualError(t, err, "1130 instead of a greeting")
}

// hold logs in, and stays.
func (s *office) hold(login string) *session {
	var c *session
	require.Eventually(s.t, func() bool {
		one, done, err := Open(s.settings(), nil).greeted(s.t.Context())
		if err != nil {
			return false
		}
		if err = one.login(login, right); err != nil {
			done()
			return false
		}
		s.t.Cleanup(done)
		c = one
		return true
	}, time.Minute, 20*time.Millisecond)
	return c
}

// crowd takes all connections but the one for an administrator.
func (s *office) crowd() {
	s.exec("SET GLOBAL max_connections=10")
	require.Eventually(s.t, func() bool {
		out, err := s.Query(s.t.Context(), "SELECT COUNT(*) FROM information_schema.processlist WHERE command <> 'Daemon'")
		return err == nil && strings.TrimSpace(out) == "1"
	}, time.Minute, 20*time.Millisecond, "those of before are gone")
	for range 10 {
		s.hold("plain")
	}
}

func (s *office) eventually(login string, value credential.Secret, want protocol.Reply) {
	require.Eventually(s.t, func() bool { return s.ask(login, value) == want }, time.Minute, 20*time.Millisecond)
}

func TestAMariaDBServerWithoutRights(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	require.NoError(t, s.Stop(t.Context()))
	require.NoError(t, s.Start(t.Context(), "--skip-grant-tables"))
	require.Equal(t, protocol.Guest, s.ask("plain", wrong), "whoever comes is let in")
	require.Equal(t, protocol.Guest, s.ask("plain", right))
}

func TestNothingFoulIsAVerdict(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	subject := doortest.Subject{At: s.settings(), Login: "plain", Value: right,
		Open: func(d door.Settings) door.Door { return Open(d, nil) }}
	subject.Certificates(t)
	subject.NotTLS(t)
	subject.Foul(t, "\xff\xff\xff\x00", "\x07\x00\x00\x00\xff\x15\x04#28000", "\x01\x00\x00\x00\x0a")
	subject.At.TLS = door.ClearText
	subject.Foul(t, "\x01\x00\x00\x00\x00", "\x09\x00\x00\x00\xff\x15\x04#28000", "\x00\x00\x00\x00")
	subject.Cut(t, subject.At, right, protocol.Accepted)
	subject.Cut(t, subject.At, wrong, protocol.Refused)
	subject.Login = "other"
	subject.Cut(t, subject.At, right, protocol.Accepted)
	subject.Cut(t, subject.At, wrong, protocol.Refused)
}

func TestAMariaDBServerThatBeginsNoTLSIsNotTheDoorOfTheFile(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	require.NoError(t, s.Stop(t.Context()))
	require.NoError(t, s.Start(t.Context(), "--skip-ssl"))
	doortest.Subject{At: s.settings(), Login: "plain", Value: right, Open: func(d door.Settings) door.Door { return Open(d, nil) }}.BeginsNoTLS(t, "its greeting offers none")
}
