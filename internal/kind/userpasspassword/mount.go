package userpasspassword

import (
	"context"

	"rollcall/internal/vault"
	"rollcall/internal/vault/minted"
)

// mount is what we need to know of an auth mount.
type mount struct {
	accessor string
	lockout  minted.Lockout
}

// mountOf asks as any token may that has a right below the mount.
func (au *Authority) mountOf(ctx context.Context, u user) (mount, error) {
	got, err := au.api.Logical().ReadWithContext(ctx, "sys/internal/ui/mounts/auth/"+u.mount)
	if err != nil || got == nil {
		if err != nil {
			err = au.fail("read the auth mount", err)
		}
		return mount{}, err
	}
	var m mount
	m.accessor, _ = got.Data["accessor"].(string)
	config, _ := got.Data["config"].(map[string]any)
	m.lockout = minted.LockoutOf(config)
	return m, nil
}

// entity is as whom Vault knows a user once it has logged in.
type entity struct {
	id       string // empty: it never did
	disabled bool   // all its tokens are refused, and its logins
	policies []string
}

func (au *Authority) entity(ctx context.Context, m mount, u user) (entity, error) {
	if m.accessor == "" {
		return entity{}, nil
	}
	got, err := au.api.Logical().WriteWithContext(ctx, "identity/lookup/entity", map[string]any{"alias_name": u.name, "alias_mount_accessor": m.accessor})
	if err != nil || got == nil {
		if err != nil {
			err = au.fail("look up the entity of the user", err)
		}
		return entity{}, err
	}
	var e entity
	e.id, _ = got.Data["id"].(string)
	e.disabled, _ = got.Data["disabled"].(bool)
	e.policies = vault.TextsIn(got.Data["policies"])
	return e, nil
}

// locked reports whether Vault refuses every login of the user for now.
func (au *Authority) locked(ctx context.Context, m mount, u user) (bool, error) {
	return minted.Locked(ctx, au.api, au.server, m.accessor, u.name)
}
