package directory

import (
	"context"
	"encoding/hex"
	"errors"
	"maps"
	"slices"

	"github.com/go-ldap/ldap/v3"
)

// stillRead reads the list of the domain's head again, and holds it against
// what the accounts acted with when they were listed: a ticket, or a connection
// that is open, has its groups from when the account logged in, whatever became
// of them, while the list is asked at each call ([MS-DRSR] 4.1.10.5.2; tried on
// Samba 4.17). What they may take by way of a group or another account is
// looked at as it is now, with the groups of then and of now.
func (activeDirectory) stillRead(ctx context.Context, c *conn, who map[string][]string, _ []string) (map[string]bool, error) {
	root, err := c.read(ctx, "", ldap.ScopeBaseObject, "(objectClass=*)", "defaultNamingContext")
	if err != nil {
		return nil, err
	}
	if len(root) != 1 {
		return nil, errors.New("the domain is not shown")
	}
	domain := root[0].GetAttributeValue("defaultNamingContext")
	heads, err := c.describedBy(ctx, withOwner|withDACL, domain, ldap.ScopeBaseObject, "(objectClass=*)", 1)
	if err != nil {
		return nil, err
	}
	if len(heads) != 1 || len(heads[0].GetRawAttributeValue("nTSecurityDescriptor")) == 0 {
		return nil, errors.New("the access control list of the domain itself is not shown")
	}
	head := heads[0].GetRawAttributeValue("nTSecurityDescriptor")
	still := map[string]bool{}
	perhaps := map[string]map[string]bool{}
	for id, as := range who {
		sids := map[string]bool{}
		for _, text := range as {
			if sid, err := hex.DecodeString(text); err == nil {
				sids[string(sid)] = true
			}
		}
		if still[id] = len(sids) == 0 || reads(head, sids); !still[id] {
			perhaps[id] = sids
		}
	}
	if len(perhaps) == 0 {
		return still, nil
	}
	entries, err := c.resettable(ctx, slices.Sorted(maps.Keys(perhaps)))
	if err != nil {
		return nil, err
	}
	groups, err := c.groupsOf(ctx, domain, entries)
	if err != nil {
		return nil, err
	}
	var accounts []accountFor
	for _, e := range entries {
		a := accountFor{id: activeDirectory{}.identity(e), dn: e.DN, self: string(e.GetRawAttributeValue("objectSid")), sids: groups.of(e)}
		maps.Copy(a.sids, perhaps[a.id])
		accounts = append(accounts, a)
	}
	why, err := c.through(ctx, domain, holding(head, nil, nil), accounts)
	if err == nil && why != "" {
		err = errors.New(why)
	}
	if err != nil {
		return nil, err
	}
	for _, a := range accounts {
		still[a.id] = reads(head, a.sids)
	}
	return still, nil
}
