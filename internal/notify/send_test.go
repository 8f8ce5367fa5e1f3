package notify

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/ledger"
	"rollcall/internal/notify/settings"
)

// The check that docs/notify.md gives receivers, as it stands there.
func TestAReceiverTellsAGenuineWebHookFromAnother(t *testing.T) {
	page, err := os.ReadFile("../../docs/notify.md")
	require.NoError(t, err)
	check := regexp.MustCompile("(?s)```python\n(.*?)```").FindSubmatch(page)
	require.NotNil(t, check)
	w := newWorld(t)
	n := w.notifier()
	w.begins()
	n.Grew(campaign, nil)
	w.hook.next(t)
	stop(t, n)
	header := w.hook.header[0]
	genuine := func(key string, body []byte, change map[string]string) string {
		given := map[string]string{}
		for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
			given[name] = header.Get(name)
			require.NotEmpty(t, given[name])
		}
		for name, value := range change {
			given[name] = value
		}
		in, err := json.Marshal(map[string]any{"key": key, "headers": given, "body": string(body)})
		require.NoError(t, err)
		c := exec.Command("python3", "-c", string(check[1])+"\nimport json\nx = json.load(sys.stdin)\nprint(genuine(x['key'], x['headers'], x['body'].encode()))")
		c.Stdin = strings.NewReader(string(in))
		out, err := c.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return strings.TrimSpace(string(out))
	}
	body := w.hook.bodies[0]
	require.Equal(t, "True", genuine(key, body, nil))
	require.Equal(t, "False", genuine(key, append([]byte(" "), body...), nil), "another body")
	require.Equal(t, "False", genuine("whsec_YW5vdGhlci1rZXktYW5vdGhlci1rZXk=", body, nil), "another key")
	require.Equal(t, "False", genuine(key, body, map[string]string{"webhook-id": "another"}))
	old := strconv.FormatInt(time.Now().Add(-10*time.Minute).Unix(), 10)
	require.Equal(t, "False", genuine(key, body, map[string]string{"webhook-timestamp": old}), "sent again later")
	late, err := Sign(credential.NewSecret(key), header.Get("webhook-id"), time.Now().Add(-10*time.Minute), body)
	require.NoError(t, err)
	require.Equal(t, "False", genuine(key, body, late), "signed then, and kept")
}

func TestAKeyThatIsNoneSignsNothing(t *testing.T) {
	for _, bad := range []string{"", "short", "whsec_", "whsec_not base64, and of some length"} {
		_, err := Sign(credential.NewSecret(bad), "id", time.Now(), nil)
		require.ErrorContains(t, err, "its key in Vault")
		if bad != "" {
			require.NotContains(t, err.Error(), strings.TrimPrefix(bad, "whsec_")+"x")
		}
	}
}

func TestACommandGetsTheEventAndNothingSecret(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Setenv("ROLLCALL_NOTIFY_DIR", dir)
	t.Setenv("VAULT_TOKEN", "not-for-commands")
	program := filepath.Join(dir, "page")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\n{ cat; env; printf '%s|' \"$@\"; } >> "+w.dir+"/said\n"), 0o755))
	w.told.Notify.Targets = []settings.Target{{Name: "pager", Events: []settings.Event{settings.Start}, Command: []string{program, "--team", "a b; rm -rf /"}}}
	n := w.notifier()
	w.begins()
	w.add(of("a", ledger.EventIntent)) // a wave begins, which nobody wants to hear of
	require.Zero(t, stop(t, n))
	got, err := os.ReadFile(filepath.Join(w.dir, "said"))
	require.NoError(t, err)
	event, rest, _ := strings.Cut(string(got), "\n")
	var told Notice
	require.NoError(t, json.Unmarshal([]byte(event), &told))
	require.Equal(t, settings.Start, told.Event)
	require.Equal(t, &Counts{Listed: 3, Open: 3}, told.Counts)
	require.Contains(t, rest, "ROLLCALL_EVENT_ID="+told.ID+"\n")
	require.Contains(t, rest, "--team|a b; rm -rf /|", "no shell reads it")
	require.NotContains(t, rest, "not-for-commands")
	require.NotContains(t, rest, "{", "once, and nothing else")
}

// server is a mail server that wants a login over TLS.
type server struct {
	mu    sync.Mutex
	login string
	mails []string
	to    []string
}

func (s *server) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{s: s}, nil }

type session struct {
	s  *server
	in bool
}

func (x *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (x *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if x.in = user+":"+password == x.s.login; !x.in {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

func (x *session) Mail(string, *smtp.MailOptions) error {
	if !x.in {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (x *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	x.s.to = append(x.s.to, to)
	return nil
}

func (x *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	x.s.mails = append(x.s.mails, string(text))
	return err
}

func (x *session) Reset()        {}
func (x *session) Logout() error { return nil }

// startMail gives its address, and the CA of its certificate.
func startMail(t *testing.T, s *server, secured bool) (address, ca string) {
	t.Helper()
	authority, err := lab.NewCA()
	require.NoError(t, err)
	certFile, keyFile, caFile, err := authority.Issue(t.TempDir(), "mail", time.Hour)
	require.NoError(t, err)
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	require.NoError(t, err)
	pem, err := os.ReadFile(caFile)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	serves := smtp.NewServer(s)
	serves.Domain = "localhost"
	if secured {
		serves.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}}
	} else {
		serves.AllowInsecureAuth = true
	}
	ended := make(chan error, 1)
	go func() { ended <- serves.Serve(l) }()
	t.Cleanup(func() {
		_ = serves.Close()
		if err := <-ended; err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, smtp.ErrServerClosed) {
			t.Error(err)
		}
	})
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return "localhost:" + port, string(pem)
}

func TestMailIsSentAfterALoginOverTLSAndNotWithout(t *testing.T) {
	mail := &server{login: "rollcall:p4ssword-of-mail"}
	address, ca := startMail(t, mail, true)
	n := Notice{ID: "c/end", Event: settings.End, At: time.Now(), Device: "esg-01", Campaign: "c", Text: "Ended: Zollanmeldung Übersee\r\nBcc: x@example.org", Open: []Standing{{What: "A server does not answer", Number: 2, Names: []string{"uid=a", "uid=b"}}}}
	to := post{Target: settings.Target{Name: "duty", CA: ca, Mail: &settings.Mail{Server: address, From: "rollcall@example.org", To: []string{"duty@example.org", "ciso@example.org"}, Login: "rollcall", Password: credential.Path{Mount: "kv", Path: "notify", Field: "mail"}}},
		secrets: kept{"kv/notify#mail": "p4ssword-of-mail"}, now: time.Now}
	said, ok := to.send(t.Context(), n)
	require.True(t, ok, said)
	require.Equal(t, []string{"duty@example.org", "ciso@example.org"}, mail.to)
	text := mail.mails[0]
	head, body, _ := strings.Cut(text, "\r\n\r\n")
	require.NotContains(t, head, "\r\nBcc:", "a name ends no header")
	require.Contains(t, head, "Message-ID: <")
	require.Contains(t, body, "Zollanmeldung =C3=9Cbersee")
	require.Contains(t, body, "uid=3Da; uid=3Db")
	require.NotContains(t, text, "p4ssword")

	_, _ = to.send(t.Context(), n)
	id := regexp.MustCompile("(?m)^Message-ID: (.*)$")
	require.Equal(t, id.FindString(text), id.FindString(mail.mails[1]), "sent again it is known")

	wrong := to
	wrong.secrets = kept{"kv/notify#mail": "another"}
	said, ok = wrong.send(t.Context(), n)
	require.False(t, ok)
	require.Equal(t, "refused the login: code 535", said)
	wrong.secrets = kept{}
	said, ok = wrong.send(t.Context(), n)
	require.False(t, ok)
	require.Contains(t, said, "Vault holds nothing at kv/notify#mail")
	wrong = to
	wrong.never = []string{"127.0.0.1"}
	said, ok = wrong.send(t.Context(), n)
	require.False(t, ok)
	require.Contains(t, said, "address of the compromised device")
	require.Len(t, mail.mails, 2)

	plain := &server{login: mail.login}
	clear := to
	clear.Mail = &settings.Mail{From: to.Mail.From, To: to.Mail.To, Login: to.Mail.Login, Password: to.Mail.Password}
	clear.Mail.Server, _ = startMail(t, plain, false)
	said, ok = clear.send(t.Context(), n)
	require.False(t, ok, "a server without STARTTLS is shown no password")
	require.Contains(t, said, "was not reached")
	require.Empty(t, plain.mails)
}

// A ticket system files a letter by the number in its subject.
func TestALetterNamesTheIncidentOnItsFirstLines(t *testing.T) {
	n := Notice{Event: settings.End, Text: "Campaign c1 over esg-01 ended", Incident: &credential.Incident{Number: "INC\r\n0012345", Severity: "P1"}}
	require.Equal(t, "[rollcall end] INC 0012345: Campaign c1 over esg-01 ended", subject(n))
	require.Contains(t, words(n), "Incident INC 0012345, severity P1\r\n")
	n.Incident = nil
	require.Equal(t, "[rollcall end] Campaign c1 over esg-01 ended", subject(n))
	require.NotContains(t, words(n), "Incident")
}
