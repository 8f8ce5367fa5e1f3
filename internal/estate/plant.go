package estate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	vaultapi "github.com/hashicorp/vault/api"
)

// Planted is the account of which a secret of the device says that it is its
// own, because the thief wrote that there. It is a bystander: nothing ties it
// to the device.
const Planted = "app-0001"

// plantPath is that secret. What lies there opens nothing.
const plantPath = prefix + "/cache"

// seedPlant writes the secret as the device has it, and then the thief's word
// into its metadata, with the login that the device has for writing.
func (e *Estate) seedPlant(ctx context.Context) error {
	if !e.opts.Plant {
		return nil
	}
	if e.opts.AppRoles < 2 || e.opts.Bystanders == 0 {
		return errors.New("estate: a plant needs a login that writes and a bystander: AppRoles 2, Bystanders 1")
	}
	e.planted = rand.Text()
	if err := e.Vault.SeedKV(ctx, map[string]map[string]any{plantPath: {"username": "cache", "password": e.planted}}); err != nil {
		return err
	}
	for _, s := range e.Stolen {
		if s.ID != fmt.Sprintf("vault/approle/%s-login-%d", Device, e.opts.AppRoles) {
			continue
		}
		thief := e.Vault.Client()
		thief.ClearToken()
		login, err := thief.Logical().WriteWithContext(ctx, "auth/approle/login", map[string]any{"role_id": s.RoleID, "secret_id": s.Password})
		if err != nil {
			return fmt.Errorf("estate: the thief's login: %w", err)
		}
		thief.SetToken(login.Auth.ClientToken)
		_, err = thief.Logical().WriteWithContext(ctx, "kv/metadata/"+plantPath, map[string]any{
			"custom_metadata": map[string]any{"directory": "corp", "account": Planted, "field": "password"}})
		return errors.Join(err, revokeSelf(ctx, thief))
	}
	return errors.New("estate: no login that writes was stolen")
}

func revokeSelf(ctx context.Context, api *vaultapi.Client) error {
	return api.Auth().Token().RevokeSelfWithContext(ctx, "")
}

// checkPlant returns nil if what lies at the thief's place is what lay there.
func (e *Estate) checkPlant(ctx context.Context) error {
	if !e.opts.Plant {
		return nil
	}
	got, err := e.Vault.Client().KVv2("kv").Get(ctx, plantPath)
	switch {
	case err != nil:
		return fmt.Errorf("estate: the secret whose metadata names %s: %w", Planted, err)
	case got.VersionMetadata.Version != 1 || got.Data["password"] != e.planted:
		return fmt.Errorf("estate: the secret whose metadata the thief wrote got a new version, perhaps the password of %s", Planted)
	}
	return nil
}
