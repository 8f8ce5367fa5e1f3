package directory

import (
	"context"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/config"
)

// accountsChunk are asked for in one search: each adds some 60 bytes to its
// filter.
const accountsChunk = 100

// ManyByID is ByID for many entries on one server, in few searches; the answer
// is by immutable id. It saves calls and decides nothing: what is not in the
// answer is read by ByID, which says why. The result omits entries that the
// server does not show or shows twice, the worker's own bind identities (one of
// a pair is read as the other), and everything after a failed search.
func (c *Client) ManyByID(ctx context.Context, server string, uuids []string) map[string]Entry {
	return c.many(ctx, server, uuids, c.accountAttributes())
}

// StatesByID is ManyByID without how entries keep their passwords, which is
// half of what they send and nobody asks for once a password is set.
func (c *Client) StatesByID(ctx context.Context, server string, uuids []string) map[string]Entry {
	return c.many(ctx, server, uuids, c.selfAttributes())
}

func (c *Client) many(ctx context.Context, server string, uuids, attrs []string) map[string]Entry {
	s, err := c.server(server)
	if err != nil {
		return nil
	}
	uuids = slices.DeleteFunc(slices.Clone(uuids), func(id string) bool { return !c.driver.idForm().MatchString(id) })
	found := map[string]Entry{}
	for chunk := range slices.Chunk(uuids, accountsChunk) {
		req := ldap.NewSearchRequest(c.conf.Base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 2*len(chunk), 0, false,
			anyID(c.driver, chunk), attrs, c.driver.searchControls())
		res, err := s.read(ctx, "", req)
		if err != nil {
			return found
		}
		c.keepSingle(found, res.Entries, attrs)
	}
	return found
}

// keepSingle adds to found what entries show once.
func (c *Client) keepSingle(found map[string]Entry, entries []*ldap.Entry, attrs []string) {
	times := map[string]int{}
	for _, e := range entries {
		times[c.driver.identity(e)]++
	}
	for _, e := range entries {
		id := c.driver.identity(e)
		if id != "" && times[id] == 1 && !c.isIdentity(e.DN) {
			found[id] = c.entry(e, attrs)
		}
	}
}

// isIdentity reports whether dn is any identity with which the worker binds.
func (c *Client) isIdentity(dn string) bool {
	return slices.ContainsFunc(c.conf.Identities(), func(b config.Bind) bool { return SameDN(dn, b.DN) })
}

// anyID is the filter that finds the entries with these immutable ids.
func anyID(f driver, ids []string) string {
	var b strings.Builder
	b.WriteString("(|")
	for _, id := range ids {
		b.WriteString(f.idFilter(id))
	}
	b.WriteByte(')')
	return b.String()
}
