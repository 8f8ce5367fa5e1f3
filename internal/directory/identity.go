package directory

import (
	"context"
	"fmt"
	"time"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/credential"
)

// refusalHolds is how long a refused bind password is not offered again. It
// keeps retries from locking the worker's own identity.
const refusalHolds = time.Minute

// refusal remembers a bind password that the server refused.
type refusal struct {
	value credential.Secret
	at    time.Time
	err   error
}

// dialAdmin connects and binds as the worker's identity.
func (s *server) dialAdmin(ctx context.Context) (*conn, error) {
	value, err := s.client.password(ctx)
	if err != nil {
		return nil, fmt.Errorf("directory %s: read the password of bind.dn from %s: %w", s.client.name, s.client.conf.Bind.Password, err)
	}
	if value.IsZero() {
		return nil, fmt.Errorf("directory %s: %s holds no password for bind.dn", s.client.name, s.client.conf.Bind.Password)
	}
	if known := s.accepted.Load(); known == nil || !known.Equal(value) {
		select {
		case s.gate <- struct{}{}:
			defer func() { <-s.gate }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if s.refused.value.Equal(value) && time.Since(s.refused.at) < refusalHolds {
			return nil, s.refused.err
		}
	}
	c, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.bindAdmin(ctx, value); err != nil {
		c.close()
		return nil, err
	}
	s.accepted.Store(&value)
	return c, nil
}

// bindAdmin binds as the worker's identity. On the first try of a value the
// caller holds the gate.
func (c *conn) bindAdmin(ctx context.Context, value credential.Secret) error {
	s, dn := c.server, c.server.client.conf.Bind.DN
	var res *ldap.SimpleBindResult
	err := c.do(ctx, "bind as the worker's identity", func(l *ldap.Conn) (err error) {
		res, err = l.SimpleBind(ldap.NewSimpleBindRequest(dn, value.Reveal(), policyControls()))
		return err
	})
	switch {
	case err == nil && policyError(res.Controls) == ldap.BeheraChangeAfterReset:
		return fmt.Errorf("directory %s: bind to %s as bind.dn %q: the server lets it do nothing until its password is changed (pwdReset); change it, and put the new one at %s",
			s.client.name, s.name, dn, s.client.conf.Bind.Password)
	case err == nil:
		return nil
	case !answered(err):
		return err
	case resultCode(err) == ldap.LDAPResultInvalidCredentials:
		refused := fmt.Errorf("directory %s: bind to %s as bind.dn %q is refused: the password at %s is wrong, or the identity is locked or not there; put the right one there, or correct bind.dn",
			s.client.name, s.name, dn, s.client.conf.Bind.Password)
		s.refuse(value, refused)
		return refused
	default:
		return fmt.Errorf("directory %s: bind to %s as bind.dn %q is refused (%s)", s.client.name, s.name, dn, describe(err))
	}
}

// refuse remembers a refused value. A value that was accepted before is
// offered without the gate and may be refused by several goroutines at once; the
// next dial then goes through the gate again.
func (s *server) refuse(value credential.Secret, err error) {
	if known := s.accepted.Load(); known != nil && known.Equal(value) {
		s.accepted.CompareAndSwap(known, nil)
		return
	}
	s.refused = refusal{value: value, at: time.Now(), err: err}
}
