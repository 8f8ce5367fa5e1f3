package directory

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/awaited"
)

type security int

const (
	tlsAtOnce security = iota // ldaps://
	startTLS                  // RFC 4511, 4.14
	clearText
)

// server is one server of the directory.
type server struct {
	name     string // as config.ServerAt writes it
	host     string // the certificate is held to it
	port     string
	address  string // that is dialled; empty: the one of host
	found    atomic.Pointer[string]
	security security
	tls      *tls.Config
	client   *Client
	probe    *pool

	identities []*identity // of the worker, in the order of the file
}

// conn is a connection, used by one goroutine at a time.
type conn struct {
	ldap   *ldap.Conn
	tcp    net.Conn // closing it ends every call on ldap at once
	state  *tls.ConnectionState
	server *server
	bound  string // the DN of the identity that it is bound as; empty for the probe pool
	used   bool   // came from the pool
	broken atomic.Bool
}

func (c *conn) alive() bool { return !c.broken.Load() && !c.ldap.IsClosing() }

func (c *conn) close() {
	_ = c.tcp.Close()
	_ = c.ldap.Close()
}

// do runs one operation, ended by ctx or the directory's timeout. go-ldap knows
// no contexts, so the end of ctx cuts the connection. what names the operation
// in errors. An answer of the server is passed on as *ldap.Error; everything
// else is unreachable or the end of ctx.
func (c *conn) do(ctx context.Context, what string, f func(*ldap.Conn) error) error {
	if err := c.server.client.wait(ctx); err != nil {
		return err
	}
	timed, cancel := context.WithTimeout(ctx, c.server.client.timeout)
	defer cancel()
	defer awaited.From(ctx, c.server.name)()
	stop := context.AfterFunc(timed, func() {
		c.broken.Store(true)
		_ = c.tcp.Close()
	})
	err := f(c.ldap)
	if !stop() {
		c.broken.Store(true)
	}
	switch {
	case err == nil:
		return nil
	case answered(err):
		return err
	case ctx.Err() != nil:
		c.broken.Store(true)
		return fmt.Errorf("%s at %s: %w", what, c.server.name, ctx.Err())
	case timed.Err() != nil:
		return c.server.unreachable(what, fmt.Errorf("no answer within %s", c.server.client.timeout))
	default:
		c.broken.Store(true)
		return c.server.unreachable(what, err)
	}
}

// change is do for what changes an entry. If the connection is given up before
// the answer, or this process is killed, what was not yet sent is dropped with
// it: the kernel would send it again for a minute and more (tcp(7),
// tcp_orphan_retries), and an old reset would come after a newer one.
func (c *conn) change(ctx context.Context, what string, f func(*ldap.Conn) error) error {
	if tcp, ok := c.tcp.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
		defer func() {
			if !c.broken.Load() {
				_ = tcp.SetLinger(-1)
			}
		}()
	}
	return c.do(ctx, what, f)
}

// answered reports whether err is a result the server sent, not a lost answer.
// go-ldap numbers its own errors from 200 (ldap.ErrorNetwork).
func answered(err error) bool {
	var le *ldap.Error
	return errors.As(err, &le) && le.ResultCode < ldap.ErrorNetwork
}

// resultCode is the server's result code; 0 when err is nil or no answer.
func resultCode(err error) uint16 {
	var le *ldap.Error
	if errors.As(err, &le) {
		return le.ResultCode
	}
	return 0
}

// dial connects and secures the connection. Nothing is bound yet.
func (s *server) dial(ctx context.Context) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	defer awaited.From(ctx, s.name)()
	address, err := s.where(ctx)
	if err != nil {
		return nil, s.dialError(ctx, err)
	}
	tcp, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(address, s.port))
	if err != nil {
		return nil, s.dialError(ctx, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = tcp.Close() })
	defer stop()
	if s.security == startTLS {
		if err := s.requestTLS(tcp); err != nil {
			_ = tcp.Close()
			return nil, s.dialError(ctx, err)
		}
	}
	c := &conn{tcp: tcp, server: s}
	var wire net.Conn = tcp
	if s.security != clearText {
		tc := tls.Client(tcp, s.tls)
		if err := tc.HandshakeContext(ctx); err != nil {
			_ = tcp.Close()
			return nil, s.dialError(ctx, err)
		}
		state := tc.ConnectionState()
		c.state, wire = &state, tc
	}
	c.ldap = ldap.NewConn(wire, c.state != nil)
	c.ldap.Start()
	return c, nil
}

// requestTLS asks for TLS (RFC 4511, 4.14). It reads exactly one message, so
// that nothing sent in clear text can pass for something sent under TLS.
func (s *server) requestTLS(tcp net.Conn) error {
	msg := ber.NewSequence("LDAP message")
	msg.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 1, "message id"))
	req := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationExtendedRequest, nil, "StartTLS")
	req.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, "1.3.6.1.4.1.1466.20037", "OID"))
	msg.AppendChild(req)
	if _, err := tcp.Write(msg.Bytes()); err != nil {
		return err
	}
	reply, err := ber.ReadPacket(tcp)
	if err != nil {
		return err
	}
	return ldap.GetLDAPError(reply)
}
