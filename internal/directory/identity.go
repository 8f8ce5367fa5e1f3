package directory

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// refusalHolds is how long a refused bind password is not offered again. It
// keeps retries from locking the worker's own identity.
const refusalHolds = time.Minute

// identity is what a server thought of the worker's bind password.
type identity struct {
	// gate lets one goroutine at a time offer a password that the server has
	// not accepted yet: eight connections that offer a wrong one at once could
	// lock the worker out.
	gate chan struct{}

	mu        sync.Mutex
	accepted  credential.Secret
	refused   credential.Secret
	refusedAt time.Time
	refusal   error
}

func newIdentity() *identity { return &identity{gate: make(chan struct{}, 1)} }

// judge returns whether the server accepted value before, or the error with
// which it refused it a moment ago.
func (i *identity) judge(value credential.Secret) (accepted bool, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.refused.Equal(value) && time.Since(i.refusedAt) < refusalHolds {
		return false, i.refusal
	}
	return i.accepted.Equal(value), nil
}

func (i *identity) accept(value credential.Secret) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.accepted, i.refused = value, credential.Secret{}
}

func (i *identity) refuse(value credential.Secret, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.accepted, i.refused, i.refusedAt, i.refusal = credential.Secret{}, value, time.Now(), err
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
	if _, err := s.identity.judge(value); err != nil {
		return nil, err
	}
	c, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.becomeAdmin(ctx, value); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// becomeAdmin binds, alone if value has not been accepted before.
func (c *conn) becomeAdmin(ctx context.Context, value credential.Secret) error {
	i := c.server.identity
	if known, err := i.judge(value); err != nil {
		return err
	} else if !known {
		select {
		case i.gate <- struct{}{}:
			defer func() { <-i.gate }()
		case <-ctx.Done():
			return ctx.Err()
		}
		if _, err := i.judge(value); err != nil {
			return err
		}
	}
	if err := c.bindAdmin(ctx, value); err != nil {
		return err
	}
	i.accept(value)
	return nil
}

// bindAdmin binds as the worker's identity and remembers a refusal.
func (c *conn) bindAdmin(ctx context.Context, value credential.Secret) error {
	s, dn := c.server, c.server.client.conf.Bind.DN
	var res *ldap.SimpleBindResult
	err := c.do(ctx, "bind as the worker's identity", func(l *ldap.Conn) (err error) {
		res, err = l.SimpleBind(ldap.NewSimpleBindRequest(dn, value.Reveal(), s.client.family.bindControls()))
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
	}
	answer, unknown := s.client.family.refusedLogin(s, err)
	if resultCode(err) == ldap.LDAPResultInvalidCredentials || unknown == nil && answer != protocol.Unreachable {
		where := s.client.conf.Bind.Password
		why := fmt.Sprintf("the password at %s is wrong, or the identity is locked or not there; put the right one there, or correct bind.dn", where)
		if unknown == nil && answer != protocol.Refused {
			why = fmt.Sprintf("the identity is %s, whether or not the password at %s is right; put that in order, or correct bind.dn", answer, where)
		}
		refused := fmt.Errorf("directory %s: bind to %s as bind.dn %q is refused: %s", s.client.name, s.name, dn, why)
		s.identity.refuse(value, refused)
		return refused
	}
	return fmt.Errorf("directory %s: bind to %s as bind.dn %q is refused (%s)", s.client.name, s.name, dn, describe(err))
}
