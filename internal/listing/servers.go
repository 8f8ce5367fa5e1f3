package listing

import (
	"context"
	"maps"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/inventory"
	"rollcall/internal/kind/registry"
)

// Servers are those of every authority of a campaign, at the moment of its
// listing.
type Servers struct {
	Servers   map[string][]string // by authority, the write server first
	Addresses map[string]string   // by server, where its name had one
	Notes     []string
}

// FindServers names every server of every authority of spec, each by its
// address.
func FindServers(ctx context.Context, kinds *registry.Registry, spec *config.Campaign) (Servers, error) {
	all := Servers{Servers: map[string][]string{}}
	for _, name := range spec.Authorities() {
		d, err := kinds.System(spec, name)
		if err != nil {
			return all, err
		}
		found, err := d.Discover(ctx)
		if err != nil {
			return all, err
		}
		all.take(name, found.Servers, found.Addresses)
		for _, n := range found.Notes {
			all.Notes = append(all.Notes, spec.Called(name)+": "+n)
		}
	}
	return all, nil
}

func (s *Servers) take(authority string, servers []string, addresses map[string]string) {
	s.Servers[authority] = servers
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

// Of is spec with the servers that were found, to be dialled where they were
// found.
func (s Servers) Of(spec *config.Campaign) *config.Campaign {
	whole := *spec
	whole.Directories, whole.Systems = maps.Clone(spec.Directories), maps.Clone(spec.Systems)
	for _, name := range spec.Authorities() {
		found := s.Servers[name]
		if len(found) == 0 {
			continue
		}
		var addresses map[string]string
		for _, server := range found {
			if at := s.Addresses[server]; at != "" {
				if addresses == nil {
					addresses = map[string]string{}
				}
				addresses[server] = at
			}
		}
		switch a := spec.Authority(name).WithServers(found, addresses).(type) {
		case config.Directory:
			whole.Directories[name] = a
		default:
			whole.Systems[name] = a
		}
	}
	return &whole
}
