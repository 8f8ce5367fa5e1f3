package approlesecretid

import (
	"context"
	"net/http"
	"slices"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/internal/vault"
)

// locked reports whether Vault refuses every login of the role for now, which
// it does after five wrong secret-ids (user lockout, since Vault 1.13;
// https://developer.hashicorp.com/vault/docs/concepts/user-lockout). The one
// wrong login of a proof does not add up: the right one after it clears the
// count.
func (au *Authority) locked(ctx context.Context, r role, roleID string) (bool, error) {
	if roleID == "" {
		return false, nil
	}
	mount, err := au.mount(ctx, r)
	if err != nil || mount == nil {
		return false, err
	}
	accessor, _ := mount.Data["accessor"].(string)
	got, err := au.api.Logical().ReadWithDataWithContext(ctx, "sys/locked-users", map[string][]string{"mount_accessor": {accessor}})
	if vault.Answered(err, http.StatusNotFound) || err == nil && got == nil {
		return false, nil
	}
	if err != nil {
		return false, au.fail("list locked logins", err)
	}
	for _, ns := range list(got.Data["by_namespace"]) {
		for _, m := range list(ns["mount_accessors"]) {
			names, _ := m["alias_identifiers"].([]any)
			if m["mount_accessor"] == accessor && slices.Contains(names, any(roleID)) {
				return true, nil
			}
		}
	}
	return false, nil
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

func list(v any) []map[string]any {
	items, _ := v.([]any)
	var out []map[string]any
	for _, i := range items {
		if m, ok := i.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}
