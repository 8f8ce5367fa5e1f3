package web

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/doortest"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

func TestWhatAnswersToAValueInAFieldMean(t *testing.T) {
	t.Parallel()
	right := credential.NewSecret("key-4f1c.Z~9/+=")
	s := &office{Office: doortest.NewOffice(t, lab.SlapdOptions{})}
	s.web = doortest.Start(t, lab.StartApache, lab.ApacheOptions{Dir: t.TempDir(), CA: s.CA, Directory: s.Directory, Key: right.Reveal()})
	at := func(kind string, as door.Auth, path string) door.Settings {
		to := s.settings(kind, path)
		to.Auth, to.Header = as, "X-Api-Key"
		return to
	}
	for _, row := range []struct {
		as           door.Auth
		path         string
		right, wrong protocol.Reply
		why          string
	}{
		{door.ByBearer, "/bearer", protocol.Accepted, protocol.Refused, "401"},
		{door.ByBearer, "/scope", protocol.Restricted, protocol.Refused, "insufficient_scope"},
		{door.ByBearer, "/open", protocol.Guest, protocol.Guest, "200 without a value"},
		{door.ByBearer, "/elsewhere", protocol.Refused, protocol.Refused, "403 to each: so a new value is refused there, and nothing is proved"},
		{door.ByHeader, "/key", protocol.Accepted, protocol.Refused, "403, as to a value of nobody's"},
		{door.ByHeader, "/narrow", protocol.Restricted, protocol.Refused, "403 to the right one, 401 to others"},
		{door.ByHeader, "/anykey", protocol.Guest, protocol.Guest, "a value of nobody's is taken"},
		{door.ByHeader, "/form", protocol.NotThisWay, protocol.NotThisWay, "a redirect"},
	} {
		for _, kind := range []string{"https", "http"} {
			require.Equal(t, row.right, doortest.Ask(t, Open(at(kind, row.as, row.path)), "", right), row.path+": "+row.why)
			require.Equal(t, row.wrong, doortest.Ask(t, Open(at(kind, row.as, row.path)), "", wrong), row.path+": "+row.why)
		}
	}
	private := at("https", door.ByHeader, "/key")
	require.Equal(t, protocol.NotCarried, doortest.Ask(t, Open(private), "", credential.NewSecret("two\nlines")))
	require.Equal(t, protocol.NotCarried, doortest.Ask(t, Open(private), "", credential.NewSecret("key with spaces")))
	require.Equal(t, protocol.NotCarried, doortest.Ask(t, Open(private), "", credential.Secret{}))
	software, err := Open(private).Software(t.Context())
	require.NoError(t, err)
	require.Contains(t, software, "Apache/2.4")

	for _, to := range []door.Settings{at("http", door.ByHeader, "/key"), at("http", door.ByBearer, "/bearer")} {
		subject := doortest.Subject{At: to, Login: "svc-0001", Value: right, Open: Open}
		subject.Cut(t, to, wrong, protocol.Refused)
		subject.Cut(t, to, right, protocol.Accepted)
	}
	subject := doortest.Subject{At: private, Login: "svc-0001", Value: right, Open: Open}
	subject.Certificates(t)
	subject.NotTLS(t)
	s.web.Process().Pause()
	private.Timeout = 300 * time.Millisecond
	require.Equal(t, protocol.Unreachable, doortest.Ask(t, Open(private), "", right))
	s.web.Process().Resume()
}

// Numbers of requests and times are no other words, nor is the value that an
// answer repeats.
func TestWhatDiffersFromOneAnswerToTheNextIsNoOtherCause(t *testing.T) {
	t.Parallel()
	say := func(page, value string) string {
		return worded(&http.Response{Header: http.Header{"Content-Type": {"application/json"}}}, []byte(page), credential.NewSecret(value))
	}
	denied := say(`{"error": "denied", "key": "key-a", "request": "5f0c-11", "at": "2026-11-29T12:00:00Z"}`, "key-a")
	require.Equal(t, denied, say(`{"error": "denied", "key": "Zq", "request": "77aa-2e", "at": "2026-11-30T01:02:03Z"}`, "Zq"))
	require.NotEqual(t, denied, say(`{"error": "expired", "key": "Zq", "request": "77aa-2e", "at": "2026-11-30T01:02:03Z"}`, "Zq"))
}
