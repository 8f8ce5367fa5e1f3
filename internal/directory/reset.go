package directory

import (
	"context"
	"errors"
	"slices"
	"strings"

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
	if err == nil && !c.hashes.Load() && c.driver.mayStoreAsSent(c.conf.Set) && c.StoredAsSent(ctx, dn) {
		// Who may read userPassword, a replica, a log of changes (accesslog,
		// auditlog) has the value by now, and hashed it would be in force. From
		// now on the server is asked to hash.
		c.hashes.Store(true)
		return Spent{}
	}
	return err
}

// Spent is the error of a reset that the server applied and kept as it was
// sent, although another way of setting it hashes: the value was readable, and
// another one has to take its place. The next reset is made in that way.
type Spent struct{}

func (Spent) Error() string {
	return "the server kept the new value as it was sent (set: replace, and it does not hash what is written)"
}

// StoredAsSent reports whether an entry holds its password as it was written,
// for whoever reads userPassword: a server need not hash what a modify brings
// (RFC 4519 section 2.41; OpenLDAP does with ppolicy_hash_cleartext), and with
// passwordStorageScheme CLEAR, or olcPasswordHash {CLEARTEXT}, it hashes
// nothing. Where bind.dn may not see the value, the configuration says how
// values are kept, if it is shown; else the answer is no.
func (c *Client) StoredAsSent(ctx context.Context, dn string) bool {
	e, _, err := c.one(ctx, c.servers[0].name, "", dn, ldap.ScopeBaseObject, "(objectClass=*)", []string{"userPassword"})
	if err == nil && len(e.Stored["userPassword"]) > 0 {
		return slices.ContainsFunc(e.Stored["userPassword"], Stored.Clear)
	}
	clear := false
	_ = c.servers[0].admin(ctx, "", (*pool).useTwice, func(cn *conn) error {
		settings, err := cn.readMany(ctx, "cn=config", ldap.ScopeWholeSubtree, "(|(passwordStorageScheme=*)(olcPasswordHash=*))", "passwordStorageScheme", "olcPasswordHash")
		for _, s := range settings {
			for _, scheme := range append(s.GetEqualFoldAttributeValues("passwordStorageScheme"), s.GetEqualFoldAttributeValues("olcPasswordHash")...) {
				clear = clear || strings.EqualFold(scheme, "CLEAR") || strings.EqualFold(scheme, "{CLEARTEXT}")
			}
		}
		return err
	})
	return clear
}

// way is how passwords are set: as the campaign file says, unless the server
// was seen to keep readable what is set so.
func (c *Client) way() string {
	if c.hashes.Load() {
		return "exop"
	}
	return c.conf.Set
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
		err := cn.change(ctx, "reset a password", func(l *ldap.Conn) error { return s.client.driver.reset(l, s.client.way(), dn, new, old) })
		if err == nil {
			s.client.driver.landed(ctx, cn, dn)
		}
		return err
	})
}
