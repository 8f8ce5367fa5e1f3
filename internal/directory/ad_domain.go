package directory

import (
	"context"
	"fmt"

	"github.com/go-ldap/ldap/v3"
)

// DomainName is the NetBIOS name of an Active Directory domain, which stands
// before the backslash in DOMAIN\account; empty where bind.dn may not see it
// ([MS-ADTS] 6.1.1.2.1.1: a crossRef object below CN=Partitions). Every
// authenticated user may, by default.
func (c *Client) DomainName(ctx context.Context, server string) (name string, err error) {
	s, err := c.server(server)
	if err != nil {
		return "", err
	}
	err = s.admin(ctx, "", (*pool).useTwice, func(cn *conn) error {
		roots, err := cn.read(ctx, "", ldap.ScopeBaseObject, "(objectClass=*)", "defaultNamingContext", "configurationNamingContext")
		if err != nil || len(roots) != 1 {
			return err
		}
		refs, err := cn.read(ctx, "CN=Partitions,"+roots[0].GetAttributeValue("configurationNamingContext"), ldap.ScopeSingleLevel,
			"(&(objectClass=crossRef)(nCName="+ldap.EscapeFilter(roots[0].GetAttributeValue("defaultNamingContext"))+"))", "nETBIOSName")
		if err == nil && len(refs) == 1 {
			name = refs[0].GetAttributeValue("nETBIOSName")
		}
		return err
	})
	if answered(err) {
		return "", nil // not shown
	}
	if err != nil {
		return "", fmt.Errorf("directory %s: look for the name of the domain: %w", c.name, err)
	}
	return name, nil
}
