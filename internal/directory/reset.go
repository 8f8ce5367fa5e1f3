package directory

import (
	"context"
	"errors"

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
