package setup

import (
	"context"
	"maps"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
)

// enginePlaces are, by the type of a secrets engine for directories or
// databases, what tells with whom it logs in there and whose passwords it
// keeps; a folder has a slash at its end.
var enginePlaces = map[string][]string{
	"ldap":     {"config", "static-role/", "library/"},
	"openldap": {"config", "static-role/", "library/"},
	"ad":       {"config", "roles/", "library/"},
	"database": {connections, staticRoles},
}

const (
	connections = "config/"
	staticRoles = "static-roles/"
)

// rolePlaces are where auth mounts of other types (cert, jwt, kubernetes, aws,
// …) say who gets which policies. None of them shows a secret.
var rolePlaces = []string{"config", "role/", "roles/", "certs/", "users/", "groups/", "map/teams/", "map/users/"}

// EnginePlaces are those of the engines that there are, and of the auth mounts,
// by mount. It needs an
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
	auths, err := s.API().Sys().ListAuthWithContext(ctx)
	if err != nil {
		return nil, s.Fail("list auth mounts", "sys/auth", read, err)
	}
	for _, at := range slices.Sorted(maps.Keys(auths)) {
		method := credential.MethodOf(auths[at].Type)
		places := method.Places
		if !method.Followed {
			places = rolePlaces
		}
		for _, p := range places {
			out = append(out, "auth/"+strings.Trim(at, "/")+"/"+p)
		}
	}
	return out, nil
}

// engineRules let the listing read them. None shows a password. They name the
// mounts: with a pattern they would open folders of these names in mounts of KV
// version 1 too. Without them a campaign runs all the same, and the listing
// warns.
func engineRules(c *config.Campaign, places []string) []rule {
	out := []rule{{"sys/mounts", []string{read}}} // which there are, whoever's policy names one
	for _, at := range places {
		of := len(c.Directories)
		if strings.HasSuffix(at, "/"+connections) || strings.HasSuffix(at, "/"+staticRoles) {
			of = len(c.Systems)
		}
		if strings.HasPrefix(at, "auth/") {
			of = 1 // of whatever authority: it is about who reads
		}
		folder, is := strings.CutSuffix(at, "/")
		entries, flat := strings.CutSuffix(at, "/+")
		switch {
		case of == 0:
		case flat:
			out = append(out, rule{entries, []string{list}}, rule{at, []string{read}})
			if hasSecretIDs(at) { // whose they are, by their metadata
				out = append(out, rule{at + "/secret-id", []string{list}}, rule{at + "/secret-id-accessor/lookup", []string{update}})
			}
		case is:
			out = append(out, rule{folder, []string{list}}, rule{folder + "/*", []string{list, read}})
		default:
			out = append(out, rule{at, []string{read}})
		}
	}
	return out
}

// hasSecretIDs reports whether the logins in a folder have secret-ids.
func hasSecretIDs(folder string) bool {
	return slices.ContainsFunc(credential.Kinds(), func(k credential.Kind) bool {
		login := k.Traits().Login
		return login != nil && login.SecretIDs && strings.HasSuffix(folder, "/"+login.Below+"/+")
	})
}
