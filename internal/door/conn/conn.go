// Package conn opens the connection over which a door is asked, and bounds what
// may come of it: a door is a server like any other, and one that never stops
// talking, or never begins, is answered for by nobody.
package conn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"rollcall/internal/awaited"
	"rollcall/internal/door"
)

// maxSent is how much a door may send in one login. A greeting, a list of
// capabilities and an answer are some hundred bytes.
const maxSent = 1 << 20

// Dial opens a connection, over TLS where the door has that from the first
// byte on. It ends at the door's timeout and with ctx, whatever deadlines a
// client library sets on it, and after a mebibyte read. done closes it and must
// be called.
func Dial(ctx context.Context, s door.Settings) (c net.Conn, done func(), err error) {
	config, err := TLS(s)
	if err != nil {
		return nil, nil, err
	}
	answered := awaited.From(ctx, s.Address)
	ctx, ended := context.WithTimeout(ctx, s.Timeout)
	cancel := func() { ended(); answered() }
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", s.Address)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	deadline, _ := ctx.Deadline()
	_ = raw.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	done = func() { stop(); cancel(); _ = raw.Close() }
	c = &bounded{Conn: raw, left: maxSent}
	if s.TLS != door.Implicit {
		return &opening{Conn: c, kind: s.Type}, done, nil
	}
	over := tls.Client(c, config)
	if err := over.HandshakeContext(ctx); err != nil {
		done()
		return nil, nil, err
	}
	return &opening{Conn: over, kind: s.Type}, done, nil
}

// TLS is what secures a connection to a door: its certificate is held to its
// name, and no session is resumed.
func TLS(s door.Settings) (*tls.Config, error) {
	name := s.ServerName
	if name == "" {
		host, _, err := net.SplitHostPort(s.Address)
		if err != nil {
			return nil, fmt.Errorf("address %s: %w", s.Address, err)
		}
		name = host
	}
	config := &tls.Config{ServerName: name, MinVersion: tls.VersionTLS12}
	if s.CA != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(s.CA)) {
			return nil, errors.New("ca_file holds no certificate")
		}
	}
	return config, nil
}

// errTooMuch is a door that does not stop talking.
var errTooMuch = errors.New("it sent more than a mebibyte before an answer")

// bounded is a connection whose deadline nobody moves, and that ends after so
// many bytes read.
type bounded struct {
	net.Conn
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooMuch
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// SetDeadline does nothing: a client library's own limits are for its own
// users, and a door may take longer than they think (delays after a wrong
// login).
func (b *bounded) SetDeadline(time.Time) error      { return nil }
func (b *bounded) SetReadDeadline(time.Time) error  { return nil }
func (b *bounded) SetWriteDeadline(time.Time) error { return nil }
