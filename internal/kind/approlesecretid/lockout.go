package approlesecretid

import (
	"context"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/internal/vault/minted"
)

// locked reports whether Vault refuses every login of the role for now. It
// knows the role by its role-id.
func (au *Authority) locked(ctx context.Context, r role, roleID string) (bool, error) {
	if roleID == "" {
		return false, nil
	}
	mount, err := au.mount(ctx, r)
	if err != nil || mount == nil {
		return false, err
	}
	accessor, _ := mount.Data["accessor"].(string)
	return minted.Locked(ctx, au.api, au.server, accessor, roleID)
}

// roleID is empty if the role is gone.
func (au *Authority) roleID(ctx context.Context, r role) (string, error) {
	got, err := au.api.Logical().ReadWithContext(ctx, r.path()+"/role-id")
	if err != nil {
		return "", au.fail("read the role-id", err)
	}
	if got == nil {
		return "", nil
	}
	id, _ := got.Data["role_id"].(string)
	return id, nil
}

// mount is the auth mount as any token with a right below it may see it.
func (au *Authority) mount(ctx context.Context, r role) (*vaultapi.Secret, error) {
	got, err := au.api.Logical().ReadWithContext(ctx, "sys/internal/ui/mounts/auth/"+r.mount)
	if err != nil {
		return nil, au.fail("read the auth mount", err)
	}
	return got, nil
}

func (au *Authority) lockout(ctx context.Context, r role) (minted.Lockout, error) {
	mount, err := au.mount(ctx, r)
	if err != nil || mount == nil {
		return minted.Lockout{}, err
	}
	config, _ := mount.Data["config"].(map[string]any)
	return minted.LockoutOf(config), nil
}
