package userpasspassword

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/minted"
)

// Try logs in with the value and looks its own token up, then revokes the
// token, whatever happened in between.
//
// Where a second factor is asked for (login MFA), no token is given, and the
// challenge itself shows that the password was right: Vault makes it after the
// password was checked.
//
// 403 has several causes that Vault does not tell apart: too many wrong logins,
// an address, a disabled entity. The user and the list of locked ones say
// which.
func (au *Authority) Try(ctx context.Context, _ string, a kind.Account, value credential.Secret) (protocol.Reply, error) {
	u, err := au.user(ctx, a.Subject)
	switch {
	case vault.NoAnswer(ctx, err):
		return protocol.Unreachable, nil
	case err != nil:
		return protocol.NotAsked, err
	case u == nil:
		return protocol.Gone, nil
	}
	reply, err := au.login(ctx, *u, value, true)
	if err != nil || reply != protocol.Refused {
		return reply, err
	}
	// A wrong password is refused as such for a disabled entity too.
	m, err := au.mountOf(ctx, *u)
	if err != nil {
		return protocol.NotAsked, err
	}
	if e, err := au.entity(ctx, m, *u); err != nil || e.disabled {
		return protocol.Disabled, err
	}
	return protocol.Refused, nil
}

// Offer is the login alone: Vault answers for a user that is not there as for a
// wrong password.
func (au *Authority) Offer(ctx context.Context, _ string, a kind.Account, value credential.Secret) (protocol.Reply, error) {
	u, err := au.named(a.Subject)
	if err != nil {
		return protocol.NotAsked, err
	}
	return au.login(ctx, *u, value, false)
}

// login logs in again where the token of a good login was gone before it could
// be used.
func (au *Authority) login(ctx context.Context, u user, value credential.Secret, operate bool) (reply protocol.Reply, err error) {
	for range minted.MaxLogins {
		reply, err = au.once(ctx, u, value, operate)
		if !errors.Is(err, minted.ErrTokenGone) {
			break
		}
	}
	return reply, err
}

func (au *Authority) once(ctx context.Context, u user, value credential.Secret, operate bool) (protocol.Reply, error) {
	if value.IsZero() {
		return protocol.Refused, nil // Vault takes no empty password
	}
	bare, auth, err := au.enter(ctx, u, value)
	if err != nil {
		return au.refusal(ctx, u, err)
	}
	if auth.ClientToken == "" {
		return protocol.Accepted, nil // a second factor is asked for
	}
	defer minted.Discard(ctx, au.api, bare, auth)
	if !operate {
		return protocol.Accepted, nil
	}
	_, err = bare.Auth().Token().LookupSelfWithContext(ctx)
	if err == nil {
		return protocol.Accepted, nil
	}
	if !vault.Answered(err, http.StatusForbidden) {
		return au.refusal(ctx, u, err)
	}
	// The token was minted a moment ago and may not look at itself: its
	// policies leave out "default", or its entity is disabled, which Vault
	// looks at with each use.
	if auth.Accessor == "" {
		return protocol.Disabled, nil
	}
	if _, err := au.api.Auth().Token().LookupAccessorWithContext(ctx, auth.Accessor); err != nil {
		return protocol.NotAsked, minted.NotLookedUp(au.server, err)
	}
	return protocol.Accepted, nil
}

// entry is what is known of logins of this process that were good.
type entry struct {
	value credential.Secret // of the last one
	took  time.Duration     // of the longest
}

var errNoToken = errors.New("the answer holds no token")

// enter logs in, unless that could be the wrong login that locks the user. The
// client has the token; one without is a login that waits for a second factor.
//
// What was let in last, or was set here last, is most likely right, and is
// counted only if it is not, unless that could be the one that locks. A good
// login that waits for a second factor ends no count (1.21 tried).
func (au *Authority) enter(ctx context.Context, u user, value credential.Secret) (*vaultapi.Client, *vaultapi.SecretAuth, error) {
	m, err := au.mountOf(ctx, u)
	if err != nil {
		return nil, nil, notMade{err}
	}
	end, err := au.ration.Alone(ctx, u.id())
	if err != nil {
		return nil, nil, notMade{err}
	}
	defer end()
	known := au.isKnown(u, value) && !au.ration.Last(ctx, u.id(), m.lockout)
	if !known {
		if err := au.ration.Begin(ctx, u.id(), m.lockout); err != nil {
			return nil, nil, notMade{err}
		}
	}
	client, auth, err := au.logIn(ctx, u, value)
	reply, came := vault.ReplyIn(err)
	switch wrong := came && isRefusal(reply); {
	case err == nil && auth.ClientToken != "":
		au.ration.Good(ctx, u.id())
	case wrong && known:
		au.entered.Delete(u.subject())
		au.mine.Delete(u.subject())
		au.ration.Wrong(ctx, u.id(), m.lockout)
	case !known && (err == nil || came && !wrong):
		au.ration.Undo(ctx, u.id())
	}
	return client, auth, err
}

// notMade is why a login was not made.
type notMade struct{ error }

func (n notMade) Unwrap() error { return n.error }

// isKnown reports whether this process was let in with a value last, or set it
// last.
func (au *Authority) isKnown(u user, value credential.Secret) bool {
	if in, ok := au.entered.Load(u.subject()); ok && in.(entry).value.Equal(value) {
		return true
	}
	mine, ok := au.mine.Load(u.subject())
	return ok && mine.(credential.Secret).Equal(value)
}

func isRefusal(r vault.Reply) bool {
	return r.Status == http.StatusBadRequest && r.Says("invalid username or password")
}

func (au *Authority) logIn(ctx context.Context, u user, value credential.Secret) (*vaultapi.Client, *vaultapi.SecretAuth, error) {
	bare, err := au.api.CloneWithHeaders()
	if err != nil {
		return nil, nil, fmt.Errorf("vault %s: %w", au.server, err)
	}
	bare.ClearToken()
	began := time.Now()
	got, err := bare.Logical().WriteWithContext(ctx, "auth/"+u.mount+"/login/"+u.name, map[string]any{"password": value.Reveal()})
	if err != nil {
		return nil, nil, err
	}
	if got == nil || got.Auth == nil || got.Auth.ClientToken == "" && got.Auth.MFARequirement == nil {
		return nil, nil, fmt.Errorf("vault %s: log in: %w", au.server, errNoToken)
	}
	in := entry{value, time.Since(began)}
	if before, ok := au.entered.Load(u.subject()); ok {
		in.took = max(in.took, before.(entry).took)
	}
	au.entered.Store(u.subject(), in)
	bare.SetToken(got.Auth.ClientToken)
	return bare, got.Auth, nil
}

// refusal reads why a login failed.
func (au *Authority) refusal(ctx context.Context, u user, err error) (protocol.Reply, error) {
	if no, ok := errors.AsType[notMade](err); ok {
		if vault.NoAnswer(ctx, err) || vault.IsKind(err, vault.Unreachable) {
			return protocol.Unreachable, nil
		}
		return protocol.NotAsked, no.error
	}
	reply, came := vault.ReplyIn(err)
	switch {
	case errors.Is(err, errNoToken):
		return protocol.NotAsked, err
	case ctx.Err() != nil:
		return protocol.NotAsked, fmt.Errorf("vault %s: log in: %w", au.server, ctx.Err())
	case !came:
		return protocol.Unreachable, nil
	}
	switch reply.Status {
	case http.StatusTooManyRequests:
		return protocol.NotAsked, au.stop(protocol.ReasonThrottled, "log in: a rate limit of Vault turned it away")
	case http.StatusBadRequest:
		if isRefusal(reply) {
			return protocol.Refused, nil
		}
	case http.StatusForbidden:
		return au.forbidden(ctx, u)
	case http.StatusServiceUnavailable:
		return protocol.Unreachable, nil
	}
	return protocol.NotAsked, fmt.Errorf("vault %s: log in: status %d", au.server, reply.Status)
}

// forbidden finds out what a 403 was for. Only who had the right password gets
// it for the address or the entity; who is locked gets it with any.
func (au *Authority) forbidden(ctx context.Context, u user) (protocol.Reply, error) {
	known, err := au.user(ctx, u.subject())
	if err != nil {
		return protocol.NotAsked, err
	}
	if known == nil {
		return protocol.Gone, nil
	}
	m, err := au.mountOf(ctx, *known)
	if err != nil {
		return protocol.NotAsked, err
	}
	switch locked, err := au.locked(ctx, m, *known); {
	case err != nil:
		return protocol.NotAsked, err
	case locked:
		return protocol.LoginLocked, nil
	case known.cidrs:
		return protocol.NotAsked, au.stop(protocol.ReasonRights, "the user is bound to source addresses (token_bound_cidrs) and every login from this worker is refused, so nothing can be proved; run a worker at one of those addresses, or add this worker's to the user")
	}
	return protocol.Disabled, nil
}
