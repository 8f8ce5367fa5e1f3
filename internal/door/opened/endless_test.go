package opened

import (
	"bytes"
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/protocol"
)

// What a server can be rid of until the door hangs up: what is read of it, a
// mebibyte, and what lies in the buffers of two sockets.
const (
	offered = 1 << 30
	taken   = 16 << 20
)

// talker sends first, then one byte again and again, and says how much it got
// rid of when its caller hung up.
func talker(t *testing.T, first string, with byte) (address string, got <-chan int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	out := make(chan int, 100)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				n, _ := c.Write([]byte(first))
				for chunk := bytes.Repeat([]byte{with}, 64<<10); n < offered; {
					more, err := c.Write(chunk)
					if n += more; err != nil {
						break
					}
				}
				out <- n
			}()
		}
	}()
	return l.Addr().String(), out
}

// A server that would send a gibibyte is hung up on, whatever it begins with,
// by each type of door; and it refused nothing.
func TestNoDoorReadsMoreThanItsLimitOfAServerThatNeverStops(t *testing.T) {
	t.Parallel()
	value := credential.NewSecret("a-value-of-nobody-17")
	doors := Doors{Read: func(context.Context, credential.Path) (credential.Secret, error) { return value, nil }}
	begins := map[string]string{
		"imap": "* OK [", "pop3": "+OK ", "submission": "220-a\r\n220-", "ftp": "220-a\r\n", "ssh": "SSH-2.0-a\r\n",
		"http": "HTTP/1.1 401 no\r\nX: ", "http-proxy": "HTTP/1.1 407 no\r\nX: ", "vault": "HTTP/1.1 200 ok\r\n\r\n", "postgres": "R", "mysql": "\xff\xff\xff\x00\x0a", "ldap": "\x30\x84\x7f\xff\xff\xff", "smb": "\x00\xff\xff\xff\xfeSMB",
	}
	for name, kind := range door.Types {
		if kind.Port == "161" || kind.Port == "1812" {
			continue // a datagram ends where it ends
		}
		for _, first := range []string{"", begins[name]} {
			for _, with := range []byte{'a', '\n', 0} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					address, got := talker(t, first, with)
					secured := kind.TLS[0]
					if secured == door.Implicit {
						secured = kind.TLS[len(kind.TLS)-1]
					}
					d, err := doors.Open(door.Settings{Type: name, Address: address, TLS: secured, ServerName: "localhost", Login: "{account}", Path: "/auth/userpass", Timeout: time.Minute,
						HostKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0kVDbhPDXgYFmZ2OKoyvtjVYZqkZ0qm0bdWq4jPq5b"})
					require.NoError(t, err)
					ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
					defer cancel()
					require.NotContains(t, []protocol.Reply{protocol.Refused, protocol.Accepted}, d.Ask(ctx, "svc-0001", value).Reply)
					_, err = d.Software(ctx)
					require.False(t, errors.Is(err, context.DeadlineExceeded))
					for range 2 {
						select {
						case n := <-got:
							require.Less(t, n, taken)
						case <-ctx.Done():
							return // it was connected to once, or not at all
						}
					}
				})
			}
		}
	}
}
