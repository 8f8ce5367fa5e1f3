package directory

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// Bind offers value for the entry dn to one server, once, and after a
// successful bind carries out one real operation, because after an
// administrator's reset (pwdReset) a bind succeeds and everything else is
// refused.
//
// The real operation is reading the own entry. Where access rules forbid that,
// the driver decides what else tells.
//
// A server that does not answer is Unreachable, not an error. Refused means
// result 49 and nothing more: slapd says the same of accounts that are locked,
// gone or renamed, unless it is set to tell (ppolicy_use_lockout), and Active
// Directory says it of the bind that locks; the caller looks at the account
// before it believes a refusal. A refused bind is never repeated. The
// connection goes back to the pool and is bound anew by its next use.
func (c *Client) Bind(ctx context.Context, server, dn string, value credential.Secret) (protocol.Reply, error) {
	reply, _, err := c.Login(ctx, server, dn, "", value)
	return reply, err
}

// Login is Bind as the entry that has an immutable id. The operation reads that
// id and what the change mark is made of, as far as the entry may read them of
// itself: another entry under that name is a *protocol.Stop
// (ReasonInterrupted), whatever let it in.
func (c *Client) Login(ctx context.Context, server, dn, id string, value credential.Secret) (reply protocol.Reply, e Entry, err error) {
	reply, err = c.bind(ctx, server, dn, value, func(cn *conn, ctx context.Context, dn string) (a protocol.Reply, err error) {
		a, e, err = cn.readSelf(ctx, dn, id)
		return a, err
	})
	return reply, e, err
}

// Offer is Bind without the operation: an account that may do nothing until its
// password is changed can be Accepted here.
func (c *Client) Offer(ctx context.Context, server, dn string, value credential.Secret) (protocol.Reply, error) {
	return c.bind(ctx, server, dn, value, func(*conn, context.Context, string) (protocol.Reply, error) { return protocol.Accepted, nil })
}

// bind calls bound after a successful bind.
func (c *Client) bind(ctx context.Context, server, dn string, value credential.Secret, bound func(*conn, context.Context, string) (protocol.Reply, error)) (protocol.Reply, error) {
	// An empty name or password is an anonymous bind, which servers accept (RFC
	// 4513, 5.1).
	if value.IsZero() || dn == "" {
		return "", errors.New("directory " + c.name + ": an empty value or name cannot be tried: servers take it for an anonymous login")
	}
	s, err := c.server(server)
	if err != nil {
		return "", err
	}
	var reply protocol.Reply
	err = s.probe.use(ctx, func(cn *conn) (err error) {
		reply, err = cn.try(ctx, dn, value, bound)
		return err
	})
	if IsUnreachable(err) && ctx.Err() == nil {
		return protocol.Unreachable, nil
	}
	return reply, err
}

func (c *conn) try(ctx context.Context, dn string, value credential.Secret, bound func(*conn, context.Context, string) (protocol.Reply, error)) (protocol.Reply, error) {
	var res *ldap.SimpleBindResult
	err := c.do(ctx, "bind with a value under test", func(l *ldap.Conn) (err error) {
		res, err = l.SimpleBind(ldap.NewSimpleBindRequest(dn, value.Reveal(), c.server.client.driver.bindControls()))
		return err
	})
	switch {
	case err == nil && policyError(res.Controls) == ldap.BeheraChangeAfterReset:
		return protocol.MustChange, nil
	case err == nil:
		return bound(c, ctx, dn)
	case !answered(err):
		return "", err
	}
	switch resultCode(err) {
	case ldap.LDAPResultBusy, ldap.LDAPResultUnavailable:
		return protocol.Unreachable, nil
	}
	return c.server.client.driver.refusedLogin(c.server, err)
}

// unknownRefusal is the error of a refused bind that tells nothing of the
// value.
func (s *server) unknownRefusal(err error) error {
	return fmt.Errorf("bind with a value under test at %s: neither accepted nor refused as wrong (%s)", s.name, describe(err))
}

// readSelf carries out the real operation on a connection just bound as dn,
// which is to be the entry with that id, if one is given. What the entry may
// not read of itself is missing.
func (c *conn) readSelf(ctx context.Context, dn, id string) (protocol.Reply, Entry, error) {
	var res *ldap.SearchResult
	attrs := c.server.client.markedAttributes()
	req := ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false, "(objectClass=*)", attrs, nil)
	err := c.do(ctx, "read the own entry", func(l *ldap.Conn) (err error) {
		res, err = l.Search(req)
		return err
	})
	switch {
	case err == nil && len(res.Entries) == 1:
		e := c.server.client.entry(res.Entries[0], attrs)
		return protocol.Accepted, e, c.server.sameEntry(e, id)
	case err != nil && !answered(err):
		return "", Entry{}, err
	case err != nil && policyErrorOf(err) == ldap.BeheraChangeAfterReset:
		return protocol.MustChange, Entry{}, nil
	}
	switch resultCode(err) {
	case ldap.LDAPResultSuccess, ldap.LDAPResultNoSuchObject, ldap.LDAPResultInsufficientAccessRights:
		return c.server.client.driver.withoutSelf(ctx, c, dn, id)
	case ldap.LDAPResultBusy, ldap.LDAPResultUnavailable:
		return protocol.Unreachable, Entry{}, nil
	}
	return "", Entry{}, fmt.Errorf("read the own entry at %s after a successful bind: %s", c.server.name, describe(err))
}

// markedAttributes are the immutable id and what the change mark is made of.
func (c *Client) markedAttributes() []string {
	return append([]string{c.driver.idAttribute()}, c.driver.markAttributes()...)
}

// selfAttributes are the immutable id and what tells of the account's state.
func (c *Client) selfAttributes() []string {
	return append([]string{c.driver.idAttribute()}, c.driver.stateAttributes()...)
}

// sameEntry holds the id of an entry that was read by its name against the one
// that is meant. An id that is not shown tells nothing.
func (s *server) sameEntry(e Entry, id string) error {
	if id == "" || e.ID == "" || strings.EqualFold(e.ID, id) {
		return nil
	}
	return &protocol.Stop{Reason: protocol.ReasonInterrupted, Server: s.name,
		Detail: "another entry has the account's name: the account was renamed or moved while it was worked on; the next pass reads it by its id. Find out who put the other one there"}
}

// maxBindBytes is how many bytes of a value are offered at most. slapd reads
// 256 KiB before a login (sockbuf_max_incoming) and then hangs up, which looks
// as if it were down.
const maxBindBytes = 64 << 10

// CannotOffer says why a bind cannot carry a value, or is empty.
func CannotOffer(value credential.Secret) string {
	if len(value.Reveal()) > maxBindBytes {
		return "it is longer than servers take in a login"
	}
	return ""
}
