package directory

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"rollcall/internal/address"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// HoldsNoPassword reports whether err means that Vault holds no password for
// Rollcall's own login to a directory. Nobody was asked with it.
func HoldsNoPassword(err error) bool { return errors.Is(err, errNoPassword) }

// IsUnreachable reports whether err means that a server could not be reached or
// that its answer was lost. After a reset the caller must look whether it was
// applied.
func IsUnreachable(err error) bool {
	return address.IsUnreachable(err)
}

func (s *server) unreachable(what string, err error) error {
	return &address.Unreachable{Server: s.name, What: what, Err: err}
}

// dialError says what to do about a connection that did not come up. What a
// person has to put right in the file (a certificate, the kind of port) is no
// unreachable server: waiting would not help.
func (s *server) dialError(ctx context.Context, err error) error {
	var cert *tls.CertificateVerificationError
	var notTLS tls.RecordHeaderError
	switch {
	case errors.As(err, &cert):
		return &certificateError{server: s, err: cert.Err}
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

// certificateError is a certificate that is not good for the server's name.
type certificateError struct {
	server *server
	err    error
}

func (e *certificateError) Error() string {
	return fmt.Sprintf("directory %s: connect to %s: its certificate is not trusted for %s: %v; %s",
		e.server.client.name, e.server.name, e.server.tls.ServerName, e.err, e.mend())
}

func (e *certificateError) Unwrap() error { return e.err }

// mend says what helps, which is something else for each cause.
func (e *certificateError) mend() string {
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	host := e.server.tls.ServerName
	switch {
	case errors.As(e.err, &name) && len(name.Certificate.DNSNames)+len(name.Certificate.IPAddresses) == 0:
		return fmt.Sprintf("it names the server only in its subject (CN), which nobody looks at any more (RFC 9525, 6.3): have a certificate issued with %s among its subjectAltNames (SANs)", host)
	case errors.As(e.err, &name):
		return fmt.Sprintf("it is for %s: use the name that is in the certificate (with the address behind it, if the name leads elsewhere: ldaps://NAME@ADDRESS), or have one issued with %s among its subjectAltNames",
			strings.Join(namesIn(name.Certificate), ", "), host)
	case errors.As(e.err, &unknown):
		return "name the CA that signed it as ca_file"
	case errors.As(e.err, &invalid) && invalid.Reason == x509.Expired:
		return "renew it, or set the clock of this machine"
	}
	return "name the CA that signed it as ca_file, and use the name that is in the certificate"
}

func namesIn(c *x509.Certificate) []string {
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// mend is what to do about a connection that did not come up.
func (s *server) mend(err error) string {
	var cert *certificateError
	switch {
	case errors.As(err, &cert):
		return cert.mend()
	case address.NoRoute(err):
		return "this machine has no way to that address; if the server has another one, name it by that: ldaps://NAME@ADDRESS"
	}
	return "check the address, the firewall, the port and ca_file"
}

// describe names a result code without the server's own words, which may hold
// the name of an entry.
func describe(err error) string {
	code := resultCode(err)
	return fmt.Sprintf("LDAP result %d, %s", code, ldap.LDAPResultCodeMap[code])
}
