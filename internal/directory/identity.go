package directory

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// refusalHolds is how long a refused bind password is not offered again. It
// keeps retries from locking the worker's own identity. The value of one of a pair that
// is wrong is not offered again at all: the other does the work meanwhile.
const refusalHolds = time.Minute

// identity is one login of the worker at one server, and what the server thought
// of its password.
type identity struct {
	server   *server
	bind     config.Bind
	password func(context.Context) (credential.Secret, error)
	pool     *pool

	// gate lets one goroutine at a time offer a password that the server has
	// not accepted yet: eight connections that offer a wrong one at once could
	// lock the worker out.
	gate chan struct{}

	mu       sync.Mutex
	accepted credential.Secret
	refused  credential.Secret
	until    time.Time // the refusal holds; zero: for good
	refusal  error
}

func newIdentity(s *server, b config.Bind, password func(context.Context) (credential.Secret, error)) *identity {
	i := &identity{server: s, bind: b, password: password, gate: make(chan struct{}, 1)}
	i.pool = newPool(s.client.conf.Connections, i.dial)
	return i
}

// refusedError is a server that does not let an identity in. Another may be let in.
type refusedError struct{ error }

func isRefused(err error) bool {
	var r *refusedError
	return errors.As(err, &r)
}

// judge returns whether the server accepted value before, or the error with
// which it refused it.
func (i *identity) judge(value credential.Secret) (accepted bool, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.refused.Equal(value) && (i.until.IsZero() || time.Now().Before(i.until)) {
		return false, i.refusal
	}
	return i.accepted.Equal(value), nil
}

func (i *identity) accept(value credential.Secret) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.accepted, i.refused = value, credential.Secret{}
}

func (i *identity) refuse(value credential.Secret, until time.Time, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.accepted, i.refused, i.until, i.refusal = credential.Secret{}, value, until, err
}

// dial connects and binds.
func (i *identity) dial(ctx context.Context) (*conn, error) {
	name := i.server.client.name
	value, err := i.password(ctx)
	if err != nil {
		return nil, fmt.Errorf("directory %s: read the password of bind.dn from %s: %w", name, i.bind.Password, err)
	}
	if value.IsZero() {
		return nil, fmt.Errorf("directory %s: %s holds no password for bind.dn", name, i.bind.Password)
	}
	if _, err := i.judge(value); err != nil {
		return nil, err
	}
	c, err := i.server.dial(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.become(ctx, i, value); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// become binds, alone if value has not been accepted before.
func (c *conn) become(ctx context.Context, i *identity, value credential.Secret) error {
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
	if err := c.bindAs(ctx, i, value); err != nil {
		return err
	}
	c.bound = i.bind.DN
	i.accept(value)
	return nil
}

// bindAs binds and remembers a refusal.
func (c *conn) bindAs(ctx context.Context, i *identity, value credential.Secret) error {
	s, dn, where := c.server, i.bind.DN, i.bind.Password
	var res *ldap.SimpleBindResult
	err := c.do(ctx, "bind as the worker's identity", func(l *ldap.Conn) (err error) {
		res, err = l.SimpleBind(ldap.NewSimpleBindRequest(dn, value.Reveal(), s.client.family.bindControls()))
		return err
	})
	switch {
	case err == nil && policyError(res.Controls) == ldap.BeheraChangeAfterReset:
		return &refusedError{fmt.Errorf("directory %s: bind to %s as bind.dn %q: the server lets it do nothing until its password is changed (pwdReset); change it, and put the new one at %s",
			s.client.name, s.name, dn, where)}
	case err == nil:
		return nil
	case !answered(err):
		return err
	}
	answer, unknown := s.client.family.refusedLogin(s, err)
	if resultCode(err) == ldap.LDAPResultInvalidCredentials || unknown == nil && answer != protocol.Unreachable {
		why := fmt.Sprintf("the password at %s is wrong, or the identity is locked or not there; put the right one there, or correct bind.dn", where)
		until := time.Now().Add(refusalHolds)
		switch {
		case unknown == nil && answer != protocol.Refused:
			why = fmt.Sprintf("the identity is %s, whether or not the password at %s is right; put that in order, or correct bind.dn", answer, where)
		case unknown == nil && s.client.conf.Paired():
			until = time.Time{}
			why += "; it is not offered again until Vault holds another one, or the worker is started again"
		}
		refused := &refusedError{fmt.Errorf("directory %s: bind to %s as bind.dn %q is refused: %s", s.client.name, s.name, dn, why)}
		i.refuse(value, until, refused)
		return refused
	}
	return fmt.Errorf("directory %s: bind to %s as bind.dn %q is refused (%s)", s.client.name, s.name, dn, describe(err))
}
