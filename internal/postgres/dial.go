package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"rollcall/internal/address"
	"rollcall/internal/awaited"
	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// application is how our sessions are called in pg_stat_activity.
const application = "rollcall"

// logIn makes a connection as role. Whatever came of it, what the server asked
// for is known afterwards. The error is the library's: it names the role, so it
// may be read and not passed on.
//
// Nothing of the environment (PGHOST, ~/.pgpass, …) has a say: what ParseConfig
// found there is written over.
func (s *server) logIn(ctx context.Context, role, value, database string) (*pgx.Conn, seen, error) {
	ctx, cancel := context.WithTimeout(ctx, s.client.conf.Timeout)
	defer cancel()
	defer awaited.From(ctx, s.name)()
	c, err := pgx.ParseConfig("host=127.0.0.1 port=5432 user=x password=x dbname=x sslmode=disable sslnegotiation=postgres sslcertmode=disable " +
		"target_session_attrs=any channel_binding=prefer require_auth='' min_protocol_version=3.0 max_protocol_version=3.0")
	if err != nil {
		return nil, seen{}, fmt.Errorf("what the environment says of PostgreSQL (PGSERVICE and its like) is of no use: %w", err)
	}
	e := &exchange{}
	c.Host, c.Port, c.User, c.Password, c.Database = s.host, s.port, role, value, database
	c.Fallbacks, c.ValidateConnect, c.ConnectTimeout = nil, nil, 0
	c.KerberosSrvName, c.KerberosSpn = "", ""
	c.TLSConfig = s.tls.Clone()
	c.RuntimeParams = map[string]string{"application_name": application, "client_encoding": "UTF8"}
	// Whoever may create functions in a schema could have ours call his
	// (CVE-2018-1058), and whoever owns the database could end each of our
	// statements or have us be another role (ALTER DATABASE … SET).
	// Elsewhere no statement is sent, and a pooler may refuse these before it
	// looks at any value (PgBouncer 1.18).
	if !s.elsewhere {
		maps.Copy(c.RuntimeParams, map[string]string{"search_path": "pg_catalog, pg_temp", "role": "none",
			"statement_timeout": "0", "lock_timeout": "0", "idle_in_transaction_session_timeout": "0"})
	}
	c.DefaultQueryExecMode = pgx.QueryExecModeExec // nothing is prepared, which poolers would mix up
	c.LookupFunc = func(context.Context, string) ([]string, error) { return []string{s.host}, nil }
	c.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		if s.dial != nil {
			return s.dial(ctx)
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(s.address, strconv.Itoa(int(s.port))))
		return departing(ctx, conn), err
	}
	c.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend { return pgproto3.NewFrontend(e.tap(r), w) }
	conn, err := pgx.ConnectConfig(ctx, c)
	if err != nil && ctx.Err() != nil {
		err = errors.Join(ctx.Err(), err)
	}
	return conn, e.seen(), err
}

// present logs in with a value: what SCRAM makes of it, or its bytes as they
// are where the server asks otherwise. What was offered before that was another
// value then.
func (s *server) present(ctx context.Context, role string, value credential.Secret) (*pgx.Conn, seen, error) {
	return s.presentTo(ctx, role, value, s.client.conf.Database)
}

func (s *server) presentTo(ctx context.Context, role string, value credential.Secret, database string) (*pgx.Conn, seen, error) {
	text := value.Reveal()
	prepared := prepare(text)
	conn, saw, err := s.logIn(ctx, role, prepared, database)
	if prepared == text || saw.asked != MD5 && saw.asked != ClearText {
		return conn, saw, err
	}
	if conn != nil {
		hangUp(ctx, conn)
	}
	return s.logIn(ctx, role, text, database)
}

// IsUnreachable reports whether err means that a server could not be reached or
// that its answer was lost. After a change the caller must look whether it was
// applied.
func IsUnreachable(err error) bool {
	return address.IsUnreachable(err)
}

// codeOf is the SQLSTATE of an error that the server sent; empty if it sent
// none.
func codeOf(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// lostRace reports whether somebody else changed the same role at that moment:
// an ALTER ROLE that waited for another one fails with an internal error (tuple
// concurrently updated), which has no code of its own. The routine that raised
// it is named in every language (protocol, error fields: R). Nothing was
// changed, and it may be tried again. The other one may be our own, whose
// answer was waited for in vain.
func lostRace(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "XX000" && e.Routine == "simple_heap_update"
}

// errNoRoom: the cluster, the database or the role has as many connections as
// it may.
var errNoRoom = errors.New(meaning(codeTooManyConnections))

// plain gives an error of the library in words that name no role.
func (s *server) plain(ctx context.Context, what string, err error) error {
	var cert *tls.CertificateVerificationError
	var ours interface{ SafeText() }
	var stop *protocol.Stop
	code := codeOf(err)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ours), errors.As(err, &stop), IsUnreachable(err):
		return err
	case context.Cause(ctx) == context.Canceled:
		return fmt.Errorf("database %s: %s at %s: %w", s.client.name, what, s.name, context.Canceled)
	case errors.As(err, &cert):
		return &certificateError{server: s, err: cert.Err}
	case forNow(code), lostRace(err):
		e := errors.New(meaning(code))
		if code == codeTooManyConnections {
			e = errNoRoom
		}
		return &address.Unreachable{Server: s.name, What: what, Err: e}
	case code != "":
		return &refusedError{server: s, what: what, code: code}
	case strings.Contains(err.Error(), "server refused TLS connection"):
		return fmt.Errorf("database %s: %s at %s: the server has no TLS (ssl = on in postgresql.conf), and without it values would be readable on the network", s.client.name, what, s.name)
	case ctx.Err() != nil:
		return &address.Unreachable{Server: s.name, What: what, Err: ctx.Err()}
	}
	return &address.Unreachable{Server: s.name, What: what, Err: innermost(err)}
}

// innermost is the error below the library's own, which name the role.
func innermost(err error) error {
	var network *net.OpError
	switch {
	case errors.As(err, &network):
		return network
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return io.ErrUnexpectedEOF
	}
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

// ourError is an error of ours, which names nobody.
type ourError string

func (e ourError) Error() string { return string(e) }
func (ourError) SafeText()       {}

// refusedError is an error that the server sent.
type refusedError struct {
	server     *server
	what, code string
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("database %s: %s at %s is refused (%s)", e.server.client.name, e.what, e.server.name, meaning(e.code))
}

func (*refusedError) SafeText() {}

// refusal is the code of an error that the server sent, after plain.
func refusal(err error) string {
	var e *refusedError
	if errors.As(err, &e) {
		return e.code
	}
	return ""
}

// certificateError is a certificate that is not good for the server's name.
type certificateError struct {
	server *server
	err    error
}

func (e *certificateError) Error() string {
	return fmt.Sprintf("database %s: connect to %s: its certificate is not trusted for %s: %v; %s", e.server.client.name, e.server.name, e.server.host, e.err, e.mend())
}

func (e *certificateError) Unwrap() error { return e.err }
func (*certificateError) SafeText()       {}

// mend says what helps, which is something else for each cause.
func (e *certificateError) mend() string {
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(e.err, &name):
		names := slices.Clone(name.Certificate.DNSNames)
		for _, ip := range name.Certificate.IPAddresses {
			names = append(names, ip.String())
		}
		return fmt.Sprintf("it is for %q: use a name that is in it (with the address behind, if the name leads elsewhere: postgresql://NAME:PORT@ADDRESS), or have one issued with %s among its subjectAltNames", names, e.server.host)
	case errors.As(e.err, &invalid) && invalid.Reason == x509.Expired:
		return "renew it, or set the clock of this machine"
	}
	return "name the CA that signed it as ca_file"
}

// hangUp ends a session in an orderly way, within a second.
func hangUp(ctx context.Context, c *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = c.Close(ctx)
}
