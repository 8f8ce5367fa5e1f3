package directory

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"
	"golang.org/x/sync/errgroup"

	"rollcall/internal/credential"
)

// One address may be a balancer with several machines behind it. What is proved
// on one connection is then true of one of them. Nothing tells for certain that
// there is one machine; these tell that there are several: what they say of
// themselves, and a state that goes back, which no machine's does.

// sight is what one connection showed of the machine that answers.
type sight struct {
	fixed map[string]string // the same on every connection to one machine
	grows map[string]string // never less than an earlier look showed
}

// rootAttributes tell machines apart, or where to look for what does. AD:
// [MS-ADTS] 3.1.1.3.2; netscapemdsuffix is ns-slapd's host and port, which two
// containers may have in common; the nsUniqueId of its root entry is made at
// the first start, of the time: two that first started at once may share it
// (2.3.1 tried).
var rootAttributes = []string{"vendorName", "vendorVersion", "dnsHostName", "dsServiceName", "serverName",
	"netscapemdsuffix", rootID, "defaultNamingContext", "namingContexts", "highestCommittedUSN"}

// rootID may be another one after a restart where the server cannot write its
// configuration.
const rootID = "nsUniqueId"

// machinesTold is how many connections doctor and listing open at once to one
// server.
const machinesTold = 4

// several opens n connections at once and says what shows that more than one
// machine answers; empty if nothing does.
func (s *server) several(ctx context.Context, n int) (string, error) {
	conns, odd, err := s.openMany(ctx, n)
	if err != nil || odd != "" {
		return odd, err
	}
	defer closeAll(conns)
	var sights []sight
	for _, c := range append(conns, conns[0]) {
		seen, err := c.look(ctx)
		if err != nil {
			return "", err
		}
		sights = append(sights, seen)
	}
	return contradiction(sights), nil
}

// openMany opens n connections that are held at once, as the first identity
// that the server lets in: a balancer that goes by the number of connections
// spreads them. odd says what shows that several machines answer, if some are
// let in and another is not.
func (s *server) openMany(ctx context.Context, n int) (conns []*conn, odd string, err error) {
	var first *conn
	var as *identity
	var value credential.Secret
	for _, as = range s.identities {
		if value, err = as.known(ctx); err == nil {
			first, err = as.dialWith(ctx, value)
		}
		if !isRefused(err) {
			break
		}
	}
	if err != nil {
		return nil, "", err
	}
	conns = make([]*conn, n)
	conns[0] = first
	var g errgroup.Group
	for i := 1; i < n; i++ {
		g.Go(func() (err error) {
			if conns[i], err = as.dialWith(ctx, value); IsUnreachable(err) {
				conns[i], err = nil, nil // a limit of the server, perhaps: what there is is compared
			}
			return err
		})
	}
	err = g.Wait()
	if err == nil {
		return slices.DeleteFunc(conns, func(c *conn) bool { return c == nil }), "", nil
	}
	closeAll(conns)
	var cert *certificateError
	switch {
	case errors.As(err, &cert):
		return nil, "one connection showed a certificate that is trusted, another one that is not", nil
	case isRefused(err):
		return nil, "one connection let Rollcall's identity in, another refused it", nil
	}
	return nil, "", err
}

func closeAll(conns []*conn) {
	for _, c := range conns {
		if c != nil {
			c.close()
		}
	}
}

// look reads all that tells machines apart, as far as the identity may.
func (c *conn) look(ctx context.Context) (sight, error) {
	seen, err := c.introduce(ctx)
	if err != nil {
		return seen, err
	}
	if _, has := c.server.client.driver.(openLDAP); has {
		if err := c.lookAtState(ctx, &seen, strings.Split(seen.fixed["namingContexts"], suffixSeparator)); err != nil {
			return seen, err
		}
	}
	dn, attribute := c.server.client.driver.started()
	if dn == "" {
		return seen, nil
	}
	started, err := c.read(ctx, dn, ldap.ScopeBaseObject, "(objectClass=*)", attribute)
	if err != nil && !answered(err) {
		return seen, err
	}
	if len(started) == 1 {
		seen.fixed["time of start"] = started[0].GetEqualFoldAttributeValue(attribute)
	}
	return seen, nil
}

// suffixSeparator stands between DNs in a text.
const suffixSeparator = " | "

// introduce reads what a server says of itself to anybody: its certificate and
// root entry.
func (c *conn) introduce(ctx context.Context) (sight, error) {
	seen := sight{fixed: map[string]string{}, grows: map[string]string{}}
	if c.state != nil {
		seen.fixed["certificate (SHA-256)"] = fmt.Sprintf("%x", sha256.Sum256(c.state.PeerCertificates[0].Raw))[:16]
	}
	roots, err := c.read(ctx, "", ldap.ScopeBaseObject, "(objectClass=*)", rootAttributes...)
	if err != nil && !answered(err) {
		return seen, err
	}
	if len(roots) == 1 {
		for _, name := range rootAttributes {
			values := slices.Sorted(slices.Values(roots[0].GetEqualFoldAttributeValues(name)))
			if name == "highestCommittedUSN" {
				seen.grew(name, values)
				continue
			}
			seen.fixed[name] = strings.Join(values, suffixSeparator)
		}
	}
	return seen, nil
}

// lookAtState reads contextCSN: for each server that changes are made on, the
// last one that this server has (slapo-syncprov(5)).
func (c *conn) lookAtState(ctx context.Context, seen *sight, suffixes []string) error {
	for _, suffix := range suffixes {
		if !Within(c.server.client.conf.Base, suffix) {
			continue
		}
		e, err := c.read(ctx, suffix, ldap.ScopeBaseObject, "(objectClass=*)", "contextCSN")
		if err != nil && !answered(err) {
			return err
		}
		if len(e) != 1 {
			return nil
		}
		for _, csn := range e[0].GetEqualFoldAttributeValues("contextCSN") {
			if parts := strings.Split(csn, "#"); len(parts) == 4 { // time#count#server#modification
				seen.grows[contextCSNOf+parts[2]] = csn
			}
		}
	}
	return nil
}

// contextCSNOf begins what is said of one server's changes.
const contextCSNOf = "contextCSN of server "

// grew takes a number in, padded so that it sorts.
func (s *sight) grew(name string, values []string) {
	if len(values) == 1 {
		if n, err := strconv.ParseUint(values[0], 10, 64); err == nil {
			s.grows[name] = fmt.Sprintf("%020d", n)
		}
	}
}

// contradiction compares looks in the order in which they were taken. One that
// failed to show something says nothing of it.
func contradiction(sights []sight) string {
	for i, a := range sights {
		for _, b := range sights[i+1:] {
			for _, name := range slices.Sorted(maps.Keys(a.fixed)) {
				if x, y := a.fixed[name], b.fixed[name]; x != "" && y != "" && x != y {
					return fmt.Sprintf("its %s was %s on one connection and %s on another", name, x, y)
				}
			}
			for _, name := range slices.Sorted(maps.Keys(a.grows)) {
				if x, y := a.grows[name], b.grows[name]; y != "" && y < x {
					return fmt.Sprintf("one connection showed an older state than another before it (%s)", name)
				}
			}
		}
	}
	return ""
}
