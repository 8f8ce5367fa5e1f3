package listing

import (
	"context"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/inventory"
	"rollcall/internal/kind/registry"
	"rollcall/internal/vault/ownmount"
)

// Suggest looks whom the secrets of a roll mean of which nothing says whose
// they are. It changes nothing anywhere.
func Suggest(ctx context.Context, store *ownmount.Store, kinds *registry.Registry, spec *config.Campaign, roll *credential.Roll) ([]inventory.Suggestion, error) {
	found, err := FindServers(ctx, kinds, spec)
	if err != nil {
		return nil, err
	}
	spec = found.Of(spec)
	at, err := authorities(kinds, spec)
	if err != nil {
		return nil, err
	}
	return inventory.Suggest(ctx, spec, at, Vault{store, kinds, spec}, roll)
}
