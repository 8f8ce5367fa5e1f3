package web

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/doortest"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

type proxied struct {
	doortest.Office
	proxy *lab.Squid
}

func newProxied(t *testing.T, cache time.Duration) *proxied {
	t.Helper()
	s := &proxied{Office: doortest.NewOffice(t, lab.SlapdOptions{})}
	s.proxy = doortest.Start(t, lab.StartSquid, lab.SquidOptions{Dir: t.TempDir(), CA: s.CA, Directory: s.Directory, Cache: cache})
	return s
}

func (s *proxied) settings(service, target string) door.Settings {
	kind := service + "-proxy"
	if service == "open" {
		kind = "http-proxy"
	}
	return door.Settings{Type: kind, Address: s.proxy.Address(service), TLS: door.Types[kind].TLS[0], CA: string(s.CA.PEM), Path: target, Timeout: 30 * time.Second}
}

func (s *proxied) ask(at door.Settings, uid string, value credential.Secret) protocol.Reply {
	s.T.Helper()
	return doortest.Ask(s.T, OpenProxy(at), uid, value)
}

func TestWhatASquidsAnswersMean(t *testing.T) {
	t.Parallel()
	s := newProxied(t, time.Second)
	for _, service := range []string{"https", "http"} {
		at := s.settings(service, s.proxy.Target)
		require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001", s.Right("svc-0001")), service)
		require.Equal(t, protocol.Refused, s.ask(at, "svc-0001", wrong), service)
		require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001", s.Right("svc-0001")), service)
		require.Equal(t, protocol.Refused, s.ask(at, "nobody", wrong), "the same as wrong")
		require.Equal(t, protocol.Refused, s.ask(at, "svc-0002", s.Right("svc-0002")), "locked is the same as wrong")
		require.Equal(t, protocol.Accepted, s.ask(at, "svc-0003", s.Right("svc-0003")), "must change, which a bind alone does not show")
		software, err := OpenProxy(at).Software(t.Context())
		require.NoError(t, err)
		require.Contains(t, software, "squid/5")
	}
	s.Expire("svc-0004")
	for _, value := range []credential.Secret{s.Right("svc-0004"), wrong} {
		require.Equal(t, protocol.Refused, s.ask(s.settings("http", s.proxy.Target), "svc-0004", value), "expired is the same as wrong")
	}
	for target, want := range map[string]struct{ right, wrong protocol.Reply }{
		s.proxy.Denied: {protocol.Restricted, protocol.Refused},
		s.proxy.Shut:   {protocol.NotThisWay, protocol.NotThisWay},
		s.proxy.Down:   {protocol.Unreachable, protocol.Refused},
	} {
		at := s.settings("http", target)
		require.Equal(t, want.right, s.ask(at, "svc-0001", s.Right("svc-0001")))
		require.Equal(t, want.wrong, s.ask(at, "svc-0001", wrong))
	}
	open := s.settings("open", s.proxy.Target)
	for range 4 { // each fourth login asks once more without one
		require.Equal(t, protocol.Guest, s.ask(open, "svc-0001", wrong))
	}
	at := s.settings("http", s.proxy.Target)
	require.Equal(t, protocol.NotThisWay, s.ask(at, "a:b", wrong))
	require.Equal(t, protocol.NotThisWay, s.ask(at, "", wrong))
	require.Equal(t, protocol.NotCarried, s.ask(at, "svc-0001", credential.NewSecret("two\nlines")))
	require.Equal(t, protocol.NotCarried, s.ask(at, "svc-0001", credential.Secret{}))

	hangs := at
	hangs.Timeout = 2 * time.Second
	s.Directory.Process().Pause()
	for _, value := range []credential.Secret{s.Right("svc-0004"), wrong} {
		require.Equal(t, protocol.Unreachable, s.ask(hangs, "svc-0004", value), "its directory hangs")
	}
	s.Directory.Process().Resume()
	require.NoError(t, s.Directory.Stop(t.Context()))
	require.Equal(t, protocol.Refused, s.ask(at, "svc-0003", s.Right("svc-0003")), "a directory that is down is the same as wrong, so the new value is refused too")
	require.Equal(t, protocol.Refused, s.ask(at, "svc-0003", wrong))
}

// Squid keeps one value of a name. The old one is taken until somebody logs in
// with another: the new one, or a wrong one. A reload ends nothing.
func TestAProxyTakesTheOldValueUntilAnotherOneIsOffered(t *testing.T) {
	t.Parallel()
	s := newProxied(t, 0)
	at := s.settings("http", s.proxy.Target)
	old := map[string]credential.Secret{}
	for _, uid := range []string{"svc-0001", "svc-0003", "svc-0004"} {
		old[uid] = s.Right(uid)
		require.Equal(t, protocol.Accepted, s.ask(at, uid, old[uid]))
	}
	changed := credential.NewSecret("of-after")
	for uid := range old {
		s.Change(uid, "userPassword", changed.Reveal())
		require.Equal(t, protocol.Accepted, s.ask(at, uid, old[uid]), "the directory refuses it")
		require.Equal(t, protocol.Accepted, s.ask(s.settings("https", s.proxy.Target), uid, old[uid]), "the other port has the same cache")
	}
	s.proxy.Reload()
	require.Eventually(t, func() bool {
		return OpenProxy(at).Ask(t.Context(), "svc-0001", old["svc-0001"]).Reply != protocol.Unreachable
	}, time.Minute, 20*time.Millisecond, "its ports are shut while it reloads")
	require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001", old["svc-0001"]), "reloaded")
	require.Equal(t, protocol.Accepted, s.ask(at, "SVC-0001", old["svc-0001"]), "names in small letters and capitals are one")
	require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001", changed))
	require.Equal(t, protocol.Refused, s.ask(at, "svc-0001", old["svc-0001"]), "the new one ended it")
	require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001", changed))
	require.Equal(t, protocol.Refused, s.ask(at, "svc-0003", wrong))
	require.Equal(t, protocol.Refused, s.ask(at, "svc-0003", old["svc-0003"]), "a wrong one ended it")
	require.NoError(t, s.proxy.Restart(t.Context()))
	require.Equal(t, protocol.Refused, s.ask(at, "svc-0004", old["svc-0004"]), "a restart ended it")
}

// A name with its realm is another entry than the one without it.
func TestAProxysCacheHasAnEntryForANameWithItsRealm(t *testing.T) {
	t.Parallel()
	s := newProxied(t, 0)
	at := s.settings("http", s.proxy.Target)
	s.Change("svc-0001", "mail", "svc-0001@example.org")
	old, changed := s.Right("svc-0001"), credential.NewSecret("of-after")
	require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001@example.org", old))
	s.Change("svc-0001", "userPassword", changed.Reveal())
	require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001", changed))
	require.Equal(t, protocol.Refused, s.ask(at, "svc-0001", old))
	require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001@example.org", old), "until a good login by that name")
	require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001@example.org", changed))
	require.Equal(t, protocol.Refused, s.ask(at, "svc-0001@example.org", old))
}

func TestATunnelOutlivesThePasswordThatBeganIt(t *testing.T) {
	t.Parallel()
	s := newProxied(t, 0)
	c, err := net.Dial("tcp", s.proxy.Address("http"))
	require.NoError(t, err)
	defer c.Close()
	in := bufio.NewReader(c)
	login := base64.StdEncoding.EncodeToString([]byte("svc-0001:" + s.Right("svc-0001").Reveal()))
	_, err = fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\nProxy-Authorization: Basic %s\r\n\r\n", s.proxy.Target, s.proxy.Target, login)
	require.NoError(t, err)
	for line := ""; line != "\r\n"; {
		line, err = in.ReadString('\n')
		require.NoError(t, err)
	}
	says := func() error {
		if _, err := fmt.Fprint(c, "still here\n"); err != nil {
			return err
		}
		_, err := in.ReadString('\n')
		return err
	}
	require.NoError(t, says())
	s.Change("svc-0001", "userPassword", "of-after")
	at := s.settings("http", s.proxy.Target)
	require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001", credential.NewSecret("of-after")))
	require.Equal(t, protocol.Refused, s.ask(at, "svc-0001", s.Right("svc-0001")))
	s.proxy.Reload()
	require.NoError(t, says())
	require.NoError(t, s.proxy.Restart(t.Context()))
	require.Error(t, says())
}

// The time it keeps a login for is counted from when the directory was asked.
func TestUseDoesNotProlongWhatAProxyKeeps(t *testing.T) {
	t.Parallel()
	s := newProxied(t, 3*time.Second)
	at := s.settings("http", s.proxy.Target)
	old := s.Right("svc-0001")
	require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001", old))
	s.Change("svc-0001", "userPassword", "of-after")
	require.Eventually(t, func() bool { return s.ask(at, "svc-0001", old) == protocol.Refused }, time.Minute, 100*time.Millisecond)
}

// A proxy whose directory goes away proves nothing from its cache: the old
// value that it refuses for that ends what it kept of the new one.
func TestAProxyWhoseDirectoryIsAwayProvesNothing(t *testing.T) {
	t.Parallel()
	s := newProxied(t, 0)
	at := s.settings("http", s.proxy.Target)
	is := s.Right("svc-0001")
	require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001", is))
	require.NoError(t, s.Directory.Stop(t.Context()))
	require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001", is), "from its cache")
	require.Equal(t, protocol.Refused, s.ask(at, "svc-0001", wrong))
	require.Equal(t, protocol.Refused, s.ask(at, "svc-0001", is), "not from its cache any more")
}

func TestNothingFoulOfAProxyIsAVerdict(t *testing.T) {
	t.Parallel()
	s := newProxied(t, 0)
	subject := doortest.Subject{At: s.settings("https", s.proxy.Target), Login: "svc-0001", Value: s.Right("svc-0001"),
		Open: func(d door.Settings) door.Door { return OpenProxy(d) }}
	subject.Certificates(t)
	subject.NotTLS(t)
	subject.At = s.settings("http", s.proxy.Target)
	subject.Foul(t, "HTTP/1.1 100 x\r\n\r\n", "HTTP/1.1 407 x\r\nX: y\r\n")
	subject.Cut(t, subject.At, subject.Value, protocol.Accepted)
	subject.Cut(t, subject.At, wrong, protocol.Refused)
	for answer, want := range map[string]protocol.Reply{
		"HTTP/1.1 200 x\r\n\r\n": protocol.Guest,
		"HTTP/1.1 407 x\r\nProxy-Authenticate: Digest realm=x\r\nContent-Length: 0\r\n\r\n": protocol.NotThisWay,
		"HTTP/1.1 401 x\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n":    protocol.NotThisWay,
		"HTTP/1.1 407 x\r\nContent-Length: 0\r\n\r\n":                                       protocol.NotThisWay,
		"HTTP/1.1 403 x\r\nContent-Length: 0\r\n\r\n":                                       protocol.NotThisWay,
		"HTTP/1.1 429 x\r\nContent-Length: 0\r\n\r\n":                                       protocol.TooMany,
		"HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n":                                       protocol.Unreachable,
	} {
		at := subject.At
		at.Address = doortest.Says(t, answer)
		require.Equal(t, want, s.ask(at, "svc-0001", wrong), answer)
	}
}
