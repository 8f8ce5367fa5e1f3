package approlesecretid

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/minted"
)

// Try logs in with the value and looks its own token up, then revokes the
// token, whatever happened in between.
//
// Where a secret-id has a limited number of uses, by its role
// (secret_id_num_uses) or of its own, a login would spend one that belongs to
// the consumer, and the last one would end the secret-id. There Try takes
// Vault's word that the role has the secret-id, for a look-up costs no use, and
// logs in with one of one use that it gives the role for that: so it is seen
// that the role lets in, and the count of wrong logins ends, as it does with
// any good login (1.21 tried). Without it the fifth pass of a proof would lock
// the role. With a value that the role has not it logs in: the refusal is real.
//
// A login that is refused for its source address tells nothing: it is a Stop,
// but where uses are counted and the role has the secret-id.
func (au *Authority) Try(ctx context.Context, _ string, a kind.Account, value credential.Secret) (protocol.Reply, error) {
	r, err := au.role(ctx, a.Subject)
	switch {
	case vault.NoAnswer(ctx, err):
		return protocol.Unreachable, nil
	case err != nil:
		return protocol.NotAsked, err
	case r == nil:
		return protocol.Gone, nil
	case value.IsZero():
		return protocol.Refused, nil // Vault knows no empty secret-id
	}
	id, err := au.find(ctx, *r, value)
	switch {
	case vault.NoAnswer(ctx, err):
		return protocol.Unreachable, nil
	case err != nil:
		return protocol.NotAsked, err
	}
	roleID, err := au.roleID(ctx, *r)
	switch {
	case vault.NoAnswer(ctx, err):
		return protocol.Unreachable, nil
	case err != nil:
		return protocol.NotAsked, err
	case roleID == "":
		return protocol.Gone, nil
	}
	if id != nil && id.uses > 0 {
		return au.letsIn(ctx, *r, roleID, id.metadata)
	}
	return au.offer(ctx, *r, roleID, value, id == nil)
}

// letsIn logs in with a secret-id of one use that has some metadata. Where the
// role lets in from other addresses alone that tells nothing.
func (au *Authority) letsIn(ctx context.Context, r role, roleID string, metadata map[string]string) (protocol.Reply, error) {
	value, done, err := au.ofOneUse(ctx, r, metadata)
	switch {
	case vault.NoAnswer(ctx, err):
		return protocol.Unreachable, nil
	case err != nil:
		return protocol.NotAsked, err
	}
	defer done()
	reply, err := au.offer(ctx, r, roleID, value, false)
	switch stop, stopped := errors.AsType[*protocol.Stop](err); {
	case stopped && stop.Reason == protocol.ReasonRights:
		return protocol.Accepted, nil
	case err == nil && reply == protocol.Refused:
		return protocol.NotAsked, fmt.Errorf("vault %s: log in: a secret-id that was made for it was refused, so somebody has destroyed it; it is tried again", au.server)
	}
	return reply, err
}

// offer logs in, unless that is a wrong login that could lock the role.
func (au *Authority) offer(ctx context.Context, r role, roleID string, value credential.Secret, wrong bool) (protocol.Reply, error) {
	if wrong {
		l, err := au.lockout(ctx, r)
		if err == nil {
			err = au.ration.Begin(ctx, r.id(), l)
		}
		switch {
		case vault.NoAnswer(ctx, err) || vault.IsKind(err, vault.Unreachable):
			return protocol.Unreachable, nil
		case err != nil:
			return protocol.NotAsked, err
		}
	}
	reply, err := au.login(ctx, r, roleID, value)
	switch {
	case err == nil && reply == protocol.Accepted:
		au.ration.Good(ctx, r.id())
	case wrong && (err != nil || reply == protocol.RoleLocked):
		au.ration.Undo(ctx, r.id())
	}
	return reply, err
}

var _ kind.Counted = (*Authority)(nil)

// UsesLeft looks the secret-id up.
func (au *Authority) UsesLeft(ctx context.Context, a kind.Account, value credential.Secret) (int64, error) {
	r, err := au.role(ctx, a.Subject)
	if err != nil || r == nil {
		return 0, err
	}
	id, err := au.find(ctx, *r, value)
	if err != nil || id == nil {
		return 0, err
	}
	return id.uses, nil
}

var _ kind.Lookup = (*Authority)(nil)

// Has looks the secret-id up.
func (au *Authority) Has(ctx context.Context, a kind.Account, value credential.Secret) (bool, error) {
	r, err := au.role(ctx, a.Subject)
	if err != nil || r == nil || value.IsZero() {
		return false, err
	}
	id, err := au.find(ctx, *r, value)
	return id != nil, err
}

// Offer is Try: Vault says of a refused login by itself whether the role is
// there and in order.
func (au *Authority) Offer(ctx context.Context, server string, a kind.Account, value credential.Secret) (protocol.Reply, error) {
	return au.Try(ctx, server, a, value)
}

// login logs in again where the token of a good login was gone before it could
// be used.
func (au *Authority) login(ctx context.Context, r role, roleID string, value credential.Secret) (reply protocol.Reply, err error) {
	for range minted.MaxLogins {
		reply, err = au.enter(ctx, r, roleID, value)
		if !errors.Is(err, minted.ErrTokenGone) {
			break
		}
	}
	return reply, err
}

func (au *Authority) enter(ctx context.Context, r role, roleID string, value credential.Secret) (protocol.Reply, error) {
	bare, err := au.api.CloneWithHeaders()
	if err != nil {
		return protocol.NotAsked, fmt.Errorf("vault %s: %w", au.server, err)
	}
	bare.ClearToken()
	got, err := bare.Logical().WriteWithContext(ctx, "auth/"+r.mount+"/login", map[string]any{"role_id": roleID, "secret_id": value.Reveal()})
	if err != nil {
		return au.refusal(ctx, err)
	}
	if got == nil || got.Auth == nil {
		return protocol.NotAsked, fmt.Errorf("vault %s: log in: the answer holds no token", au.server)
	}
	defer minted.Discard(ctx, au.api, bare, got.Auth)
	bare.SetToken(got.Auth.ClientToken)
	_, err = bare.Auth().Token().LookupSelfWithContext(ctx)
	if err == nil {
		return protocol.Accepted, nil
	}
	if !vault.Answered(err, http.StatusForbidden) {
		return au.refusal(ctx, err)
	}
	// The token was minted a moment ago and may not look at itself: either its
	// policies leave out "default", or the token is bound to other addresses.
	if r.tokenCIDRs {
		return protocol.NotAsked, au.addressStop()
	}
	if _, err := au.api.Auth().Token().LookupAccessorWithContext(ctx, got.Auth.Accessor); err != nil {
		return protocol.NotAsked, minted.NotLookedUp(au.server, err)
	}
	return protocol.Accepted, nil
}

// refusal reads why a login failed. Vault's text stays here: it can repeat the
// secret-id.
//
// With 400 Vault 1.21 says all of these (builtin/credential/approle,
// path_login.go, and the core's LoginCreateToken): "invalid role or secret ID"
// and "invalid secret_id", "missing secret_id" of one that is nothing but
// blanks, "source address … unauthorized" of the right one from another place,
// a policy that no login may have ("root") once the secret-id was found right,
// and a binding of the secret-id that it cannot read.
func (au *Authority) refusal(ctx context.Context, err error) (protocol.Reply, error) {
	reply, came := vault.ReplyIn(err)
	if !came {
		if ctx.Err() != nil {
			return protocol.NotAsked, fmt.Errorf("vault %s: log in: %w", au.server, ctx.Err())
		}
		return protocol.Unreachable, nil
	}
	switch {
	case reply.Kind() == vault.Throttled:
		return protocol.NotAsked, au.stop(protocol.ReasonThrottled, "log in: a rate limit of Vault turned it away")
	case reply.Says("source address"):
		return protocol.NotAsked, au.addressStop()
	case reply.Status == http.StatusBadRequest &&
		reply.Says("invalid role or secret ID", "invalid secret_id", "missing secret_id"):
		return protocol.Refused, nil
	case reply.Status == http.StatusBadRequest &&
		reply.Says("cannot create root tokens", "cannot assign policy"):
		return protocol.NotAsked, au.stop(protocol.ReasonPolicy, "the role has a policy that no login may have (root, or one of Vault's own), so Vault turns away every login with the right secret-id too; take it out of the role's token_policies, or of its entity's and groups' policies")
	case reply.Status == http.StatusForbidden:
		// Vault answers so, and not as to a wrong secret-id, after too many
		// wrong ones.
		return protocol.RoleLocked, nil
	case reply.Status == http.StatusServiceUnavailable:
		return protocol.Unreachable, nil
	}
	return protocol.NotAsked, fmt.Errorf("vault %s: log in: status %d", au.server, reply.Status)
}

func (au *Authority) addressStop() *protocol.Stop {
	return au.stop(protocol.ReasonRights, "the role is bound to source addresses (secret_id_bound_cidrs, token_bound_cidrs) and every login from this worker is refused, so nothing can be proved; run a worker at one of those addresses, or add this worker's to the role")
}
