package setup

import (
	"context"
	"maps"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/vault/ownmount"
)

// enginePlaces are, by the type of a secrets engine for a directory, what tells
// with whom it binds and whose passwords it keeps.
var enginePlaces = map[string][]string{
	"ldap":     {"config", "static-role", "library"},
	"openldap": {"config", "static-role", "library"},
	"ad":       {"config", "roles", "library"},
}

// EnginePlaces are those of the engines that there are, by mount. It needs an
// administrator's token.
func EnginePlaces(ctx context.Context, s *ownmount.Store) ([]string, error) {
	mounts, err := s.API().Sys().ListMountsWithContext(ctx)
	if err != nil {
		return nil, s.Fail("list mounts", "sys/mounts", read, err)
	}
	var out []string
	for _, at := range slices.Sorted(maps.Keys(mounts)) {
		for _, p := range enginePlaces[mounts[at].Type] {
			out = append(out, strings.Trim(at, "/")+"/"+p)
		}
	}
	return out, nil
}

// engineRules let the listing read them. None shows a password. They name the
// mounts: with a pattern they would open folders of these names in mounts of KV
// version 1 too. Without them a campaign runs all the same, and the listing
// warns.
func engineRules(c *config.Campaign, places []string) []rule {
	if len(c.Directories) == 0 {
		return nil
	}
	var out []rule
	for _, at := range places {
		if strings.HasSuffix(at, "/config") {
			out = append(out, rule{at, []string{read}})
			continue
		}
		out = append(out, rule{at, []string{list}}, rule{at + "/*", []string{list, read}})
	}
	return out
}
