package directory

import (
	"context"
	"errors"
	"slices"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/credential"
)

// ResetPassword makes the write server accept new for the entry dn, as the
// worker's identity (as the other one if dn is one of a pair), by the operation
// that the campaign file chose. old may be zero; it is sent only if the
// server's policy demands it (pwdSafeModify).
//
// A clear refusal, after which nothing has changed, is a *protocol.Stop
// (ReasonRights, ReasonPolicy, ReasonGone). After any other error the server
// may or may not have applied it; the caller looks before it does anything
// else.
func (c *Client) ResetPassword(ctx context.Context, dn string, new, old credential.Secret) error {
	if new.IsZero() || dn == "" {
		// RFC 3062: without a new password the server makes one up.
		return errors.New("directory " + c.name + ": a reset needs an entry and a new value")
	}
	err := c.resetPassword(ctx, dn, new, old)
	if err == nil && c.StoredAsSent(ctx, dn) {
		// What the server makes of it by its own rule holds no value. Where it
		// refuses that, the value is in force all the same, and StoredAsSent
		// goes on to say so.
		_ = c.servers[0].admin(ctx, dn, (*pool).use, func(cn *conn) error {
			return cn.change(ctx, "have a password hashed", func(l *ldap.Conn) error { return exop(l, dn, new, credential.Secret{}) })
		})
	}
	return err
}

// StoredAsSent reports whether an entry holds its password as it was written,
// for whoever reads userPassword: a server need not hash what a modify brings
// (RFC 4519 section 2.41; OpenLDAP does with ppolicy_hash_cleartext). It is
// asked only of OpenLDAP and where the campaign file has set: replace, and
// where bind.dn may not see it, the answer is no.
func (c *Client) StoredAsSent(ctx context.Context, dn string) bool {
	if !c.driver.mayStoreAsSent(c.conf.Set) {
		return false
	}
	e, _, err := c.one(ctx, c.servers[0].name, "", dn, ldap.ScopeBaseObject, "(objectClass=*)", []string{"userPassword"})
	return err == nil && slices.ContainsFunc(e.Stored["userPassword"], func(s Stored) bool { return s.Scheme == "" || s.Scheme == "CLEAR" || s.Scheme == "CLEARTEXT" })
}

func (c *Client) resetPassword(ctx context.Context, dn string, new, old credential.Secret) error {
	s := c.servers[0]
	err := s.reset(ctx, dn, new, credential.Secret{})
	if err == nil || !answered(err) {
		return err
	}
	if policyErrorOf(err) == ldap.BeheraMustSupplyOldPassword && !old.IsZero() {
		err = s.reset(ctx, dn, new, old)
		if err == nil || !answered(err) {
			return err
		}
		return s.client.driver.refusal(s, err, true)
	}
	return s.client.driver.refusal(s, err, false)
}

// reset sends one operation. The server's answer comes back as *ldap.Error.
func (s *server) reset(ctx context.Context, dn string, new, old credential.Secret) error {
	return s.admin(ctx, dn, (*pool).use, func(cn *conn) error {
		if err := s.client.driver.beforeReset(ctx, cn, dn); err != nil {
			return err
		}
		err := cn.change(ctx, "reset a password", func(l *ldap.Conn) error { return s.client.driver.reset(l, s.client.conf.Set, dn, new, old) })
		if err == nil {
			s.client.driver.landed(ctx, cn, dn)
		}
		return err
	})
}
