package directory

import (
	"context"

	"github.com/go-ldap/ldap/v3"
)

// Referrals are the referral objects below the directory's base (RFC 3296): by
// the name of each, the URLs of the servers that hold what lies below it. Empty
// where bind.dn may not see them.
func (c *Client) Referrals(ctx context.Context, server string) (map[string][]string, error) {
	s, err := c.server(server)
	if err != nil {
		return nil, err
	}
	req := ldap.NewSearchRequest(c.conf.Base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=referral)", []string{"ref"}, append(c.driver.searchControls(), ldap.NewControlManageDsaIT(true)))
	res, err := s.read(ctx, "", req)
	if err != nil {
		return nil, s.searchError(c.conf.Base, err)
	}
	found := map[string][]string{}
	for _, e := range res.Entries {
		found[e.DN] = e.GetEqualFoldAttributeValues("ref")
	}
	return found, nil
}
