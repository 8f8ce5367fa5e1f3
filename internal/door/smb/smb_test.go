package smb

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/cloudsoda/go-smb2"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/conn"
	"rollcall/internal/door/doortest"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

type office struct {
	t *testing.T
	*lab.SMBD
}

var (
	right = credential.NewSecret("the value of the account 1")
	wrong = doortest.Wrong
)

// newOffice starts a file server with further lines of smb.conf.
func newOffice(t *testing.T, global ...string) *office {
	t.Helper()
	var accounts []lab.Account
	for _, name := range []string{"plain", "locked", "disabled", "mustchange", "kickoff", "lost"} {
		accounts = append(accounts, lab.Account{UID: name, Password: right.Reveal()})
	}
	return &office{t, doortest.Start(t, lab.StartSMBD, lab.SMBDOptions{Dir: t.TempDir(), Accounts: accounts, Global: global, Setup: `
pdbedit -s smb.conf -u disabled -c '[D]'
pdbedit -s smb.conf -u kickoff -K 1000
net -s smb.conf sam set pwdmustchangenow mustchange yes
pdbedit -s smb.conf -P "bad lockout attempt" -C 3
`})}
}

func (s *office) settings() door.Settings {
	return door.Settings{Type: "smb", Address: s.Address(), TLS: door.Types["smb"].TLS[0], Timeout: 30 * time.Second}
}

func (s *office) ask(login string, value credential.Secret) protocol.Reply {
	s.t.Helper()
	return doortest.Ask(s.t, Open(s.settings()), login, value)
}

// row is what one account is answered by a server that maps nobody to a guest
// (never), unknown names (bad user, which Debian's smb.conf has) or wrong
// values too (bad password).
type row struct {
	login          string
	value          credential.Secret
	never, baduser protocol.Reply
	badpassword    protocol.Reply
	why            string
}

var rows = []row{
	{"plain", right, protocol.Accepted, protocol.Accepted, protocol.Accepted, "a session, and IPC$"},
	{"plain", wrong, protocol.Refused, protocol.Refused, protocol.Guest, "LOGON_FAILURE, or a guest's session"},
	{`OTHER\plain`, right, protocol.Accepted, protocol.Accepted, protocol.Accepted, "its domain is not looked at"},
	{"nobody-of-that-name", wrong, protocol.Refused, protocol.Guest, protocol.Guest, "unknown: the same as wrong, or a guest's session"},
	{"disabled", right, protocol.Restricted, protocol.Restricted, protocol.Restricted, "ACCOUNT_DISABLED comes after the value"},
	{"disabled", wrong, protocol.Refused, protocol.Refused, protocol.Guest, "disabled"},
	{"mustchange", right, protocol.MustChange, protocol.MustChange, protocol.MustChange, "PASSWORD_MUST_CHANGE comes after the value"},
	{"mustchange", wrong, protocol.Refused, protocol.Refused, protocol.Guest, "must change"},
	{"kickoff", right, protocol.Restricted, protocol.Restricted, protocol.Restricted, "ACCOUNT_EXPIRED comes after the value"},
	{"kickoff", wrong, protocol.Refused, protocol.Refused, protocol.Guest, "expired"},
	{"locked", wrong, protocol.Refused, protocol.Refused, protocol.Guest, "the first of three"},
	{"locked", wrong, protocol.Refused, protocol.Refused, protocol.Guest, "the second"},
	{"locked", wrong, protocol.Refused, protocol.Refused, protocol.Guest, "the third"},
	{"locked", wrong, protocol.Locked, protocol.Locked, protocol.Locked, "ACCOUNT_LOCKED_OUT, whatever the value"},
	{"locked", right, protocol.Locked, protocol.Locked, protocol.Locked, "ACCOUNT_LOCKED_OUT, whatever the value"},
	{"", right, protocol.NotThisWay, protocol.NotThisWay, protocol.NotThisWay, "anonymous' own name"},
	{`LAB\`, right, protocol.NotThisWay, protocol.NotThisWay, protocol.NotThisWay, "anonymous' own name"},
	{"plain", credential.Secret{}, protocol.NotCarried, protocol.NotCarried, protocol.NotCarried, "no value"},
}

func TestWhatAFileServersAnswersMean(t *testing.T) {
	t.Parallel()
	for mapped, of := range map[string]func(row) protocol.Reply{
		"never":        func(r row) protocol.Reply { return r.never },
		"bad user":     func(r row) protocol.Reply { return r.baduser },
		"bad password": func(r row) protocol.Reply { return r.badpassword },
	} {
		t.Run(mapped, func(t *testing.T) {
			t.Parallel()
			s := newOffice(t, "map to guest = "+mapped)
			for _, r := range rows {
				require.Equal(t, of(r), s.ask(r.login, r.value), "%s: %s", r.login, r.why)
			}
			nobody := Open(s.settings()).Ask(t.Context(), "rollcall-nobody-x", wrong)
			fault, _, _ := s.settings().Unfit(nobody)
			require.Empty(t, fault, "guests are told from logins, so that a campaign may begin: %s", nobody.Reply)
			software, err := Open(s.settings()).Software(t.Context())
			require.NoError(t, err)
			require.Equal(t, "LAB, version 6.1.0", software)

			require.Equal(t, protocol.Accepted, s.ask("lost", right))
			require.NoError(t, s.Users("plain"))
			lost := of(row{never: protocol.Refused, baduser: protocol.Guest, badpassword: protocol.Guest})
			require.Equal(t, lost, s.ask("lost", right), "its name service has lost it: the same as unknown")

			at := s.settings()
			at.Timeout = 300 * time.Millisecond
			s.Process().Pause()
			require.Equal(t, protocol.Unreachable, doortest.Ask(t, Open(at), "plain", right))
			s.Process().Resume()
			require.NoError(t, s.Stop(t.Context()))
			require.Equal(t, protocol.Unreachable, s.ask("plain", right), "nobody is there")
			_, err = Open(s.settings()).Software(t.Context())
			require.ErrorContains(t, err, "connection refused")
		})
	}
}

func TestAFileServerThatAsksForMore(t *testing.T) {
	t.Parallel()
	s := newOffice(t, "map to guest = bad user", "server signing = mandatory", "smb encrypt = required", "max smbd processes = 5")
	require.Equal(t, protocol.Accepted, s.ask("plain", right), "all is encrypted")
	require.Equal(t, protocol.Refused, s.ask("plain", wrong))
	require.Equal(t, protocol.NotThisWay, s.ask("nobody-of-that-name", wrong), "ACCESS_DENIED: a guest cannot encrypt")

	s.run("pdbedit", "-P", "maximum password age", "-C", "1")
	require.Eventually(t, func() bool { return s.ask("plain", right) == protocol.PasswordExpired }, time.Minute, 100*time.Millisecond, "PASSWORD_EXPIRED comes after the value")
	require.Equal(t, protocol.Refused, s.ask("plain", wrong))
	s.run("pdbedit", "-P", "maximum password age", "-C", "4294967295")
	require.Equal(t, protocol.Accepted, s.ask("plain", right))

	// Those of the logins above end a while later, and leave a place each.
	require.Eventually(t, func() bool {
		_, err := s.hold("plain")
		return err != nil && s.ask("plain", right) == protocol.Unreachable
	}, time.Minute, 20*time.Millisecond, "no process is left: it hangs up")
	require.Equal(t, protocol.Unreachable, s.ask("plain", wrong))
}

func TestAFileServerWithoutNTLMOrIPC(t *testing.T) {
	t.Parallel()
	s := newOffice(t, "ntlm auth = disabled", "[IPC$]", "path = /", "hosts deny = 127.0.0.1")
	require.Equal(t, protocol.NotThisWay, s.ask("plain", right), "NTLM_BLOCKED")
	require.Equal(t, protocol.NotThisWay, s.ask("plain", wrong))
	s.reconfigure("ntlm auth = disabled", "ntlm auth = ntlmv2-only")
	require.Eventually(t, func() bool { return s.ask("plain", right) == protocol.Restricted }, time.Minute, 100*time.Millisecond, "a session that gets no further")
	require.Equal(t, protocol.Refused, s.ask("plain", wrong))
}

func TestEachVersionOfSMBThatIsLeft(t *testing.T) {
	t.Parallel()
	at := "server max protocol = SMB3_11"
	s := newOffice(t, at, "server min protocol = NT1", "server signing = disabled")
	for _, of := range []struct {
		version string
		dialect uint16
	}{{"SMB2_02", 0x0202}, {"SMB2_10", 0x0210}, {"SMB3_00", 0x0300}, {"SMB3_02", 0x0302}, {"SMB3_11", 0x0311}} {
		version, next := of.version, "server max protocol = "+of.version
		s.reconfigure(at, next)
		at = next
		require.Eventually(t, func() bool { return s.dialect() == of.dialect }, time.Minute, 50*time.Millisecond, version)
		require.Equal(t, protocol.Accepted, s.ask("plain", right), version)
		require.Equal(t, protocol.Refused, s.ask("plain", wrong), version)
	}
	s.reconfigure(at, "server max protocol = NT1")
	require.Eventually(t, func() bool { return s.ask("plain", right) == protocol.Unreachable }, time.Minute, 50*time.Millisecond, "SMB 1 is not spoken")
	_, err := Open(s.settings()).Software(t.Context())
	require.EqualError(t, err, "the connection was closed before an answer")
}

// dialect is what the server settles on ([MS-SMB2] 2.2.4).
func (s *office) dialect() uint16 {
	heard := make(chan uint16, 1)
	at := s.settings()
	at.Address = changing(s.t, s.Address(), func(command, nth int, m []byte) {
		if command == 0 && nth == 0 && len(m) > 70 {
			heard <- binary.LittleEndian.Uint16(m[68:])
		}
	})
	_, _ = Open(at).Software(s.t.Context())
	select {
	case d := <-heard:
		return d
	default:
		return 0
	}
}

func TestAnSMBSessionOutlivesItsPassword(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	session, err := s.hold("plain")
	require.NoError(t, err)
	share, err := session.Mount("data")
	require.NoError(t, err)
	require.NoError(t, share.WriteFile("before", []byte("x"), 0o600))
	s.run("pdbedit", "-u", "plain", "--set-nt-hash", "0123456789ABCDEF0123456789ABCDEF")
	require.Equal(t, protocol.Refused, s.ask("plain", right), "at once")
	require.NoError(t, share.WriteFile("after", []byte("x"), 0o600))
	s.run("pdbedit", "-u", "plain", "-c", "[D]")
	require.NoError(t, share.WriteFile("disabled", []byte("x"), 0o600))
	_, err = session.Mount("open")
	require.NoError(t, err, "and another share")
	s.run("smbcontrol", "smbd", "close-share", "data")
	require.Eventually(t, func() bool { return share.WriteFile("ended", []byte("x"), 0o600) != nil }, time.Minute, 20*time.Millisecond, "closed")
	_, err = session.Mount("open")
	require.NoError(t, err, "the session is not")
	require.NoError(t, s.Stop(t.Context()))
	require.Eventually(t, func() bool { _, err := session.Mount("open"); return err != nil }, time.Minute, 20*time.Millisecond)
}

// run runs a program of Samba's for the server.
func (s *office) run(name string, args ...string) {
	s.t.Helper()
	out, err := exec.Command(name, append([]string{"-s", s.Config()}, args...)...).CombinedOutput()
	require.NoError(s.t, err, "%s", out)
}

// hold logs in, and stays.
func (s *office) hold(login string) (*smb2.Session, error) {
	raw, done, err := conn.Dial(s.t.Context(), s.settings())
	require.NoError(s.t, err)
	s.t.Cleanup(done)
	return (&smb2.Dialer{Initiator: &smb2.NTLMInitiator{User: login, Password: right.Reveal()}}).DialConn(s.t.Context(), raw, s.Address())
}

// reconfigure changes a line of smb.conf, which new connections go by.
func (s *office) reconfigure(from, to string) {
	text, err := os.ReadFile(s.Config())
	require.NoError(s.t, err)
	require.NoError(s.t, os.WriteFile(s.Config(), bytes.ReplaceAll(text, []byte(from), []byte(to)), 0o600))
	s.run("smbcontrol", "smbd", "reload-config")
}
