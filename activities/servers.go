package activities

import (
	"context"
	"maps"
	"slices"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/inventory"
	"rollcall/internal/kind/registry"
)

// Servers are those of every directory of a campaign, at the moment of its listing.
type Servers struct {
	Servers   map[string][]string // by directory, the write server first
	Addresses map[string]string   // by server, where its name had one
	Notes     []string
}

// FindServers names every server of every directory of spec, each by its address.
func FindServers(ctx context.Context, kinds *registry.Registry, spec *config.Campaign) (Servers, error) {
	all := Servers{Servers: map[string][]string{}}
	for _, name := range slices.Sorted(maps.Keys(spec.Directories)) {
		d, err := kinds.Directory(spec, name)
		if err != nil {
			return all, err
		}
		found, err := d.Discover(ctx)
		if err != nil {
			return all, err
		}
		all.take(name, found.Servers, found.Addresses)
		for _, n := range found.Notes {
			all.Notes = append(all.Notes, "directory "+name+": "+n)
		}
	}
	return all, nil
}

func (s *Servers) take(directory string, servers []string, addresses map[string]string) {
	s.Servers[directory] = servers
	if len(addresses) > 0 && s.Addresses == nil {
		s.Addresses = map[string]string{}
	}
	maps.Copy(s.Addresses, addresses)
}

func (s Servers) warnings() []inventory.Warning {
	var out []inventory.Warning
	for _, n := range s.Notes {
		out = append(out, inventory.Warning{Code: credential.FindingServers, Detail: n})
	}
	return out
}

// Of is spec with the servers that were found, to be dialled where they were found.
func (s Servers) Of(spec *config.Campaign) *config.Campaign {
	whole := *spec
	whole.Directories = maps.Clone(spec.Directories)
	for name, d := range whole.Directories {
		found := s.Servers[name]
		if len(found) == 0 {
			continue
		}
		d.Servers, d.Addresses = found, nil
		for _, server := range found {
			if at := s.Addresses[server]; at != "" {
				if d.Addresses == nil {
					d.Addresses = map[string]string{}
				}
				d.Addresses[server] = at
			}
		}
		whole.Directories[name] = d
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
	spec = Servers{Servers: index.Servers, Addresses: index.Addresses}.Of(spec)
	r.specs.Store(campaign, spec)
	return spec, nil
}
