package directory

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/address"
	"rollcall/internal/authority"
	"rollcall/internal/plural"
)

// Check is one thing that a doctor looked at on one server.
type Check = authority.Check

// notChecked, for what to do, says to addCheck that a thing could not be looked
// at.
const notChecked = "not checked"

// Limits beyond which a check fails.
const (
	certificateNotice = 14 * 24 * time.Hour
	clockSkew         = 30 * time.Second
)

// Check looks at every server: connection and certificate, bind, base, password
// policy, rights on passwords, clock. It changes nothing. What depends on a
// failed check is left out. accounts are the immutable ids of those that are to
// be rotated: where a driver shows rights by account, they are looked at one by
// one, and without them a sample below base is.
func (c *Client) Check(ctx context.Context, accounts ...string) []Check {
	of := make([][]Check, len(c.servers))
	var wg sync.WaitGroup
	for i, s := range c.servers {
		wg.Go(func() { of[i] = s.check(ctx, i == 0, accounts) })
	}
	wg.Wait()
	return slices.Concat(of...)
}

// stopping are what no campaign begins with, if it is wrong: a server of
// another sort or domain, several machines taken for one, domain controllers
// that nobody asks, a write server that takes no changes.
var stopping = []string{"machine", "server", "domain", "servers", provider}

// checkMachine looks whether several connections meet one machine.
func (s *server) checkMachine(ctx context.Context, add addCheck) {
	several, err := s.several(ctx, machinesTold)
	switch {
	case err != nil:
		add("machine", true, "whether one machine answers: "+err.Error(), notChecked)
	case several != "":
		add("machine", false, "several machines answer at this address: "+several, nameEach)
	default:
		add("machine", true, fmt.Sprintf("%d connections met one machine, as far as it shows (a balancer that keeps to one cannot be seen from here)", machinesTold), "")
	}
}

// nameEach is what to do about a balancer.
const nameEach = "name each machine behind it by its own address: ldaps://NAME@ADDRESS, where NAME is in its certificate; a value that one of them refuses may be good at the others"

// at says where a server was reached that is known by a name.
func (s *server) at() string {
	if s.address == "" {
		return ""
	}
	return ", at " + s.address
}

// accountChecker is a driver that shows rights by account.
type accountChecker interface {
	checkAccounts(ctx context.Context, c *conn, ids []string, add addCheck)
}

func (s *server) check(ctx context.Context, write bool, accounts []string) (out []Check) {
	add := func(what string, ok bool, detail, do string) {
		k := Check{Server: s.name, What: what, OK: ok, NotChecked: ok && do == notChecked, Detail: detail, Do: do, Stops: !ok && slices.Contains(stopping, what)}
		if ok {
			k.Do = ""
		}
		out = append(out, k)
	}
	cn, err := s.dial(ctx)
	if err != nil {
		add("connect", false, err.Error(), s.mend(err))
		out[len(out)-1].Stops = !IsUnreachable(err) || address.NoRoute(err)
		out[len(out)-1].Silent = IsUnreachable(err)
		return out
	}
	defer cn.close()
	if cn.state == nil {
		add("connect", false, "clear text: every password is readable on the network", "use ldaps:// or starttls: true")
	} else {
		add("connect", true, "TLS is up and the certificate is for "+s.tls.ServerName+s.at(), "")
		ok, detail := certificateLife(cn.state.PeerCertificates, time.Now())
		add("certificate", ok, detail, "renew the server's certificate")
	}

	first := s.identities[0]
	value, err := first.held(ctx)
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

	s.checkMachine(ctx, add)
	base, err := cn.read(ctx, s.client.conf.Base, ldap.ScopeBaseObject, "(objectClass=*)", "1.1")
	add("base", err == nil && len(base) == 1, found(base, err, "the base is there"),
		fmt.Sprintf("correct base (%q), or let bind.dn read below it", s.client.conf.Base))

	s.client.driver.check(ctx, cn, write, add)
	if !cn.alive() {
		// It went away meanwhile, and what was not seen is no mistake of the
		// file.
		for i := range out {
			out[i].Stops = false
		}
	}
	if slices.ContainsFunc(out, func(k Check) bool { return k.What == "domain" && !k.OK }) {
		// A base that is not there is no news at the wrong server.
		out = slices.DeleteFunc(out, func(k Check) bool { return k.What == "base" && !k.OK })
	}
	by, shown := s.client.driver.(accountChecker)
	sample := func(k Check) bool { return k.What == "rights" || k.What == "protected" }
	if shown && write && len(accounts) > 0 && slices.ContainsFunc(out, sample) {
		out = slices.DeleteFunc(out, sample)
		by.checkAccounts(ctx, cn, accounts, add)
	}
	return out
}

// addClock compares the server's clock with ours. there is zero where the
// server does not show it to the identity, at the place named.
func addClock(there time.Time, place string, add addCheck) {
	if there.IsZero() {
		add("clock", true, fmt.Sprintf("the server's time (%s) is not shown to bind.dn", place), notChecked)
		return
	}
	skew := time.Since(there).Round(time.Second)
	add("clock", skew.Abs() <= clockSkew, fmt.Sprintf("the server's clock differs from ours by %s", skew.Abs()), "set both clocks by NTP")
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
	return left > certificateNotice, fmt.Sprintf("the certificate is valid until %s (%s)",
		chain[0].NotAfter.UTC().Format(time.DateOnly), plural.Count(int(left.Hours()/24), "day", "days"))
}
