package userpasspassword

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// Set gives the user another password and changes nothing else of it. A value
// that is set already is success.
//
// It ends the old one at once, so what would keep the new one from being tried
// has to be known before: a user that is bound to addresses is left as it is
// unless this process was let in as it. Vault looks at the password first and
// at the address after that, so a wrong password tells nothing.
func (au *Authority) Set(ctx context.Context, a kind.Account, new, _ credential.Secret) error {
	if new.IsZero() {
		return fmt.Errorf("vault %s: set a password: the new value is empty", au.server)
	}
	u, err := au.settable(ctx, a)
	if err != nil {
		return err
	}
	au.refused.forget(u.subject())
	au.retired.Delete(u.subject())
	_, err = au.api.Logical().WriteWithContext(ctx, u.path()+"/password", map[string]any{"password": new.Reveal()})
	au.set.Store(u.subject(), time.Now())
	au.mine.Store(u.subject(), new)
	if err != nil {
		return au.fail("set a password", err)
	}
	return nil
}

// MaySet implements kind.Settable.
func (au *Authority) MaySet(ctx context.Context, a kind.Account) error {
	_, err := au.settable(ctx, a)
	return err
}

var _ kind.Settable = (*Authority)(nil)

func (au *Authority) settable(ctx context.Context, a kind.Account) (user, error) {
	u, err := au.usable(ctx, a)
	if err != nil {
		return user{}, err
	}
	if _, in := au.entered.Load(u.subject()); u.cidrs && !in {
		return user{}, au.stop(protocol.ReasonRights, "the user is bound to source addresses (token_bound_cidrs), and no value that Vault holds logs in from this worker, so a new one could not be proved; nothing was changed: add this worker's address for the time of the campaign, or run a worker at one of those and put the present password into Vault")
	}
	return u, au.provable(ctx, u)
}

// provable stops where no login is left to prove a new value by: it would be in
// force, and nobody would be given it.
func (au *Authority) provable(ctx context.Context, u user) error {
	m, err := au.mountOf(ctx, u)
	if err != nil || !au.ration.Spent(ctx, u.id(), m.lockout) {
		return err
	}
	return au.ration.Begin(ctx, u.id(), m.lockout)
}

// usable reads the user and stops where a rotation would saw off the branch we
// sit on.
func (au *Authority) usable(ctx context.Context, a kind.Account) (user, error) {
	u, err := au.user(ctx, a.Subject)
	switch {
	case err != nil:
		return user{}, err
	case u == nil:
		return user{}, protocol.StopFor(protocol.Gone, au.server)
	}
	self, err := au.api.Auth().Token().LookupSelfWithContext(ctx)
	if err != nil {
		return user{}, au.fail("look up our own token", err)
	}
	m, err := au.mountOf(ctx, *u)
	if err != nil {
		return user{}, err
	}
	e, err := au.entity(ctx, m, *u)
	if err != nil {
		return user{}, err
	}
	if slices.ContainsFunc(append(u.policies, e.policies...), vault.OwnPolicy) {
		return user{}, au.stop(protocol.ReasonSelf, "this is a login of somebody who works with Rollcall (it has one of Rollcall's own policies): rotate it by hand, after the campaign")
	}
	// A token that somebody made with one of that login dies with it.
	ours, _ := self.Data["entity_id"].(string)
	if mintedBy(self, *u) || e.id != "" && e.id == ours {
		return user{}, au.stop(protocol.ReasonSelf, "this is the user that Rollcall itself is logged in as, or whose token made Rollcall's; rotate it from another login")
	}
	return *u, nil
}

// mintedBy reports whether a token lookup shows a login by that user, in
// whatever spelling: the path has the name as it was typed.
func mintedBy(token *vaultapi.Secret, u user) bool {
	if token == nil {
		return false
	}
	path, _ := token.Data["path"].(string)
	name, ok := strings.CutPrefix(path, "auth/"+u.mount+"/login/")
	return ok && strings.EqualFold(name, u.name)
}
