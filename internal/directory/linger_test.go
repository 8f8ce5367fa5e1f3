package directory

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/lab"
)

// What was not yet sent is dropped with a connection that is reset; one that is
// closed is drained by the kernel, which an old reset must not be.
func TestAChangeWithoutAnAnswerResetsItsConnection(t *testing.T) {
	ca, err := lab.NewCA()
	require.NoError(t, err)
	cert, key, file, err := ca.Issue(t.TempDir(), "silent", time.Hour)
	require.NoError(t, err)
	pair, err := tls.LoadX509KeyPair(cert, key)
	require.NoError(t, err)
	trusted, err := os.ReadFile(file)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	ends := make(chan error, 2)
	go func() {
		for {
			raw, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { // it takes all and says nothing
				defer raw.Close()
				_, err := io.Copy(io.Discard, tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{pair}, SessionTicketsDisabled: true}))
				ends <- err
			}()
		}
	}()
	d := finding(config.OpenLDAP, "")
	d.Servers, d.CA = []string{"ldaps://" + listener.Addr().String()}, string(trusted)
	c := open(t, d, "unused")
	req := ldap.NewModifyRequest("uid=svc,dc=example,dc=org", nil)
	req.Replace("userPassword", []string{"new"})
	for name, call := range map[string]func(*conn, context.Context, string, func(*ldap.Conn) error) error{"change": (*conn).change, "read": (*conn).do} {
		c.timeout = time.Duration(patience)
		cn, err := c.servers[0].dial(t.Context())
		require.NoError(t, err)
		c.timeout = time.Second // of the call alone
		require.True(t, IsUnreachable(call(cn, t.Context(), name, func(l *ldap.Conn) error { return l.Modify(req) })))
		require.Equal(t, name == "change", errors.Is(<-ends, syscall.ECONNRESET), name)
	}
}
