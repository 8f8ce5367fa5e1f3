package directory

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// complete reads the rest of an entry's attributes that the server gave in
// part. Active Directory shows at most 1,500 values (MaxValRange) of an
// attribute at once and names it "member;range=0-1499" then ([MS-ADTS]
// 3.1.1.3.1.3.3); the last part ends in "*". The values end up under the plain
// name.
func (c *conn) complete(ctx context.Context, e *ldap.Entry) error {
	for _, a := range e.Attributes {
		name, last, ranged := rangeOf(a.Name)
		for ranged && last >= 0 {
			part, err := c.part(ctx, e.DN, fmt.Sprintf("%s;range=%d-*", name, last+1))
			if err != nil {
				return err
			}
			a.Values, a.ByteValues = append(a.Values, part.Values...), append(a.ByteValues, part.ByteValues...)
			next := -1
			if _, next, _ = rangeOf(part.Name); next >= 0 && next <= last {
				return fmt.Errorf("directory %s: %s gives the values of %s without end", c.server.client.name, c.server.name, name)
			}
			last = next
		}
		a.Name = name
	}
	return nil
}

// part reads one range of an entry's attribute. A server that has no more says
// so with an empty one.
func (c *conn) part(ctx context.Context, dn, attr string) (*ldap.EntryAttribute, error) {
	req := ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false, "(objectClass=*)", []string{attr}, c.server.client.driver.searchControls())
	var res *ldap.SearchResult
	err := c.do(ctx, "read the values of an attribute", func(l *ldap.Conn) (err error) {
		res, err = l.Search(req)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(res.Entries) == 1 && len(res.Entries[0].Attributes) == 1 {
		return res.Entries[0].Attributes[0], nil
	}
	return &ldap.EntryAttribute{Name: attr}, nil
}

// rangeOf takes a range option off an attribute's name. last is the index of
// the last value in it, -1 if there are no more.
func rangeOf(attr string) (name string, last int, ranged bool) {
	name, option, ranged := strings.Cut(attr, ";range=")
	if !ranged {
		return attr, -1, false
	}
	_, end, _ := strings.Cut(option, "-")
	last, err := strconv.Atoi(end)
	if err != nil {
		return name, -1, true
	}
	return name, last, true
}
