package directory

import (
	"context"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/authority"
)

// Identity is authority.Identified: the immutable id of the entry at base, and
// those of the entries above it, as far as bind.dn is shown them and a search
// there reaches base. Every server of a directory has the same, and so has a
// restored copy.
func (c *Client) Identity(ctx context.Context) (out authority.Identity, err error) {
	if out.Self, err = c.IDOf(ctx, c.conf.Base); err != nil {
		return out, err
	}
	for dn := parentDN(c.conf.Base); dn != ""; dn = parentDN(dn) {
		id, err := c.IDOf(ctx, dn)
		if ctx.Err() != nil || IsUnreachable(err) {
			return out, err
		}
		if err != nil || id == "" {
			continue // it is above the suffix, or not shown
		}
		reached, err := c.Reaches(ctx, dn, c.conf.Base)
		if err != nil {
			return out, err
		}
		if reached {
			out.Within = append(out.Within, id)
		}
	}
	return out, nil
}

// Reaches reports whether a search of base on the write server finds the entry
// at below. It does not where that is a database of its own: one that a search
// there finds by its immutable id, and one from base does not. Whatever else
// keeps the entry from being found counts as reached.
func (c *Client) Reaches(ctx context.Context, base, below string) (bool, error) {
	id, err := c.IDOf(ctx, below)
	if ctx.Err() != nil || IsUnreachable(err) {
		return true, err
	}
	if err != nil || id == "" {
		return true, nil
	}
	finds := func(from string) (found bool, err error) {
		_, found, err = c.one(ctx, c.servers[0].name, "", from, ldap.ScopeWholeSubtree, c.driver.idFilter(id), []string{c.driver.idAttribute()})
		return found, err
	}
	there, err := finds(below)
	if err == nil && there {
		var reached bool
		if reached, err = finds(base); err == nil {
			return reached, nil
		}
	}
	if ctx.Err() != nil || IsUnreachable(err) {
		return true, err
	}
	return true, nil
}
