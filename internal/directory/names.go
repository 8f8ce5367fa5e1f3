package directory

import (
	"context"

	"github.com/go-ldap/ldap/v3"
)

// hostNames are what the file calls the servers, and what they call themselves
// if they answer: it may name one by an address or an alias.
func hostNames(ctx context.Context, servers []*server) []string {
	var out []string
	for _, s := range servers {
		out = append(out, s.host)
		cn, err := s.dial(ctx)
		if err != nil {
			continue
		}
		if root, err := cn.read(ctx, "", ldap.ScopeBaseObject, "(objectClass=*)", "dnsHostName"); err == nil && len(root) == 1 {
			out = append(out, root[0].GetAttributeValue("dnsHostName"))
		}
		cn.close()
	}
	return out
}
