package opened

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
)

// shows is how each type of door shows a value: in bytes that a server may
// quote, or in none. A type that comes later has to say it here.
var shows = map[string]bool{
	"imap": true, "pop3": true, "submission": true, "ftp": true, "http": true, "vault": true, "postgres": true, "ldap": true, "snmpv2c": true,
	"imaps": true, "pop3s": true, "smtps": true, "ftps": true, "https": true, "ldaps": true, "http-proxy": true, "https-proxy": true,
	// A digest of it, or what is encrypted with it or for it.
	"mysql": false, "radius": false, "smb": false, "snmp": false, "ssh": false,
}

// quoting is a server that quotes in its answers all that it hears.
type quoting struct {
	mu    sync.Mutex
	heard bytes.Buffer
	first []string // lines of requests by HTTP
}

func (q *quoting) hear(b []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.heard.Write(b)
}

// greetings begin a protocol, and answers quote a line of it.
var greetings = map[string]string{
	"imap": "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] a\r\n", "pop3": "+OK a\r\n", "submission": "220 a\r\n", "ftp": "220 a\r\n",
}

func answer(kind, line string) string {
	said := strings.TrimSpace(line)
	verb := strings.ToUpper(said[:min(4, len(said))])
	switch kind {
	case "imap":
		tag, _, _ := strings.Cut(said, " ")
		return tag + " NO [ALERT] " + said + "\r\n"
	case "pop3":
		if verb == "USER" {
			return "+OK " + said + "\r\n"
		}
		return "-ERR [" + said + "] " + said + "\r\n"
	case "submission":
		if verb == "EHLO" {
			return "250-a\r\n250 AUTH PLAIN LOGIN\r\n"
		}
		return "535 5.7.8 " + said + "\r\n"
	case "ftp":
		if verb == "USER" {
			return "331 " + said + "\r\n"
		}
		return "501 " + said + "\r\n"
	}
	return said
}

func (q *quoting) serve(kind string, c net.Conn) {
	defer c.Close()
	if greeting, byLines := greetings[kind]; byLines {
		_, _ = io.WriteString(c, greeting)
		in := bufio.NewReader(c)
		for {
			line, err := in.ReadString('\n')
			if q.hear([]byte(line)); err != nil {
				return
			}
			_, _ = io.WriteString(c, answer(kind, line))
		}
	}
	buffer := make([]byte, 64<<10)
	for asked := 0; ; asked++ {
		n, err := c.Read(buffer)
		if q.hear(buffer[:n]); err != nil {
			return
		}
		text := string(buffer[:n])
		switch {
		case kind == "postgres" && asked == 0:
			_, _ = c.Write([]byte("R\x00\x00\x00\x08\x00\x00\x00\x03")) // in clear text
		case kind == "postgres":
			body := "SFATAL\x00C28P99\x00M" + strings.ReplaceAll(text, "\x00", "") + "\x00\x00"
			_, _ = c.Write(append([]byte{'E', 0, 0, 0, byte(len(body) + 4)}, body...))
		case kind == "ldap":
			said := strings.Map(func(r rune) rune {
				if r < ' ' || r > '~' {
					return '.'
				}
				return r
			}, text)
			said = "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data " + said
			op := append([]byte{0x0a, 1, 49, 4, 0, 4, byte(len(said))}, said...)
			op = append([]byte{0x61, 0x81, byte(len(op))}, op...)
			op = append([]byte{2, 1, 1}, op...)
			_, _ = c.Write(append([]byte{0x30, 0x81, byte(len(op))}, op...))
			return
		default:
			_, _ = c.Write(buffer[:n])
			return
		}
	}
}

// ServeHTTP quotes a request in its status, its fields and its body.
func (q *quoting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	q.mu.Lock()
	q.first = append(q.first, r.Host+" "+r.RequestURI+" "+r.Referer())
	q.mu.Unlock()
	said := fmt.Sprint(r.Header, string(body))
	q.hear([]byte(said))
	for _, f := range []string{"WWW-Authenticate", "Location", "Server"} {
		w.Header().Set(f, strings.Join(strings.Fields(said), "_"))
	}
	w.Header().Add("WWW-Authenticate", `Basic realm="x"`)
	w.Header().Add("Proxy-Authenticate", `Basic realm="x"`)
	if r.Method == http.MethodConnect {
		w.WriteHeader(http.StatusProxyAuthRequired)
	} else {
		w.WriteHeader(http.StatusUnauthorized)
	}
	_, _ = io.WriteString(w, `{"errors":["`+said+`"]}`)
}

// Whatever a server quotes of what it was shown, no answer of a door, no error
// and no address that is asked for has the value, in any form in which it could
// hide. (A door starts no program, so that no process list has it.)
func TestNoAnswerOfADoorHasTheValueThatItWasShown(t *testing.T) {
	t.Parallel()
	const login, secret = "svc-quoted", "Kv7~the-value-that-is-quoted"
	value := credential.NewSecret(secret)
	hides := []string{secret, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret)), hex.EncodeToString([]byte(secret)),
		base64.StdEncoding.EncodeToString([]byte("\x00" + login + "\x00" + secret)), base64.StdEncoding.EncodeToString([]byte(login + ":" + secret))}
	hidden := func(text string) bool {
		for _, form := range hides {
			if strings.Contains(text, form) {
				return true
			}
		}
		return false
	}
	doors := Doors{Read: func(context.Context, credential.Path) (credential.Secret, error) { return value, nil }}
	for _, name := range door.Names() {
		kind := door.Types[name]
		sends, said := shows[name]
		require.True(t, said, "say of type %s how it shows a value", name)
		secured := kind.TLS[len(kind.TLS)-1]
		if secured == door.Implicit {
			continue // the same, over TLS
		}
		for _, auth := range append([]door.Auth{""}, kind.Auth...) {
			t.Run(name+" "+string(auth), func(t *testing.T) {
				t.Parallel()
				q := &quoting{}
				at := door.Settings{Type: name, Address: q.listen(t, name), TLS: secured, ServerName: "localhost", Login: "{account}", Path: "/auth/userpass", Auth: auth, Timeout: 3 * time.Second, Header: "X-Key",
					Form:    &door.Form{Body: "user={login}&password={value}", Success: door.Mark{Status: 302}, Failure: door.Mark{Body: "wrong"}},
					HostKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0kVDbhPDXgYFmZ2OKoyvtjVYZqkZ0qm0bdWq4jPq5b"}
				if slices.Contains(kind.Keys, "target") {
					at.Path = "www.example.org:443"
				}
				d, err := doors.Open(at)
				require.NoError(t, err)
				got := d.Ask(t.Context(), login, value)
				require.False(t, hidden(got.Code+got.Doubt), "%+v", got)
				require.NotContains(t, got.Code+got.Doubt, login)
				_, why, do := at.Unfit(got)
				require.False(t, hidden(why+do))
				software, err := d.Software(t.Context())
				require.False(t, hidden(software+fmt.Sprint(err)))
				q.mu.Lock()
				defer q.mu.Unlock()
				if auth == "" || name == "http" || name == "vault" && auth != door.ByAppRole {
					require.Equal(t, sends, hidden(q.heard.String()), "it was shown, or not: %q", q.heard.String())
				}
				for _, line := range q.first {
					require.False(t, hidden(line), line)
					require.False(t, hidden(mustUnescape(line)), line)
				}
			})
		}
	}
}

func mustUnescape(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}

// listen gives the address of one that speaks a type's protocol, or repeats
// what it hears.
func (q *quoting) listen(t *testing.T, kind string) string {
	t.Helper()
	for _, datagrams := range door.ByDatagrams {
		if kind != datagrams {
			continue
		}
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		go func() {
			buffer := make([]byte, 4096)
			for {
				n, from, err := c.ReadFrom(buffer)
				if err != nil {
					return
				}
				q.hear(buffer[:n])
				_, _ = c.WriteTo(buffer[:n], from)
			}
		}()
		return c.LocalAddr().String()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	if kind == "http" || kind == "http-proxy" || kind == "vault" {
		server := &http.Server{Handler: q}
		t.Cleanup(func() { _ = server.Close() })
		go func() { _ = server.Serve(l) }()
		return l.Addr().String()
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go q.serve(kind, c)
		}
	}()
	return l.Addr().String()
}
