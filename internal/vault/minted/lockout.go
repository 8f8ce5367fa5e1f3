package minted

import (
	"context"
	"net/http"
	"slices"
	"time"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/internal/vault"
)

// Locked reports whether Vault refuses every login of that alias for now, which
// it does after five wrong secrets (user lockout, since Vault 1.13;
// https://developer.hashicorp.com/vault/docs/concepts/user-lockout). The lock is
// the core's: a new secret does not lift it, nor does a login that is deleted
// and made anew. What Rollcall itself offers is rationed (Ration).
func Locked(ctx context.Context, api *vaultapi.Client, server, accessor, alias string) (bool, error) {
	if accessor == "" || alias == "" {
		return false, nil
	}
	got, err := api.Logical().ReadWithDataWithContext(ctx, "sys/locked-users", map[string][]string{"mount_accessor": {accessor}})
	if vault.Answered(err, http.StatusNotFound) || err == nil && got == nil {
		return false, nil
	}
	if err != nil {
		return false, vault.Refusal(server, "list locked logins", err)
	}
	for _, ns := range objects(got.Data["by_namespace"]) {
		for _, mount := range objects(ns["mount_accessors"]) {
			if mount["mount_accessor"] == accessor && slices.Contains(vault.TextsIn(mount["alias_identifiers"]), alias) {
				return true, nil
			}
		}
	}
	return false, nil
}

func objects(v any) (out []map[string]any) {
	items, _ := v.([]any)
	for _, i := range items {
		if m, ok := i.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// Discard revokes the token of a login, which holder has, by its accessor where
// it may not revoke itself. A cancelled caller must not leave a token behind,
// so this has its own time. Batch tokens cannot be revoked and have no
// accessor.
func Discard(ctx context.Context, api, holder *vaultapi.Client, auth *vaultapi.SecretAuth) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if auth.Accessor == "" || holder.Auth().Token().RevokeSelfWithContext(ctx, "") == nil {
		return
	}
	_ = api.Auth().Token().RevokeAccessorWithContext(ctx, auth.Accessor)
}
