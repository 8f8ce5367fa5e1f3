package directory

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/directory/adacl"
)

// mostHolders bounds how many groups and accounts are followed. More hold
// rights only where a right was given to a crowd.
const mostHolders = 2000

const tooMany = "more groups and accounts may reset or read than are followed (2,000), so that not all was found of who may take their place"

// through adds to what the accounts act with what they may take: of groups and
// accounts that hold rights, of those that may take these, and so on. It takes
// a few searches for each step. why says what was not followed.
func (c *conn) through(ctx context.Context, domain string, seeds map[string]bool, accounts []accountFor) (why string, err error) {
	asked := map[string]bool{}
	for _, sid := range sidsOfAll {
		asked[sid] = true // everybody acts with these already
	}
	for _, a := range accounts {
		asked[a.self] = true // a reset of it is a reset of one that was asked about
	}
	var holders []holder
	var entries []*ldap.Entry
	above, known := map[string]containerFor{}, map[string]bool{}
	for next := seeds; len(next) > 0; {
		found, all, err := c.holding(ctx, domain, next, asked)
		if err != nil {
			return "", err
		}
		if !all {
			why = tooMany
		}
		next = map[string]bool{}
		var fresh []holder
		for _, e := range found {
			classes, at := e.GetAttributeValues("objectClass"), strings.ToLower(e.DN)
			group := slices.Contains(classes, "group")
			if known[at] || !group && !slices.Contains(classes, "user") {
				continue
			}
			known[at] = true
			h := holder{accountFor{dn: e.DN, sd: string(e.GetRawAttributeValue("nTSecurityDescriptor")), protected: e.GetAttributeValue("adminCount") == "1"}, group}
			h.closed = adacl.InheritsNothing([]byte(h.sd))
			if h.sd == "" {
				why = "the access control lists of some groups and accounts that may reset or read are not shown"
			}
			holders, entries, fresh = append(holders, h), append(entries, e), append(fresh, h)
		}
		of := make([]accountFor, 0, len(fresh))
		for _, h := range fresh {
			of = append(of, h.accountFor)
		}
		more, err := c.containers(ctx, domain, of)
		if err != nil {
			return "", err
		}
		maps.Copy(above, more)
		if len(holders) > mostHolders {
			why = tooMany
			break
		}
		for _, h := range fresh {
			for _, sid := range h.bySelf(listsOf(h.accountFor, above)) {
				if !asked[sid] {
					next[sid] = true
				}
			}
		}
	}
	groups, err := c.groupsOf(ctx, domain, entries)
	if err != nil {
		return "", err
	}
	for i := range holders {
		holders[i].sids = groups.of(entries[i])
	}
	gain(accounts, holders, above)
	return why, nil
}

// holding reads the groups and accounts with these identifiers, and all that
// are in one of the groups, with who may take their place.
func (c *conn) holding(ctx context.Context, domain string, sids, asked map[string]bool) (out []*ldap.Entry, all bool, err error) {
	all = true
	var filters []string
	for _, sid := range slices.Sorted(maps.Keys(sids)) {
		if !asked[sid] {
			asked[sid] = true
			filters = append(filters, "(objectSid="+escapeBytes(sid)+")")
		}
	}
	for len(filters) > 0 && len(out) <= mostHolders {
		level := filters
		filters = nil
		for chunk := range slices.Chunk(level, accountsChunk/4) {
			found, err := c.describedBy(ctx, withOwner|withDACL, domain, ldap.ScopeWholeSubtree, "(|"+strings.Join(chunk, "")+")", pageSize,
				"objectSid", "objectClass", "memberOf", "primaryGroupID", "adminCount")
			if err != nil {
				return nil, false, err
			}
			all = all && len(found) < pageSize
			for _, e := range found {
				sid := string(e.GetRawAttributeValue("objectSid"))
				member := !slices.Contains(chunk, "(objectSid="+escapeBytes(sid)+")")
				if member && asked[sid] {
					continue // seen, or one that was asked about
				}
				asked[sid] = true
				if err := c.complete(ctx, e); err != nil {
					return nil, false, err
				}
				out = append(out, e)
				if slices.Contains(e.GetAttributeValues("objectClass"), "group") {
					filters = append(filters, "(memberOf="+ldap.EscapeFilter(e.DN)+")", primaryOf(sid))
				}
			}
		}
	}
	return out, all, nil
}

// primaryOf finds the accounts of which a group is the primary one.
func primaryOf(sid string) string {
	if len(sid) < 12 {
		return "(!(objectClass=*))"
	}
	return fmt.Sprintf("(primaryGroupID=%d)", binary.LittleEndian.Uint32([]byte(sid[len(sid)-4:])))
}
