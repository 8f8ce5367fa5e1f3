package directory

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/go-ldap/ldap/v3"
)

// pageSize bounds what Search holds in memory. Servers commonly refuse more
// than 500 or 1,000 entries in one answer.
const pageSize = 500

// Entry is one entry as a server shows it to the worker's identity.
type Entry struct {
	DN    string
	ID    string // entryUUID (RFC 4530), nsUniqueId or objectGUID; empty if the identity may not read it
	Attrs map[string][]string

	// Stored says of attributes that hold secrets how they are kept (see
	// Stored), under the name that was asked for. Attrs never has these.
	Stored map[string][]Stored
}

// First is the first value of an attribute, or empty. Names are as asked for.
func (e Entry) First(attr string) string {
	if v := e.Attrs[attr]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Search gives each entry below base that matches filter, in pages (RFC 2696),
// so that any number of entries fits in memory. An empty base is the
// directory's own. attrs are read besides the immutable id. each runs while the
// connection is held: it must not call the Client. Its error ends the search
// and is returned as it is. After a broken connection the search cannot go on
// where it was; start again.
func (c *Client) Search(ctx context.Context, server, base, filter string, attrs []string, each func(Entry) error) error {
	_, err := c.Find(ctx, server, base, filter, attrs, each)
	return err
}

// Find is Search, and names the other servers that hold a part of what was
// searched (continuation references, RFC 4511 section 4.5.3). None is followed,
// because that would hand the bind password to a server that the campaign file
// does not name: what matches there is missing from the answer.
func (c *Client) Find(ctx context.Context, server, base, filter string, attrs []string, each func(Entry) error) (elsewhere []string, err error) {
	s, err := c.server(server)
	if err != nil {
		return nil, err
	}
	if base == "" {
		base = c.conf.Base
	}
	if _, err := ldap.CompileFilter(filter); err != nil {
		return nil, fmt.Errorf("directory %s: filter %q is not an LDAP filter (RFC 4515): %w", c.name, filter, errors.Unwrap(err))
	}
	attrs = append([]string{c.driver.idAttribute()}, attrs...)
	err = s.admin(ctx, "", (*pool).use, func(cn *conn) error {
		elsewhere = nil // another identity may begin anew
		paging := ldap.NewControlPaging(pageSize)
		for {
			req := ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false,
				filter, attrs, append(c.driver.searchControls(), paging))
			var page *ldap.SearchResult
			err := cn.do(ctx, "search", func(l *ldap.Conn) (err error) {
				page, err = l.Search(req)
				return err
			})
			if err != nil {
				return s.searchError(base, err)
			}
			elsewhere = append(elsewhere, page.Referrals...)
			for _, e := range page.Entries {
				if err := cn.complete(ctx, e); err != nil {
					cn.broken.Store(true)
					return err
				}
				if err := each(c.entry(e, attrs)); err != nil {
					// The server keeps the search open for this connection.
					cn.broken.Store(true)
					return err
				}
			}
			next, ok := ldap.FindControl(page.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
			if !ok || len(next.Cookie) == 0 {
				return nil
			}
			paging.SetCookie(next.Cookie)
		}
	})
	return elsewhere, err
}

func (s *server) searchError(base string, err error) error {
	switch resultCode(err) {
	case ldap.LDAPResultNoSuchObject:
		return fmt.Errorf("directory %s: base %q is not at %s, or bind.dn may not see it", s.client.name, base, s.name)
	case ldap.LDAPResultSizeLimitExceeded, ldap.LDAPResultAdminLimitExceeded, ldap.LDAPResultTimeLimitExceeded:
		return searchRefused("directory %s: %s stops the search at its limit (%s), so the list would be incomplete; lift it for bind.dn (OpenLDAP: limits dn.exact=\"…\" size=unlimited; 389 Directory Server: nsSizeLimit and nsLookThroughLimit -1 in its entry)",
			s.client.name, s.name, describe(err))
	case ldap.LDAPResultReferral:
		return fmt.Errorf("directory %s: %s refers to another server for %q and no referral is followed, because that would hand the bind password to a server the campaign file does not name; correct base, or name the domain that has it as a directory of its own",
			s.client.name, s.name, base)
	case ldap.LDAPResultInsufficientAccessRights:
		return fmt.Errorf("directory %s: bind.dn may not search %q at %s; grant it read", s.client.name, base, s.name)
	}
	switch {
	case resultCode(err) == ldap.LDAPResultBusy, resultCode(err) == ldap.LDAPResultUnavailable:
		return fmt.Errorf("directory %s: %s takes no search just now (%s)", s.client.name, s.name, describe(err))
	case answered(err):
		return searchRefused("directory %s: search below %q at %s is refused (%s)", s.client.name, base, s.name, describe(err))
	}
	return err
}

// refused is a server's answer to what was searched for, and to nothing else.
type refused struct{ text string }

func (r *refused) Error() string { return r.text }

func searchRefused(format string, args ...any) error {
	return &refused{fmt.Sprintf(format, args...)}
}

// IsRefused reports whether a server answered and gives no result for this very
// filter: it stops at a limit, or does not take it.
func IsRefused(err error) bool {
	var r *refused
	return errors.As(err, &r)
}

// Named is the entry of a name on one server, with attrs besides the immutable
// id; found is false where the server shows none. Nothing but the entry itself
// has to be shown for that.
func (c *Client) Named(ctx context.Context, server, dn string, attrs []string) (e Entry, found bool, err error) {
	e, found, err = c.one(ctx, server, dn, dn, ldap.ScopeBaseObject, "(objectClass=*)", append([]string{c.driver.idAttribute()}, attrs...))
	if IsRefused(err) {
		return Entry{}, false, nil
	}
	return e, found, err
}

func (c *Client) entry(e *ldap.Entry, attrs []string) Entry {
	out := Entry{DN: e.DN, ID: c.driver.identity(e), Attrs: make(map[string][]string, len(attrs))}
	for _, name := range attrs {
		v := e.GetEqualFoldAttributeValues(name)
		switch {
		case len(v) == 0:
		case isSecret(name):
			if out.Stored == nil {
				out.Stored = map[string][]Stored{}
			}
			out.Stored[name] = storedValues(name, v)
		default:
			out.Attrs[name] = v
		}
	}
	return out
}

var uuidForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// ByID reads an entry with its operational attributes by its immutable id on
// one server. found is false when the server shows the identity no such entry.
// dn is what the entry was called when it was listed: one of a pair of bind
// identities is read as the other, because its own password may be in rotation.
func (c *Client) ByID(ctx context.Context, server, uuid, dn string) (e Entry, found bool, err error) {
	if !c.driver.idForm().MatchString(uuid) {
		return Entry{}, false, fmt.Errorf("directory %s: %q is no %s", c.name, uuid, c.driver.idAttribute())
	}
	return c.one(ctx, server, dn, c.conf.Base, ldap.ScopeWholeSubtree, c.driver.idFilter(uuid), c.accountAttributes())
}

// accountAttributes are the immutable id, what tells of the account's state,
// and how it keeps its password.
func (c *Client) accountAttributes() []string {
	return append(c.selfAttributes(), c.driver.keptAttributes()...)
}

// Holder is the immutable id of the entry that has a name on one server now;
// empty if the server shows none.
func (c *Client) Holder(ctx context.Context, server, dn string) (string, error) {
	e, _, err := c.one(ctx, server, dn, dn, ldap.ScopeBaseObject, "(objectClass=*)", []string{c.driver.idAttribute()})
	return e.ID, err
}

// one reads at most one entry. dn is its name, if it may be a bind identity.
func (c *Client) one(ctx context.Context, server, dn, base string, scope int, filter string, attrs []string) (e Entry, found bool, err error) {
	s, err := c.server(server)
	if err != nil {
		return Entry{}, false, err
	}
	req := ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, 2, 0, false, filter, attrs, c.driver.searchControls())
	res, err := s.read(ctx, dn, req)
	switch {
	case err != nil && scope == ldap.ScopeBaseObject && resultCode(err) == ldap.LDAPResultNoSuchObject:
		return Entry{}, false, nil
	case answered(err) && scope == ldap.ScopeBaseObject:
		// base is the entry's own name here, which an error must not carry.
		return Entry{}, false, searchRefused("directory %s: bind.dn may not read the entry at %s (%s); grant it read", c.name, s.name, describe(err))
	case err != nil:
		return Entry{}, false, s.searchError(base, err)
	case len(res.Entries) == 0:
		return Entry{}, false, nil
	case len(res.Entries) > 1:
		return Entry{}, false, fmt.Errorf("directory %s: %s shows several entries for %s", c.name, s.name, filter)
	}
	return c.entry(res.Entries[0], attrs), true, nil
}

// read runs one search as the worker, twice if a connection from the pool turns
// out to be broken. dn is as in admin.
func (s *server) read(ctx context.Context, dn string, req *ldap.SearchRequest) (res *ldap.SearchResult, err error) {
	err = s.admin(ctx, dn, (*pool).useTwice, func(cn *conn) error {
		return cn.do(ctx, "read entries", func(l *ldap.Conn) (err error) {
			res, err = l.Search(req)
			return err
		})
	})
	return res, err
}
