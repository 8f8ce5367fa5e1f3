package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/doortest"
	"rollcall/internal/protocol"
)

// formed is a door at the office's login form.
func (s *office) formed(kind string) door.Settings {
	at := s.settings(kind, "/inside")
	at.Auth = door.ByForm
	at.Form = &door.Form{Body: "httpd_username={login}&httpd_password={value}", Action: "/dologin",
		Success: door.Mark{Status: 302, Location: "/inside"}, Failure: door.Mark{Location: "/sign*"}}
	return at
}

func TestWhatAFormsAnswersMean(t *testing.T) {
	t.Parallel()
	s := newOffice(t, false)
	ask := func(at door.Settings, uid string, value credential.Secret) protocol.Reply {
		t.Helper()
		return doortest.Ask(t, Open(at), uid, value)
	}
	for _, kind := range []string{"https", "http"} {
		at := s.formed(kind)
		require.Equal(t, protocol.Accepted, ask(at, "svc-0001", s.Right("svc-0001")), kind)
		require.Equal(t, protocol.Refused, ask(at, "svc-0001", wrong), kind)
		require.Equal(t, protocol.Accepted, ask(at, "svc-0001", s.Right("svc-0001")), kind)
		require.Equal(t, protocol.Refused, ask(at, "nobody", wrong), "the same as wrong")
		require.Equal(t, protocol.Refused, ask(at, "svc-0002", s.Right("svc-0002")), "locked is the same as wrong")
		require.Equal(t, protocol.Accepted, ask(at, "svc-0003", s.Right("svc-0003")), "must change, which a bind alone does not show")
		software, err := Open(at).Software(t.Context())
		require.NoError(t, err)
		require.Contains(t, software, "Apache/2.4")
	}
	at := s.formed("https")
	at.Form.Action = "/dolater"
	require.Equal(t, protocol.Unreachable, ask(at, "svc-0001", s.Right("svc-0001")), "its directory is down: 500")
	require.Equal(t, protocol.Unreachable, ask(at, "svc-0001", wrong), "its directory is down: 500")
	at = s.formed("https")
	at.Form.Success = door.Mark{Status: 302, Body: "welcome"}
	require.Equal(t, protocol.NotThisWay, ask(at, "svc-0001", s.Right("svc-0001")), "neither mark")
	at.Form.Success = door.Mark{Status: 302}
	require.Equal(t, protocol.Guest, ask(at, "svc-0001", wrong), "whoever comes is sent somewhere")
	at.Path = "/nowhere"
	require.Equal(t, protocol.NotThisWay, ask(at, "svc-0001", wrong), "both marks")
	require.Equal(t, protocol.Accepted, ask(at, "svc-0001", s.Right("svc-0001")))
	at.Form.Failure = door.Mark{Location: "https://elsewhere.example.org/*"}
	require.Equal(t, protocol.Guest, ask(at, "svc-0001", s.Right("svc-0001")), "a user that cannot exist has the mark of success too")
	require.Equal(t, protocol.NotCarried, ask(s.formed("https"), "svc-0001", credential.Secret{}))

	// A session has the name and the value in its cookie, and each page holds
	// them to the directory: it ends with the value.
	form := OpenForm(s.formed("https"))
	x := form.pace.begin(form.at)
	defer x.end()
	in, _, err := form.ask(t.Context(), x, http.MethodPost, "/dologin", form.filled(nil, "svc-0004", s.Right("svc-0004")), nil)
	require.NoError(t, err)
	inside := func() int {
		page, _, err := form.ask(t.Context(), x, http.MethodGet, "/inside", nil, in.Cookies())
		require.NoError(t, err)
		return page.StatusCode
	}
	require.Equal(t, http.StatusOK, inside())
	admin, err := s.Directory.AdminConn(t.Context())
	require.NoError(t, err)
	defer admin.Close()
	_, err = admin.PasswordModify(ldap.NewPasswordModifyRequest(s.Directory.AccountDN("svc-0004"), "", "renewed"))
	require.NoError(t, err)
	require.Equal(t, http.StatusFound, inside())

	subject := doortest.Subject{At: s.formed("https"), Login: "svc-0001", Value: s.Right("svc-0001"), Open: Open}
	subject.Certificates(t)
	subject.NotTLS(t)
	subject.At = s.formed("http")
	subject.Cut(t, subject.At, wrong, protocol.Refused)
	s.Expire("svc-0001")
	for _, value := range []credential.Secret{s.Right("svc-0001"), wrong} {
		require.Equal(t, protocol.Refused, ask(s.formed("https"), "svc-0001", value), "expired is the same as wrong")
	}
	at = s.formed("https")
	at.Timeout = 500 * time.Millisecond
	s.Directory.Process().Pause()
	for _, value := range []credential.Secret{s.Right("svc-0003"), wrong} {
		require.Equal(t, protocol.Unreachable, ask(at, "svc-0003", value), "its directory hangs")
	}
	s.Directory.Process().Resume()
	s.web.Process().Pause()
	at = s.formed("https")
	at.Timeout = 300 * time.Millisecond
	require.Equal(t, protocol.Unreachable, ask(at, "svc-0001", s.Right("svc-0001")))
	s.web.Process().Resume()
}

// An application of today's: a cookie, a hidden field that goes with it, and
// the form once more with 200 for a wrong value.
func TestAFormIsSentWithThePagesCookieAndHiddenFields(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	page := func(w http.ResponseWriter, said string) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "s1", Path: "/"})
		fmt.Fprintf(w, `<form action=/search><input type=hidden name=csrf value=none></form>
<form method=post>%s<INPUT type="hidden" name="csrf" value="a&amp;b"><input name=user><input type=Password name=pass></form>`, said)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cookie, _ := r.Cookie("session")
		switch {
		case r.Method == http.MethodGet:
			page(w, "")
		case r.PostFormValue("csrf") != "a&b" || cookie == nil || cookie.Value != "s1":
			http.Error(w, "stale", http.StatusForbidden)
		case r.PostFormValue("pass") == "right & +%20" && r.PostFormValue("user") == "a+b@example.org":
			w.Header().Set("Location", other.URL+"/welcome")
			w.WriteHeader(http.StatusSeeOther)
		case r.PostFormValue("user") == "slow":
			w.WriteHeader(http.StatusTooManyRequests)
			page(w, "Wrong name or password")
		default:
			page(w, "Wrong name or password")
		}
	}))
	defer server.Close()
	at := door.Settings{Type: "http", TLS: door.ClearText, Auth: door.ByForm, Address: strings.TrimPrefix(server.URL, "http://"), Path: "/login", Timeout: 30 * time.Second,
		Form: &door.Form{Body: "user={login}&pass={value}", Success: door.Mark{Location: other.URL + "/welcome"}, Failure: door.Mark{Body: "Wrong name"}}}
	ask := func(login, value string) protocol.Reply {
		return doortest.Ask(t, Open(at), login, credential.NewSecret(value))
	}
	require.Equal(t, protocol.Accepted, ask("a+b@example.org", "right & +%20"))
	require.Equal(t, protocol.Refused, ask("a+b@example.org", "wrong"))
	require.Equal(t, protocol.TooMany, ask("slow", "wrong"))
	at.Form.Body = "user={login}&pass={value}&csrf=x"
	require.Equal(t, protocol.NotThisWay, ask("a+b@example.org", "right & +%20"), "the file's own fields go first")
	at.Form.Body = "user={login}&pass={value}"
	at.Form.Success = door.Mark{Location: "/welcome"}
	require.Equal(t, protocol.NotThisWay, ask("a+b@example.org", "right & +%20"), "that is another server's")
	require.Zero(t, elsewhere.Load(), "no redirect is followed")
	at.Form.Success = door.Mark{Body: "<form"}
	require.Equal(t, protocol.Guest, ask("a+b@example.org", "wrong"), "the page has that mark without a login")
}
