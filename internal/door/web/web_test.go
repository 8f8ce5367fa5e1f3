package web

import (
	"context"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/doortest"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

type office struct {
	t         *testing.T
	ca        *lab.CA
	directory *lab.Slapd
	web       *lab.Apache
}

func newOffice(t *testing.T, cache bool) *office {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := &office{t: t}
	var err error
	s.ca, err = lab.NewCA()
	require.NoError(t, err)
	accounts := lab.SeedAccounts("svc-", 4)
	accounts[1].Attrs = map[string][]string{"pwdAccountLockedTime": {"000001010000Z"}}
	accounts[2].Attrs = map[string][]string{"pwdReset": {"TRUE"}}
	s.directory, err = lab.StartSlapd(ctx, lab.SlapdOptions{Dir: t.TempDir(), CA: s.ca, Accounts: accounts, Policy: lab.SlapdPolicy{MaxFailure: 100, MustChange: true}})
	require.NoError(t, err)
	doortest.Stop(t, s.directory.Stop)
	s.web, err = lab.StartApache(ctx, lab.ApacheOptions{Dir: t.TempDir(), CA: s.ca, Directory: s.directory, Cache: cache})
	require.NoError(t, err)
	doortest.Stop(t, s.web.Stop)
	return s
}

func (s *office) settings(kind, path string) door.Settings {
	return door.Settings{Type: kind, Address: s.web.Address(kind), TLS: door.Types[kind].TLS[0], CA: string(s.ca.PEM), Path: path, Timeout: 30 * time.Second}
}

func (s *office) right(uid string) credential.Secret {
	return credential.NewSecret(s.directory.SeededPassword(uid))
}

func (s *office) ask(at door.Settings, uid string, value credential.Secret) protocol.Reply {
	s.t.Helper()
	return doortest.Ask(s.t, OpenBasic(at), uid, value)
}

var wrong = credential.NewSecret("not-the-value-of-anybody")

func TestWhatAWebServersAnswersMean(t *testing.T) {
	t.Parallel()
	s := newOffice(t, false)
	for _, kind := range []string{"https", "http"} {
		at := s.settings(kind, "/private")
		require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001", s.right("svc-0001")), kind)
		require.Equal(t, protocol.Refused, s.ask(at, "svc-0001", wrong), kind)
		require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001", s.right("svc-0001")), kind)
		require.Equal(t, protocol.Refused, s.ask(at, "nobody", wrong), "the same as wrong")
		require.Equal(t, protocol.Refused, s.ask(at, "svc-0002", s.right("svc-0002")), "locked is the same as wrong")
		require.Equal(t, protocol.Accepted, s.ask(at, "svc-0003", s.right("svc-0003")), "must change, which a bind alone does not show")
		software, err := OpenBasic(at).Software(t.Context())
		require.NoError(t, err)
		require.Contains(t, software, "Apache/2.4")
	}
	for path, want := range map[string]struct{ right, wrong protocol.Reply }{
		"/open":      {protocol.Guest, protocol.Guest},
		"/other":     {protocol.Refused, protocol.Refused}, // so a new value is refused there, and nothing is proved
		"/forbidden": {protocol.NotThisWay, protocol.Refused},
		"/missing":   {protocol.NotThisWay, protocol.Refused},
		"/down":      {protocol.Unreachable, protocol.Unreachable},
		"/digest":    {protocol.NotThisWay, protocol.NotThisWay},
		"/form":      {protocol.NotThisWay, protocol.NotThisWay},
		"/busy":      {protocol.TooMany, protocol.TooMany},
		"/nowhere":   {protocol.NotThisWay, protocol.NotThisWay},
	} {
		at := s.settings("https", path)
		require.Equal(t, want.right, s.ask(at, "svc-0001", s.right("svc-0001")), path)
		require.Equal(t, want.wrong, s.ask(at, "svc-0001", wrong), path)
	}
	at := s.settings("https", "/private")
	require.Equal(t, protocol.NotThisWay, s.ask(at, "a:b", wrong))
	require.Equal(t, protocol.NotThisWay, s.ask(at, "svc-0001", credential.NewSecret("two\nlines")))
	require.Equal(t, protocol.NotThisWay, s.ask(at, "svc-0001", credential.Secret{}))
	require.Equal(t, protocol.NotThisWay, s.ask(at, "", wrong))

	s.directory.Process().Pause()
	at.Timeout = 500 * time.Millisecond
	require.Equal(t, protocol.Unreachable, s.ask(at, "svc-0001", s.right("svc-0001")))
	s.directory.Process().Resume()
	require.NoError(t, s.directory.Stop(t.Context()))
	at.Timeout = 30 * time.Second
	require.Equal(t, protocol.Unreachable, s.ask(at, "svc-0001", s.right("svc-0001")), "500")
	require.Equal(t, protocol.Unreachable, s.ask(at, "svc-0001", wrong), "500")
}

// mod_ldap as it comes keeps accepted values: the old one is taken until the
// new one has logged in once, which a sandwich does first.
func TestAnOldValueIsTakenUntilTheNewOneLogsIn(t *testing.T) {
	t.Parallel()
	s := newOffice(t, true)
	at := s.settings("https", "/private")
	old := s.right("svc-0001")
	require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001", old))
	admin, err := s.directory.AdminConn(t.Context())
	require.NoError(t, err)
	defer admin.Close()
	renewed := credential.NewSecret("renewed-" + old.Reveal())
	_, err = admin.PasswordModify(ldap.NewPasswordModifyRequest(s.directory.AccountDN("svc-0001"), "", renewed.Reveal()))
	require.NoError(t, err)
	require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001", old))
	require.Equal(t, protocol.Refused, s.ask(at, "svc-0001", wrong))
	require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001", old), "a wrong one ends nothing")
	require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001", renewed))
	require.Equal(t, protocol.Refused, s.ask(at, "svc-0001", old))
}

func TestNothingFoulIsAVerdict(t *testing.T) {
	t.Parallel()
	s := newOffice(t, false)
	subject := doortest.Subject{At: s.settings("https", "/private"), Login: "svc-0001", Value: s.right("svc-0001"),
		Open: func(d door.Settings) door.Door { return OpenBasic(d) }}
	subject.Certificates(t)
	subject.NotTLS(t)
	subject.At = s.settings("http", "/private")
	subject.Foul(t, "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 401 Unauthorized\r\nA: "+"b\r\nA: b", "HTTP/1.1 20", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 401 No\r\n")
	subject.Cut(t, subject.At, subject.Value, protocol.Accepted)
	subject.Cut(t, subject.At, wrong, protocol.Refused)
	subject.At.Path = "/down"
	subject.Cut(t, subject.At, subject.Value, protocol.Unreachable)
}
