package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/paste"
	"rollcall/internal/protocol"
)

// WatchEvery is how often a worker looks whether Vault holds another secret-id
// of its role than the one it is logged in with.
const WatchEvery = 15 * time.Second

// ownLogin is how we log in, and as what.
type ownLogin struct {
	who identity

	changing sync.Mutex // held while the file is read or replaced and the token changed
	renewed  chan Lease // of a login that was made beside the keeper

	mu       sync.Mutex
	role     string            // role_name of the AppRole that we are logged in with
	secretID credential.Secret // with which we are logged in
	refused  credential.Secret // what the file held and Vault refused
	refusedE error
	term     term

	spurned credential.Secret // what our place in Vault held and Vault refused; the keeper's alone
}

func (o *ownLogin) init(who identity) { o.who, o.renewed = who, make(chan Lease, 1) }

func (o *ownLogin) accept(role string, secretID credential.Secret) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.role, o.secretID, o.refused, o.refusedE = role, secretID, credential.Secret{}, nil
}

// refuse remembers that Vault refused a secret-id, and adds what to do to err.
// Vault locks a role out after a few wrong ones (user_lockout), with every
// worker in it.
func (o *ownLogin) refuse(s *Client, secretID credential.Secret, err error) {
	var e *Error
	if !errors.As(err, &e) || e.Status != http.StatusBadRequest {
		return
	}
	place := OwnSecretID(s.own)
	e.Hint = fmt.Sprintf("the secret-id in %s has ended or was destroyed, and is not offered again until the file holds another one; "+
		"if Rollcall rotated it, an administrator finds the one in force by `vault kv get -field=%s %s`: write it there, and a worker that runs goes on by itself",
		o.who.secretIDFile, paste.Shell(place.Field), paste.Shell(place.Mount+"/"+place.Path))
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refused, o.refusedE = secretID, err
}

func (o *ownLogin) refusal(secretID credential.Secret) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.refused.IsZero() || !o.refused.Equal(secretID) {
		return nil
	}
	return o.refusedE
}

// trouble is what to do if Vault refuses what the file holds; empty if it does
// not.
func (o *ownLogin) trouble() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var e *Error
	if o.refused.IsZero() || !errors.As(o.refusedE, &e) {
		return ""
	}
	return e.Hint
}

func (o *ownLogin) current() (role string, secretID credential.Secret) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.role, o.secretID
}

// Uses reports whether a secret-id is the one that we are logged in with.
func (c *Client) Uses(secretID credential.Secret) bool {
	_, using := c.login.current()
	return secretID.Equal(using)
}

// Role is WorkerRole if that is what we are logged in with, by a secret-id from
// a file: a login that can be rotated by whoever uses it. Else empty.
func (c *Client) Role() string {
	if role, _ := c.login.current(); role == WorkerPolicy {
		return WorkerRole
	}
	return ""
}

// Replaceable tries whether the secret-id file can be replaced, without doing
// it. The error is a *protocol.Stop that says what is in the way.
func (c *Client) Replaceable() error {
	tmp, err := prepareFile(c.login.who.secretIDFile, credential.Secret{})
	if err != nil {
		return c.notReplaceable(err)
	}
	tmp.drop()
	return nil
}

func (c *Client) notReplaceable(err error) error {
	return &protocol.Stop{Reason: protocol.ReasonRights, Server: c.api.Address(), Detail: fmt.Sprintf(
		"the worker cannot replace its own secret-id file (%s): %v; the secret-id in it was not destroyed; let the worker write the file and its folder, or rotate this login by hand", EnvSecretIDFile, plainCause(err))}
}

// Adopt makes value, which must be a secret-id of our role, the one we log in
// with: it is tried, written into the file in one step, and the token is
// changed for one of it. The old token is revoked. A refused value, or a file
// that cannot be written, leaves everything as it was. Doing it twice does no
// harm.
func (c *Client) Adopt(ctx context.Context, value credential.Secret) error {
	o := &c.login
	o.changing.Lock()
	defer o.changing.Unlock()
	inFile, err := readSecretID(o.who.secretIDFile)
	if err != nil {
		return c.notReplaceable(err)
	}
	_, using := o.current()
	if using.Equal(value) && inFile.Equal(value) {
		return nil
	}
	auth, err := c.present(ctx, value)
	if err != nil {
		return err
	}
	if !inFile.Equal(value) {
		if err := replaceFile(o.who.secretIDFile, value); err != nil {
			c.revoke(ctx, auth.ClientToken)
			return c.notReplaceable(err)
		}
	}
	before := c.api.Token()
	l := c.take(auth, value)
	select { // the newest counts
	case <-o.renewed:
	default:
	}
	o.renewed <- l
	c.revoke(ctx, before)
	return nil
}

// Offered is for how long our place in Vault has held a secret-id, by Vault's
// clock, for those of machines differ; 0 if it does not hold it, or if Vault
// does not say.
func (c *Client) Offered(ctx context.Context, value credential.Secret) time.Duration {
	live, err := c.ReadLive(ctx, OwnSecretID(c.own), 0)
	if err != nil || !live.Found || live.Written.IsZero() || !live.Value.Equal(value) {
		return 0
	}
	now, said := c.ServerTime(ctx)
	if !said {
		return 0
	}
	return max(0, now.Sub(live.Written))
}

// revoke ends a token of ours. One that stays ends by its lifetime, and a
// rotation of the role revokes it.
func (c *Client) revoke(ctx context.Context, token string) {
	holder, err := c.api.CloneWithHeaders()
	if err != nil {
		return
	}
	holder.SetToken(token)
	_ = holder.Auth().Token().RevokeSelfWithContext(ctx, "")
}

// unknown reports whether Vault says that our role has no such secret-id.
// Asking with the token in hand costs no wrong login, of which a few would lock
// the role, with every worker in it. Where we may not ask, nobody knows.
func (c *Client) unknown(ctx context.Context, value credential.Secret) bool {
	got, err := c.api.Logical().WriteWithContext(ctx, "auth/"+AppRoleMount+"/role/"+WorkerPolicy+"/secret-id/lookup",
		map[string]any{"secret_id": value.Reveal()})
	return err == nil && (got == nil || got.Data == nil)
}

// watch follows a rotation of our role by another worker: it adopts the
// secret-id that Vault holds if that is another one than ours, and logs in
// again where our token was revoked. It returns the lease of a login that it
// made.
func (c *Client) watch(ctx context.Context) *Lease {
	live, err := c.ReadLive(ctx, OwnSecretID(c.own), 0)
	if IsKind(err, TokenExpired) {
		if l, err := c.LogIn(ctx); err == nil {
			return &l
		}
		return nil
	}
	_, using := c.login.current()
	if err != nil || !live.Found || live.Value.IsZero() || live.Value.Equal(using) || live.Value.Equal(c.login.spurned) {
		return nil
	}
	if c.unknown(ctx, live.Value) {
		c.login.spurned = live.Value
		return nil
	}
	if err := c.Adopt(ctx, live.Value); err != nil {
		var e *Error
		if errors.As(err, &e) && e.Status == http.StatusBadRequest {
			c.login.spurned = live.Value
		}
		return nil
	}
	select {
	case l := <-c.login.renewed:
		return &l
	default:
		return nil
	}
}
