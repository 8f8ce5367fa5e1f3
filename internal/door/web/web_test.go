package web

import (
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
	doortest.Office
	web *lab.Apache
}

func newOffice(t *testing.T, cache bool) *office {
	t.Helper()
	s := &office{Office: doortest.NewOffice(t, lab.SlapdOptions{})}
	s.web = doortest.Start(t, lab.StartApache, lab.ApacheOptions{Dir: t.TempDir(), CA: s.CA, Directory: s.Directory, Cache: cache})
	return s
}

func (s *office) settings(kind, path string) door.Settings {
	return door.Settings{Type: kind, Address: s.web.Address(kind), TLS: door.Types[kind].TLS[0], CA: string(s.CA.PEM), Path: path, Timeout: 30 * time.Second}
}

func (s *office) ask(at door.Settings, uid string, value credential.Secret) protocol.Reply {
	s.T.Helper()
	return doortest.Ask(s.T, OpenBasic(at), uid, value)
}

var wrong = doortest.Wrong

func TestWhatAWebServersAnswersMean(t *testing.T) {
	t.Parallel()
	s := newOffice(t, false)
	for _, kind := range []string{"https", "http"} {
		at := s.settings(kind, "/private")
		require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001", s.Right("svc-0001")), kind)
		require.Equal(t, protocol.Refused, s.ask(at, "svc-0001", wrong), kind)
		require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001", s.Right("svc-0001")), kind)
		require.Equal(t, protocol.Refused, s.ask(at, "nobody", wrong), "the same as wrong")
		require.Equal(t, protocol.Refused, s.ask(at, "svc-0002", s.Right("svc-0002")), "locked is the same as wrong")
		require.Equal(t, protocol.Accepted, s.ask(at, "svc-0003", s.Right("svc-0003")), "must change, which a bind alone does not show")
		software, err := OpenBasic(at).Software(t.Context())
		require.NoError(t, err)
		require.Contains(t, software, "Apache/2.4")
	}
	s.Expire("svc-0004")
	for _, value := range []credential.Secret{s.Right("svc-0004"), wrong} {
		require.Equal(t, protocol.Refused, s.ask(s.settings("https", "/private"), "svc-0004", value), "expired is the same as wrong")
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
		require.Equal(t, want.right, s.ask(at, "svc-0001", s.Right("svc-0001")), path)
		require.Equal(t, want.wrong, s.ask(at, "svc-0001", wrong), path)
	}
	at := s.settings("https", "/private")
	require.Equal(t, protocol.NotThisWay, s.ask(at, "a:b", wrong))
	require.Equal(t, protocol.NotCarried, s.ask(at, "svc-0001", credential.NewSecret("two\nlines")))
	require.Equal(t, protocol.NotCarried, s.ask(at, "svc-0001", credential.Secret{}))
	require.Equal(t, protocol.NotThisWay, s.ask(at, "", wrong))

	s.Directory.Process().Pause()
	at.Timeout = 500 * time.Millisecond
	require.Equal(t, protocol.Unreachable, s.ask(at, "svc-0001", s.Right("svc-0001")))
	s.Directory.Process().Resume()
	require.NoError(t, s.Directory.Stop(t.Context()))
	at.Timeout = 30 * time.Second
	require.Equal(t, protocol.Unreachable, s.ask(at, "svc-0001", s.Right("svc-0001")), "500")
	require.Equal(t, protocol.Unreachable, s.ask(at, "svc-0001", wrong), "500")
}

// mod_ldap as it comes keeps accepted values: the old one is taken until the
// new one has logged in once, which a sandwich does first.
func TestAnOldValueIsTakenUntilTheNewOneLogsIn(t *testing.T) {
	t.Parallel()
	s := newOffice(t, true)
	at := s.settings("https", "/private")
	old := s.Right("svc-0001")
	require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001", old))
	admin, err := s.Directory.AdminConn(t.Context())
	require.NoError(t, err)
	defer admin.Close()
	renewed := credential.NewSecret("renewed-" + old.Reveal())
	_, err = admin.PasswordModify(ldap.NewPasswordModifyRequest(s.Directory.AccountDN("svc-0001"), "", renewed.Reveal()))
	require.NoError(t, err)
	require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001", old))
	require.Equal(t, protocol.Refused, s.ask(at, "svc-0001", wrong))
	require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001", old), "a wrong one ends nothing")
	require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001", renewed))
	require.Equal(t, protocol.Refused, s.ask(at, "svc-0001", old))
}

// mod_ldap and mod_authn_socache have an entry for each spelling of a name, and
// the directory takes them all for one account. A good login with the new value
// ends that of its own spelling alone.
func TestAWebServersCacheHasAnEntryForEachSpellingOfAName(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"/private", "/kept"} {
		t.Run(page, func(t *testing.T) { t.Parallel(); eachSpellingIsKept(t, page) })
	}
}

func eachSpellingIsKept(t *testing.T, page string) {
	s := newOffice(t, true)
	at := s.settings("https", page)
	old := s.Right("svc-0001")
	spellings := []string{"svc-0001", "SVC-0001", "Svc-0001"}
	for _, as := range spellings {
		require.Equal(t, protocol.Accepted, s.ask(at, as, old), as)
	}
	admin, err := s.Directory.AdminConn(t.Context())
	require.NoError(t, err)
	defer admin.Close()
	renewed := credential.NewSecret("renewed-" + old.Reveal())
	_, err = admin.PasswordModify(ldap.NewPasswordModifyRequest(s.Directory.AccountDN("svc-0001"), "", renewed.Reveal()))
	require.NoError(t, err)
	require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001", renewed))
	require.Equal(t, protocol.Refused, s.ask(at, "svc-0001", old))
	for _, as := range spellings[1:] {
		require.Equal(t, protocol.Accepted, s.ask(at, as, old), as)
		require.Equal(t, protocol.Accepted, s.ask(at, as, renewed), as)
		require.Equal(t, protocol.Refused, s.ask(at, as, old), as)
	}
}

func TestNothingFoulIsAVerdict(t *testing.T) {
	t.Parallel()
	s := newOffice(t, false)
	subject := doortest.Subject{At: s.settings("https", "/private"), Login: "svc-0001", Value: s.Right("svc-0001"),
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
