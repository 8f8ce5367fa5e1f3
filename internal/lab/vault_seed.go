package lab

import (
	"context"
	"errors"
	"fmt"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"golang.org/x/sync/errgroup"
)

// seeders is how many secrets are written at once.
const seeders = 16

// SeedKV writes one KV v2 secret for each path below "kv/"
// ("apps/esg-01/ldap"). A path that exists gets a new version. The first error
// stops it; what was written until then stays.
func (v *Vault) SeedKV(ctx context.Context, secrets map[string]map[string]any) error {
	return seed(ctx, v.Client(), "kv/data/", "data", secrets)
}

// SeedMetadata sets the custom_metadata of KV v2 secrets below "kv/". Values
// are strings, as Vault demands.
func (v *Vault) SeedMetadata(ctx context.Context, metadata map[string]map[string]any) error {
	return seed(ctx, v.Client(), "kv/metadata/", "custom_metadata", metadata)
}

func seed(ctx context.Context, client *vaultapi.Client, prefix, key string, bodies map[string]map[string]any) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(seeders)
	for path, body := range bodies {
		group.Go(func() error {
			_, err := client.Logical().WriteWithContext(ctx, prefix+path, map[string]any{key: body})
			if err != nil {
				return fmt.Errorf("lab: seed %s%s: %w", prefix, path, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// prepareMounts mounts what is missing, so that a restarted Vault keeps its
// own.
func (v *Vault) prepareMounts(ctx context.Context) error {
	client := v.Client()
	mounts, err := client.Sys().ListMountsWithContext(ctx)
	if err != nil {
		return fmt.Errorf("lab: list Vault's mounts: %w", err)
	}
	if _, ok := mounts["kv/"]; !ok {
		err := client.Sys().MountWithContext(ctx, "kv", &vaultapi.MountInput{Type: "kv", Options: map[string]string{"version": "2"}})
		if err != nil {
			return fmt.Errorf("lab: mount KV v2 at kv/: %w", err)
		}
	}
	auths, err := client.Sys().ListAuthWithContext(ctx)
	if err != nil {
		return fmt.Errorf("lab: list Vault's auth methods: %w", err)
	}
	if _, ok := auths["approle/"]; !ok {
		err := client.Sys().EnableAuthWithOptionsWithContext(ctx, "approle", &vaultapi.EnableAuthOptions{Type: "approle"})
		if err != nil {
			return fmt.Errorf("lab: enable AppRole at approle/: %w", err)
		}
	}
	return v.awaitWrites(ctx, client)
}

// awaitWrites polls until KV takes a write: a KV v2 mount upgrades itself in
// the background after it was made, and refuses writes until then.
func (v *Vault) awaitWrites(ctx context.Context, client *vaultapi.Client) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := client.Logical().WriteWithContext(ctx, "kv/data/lab-ready", map[string]any{"data": map[string]any{"ready": "yes"}})
		if err == nil {
			_, err = client.Logical().DeleteWithContext(ctx, "kv/metadata/lab-ready")
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("lab: KV at kv/ takes no writes: %w", ctx.Err()), err)
		case <-tick.C:
		}
	}
}
