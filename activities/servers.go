package activities

import (
	"context"
	"maps"
	"slices"

	"rollcall/config"
	"rollcall/internal/kind/registry"
)

// FindServers names every server of every directory of spec, the write server first.
func FindServers(ctx context.Context, kinds *registry.Registry, spec *config.Campaign) (map[string][]string, error) {
	servers := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(spec.Directories)) {
		d, err := kinds.Directory(spec, name)
		if err != nil {
			return nil, err
		}
		if servers[name], err = d.Discover(ctx); err != nil {
			return nil, err
		}
	}
	return servers, nil
}

// WithServers is spec with the servers that were found.
func WithServers(spec *config.Campaign, servers map[string][]string) *config.Campaign {
	whole := *spec
	whole.Directories = maps.Clone(spec.Directories)
	for name, d := range whole.Directories {
		if found := servers[name]; len(found) > 0 {
			d.Servers = found
			whole.Directories[name] = d
		}
	}
	return &whole
}

// listedSpec is the campaign file with the servers that were found when the roll was listed.
func (r *Rotation) listedSpec(ctx context.Context, campaign string) (*config.Campaign, error) {
	if known, ok := r.specs.Load(campaign); ok {
		return known.(*config.Campaign), nil
	}
	spec, err := r.spec(ctx, campaign)
	if err != nil {
		return nil, err
	}
	index, err := r.Store.ReadIndex(ctx, campaign)
	if err != nil {
		return nil, classify(errVault, err)
	}
	spec = WithServers(spec, index.Servers)
	r.specs.Store(campaign, spec)
	return spec, nil
}
