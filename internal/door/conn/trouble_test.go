package conn

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/door"
	"rollcall/internal/lab"
)

// says is a server that says one thing to whoever comes, and waits.
func says(t *testing.T, first string, over *tls.Config) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if over != nil {
				c = tls.Server(c, over)
			}
			go func() {
				defer c.Close()
				_, _ = c.Write([]byte(first))
				_, _ = io.Copy(io.Discard, c)
			}()
		}
	}()
	return l.Addr().String()
}

func reads(t *testing.T, s door.Settings) door.Trouble {
	t.Helper()
	s.Timeout = time.Minute
	c, done, err := Dial(t.Context(), s)
	if err == nil {
		defer done()
		if _, err = ReadLine(Lines(c)); err == nil {
			return door.Trouble{}
		}
	}
	return Explain(err)
}

// Each has a sentence of its own: one that has expired is the door's own, and
// no fault; the others may be somebody in between.
func TestWhatIsWrongWithACertificateIsSaid(t *testing.T) {
	t.Parallel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	stranger, err := lab.NewCA()
	require.NoError(t, err)
	at := func(ca *lab.CA, host string, lifetime time.Duration) string {
		cert, key, _, err := ca.IssueFor(host, t.TempDir(), "server", lifetime)
		require.NoError(t, err)
		pair, err := tls.LoadX509KeyPair(cert, key)
		require.NoError(t, err)
		return says(t, "* OK\r\n", &tls.Config{Certificates: []tls.Certificate{pair}})
	}
	with := func(address string) door.Settings {
		return door.Settings{Type: "imaps", Address: address, TLS: door.Implicit, CA: string(ca.PEM), ServerName: "mail.example.org"}
	}
	require.Equal(t, door.Trouble{}, reads(t, with(at(ca, "mail.example.org", time.Hour))))

	other := reads(t, with(at(ca, "www.example.org", time.Hour)))
	require.Equal(t, door.OtherCertificate, other.Fault)
	require.Contains(t, other.Why, "its certificate is for www.example.org")
	require.Contains(t, other.Why, ", and not for mail.example.org")

	unknown := reads(t, with(at(stranger, "mail.example.org", time.Hour)))
	require.Equal(t, door.OtherCertificate, unknown.Fault)
	require.Contains(t, unknown.Why, "of an authority that neither ca_file nor, without one, the system's roots have (it says: CN=Rollcall lab CA)")

	expired := reads(t, with(at(ca, "mail.example.org", -time.Minute)))
	require.Empty(t, expired.Fault)
	require.Contains(t, expired.Why, "its certificate has expired, on 20")
}

func TestAnotherProtocolIsToldByItsFirstWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind, first, why string
	}{
		{"imap", "* OK ready\r\n", ""},
		{"ftp", "220 ready\r\n", ""},
		{"ssh", "SSH-2.0-x\r\n", ""},
		{"mysql", "an answer garbled\r\n", ""},
		{"imap", "SSH-2.0-x\r\n", "it speaks SSH"},
		{"ssh", "220 mail ESMTP\r\n", "it speaks SMTP or FTP"},
		{"pop3", "* OK ready\r\n", "it speaks IMAP"},
		{"submission", "+OK ready\r\n", "it speaks POP3"},
		{"ftp", "HTTP/1.1 400 Bad Request\r\n", "it speaks HTTP"},
		{"imap", "\x15\x03\x03\x00\x02\x02\x46", "it speaks TLS from the first byte on"},
	} {
		said := reads(t, door.Settings{Type: c.kind, TLS: door.StartTLS, Address: says(t, c.first, nil)})
		require.Equal(t, c.why, said.Why, c.kind)
		if c.why != "" {
			require.Equal(t, door.OtherProtocol, said.Fault)
		}
	}
	said := reads(t, door.Settings{Type: "imaps", TLS: door.Implicit, Address: says(t, "SSH-2.0-x\r\n", nil)})
	require.Equal(t, door.Trouble{Why: noTLS, Fault: door.OtherProtocol}, said)
}
