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

// refusalTTL is how long a refused bind password is not offered again. It keeps
// retries from locking the worker's own identity. The value of one of a pair
// that is wrong is not offered again at all to the write server: the other does
// the work meanwhile. Another server may only lag behind a change of both, so
// it is asked again, no more often than failures commonly stop counting
// ([MS-ADA1] lockOutObservationWindow: 30 minutes).
const (
	refusalTTL          = time.Minute
	refusalHoldsOfAPair = 30 * time.Minute
)

// identity is one login of the worker at one server, and what the server
// thought of its password.
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

// name is what errors call the identity in what travels.
func (i *identity) name() string {
	switch {
	case !i.server.client.conf.Paired():
		return "bind"
	case i == i.server.identities[0]:
		return "the first identity of bind"
	}
	return "the second identity of bind"
}

// identityError is a login of the worker that did not come about. Its text
// names the identity and the place of its password; Public does not, because
// what keeps a credential open travels through Temporal.
type identityError struct {
	public  string
	who     config.Bind
	refused bool // the server does not let it in; another identity may be let in
	cause   error
}

func (e *identityError) Error() string {
	return fmt.Sprintf("%s (bind.dn %q, its password at %s)", e.public, e.who.DN, e.who.Password)
}

// Public is the text without a name.
func (e *identityError) Public() string { return e.public }

func (e *identityError) Unwrap() error { return e.cause }

func (i *identity) failed(refused bool, cause error, format string, args ...any) error {
	return &identityError{public: "directory " + i.server.client.name + ": " + fmt.Sprintf(format, args...), who: i.bind, refused: refused, cause: cause}
}

func isRefused(err error) bool {
	var e *identityError
	return errors.As(err, &e) && e.refused
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

// errNoPassword: Vault holds none.
var errNoPassword = errors.New("no password")

// held is the value that Vault holds. An empty one is an error: a server may
// take a login with it for an anonymous one (RFC 4513, 5.1.2).
func (i *identity) held(ctx context.Context) (credential.Secret, error) {
	value, err := i.password(ctx)
	if err != nil {
		return value, fmt.Errorf("directory %s: read the password of %s: %w", i.server.client.name, i.name(), err)
	}
	if value.IsZero() {
		return value, i.failed(false, errNoPassword, "Vault holds no password for %s; write it there", i.name())
	}
	return value, nil
}

// dial connects and binds.
func (i *identity) dial(ctx context.Context) (*conn, error) {
	value, err := i.held(ctx)
	if err != nil {
		return nil, err
	}
	return i.dialWith(ctx, value)
}

// known is the value that Vault holds, or the last one that the server accepted
// while Vault gives none: what was proved can be looked at again without Vault.
func (i *identity) known(ctx context.Context) (credential.Secret, error) {
	value, err := i.held(ctx)
	if err == nil {
		return value, nil
	}
	i.mu.Lock()
	last := i.accepted
	i.mu.Unlock()
	if !last.IsZero() {
		return last, nil
	}
	return value, err
}

// dialWith connects and binds with a value.
func (i *identity) dialWith(ctx context.Context, value credential.Secret) (*conn, error) {
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
	s, dn := c.server, i.bind.DN
	var res *ldap.SimpleBindResult
	err := c.do(ctx, "bind as the worker's identity", func(l *ldap.Conn) (err error) {
		res, err = l.SimpleBind(ldap.NewSimpleBindRequest(dn, value.Reveal(), s.client.driver.bindControls()))
		return err
	})
	switch {
	case err == nil && policyError(res.Controls) == ldap.BeheraChangeAfterReset:
		return i.failed(true, nil, "%s lets %s do nothing until its password is changed (pwdReset); change it, and put the new one into Vault", s.name, i.name())
	case err == nil:
		return nil
	case !answered(err):
		return err
	}
	reply, unknown := s.client.driver.refusedLogin(s, err)
	if resultCode(err) == ldap.LDAPResultInvalidCredentials || unknown == nil && reply != protocol.Unreachable {
		why := "the password that Vault holds is wrong, or the identity is locked or not there; put the right one there, or correct its dn"
		until := time.Now().Add(refusalTTL)
		switch {
		case unknown == nil && reply != protocol.Refused:
			why = fmt.Sprintf("the identity is %s, whether or not the password that Vault holds is right; put that in order, or correct its dn", reply)
		case unknown == nil && s.client.conf.Paired() && s == s.client.servers[0]:
			until = time.Time{}
			why += "; it is not offered again until Vault holds another one, or the worker is started again"
		case unknown == nil && s.client.conf.Paired():
			until = time.Now().Add(refusalHoldsOfAPair)
			why += fmt.Sprintf("; it is offered again in %s, or when Vault holds another one", refusalHoldsOfAPair)
		}
		refused := i.failed(true, nil, "login to %s as %s is refused: %s", s.name, i.name(), why)
		i.refuse(value, until, refused)
		return refused
	}
	return i.failed(false, nil, "login to %s as %s is refused (%s)", s.name, i.name(), describe(err))
}
