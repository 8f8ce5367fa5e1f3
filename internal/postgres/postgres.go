// Package postgres talks to one PostgreSQL cluster with all its servers, the
// primary and its read replicas by streaming replication: find roles, set a
// password, end the sessions of the old one, and ask each server whether it
// accepts a value.
//
// A login of the worker is one connection of a pool that each server has for
// each of the worker's identities. A login with a value under test is a
// connection of its own that is never used for anything else. Reads are tried
// once more on a fresh connection; a login with a value under test and a change
// never are.
//
// No text of an error names a role: what a server says of a refusal does, so
// errors give the code (SQLSTATE) and words of our own.
package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/plural"
)

// Identity is a role as which the worker logs in, and the Vault path of its
// password.
type Identity struct {
	Role     string
	Password credential.Path
}

// Config is a cluster as a campaign file describes it.
type Config struct {
	// Servers are URLs as ServerURL gives them. The first is the primary.
	Servers []string
	// Addresses are where servers are dialled whose name had one when the roll
	// was listed.
	Addresses map[string]string
	// Database is where the worker logs in; postgres if empty. Values under
	// test are offered there too. Rights on pg_authid are given in one database
	// and hold in that one alone.
	Database string
	// CA are PEM certificates; empty is the system's.
	CA string
	// Admin is the worker's identity. Partner is the other of a pair, and empty
	// without one.
	Admin, Partner Identity
	Connections    int           // default 8
	Timeout        time.Duration // of one operation; default 10 s
}

// Identities are the worker's, one or a pair.
func (c Config) Identities() []Identity {
	if c.Partner == (Identity{}) {
		return []Identity{c.Admin}
	}
	return []Identity{c.Admin, c.Partner}
}

// Client is one cluster. It is safe for concurrent use.
type Client struct {
	name    string
	conf    Config
	servers []*server
}

// server is one server of the cluster.
type server struct {
	name       string // as in Config.Servers
	client     *Client
	host       string // the name to which its certificate is held
	port       uint16
	address    string // where it is dialled
	tls        *tls.Config
	identities []*identity
	dial       func(context.Context) (net.Conn, error) // nil: address, by TCP
	elsewhere  bool                                    // none of the cluster's: no statement is sent there
}

// Open checks the configuration of the cluster that the campaign file calls
// name. It does no network I/O. passwords read the password of each identity,
// in the order of Identities; they are called for every new connection, so that
// a rotated password is picked up.
func Open(name string, conf Config, passwords ...func(context.Context) (credential.Secret, error)) (*Client, error) {
	c := &Client{name: name, conf: conf}
	if c.conf.Connections <= 0 {
		c.conf.Connections = 8
	}
	if c.conf.Timeout <= 0 {
		c.conf.Timeout = 10 * time.Second
	}
	if c.conf.Database == "" {
		c.conf.Database = "postgres"
	}
	ids := conf.Identities()
	if len(passwords) != len(ids) {
		return nil, fmt.Errorf("database %s: %s for %s", name, plural.Count(len(passwords), "password", "passwords"), plural.Count(len(ids), "identity", "identities"))
	}
	for _, i := range ids {
		if i.Role == "" {
			return nil, fmt.Errorf("database %s: an identity has no role", name)
		}
	}
	if len(ids) == 2 && ids[0].Role == ids[1].Role {
		return nil, fmt.Errorf("database %s: a pair is two roles, each of which sets the other's password", name)
	}
	if len(conf.Servers) == 0 {
		return nil, fmt.Errorf("database %s: servers is empty; name the primary first, then every replica", name)
	}
	var roots *x509.CertPool
	if conf.CA != "" {
		roots = x509.NewCertPool()
		if !roots.AppendCertsFromPEM([]byte(conf.CA)) {
			return nil, fmt.Errorf("database %s: ca_file: there is no PEM certificate in it", name)
		}
	}
	for _, raw := range conf.Servers {
		s := &server{name: raw, client: c}
		var err error
		if s.host, s.port, s.address, err = parseServer(raw); err != nil {
			return nil, fmt.Errorf("database %s: server %q: %w", name, raw, err)
		}
		if at := conf.Addresses[raw]; at != "" {
			s.address = at
		}
		s.tls = &tls.Config{RootCAs: roots, ServerName: s.host, MinVersion: tls.VersionTLS12}
		for n, i := range ids {
			s.identities = append(s.identities, newIdentity(s, i, passwords[n]))
		}
		c.servers = append(c.servers, s)
	}
	return c, nil
}

var hostForm = regexp.MustCompile(`^[0-9A-Za-z._:-]+$`)

// parseServer reads postgresql://host:port, with the address to dial behind an
// @ or without (config.ServerAt).
func parseServer(raw string) (host string, port uint16, address string, err error) {
	const form = "write postgresql://db1.example.org:5432, or postgresql://db1.example.org:5432@192.0.2.7 for the address to dial"
	text, address := config.SplitServer(raw)
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "postgresql" && u.Scheme != "postgres" || !hostForm.MatchString(u.Hostname()) {
		return "", 0, "", errors.New("it is not a server; " + form)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return "", 0, "", errors.New("only host and port may be in it; " + form)
	}
	number := u.Port()
	if number == "" {
		number = "5432"
	}
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || n == 0 {
		return "", 0, "", errors.New("its port is no port; " + form)
	}
	host = strings.ToLower(u.Hostname())
	switch {
	case address == "":
		address = host
	case net.ParseIP(address) == nil:
		return "", 0, "", errors.New("what is behind the @ is no address; " + form)
	}
	return host, uint16(n), address, nil
}

// Name is what the campaign file calls the cluster.
func (c *Client) Name() string { return c.name }

// Servers are the names of the servers. The first is the primary.
func (c *Client) Servers() []string { return append([]string(nil), c.conf.Servers...) }

// Connections is the most connections of each identity at a server.
func (c *Client) Connections() int { return c.conf.Connections }

// IsIdentity reports whether role is the one as which the worker logs in, so
// that nothing could set its password. Of a pair neither is: the other sets it.
func (c *Client) IsIdentity(role string) bool {
	return len(c.conf.Identities()) == 1 && role == c.conf.Admin.Role
}

// Close drops every idle connection. Those in use are dropped when their
// operation ends.
func (c *Client) Close() error {
	for _, s := range c.servers {
		for _, i := range s.identities {
			i.pool.close()
		}
	}
	return nil
}

func (c *Client) server(name string) (*server, error) {
	for _, s := range c.servers {
		if s.name == name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("database %s has no server %q", c.name, name)
}
