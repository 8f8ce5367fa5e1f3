package directory

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// Bind offers value for the entry dn to one server, once, and after a successful
// bind carries out one real operation, because after an administrator's reset
// (pwdReset) a bind succeeds and everything else is refused.
//
// The real operation is reading the own entry. Where access rules forbid that,
// the answer is told from pwdReset as the worker's identity sees it, and from
// "Who am I?" (RFC 4532): slapd answers that one even under pwdReset, so alone it
// would prove nothing.
//
// A server that does not answer is Unreachable, not an error. Refused means
// result 49 and nothing more: slapd says the same of accounts that are locked,
// gone or renamed, unless it is set to tell (ppolicy_use_lockout); the caller
// looks at the account before it believes a refusal. A refused bind is never
// repeated. The connection goes back to the pool and is bound anew by its next use.
func (c *Client) Bind(ctx context.Context, server, dn string, value credential.Secret) (protocol.Answer, error) {
	// An empty name or password is an anonymous bind, which servers accept (RFC 4513, 5.1).
	if value.IsZero() || dn == "" {
		return "", errors.New("directory " + c.name + ": an empty value or name cannot be tried: servers take it for an anonymous login")
	}
	s, err := c.server(server)
	if err != nil {
		return "", err
	}
	var answer protocol.Answer
	err = s.probe.use(ctx, func(cn *conn) (err error) {
		answer, err = cn.try(ctx, dn, value)
		return err
	})
	if IsUnreachable(err) && ctx.Err() == nil {
		return protocol.Unreachable, nil
	}
	return answer, err
}

func (c *conn) try(ctx context.Context, dn string, value credential.Secret) (protocol.Answer, error) {
	var res *ldap.SimpleBindResult
	err := c.do(ctx, "bind with a value under test", func(l *ldap.Conn) (err error) {
		res, err = l.SimpleBind(ldap.NewSimpleBindRequest(dn, value.Reveal(), policyControls()))
		return err
	})
	switch {
	case err == nil && policyError(res.Controls) == ldap.BeheraChangeAfterReset:
		return protocol.MustChange, nil
	case err == nil:
		return c.readSelf(ctx, dn)
	case !answered(err):
		return "", err
	}
	switch resultCode(err) {
	case ldap.LDAPResultInvalidCredentials:
		switch policyErrorOf(err) {
		case ldap.BeheraAccountLocked:
			return protocol.Locked, nil
		case ldap.BeheraPasswordExpired:
			return protocol.Expired, nil
		}
		return protocol.Refused, nil
	case ldap.LDAPResultBusy, ldap.LDAPResultUnavailable:
		return protocol.Unreachable, nil
	}
	return "", fmt.Errorf("bind with a value under test at %s: neither accepted nor refused as wrong (%s)", c.server.name, describe(err))
}

// readSelf carries out the real operation on a connection just bound as dn.
func (c *conn) readSelf(ctx context.Context, dn string) (protocol.Answer, error) {
	var res *ldap.SearchResult
	req := ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false, "(objectClass=*)", []string{"1.1"}, nil)
	err := c.do(ctx, "read the own entry", func(l *ldap.Conn) (err error) {
		res, err = l.Search(req)
		return err
	})
	switch {
	case err == nil && len(res.Entries) == 1:
		return protocol.Accepted, nil
	case err != nil && !answered(err):
		return "", err
	case err != nil && policyErrorOf(err) == ldap.BeheraChangeAfterReset:
		return protocol.MustChange, nil
	}
	switch resultCode(err) {
	case ldap.LDAPResultSuccess, ldap.LDAPResultNoSuchObject, ldap.LDAPResultInsufficientAccessRights:
		return c.whoAmI(ctx, dn)
	case ldap.LDAPResultBusy, ldap.LDAPResultUnavailable:
		return protocol.Unreachable, nil
	}
	return "", fmt.Errorf("read the own entry at %s after a successful bind: %s", c.server.name, describe(err))
}

// whoAmI decides where the account may not read its own entry.
func (c *conn) whoAmI(ctx context.Context, dn string) (protocol.Answer, error) {
	e, found, err := c.server.client.one(ctx, c.server.name, dn, ldap.ScopeBaseObject, "(objectClass=*)", []string{"pwdReset"})
	if err != nil {
		return "", err
	}
	if found && e.First("pwdReset") == "TRUE" {
		return protocol.MustChange, nil
	}
	var who *ldap.WhoAmIResult
	err = c.do(ctx, "ask who am I", func(l *ldap.Conn) (err error) {
		who, err = l.WhoAmI(nil)
		return err
	})
	switch {
	case err != nil && !answered(err):
		return "", err
	case err != nil:
		return "", fmt.Errorf("after a successful bind at %s the account may neither read its entry nor ask who it is (%s), so whether the value works cannot be told; let accounts read their own entry", c.server.name, describe(err))
	case who.AuthzID == "":
		return "", fmt.Errorf("after a successful bind %s says that nobody is logged in", c.server.name)
	}
	return protocol.Accepted, nil
}
