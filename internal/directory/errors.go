package directory

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/go-ldap/ldap/v3"
)

// unreachableError is a server that cannot be reached, or an answer that was lost.
type unreachableError struct {
	server string
	what   string
	err    error
}

func (e *unreachableError) Error() string {
	return fmt.Sprintf("%s at %s: the server does not answer: %v", e.what, e.server, e.err)
}

func (e *unreachableError) Unwrap() error { return e.err }

// IsUnreachable reports whether err means that a server could not be reached or
// that its answer was lost. After a reset the caller must look whether it was
// applied.
func IsUnreachable(err error) bool {
	var u *unreachableError
	return errors.As(err, &u)
}

func (s *server) unreachable(what string, err error) error {
	return &unreachableError{server: s.name, what: what, err: err}
}

// dialError says what to do about a connection that did not come up. What a
// person has to put right in the file (a certificate, the kind of port) is no
// unreachable server: waiting would not help.
func (s *server) dialError(ctx context.Context, err error) error {
	var cert *tls.CertificateVerificationError
	var notTLS tls.RecordHeaderError
	switch {
	case errors.As(err, &cert):
		return fmt.Errorf("directory %s: connect to %s: its certificate is not trusted for %s: %w; name the CA that signed it as ca_file, and use the name that is in the certificate",
			s.client.name, s.name, s.tls.ServerName, cert.Err)
	case errors.As(err, &notTLS):
		return fmt.Errorf("directory %s: connect to %s: the port does not speak TLS: %w; use ldap:// with starttls: true, or the ldaps port",
			s.client.name, s.name, err)
	case answered(err):
		return fmt.Errorf("directory %s: connect to %s: the server refuses StartTLS (%s); set its certificate up, or use ldaps://",
			s.client.name, s.name, describe(err))
	case context.Cause(ctx) == context.Canceled:
		return fmt.Errorf("directory %s: connect to %s: %w", s.client.name, s.name, context.Canceled)
	case ctx.Err() != nil:
		// Which of the ways to be cut off came first is chance.
		return s.unreachable("connect", ctx.Err())
	default:
		return s.unreachable("connect", err)
	}
}

// describe names a result code without the server's own words, which may hold
// the name of an entry.
func describe(err error) string {
	code := resultCode(err)
	return fmt.Sprintf("LDAP result %d, %s", code, ldap.LDAPResultCodeMap[code])
}
