// Package directory talks to one LDAP directory with all its servers: find
// entries, reset a password, and ask each server whether it accepts a value.
//
// Each server has a pool of connections for each identity of the worker, one or
// a pair, which are bound as that and never as anybody else. Those of the probe
// pool are bound anew with each value that is tried; they are never used for
// anything but that. An operation has its connection for itself.
//
// A connection that breaks is dropped, and the next operation dials. Reads are
// tried once more on a fresh connection, because nothing tells that a server
// has forgotten an idle one. Binds with a value under test and resets never
// are: the first try may have counted.
package directory

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-ldap/ldap/v3"
	"golang.org/x/time/rate"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/plural"
)

// Client is one directory. It is safe for concurrent use.
type Client struct {
	name      string
	conf      config.Directory
	driver    driver
	timeout   time.Duration
	limiter   *rate.Limiter // nil when there is no limit
	servers   []*server
	policies  lockouts
	resolver  *net.Resolver // nil is the system's
	roots     *x509.CertPool
	passwords []func(context.Context) (credential.Secret, error)

	hashes atomic.Bool // see way

	mu      sync.Mutex
	reached map[string]*server // by Discover, which goes by other names than servers
}

// Open checks the configuration of the directory that the campaign file calls
// name. It does no network I/O: a server is dialled by the first operation that
// needs it. passwords read the bind password of each identity, in the order of
// d.Identities; they are called for every new connection, so that a rotated
// password is picked up.
func Open(name string, d config.Directory, passwords ...func(context.Context) (credential.Secret, error)) (*Client, error) {
	c := &Client{name: name, conf: d, driver: drivers[d.Driver], timeout: time.Duration(d.Timeout)}
	if c.driver == nil {
		return nil, fmt.Errorf("directory %s: driver %q is unknown", name, d.Driver)
	}
	if c.timeout <= 0 {
		c.timeout = 10 * time.Second
	}
	if c.conf.Connections <= 0 {
		c.conf.Connections = 8
	}
	if d.RatePerSecond > 0 {
		c.limiter = rate.NewLimiter(rate.Limit(d.RatePerSecond), max(1, int(d.RatePerSecond)))
	}
	for _, b := range d.Identities() {
		if dn, err := ldap.ParseDN(b.DN); err != nil || len(dn.RDNs) == 0 {
			return nil, fmt.Errorf("directory %s: bind.dn %q is not a DN; write it like cn=rollcall,ou=services,dc=example,dc=org", name, b.DN)
		}
	}
	if len(passwords) != len(d.Identities()) {
		return nil, fmt.Errorf("directory %s: %s for %s", name, plural.Count(len(passwords), "bind password", "bind passwords"), plural.Count(len(d.Identities()), "identity", "identities"))
	}
	if len(d.Servers) == 0 {
		return nil, fmt.Errorf("directory %s: servers is empty; name the write server first, then every other", name)
	}
	var err error
	if c.roots, err = rootCAs(d.CA); err != nil {
		return nil, fmt.Errorf("directory %s: ca_file: %w", name, err)
	}
	c.passwords = passwords
	for _, raw := range d.Servers {
		s, err := c.newServer(raw)
		if err != nil {
			return nil, fmt.Errorf("directory %s: server %q: %w", name, raw, err)
		}
		c.servers = append(c.servers, s)
	}
	return c, nil
}

// rootCAs is nil (the system's roots) for an empty text.
func rootCAs(pem string) (*x509.CertPool, error) {
	if pem == "" {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(pem)) {
		return nil, errors.New("there is no PEM certificate in it")
	}
	return pool, nil
}

func (c *Client) newServer(raw string) (*server, error) {
	text, address := config.SplitServer(raw)
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return nil, errors.New("it is not a URL; write ldaps://host:636 or ldap://host:389")
	}
	s := &server{name: raw, client: c, host: u.Hostname(), port: u.Port(), address: orDefault(address, c.conf.Addresses[raw])}
	switch u.Scheme {
	case "ldaps":
		s.security = tlsAtOnce
		s.port = orDefault(s.port, ldap.DefaultLdapsPort)
	case "ldap":
		s.port = orDefault(s.port, ldap.DefaultLdapPort)
		switch {
		case c.conf.StartTLS:
			s.security = startTLS
		case c.conf.Insecure && c.conf.OnlyTLS():
			return nil, errors.New("insecure: true does not help: Active Directory takes passwords only over TLS; use ldaps:// or starttls: true")
		case c.conf.Insecure:
			s.security = clearText
		default:
			return nil, errors.New("ldap:// sends passwords in clear text; use ldaps://, or starttls: true, or say insecure: true")
		}
	default:
		return nil, fmt.Errorf("scheme %q is unknown; use ldaps:// or ldap://", u.Scheme)
	}
	s.tls = &tls.Config{RootCAs: c.roots, ServerName: s.host, MinVersion: tls.VersionTLS12}
	for n, b := range c.conf.Identities() {
		s.identities = append(s.identities, newIdentity(s, b, c.passwords[n]))
	}
	s.probe = newPool(c.conf.Connections, s.dial)
	return s, nil
}

func orDefault(s, d string) string {
	if s == "" {
		return d
	}
	return s
}

// Name is what the campaign file calls the directory.
func (c *Client) Name() string { return c.name }

// Servers lists the servers as config.ServerAt writes them. The first is the
// write server.
func (c *Client) Servers() []string { return append([]string(nil), c.conf.Servers...) }

// Connections is the most connections in each pool of a server.
func (c *Client) Connections() int { return c.conf.Connections }

// IsBindIdentity reports whether dn is the one identity with which the worker
// binds, so that nothing could reset it. Of a pair neither is: the other resets
// it.
func (c *Client) IsBindIdentity(dn string) bool {
	return !c.conf.Paired() && SameDN(dn, c.conf.Bind.DN)
}

// Close drops every idle connection. Those in use are dropped when their
// operation ends.
func (c *Client) Close() error {
	for _, s := range c.servers {
		s.close()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.reached {
		s.close()
	}
	return nil
}

func (s *server) close() {
	for _, i := range s.identities {
		i.pool.close()
	}
	s.probe.close()
}

func (c *Client) server(name string) (*server, error) {
	for _, s := range c.servers {
		if s.name == name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("directory %s has no server %q", c.name, name)
}

// wait keeps to rate_per_second. Called once for each operation on the wire.
func (c *Client) wait(ctx context.Context) error {
	if c.limiter == nil {
		return ctx.Err()
	}
	if err := c.limiter.Wait(ctx); err != nil {
		return fmt.Errorf("directory %s: wait for a turn under rate_per_second: %w", c.name, err)
	}
	return nil
}
