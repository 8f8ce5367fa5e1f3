package directory

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// Check is one thing that a doctor looked at on one server.
type Check struct {
	Server string
	What   string // connect, certificate, bind, base, policy, rights, clock
	OK     bool
	Detail string // what was seen
	Do     string // what to do; empty when OK
}

// Limits beyond which a check fails.
const (
	certificateNotice = 14 * 24 * time.Hour
	clockSkew         = 30 * time.Second
)

// Check looks at every server: connection and certificate, bind, base, password
// policy, rights on passwords, clock. It changes nothing. What depends on a
// failed check is left out. accounts are the immutable ids of those that are to be
// rotated: where a family shows rights by account, they are looked at one by one,
// and without them a sample below base is.
func (c *Client) Check(ctx context.Context, accounts ...string) []Check {
	var out []Check
	for i, s := range c.servers {
		out = append(out, s.check(ctx, i == 0, accounts)...)
	}
	return out
}

// accountChecker is a family that shows rights by account.
type accountChecker interface {
	checkAccounts(ctx context.Context, c *conn, ids []string, add addCheck)
}

func (s *server) check(ctx context.Context, write bool, accounts []string) (out []Check) {
	add := func(what string, ok bool, detail, do string) {
		if ok {
			do = ""
		}
		out = append(out, Check{Server: s.name, What: what, OK: ok, Detail: detail, Do: do})
	}
	cn, err := s.dial(ctx)
	if err != nil {
		add("connect", false, err.Error(), "check the address, the firewall, the port and ca_file")
		return out
	}
	defer cn.close()
	if cn.state == nil {
		add("connect", false, "clear text: every password is readable on the network", "use ldaps:// or starttls: true")
	} else {
		add("connect", true, "TLS is up and the certificate is for "+s.tls.ServerName, "")
		ok, detail := certificateLife(cn.state.PeerCertificates, time.Now())
		add("certificate", ok, detail, "renew the server's certificate")
	}

	first := s.identities[0]
	value, err := first.password(ctx)
	if err == nil {
		err = cn.become(ctx, first, value)
	}
	addBind(first, err, add)
	if s.client.conf.Paired() {
		s.checkPair(ctx, write, add)
	}
	if err != nil {
		return out
	}

	base, err := cn.read(ctx, s.client.conf.Base, ldap.ScopeBaseObject, "(objectClass=*)", "1.1")
	add("base", err == nil && len(base) == 1, found(base, err, "the base is there"),
		fmt.Sprintf("correct base (%q), or let bind.dn read below it", s.client.conf.Base))

	s.client.family.check(ctx, cn, write, add)
	if slices.ContainsFunc(out, func(k Check) bool { return k.What == "domain" && !k.OK }) {
		// A base that is not there is no news at the wrong server.
		out = slices.DeleteFunc(out, func(k Check) bool { return k.What == "base" && !k.OK })
	}
	by, shown := s.client.family.(accountChecker)
	sample := func(k Check) bool { return k.What == "rights" || k.What == "protected" }
	if shown && write && len(accounts) > 0 && slices.ContainsFunc(out, sample) {
		out = slices.DeleteFunc(out, sample)
		by.checkAccounts(ctx, cn, accounts, add)
	}
	return out
}

// read returns at most one entry, together with the server's complaint that
// there are more.
func (c *conn) read(ctx context.Context, base string, scope int, filter string, attrs ...string) ([]*ldap.Entry, error) {
	req := ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, 1, 10, false, filter, attrs, nil)
	var res *ldap.SearchResult
	err := c.do(ctx, "check", func(l *ldap.Conn) (err error) {
		res, err = l.Search(req)
		return err
	})
	if res == nil {
		return nil, err
	}
	return res.Entries, err
}

func found(entries []*ldap.Entry, err error, good string) string {
	switch {
	case answered(err):
		return describe(err)
	case err != nil:
		return err.Error()
	case len(entries) == 0:
		return "nothing is shown to bind.dn"
	}
	return good
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// certificateLife judges the server's own certificate, the first of the chain.
func certificateLife(chain []*x509.Certificate, now time.Time) (ok bool, detail string) {
	left := chain[0].NotAfter.Sub(now)
	return left > certificateNotice, fmt.Sprintf("the certificate is valid until %s (%d days)",
		chain[0].NotAfter.UTC().Format(time.DateOnly), int(left.Hours()/24))
}
