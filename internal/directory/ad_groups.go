package directory

import (
	"context"
	"encoding/binary"
	"rollcall/internal/directory/adacl"
	"slices"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// Identities that every login from the network has besides ([MS-DTYP] 2.4.2.4).
// A group may have them as members, under the name of a foreign security
// principal.
const (
	sidNetwork          = "\x01\x01\x00\x00\x00\x00\x00\x05\x02\x00\x00\x00" // S-1-5-2
	sidThisOrganization = "\x01\x01\x00\x00\x00\x00\x00\x05\x0f\x00\x00\x00" // S-1-5-15
)

var sidsOfAll = []string{adacl.Everyone, adacl.Authenticated, sidNetwork, sidThisOrganization}

// membership is which groups are in which, by folded DN.
type membership struct {
	sid   map[string]string
	in    map[string][]string
	bySID map[string]string // SID → folded DN
}

// groupsOf follows the groups of accounts upwards, all of a level in few
// searches. tokenGroups would say it too, of one account at a time ([MS-ADTS]
// 3.1.1.4.5.19), and the matching rule in chain of one group at a time.
func (c *conn) groupsOf(ctx context.Context, domain string, accounts []*ldap.Entry) (membership, error) {
	m := membership{map[string]string{}, map[string][]string{}, map[string]string{}}
	asked := map[string]bool{}
	var next []string // filters
	ask := func(key, filter string) {
		if !asked[key] {
			asked[key] = true
			next = append(next, filter)
		}
	}
	byDN := func(dn string) { ask(strings.ToLower(dn), "(distinguishedName="+ldap.EscapeFilter(dn)+")") }
	bySID := func(sid string) { ask(sid, "(objectSid="+escapeBytes(sid)+")") }
	for _, sid := range sidsOfAll {
		bySID(sid)
	}
	for _, e := range accounts {
		for _, dn := range e.GetAttributeValues("memberOf") {
			byDN(dn)
		}
		if sid := primaryGroup(e); sid != "" {
			bySID(sid)
		}
	}
	for len(next) > 0 {
		level := next
		next = nil
		for chunk := range slices.Chunk(level, accountsChunk/2) {
			req := ldap.NewSearchRequest(domain, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false,
				"(|"+strings.Join(chunk, "")+")", []string{"objectSid", "memberOf"}, activeDirectory{}.searchControls())
			var res *ldap.SearchResult
			err := c.do(ctx, "read groups", func(l *ldap.Conn) (err error) {
				res, err = l.Search(req)
				return err
			})
			if err != nil {
				return m, err
			}
			for _, e := range res.Entries {
				if err := c.complete(ctx, e); err != nil {
					return m, err
				}
				at, sid := strings.ToLower(e.DN), string(e.GetRawAttributeValue("objectSid"))
				m.sid[at], m.bySID[sid] = sid, at
				for _, dn := range e.GetAttributeValues("memberOf") {
					m.in[at] = append(m.in[at], strings.ToLower(dn))
					byDN(dn)
				}
			}
		}
	}
	return m, nil
}

// of are the security identifiers that an account acts with.
func (m membership) of(e *ldap.Entry) map[string]bool {
	out := map[string]bool{string(e.GetRawAttributeValue("objectSid")): true}
	delete(out, "")
	seen := map[string]bool{}
	var up func(dn string)
	up = func(dn string) {
		if seen[dn] {
			return
		}
		seen[dn] = true
		if sid := m.sid[dn]; sid != "" {
			out[sid] = true
		}
		for _, next := range m.in[dn] {
			up(next)
		}
	}
	for _, dn := range e.GetAttributeValues("memberOf") {
		up(strings.ToLower(dn))
	}
	for _, sid := range append([]string{primaryGroup(e)}, sidsOfAll...) {
		if sid != "" {
			out[sid] = true
			if dn := m.bySID[sid]; dn != "" {
				up(dn)
			}
		}
	}
	return out
}

// primaryGroup is the identifier of a group that memberOf does not show: the
// domain's, with another last part ([MS-ADA3] primaryGroupID).
func primaryGroup(e *ldap.Entry) string {
	sid := e.GetRawAttributeValue("objectSid")
	id, err := strconv.ParseUint(e.GetAttributeValue("primaryGroupID"), 10, 32)
	if err != nil || len(sid) < 12 {
		return ""
	}
	return string(binary.LittleEndian.AppendUint32(slices.Clone(sid[:len(sid)-4]), uint32(id)))
}

// escapeBytes writes a value of a filter byte by byte (RFC 4515).
func escapeBytes(v string) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for i := range len(v) {
		b.WriteByte('\\')
		b.WriteByte(digits[v[i]>>4])
		b.WriteByte(digits[v[i]&15])
	}
	return b.String()
}
