package postgres

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"rollcall/internal/credential"
)

// Elsewhere is a server that is none of a cluster's, at which values are
// offered and nothing else is done.
type Elsewhere struct {
	Host     string
	Port     uint16
	TLS      *tls.Config // nil: clear text
	Database string
	Timeout  time.Duration
	Dial     func(context.Context) (net.Conn, error)
}

// Offered is what a server made of a value.
type Offered struct {
	// Asked is how the server asked for the value.
	Asked Method
	// Authenticated: the server took it. What is refused after that has
	// another reason.
	Authenticated bool
	// Code is the SQLSTATE with which the login ended; empty for a session that
	// came up.
	Code string
}

// Offer offers value once. The error is of a server that gave no answer; it
// names the role, so it may be read and not passed on.
func (e Elsewhere) Offer(ctx context.Context, role string, value credential.Secret) (Offered, error) {
	s := &server{client: &Client{conf: Config{Timeout: e.Timeout}}, host: e.Host, port: e.Port, tls: e.TLS, dial: e.Dial}
	conn, saw, err := s.presentTo(ctx, role, value, e.Database)
	if conn != nil {
		hangUp(ctx, conn)
	}
	o := Offered{Asked: saw.asked, Authenticated: saw.authenticated, Code: codeOf(err)}
	if o.Code != "" {
		err = nil
	}
	return o, err
}

// ForNow reports whether a server that says so may answer later.
func ForNow(code string) bool { return forNow(code) }
