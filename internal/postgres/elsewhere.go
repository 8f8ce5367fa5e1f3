package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

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
	// Verified: it found the proof of SCRAM right. What is refused after that
	// has another reason, also where Authenticated is false: a pooler lets in
	// after it has a session of the server behind.
	Verified bool
	// PoolerRefused: a pooler refused the value by what it knows itself.
	PoolerRefused bool
	// Code is the SQLSTATE with which the login ended; empty for a session that
	// came up.
	Code string
}

// Offer offers value once. The error is of a server that gave no answer; it
// names the role, so it may be read and not passed on.
func (e Elsewhere) Offer(ctx context.Context, role string, value credential.Secret) (Offered, error) {
	s := &server{client: &Client{conf: Config{Timeout: e.Timeout}}, host: e.Host, port: e.Port, tls: e.TLS, dial: e.Dial, elsewhere: true}
	conn, saw, err := s.presentTo(ctx, role, value, e.Database)
	if conn != nil {
		hangUp(ctx, conn)
	}
	o := Offered{Asked: saw.asked, Authenticated: saw.authenticated, Verified: saw.verified, PoolerRefused: poolerRefuses(saw, err), Code: codeOf(err)}
	if o.Code != "" {
		err = nil
	}
	return o, err
}

// poolerRefuses reports whether a pooler refused the value, as PgBouncer 1.18
// words it. It says 08P01 of everything, also of what the server behind says of
// a value that it has taken itself ("password authentication failed for user
// …", in the server's language), so that its own words decide, each as the
// whole text and in answer to what it asked for.
func poolerRefuses(saw seen, err error) bool {
	var e *pgconn.PgError
	if !errors.As(err, &e) || e.Code != codeProtocolViolation || saw.authenticated || saw.verified {
		return false
	}
	switch saw.asked {
	case SCRAM:
		return e.Message == "SASL authentication failed"
	case MD5, ClearText:
		return e.Message == "password authentication failed"
	}
	return false
}

// ForNow reports whether a server that says so may answer later.
func ForNow(code string) bool { return forNow(code) }
