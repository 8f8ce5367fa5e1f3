package directory

import (
	"context"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/directory/ldapacl"
)

// acting tells who may act for somebody else (proxied authorization, RFC 4370),
// by authzTo of his own entry or authzFrom of the other's (OpenLDAP Admin Guide
// 15.3): for whom he acts is anybody, so he may set whatever password these may
// set. policy is olcAuthzPolicy; where shown is true and it is empty nobody
// may, and where the configuration is not shown what the entries say counts.
// nil: nobody may, as far as it shows.
func (c *conn) acting(ctx context.Context, policy string, shown bool) (func(dn string) bool, error) {
	policy = strings.ToLower(policy)
	if policy == "" && shown {
		policy = "none" // slapd.conf(5), authz-policy
	}
	to, from := policy != "from" && policy != "none", policy != "to" && policy != "none"
	if !to && !from {
		return nil, nil
	}
	entries, err := c.readMany(ctx, c.server.client.conf.Base, ldap.ScopeWholeSubtree, "(|(authzTo=*)(authzFrom=*))", "authzTo", "authzFrom")
	if err != nil && !answered(err) {
		return nil, err
	}
	own := map[string]bool{}
	var named []func(string) bool
	for _, e := range entries {
		if to && len(e.GetEqualFoldAttributeValues("authzTo")) > 0 {
			own[foldDN(e.DN)] = true
		}
		if from {
			for _, text := range e.GetEqualFoldAttributeValues("authzFrom") {
				named = append(named, ldapacl.AuthzFrom(text))
			}
		}
	}
	if len(own) == 0 && len(named) == 0 {
		return nil, nil
	}
	return func(dn string) bool {
		if own[foldDN(dn)] {
			return true
		}
		for _, is := range named {
			if is(dn) {
				return true
			}
		}
		return false
	}, nil
}
