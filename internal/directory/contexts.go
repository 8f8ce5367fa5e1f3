package directory

import (
	"context"
	"strconv"

	"github.com/go-ldap/ldap/v3"
)

// Context is a naming context below a base that a search below that base does
// not reach, and says nothing of.
type Context struct {
	DN     string   // empty: which there are is not shown to bind.dn
	At     []string // the servers that hold it, as far as that is shown
	Domain bool     // it is a domain of its own, with domain controllers of its own
}

// Contexts are the naming contexts below base that a search there on server
// does not reach: domains below a domain, and databases of the same server that
// are not glued to the one above.
func (c *Client) Contexts(ctx context.Context, server, base string) ([]Context, error) {
	out, err := c.driver.contexts(ctx, c, server, base)
	if err != nil && (IsUnreachable(err) || ctx.Err() != nil) {
		return nil, err
	}
	if err != nil {
		return []Context{{}}, nil
	}
	return out, nil
}

func (openLDAP) contexts(ctx context.Context, c *Client, server, base string) ([]Context, error) {
	return c.unglued(ctx, server, base)
}

func (ds389) contexts(ctx context.Context, c *Client, server, base string) ([]Context, error) {
	return c.unglued(ctx, server, base)
}

// unglued: both sorts of servers name their suffixes in the root entry (RFC
// 4512, 5.1). Whether one that lies below another is searched with that is a
// matter of how they are set up (subordinate of slapd.conf(5), the parent
// suffix of 389 Directory Server), so it is tried.
func (c *Client) unglued(ctx context.Context, server, base string) (out []Context, err error) {
	root, _, err := c.one(ctx, server, "", "", ldap.ScopeBaseObject, "(objectClass=*)", []string{"namingContexts"})
	if err != nil {
		return nil, err
	}
	for _, suffix := range root.Attrs["namingContexts"] {
		if SameDN(suffix, base) || !Within(suffix, base) {
			continue
		}
		reached := false
		err := c.Search(ctx, server, base, "(entryDN="+ldap.EscapeFilter(suffix)+")", nil, func(Entry) error {
			reached = true
			return nil
		})
		if err != nil {
			return nil, err
		}
		if !reached {
			out = append(out, Context{DN: suffix, At: []string{server}})
		}
	}
	return out, nil
}

// Flags of a crossRef ([MS-ADTS] 2.2.10).
const (
	crossRefInForest = 0x1
	crossRefDomain   = 0x2
)

// contexts: the domains of a forest, and what lies elsewhere, are crossRef
// objects that every authenticated user is shown by default ([MS-ADTS]
// 6.1.1.2.1.1). The configuration, the schema and application partitions hold
// no accounts ([MS-ADTS] 1.1: an application NC has no security principals).
// Searches ask for no references to any of them.
func (activeDirectory) contexts(ctx context.Context, c *Client, server, base string) (out []Context, err error) {
	domain := domainDN(c.conf.Base)
	if !SameDN(base, domain) {
		return nil, nil // a domain lies right below another one, in no unit of it
	}
	root, _, err := c.one(ctx, server, "", "", ldap.ScopeBaseObject, "(objectClass=*)", []string{"configurationNamingContext"})
	if err != nil {
		return nil, err
	}
	own := false
	err = c.Search(ctx, server, "CN=Partitions,"+root.First("configurationNamingContext"), "(objectClass=crossRef)", []string{"nCName", "dnsRoot", "systemFlags"}, func(e Entry) error {
		name := e.First("nCName")
		flags, _ := strconv.Atoi(e.First("systemFlags"))
		switch {
		case SameDN(name, domain):
			own = true
		case !Within(name, domain), flags&crossRefInForest != 0 && flags&crossRefDomain == 0:
		default:
			out = append(out, Context{DN: name, At: e.Attrs["dnsRoot"], Domain: flags&crossRefDomain != 0})
		}
		return nil
	})
	if err == nil && !own {
		out = append(out, Context{}) // what is shown is not all
	}
	return out, err
}
