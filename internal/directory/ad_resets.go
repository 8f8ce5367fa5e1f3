package directory

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/directory/adacl"
)

// accountFor is what is needed of an account to tell what it may do, and who
// may reset it.
type accountFor struct {
	id, dn    string
	self      string // its own identifier
	sids      map[string]bool
	sd        string
	protected bool // it takes its rights from AdminSDHolder
	soon      bool // it will within the hour: it is in a protected group
	closed    bool // it inherits no rights

	ticket map[string]bool   // sids, but for what it may take (gain)
	by     map[string]string // what it may take, and how
}

// resets reads the access control lists of the accounts and of the containers
// above them, which pass rights on to them, the groups that the accounts are
// in, with those that these are in, and of all groups and accounts that hold
// rights by these lists who may take their place (through).
func (activeDirectory) resets(ctx context.Context, c *conn, ids []string) (Resets, error) {
	root, err := c.read(ctx, "", ldap.ScopeBaseObject, "(objectClass=*)", "defaultNamingContext")
	if err != nil && !answered(err) {
		return Resets{}, err
	}
	if err != nil || len(root) != 1 {
		return Resets{Hidden: ids, Why: "the domain is not shown"}, nil
	}
	domain := root[0].GetAttributeValue("defaultNamingContext")
	entries, err := c.resettable(ctx, ids)
	if err != nil && !answered(err) {
		return Resets{}, err
	}
	if err != nil {
		return Resets{Hidden: ids, Why: describe(err)}, nil
	}
	out := Resets{}
	groups, err := c.groupsOf(ctx, domain, entries)
	if err != nil && !answered(err) {
		return Resets{}, err
	}
	if err != nil {
		out.Why = "groups may not be read: " + describe(err)
	}
	accounts := make([]accountFor, 0, len(entries))
	shown, lists := map[string]bool{}, map[string][]byte{}
	for _, e := range entries {
		a := accountFor{
			id: activeDirectory{}.identity(e), dn: e.DN, self: string(e.GetRawAttributeValue("objectSid")), sids: groups.of(e),
			sd: string(e.GetRawAttributeValue("nTSecurityDescriptor")), protected: e.GetAttributeValue("adminCount") == "1",
		}
		shown[a.id], lists[a.id] = a.sd != "", []byte(a.sd)
		a.closed, a.soon = adacl.InheritsNothing([]byte(a.sd)), !a.protected && adacl.Protected(a.sids)
		accounts = append(accounts, a)
	}
	for _, id := range ids {
		if !shown[strings.ToLower(id)] {
			out.Hidden = append(out.Hidden, id)
		}
	}
	if out.Copies, err = c.unshown(ctx, lists); err != nil {
		return Resets{}, err
	}
	above, err := c.containers(ctx, domain, accounts)
	if err != nil && !answered(err) {
		return Resets{}, err
	}
	if err != nil && out.Why == "" {
		out.Why = "the containers of the accounts may not be read: " + describe(err)
	}
	head := above[strings.ToLower(domain)].sd
	if len(head) == 0 && out.Why == "" {
		out.Why = "the access control list of the domain itself is not shown: who may replicate its passwords"
	}
	why, err := c.through(ctx, domain, holding(head, accounts, above), accounts)
	switch {
	case err != nil && !answered(err):
		return Resets{}, err
	case err != nil:
		why = "who may change groups, or accounts that are not on the roll, may not be read: " + describe(err)
	}
	out.Why = cmp.Or(out.Why, why)
	out.Alike = alike(accounts, above)
	out.readers(head, accounts)
	return out, nil
}

// readers notes which of the accounts may read every password, and how.
func (r *Resets) readers(head []byte, accounts []accountFor) {
	for _, a := range accounts {
		if !reads(head, a.sids) {
			continue
		}
		if r.ReadAs == nil {
			r.ReadAs, r.ReadBy, r.ReadsHow = map[string][]string{}, map[string]string{}, ReadsReplicated
		}
		r.Readers = append(r.Readers, a.id)
		switch {
		case adacl.MayReplicate(head, a.ticket):
		case adacl.Operates(a.ticket):
			r.ReadBy[a.id] = "it is in Backup Operators, Server Operators or Print Operators, whose members copy them from a domain controller, or become its system"
		default:
			r.ReadBy[a.id] = a.way(head)
		}
		for _, sid := range slices.Sorted(maps.Keys(a.ticket)) {
			r.ReadAs[a.id] = append(r.ReadAs[a.id], hex.EncodeToString([]byte(sid)))
		}
	}
	slices.Sort(r.Readers)
}

// resettable reads the accounts with what tells of rights.
func (c *conn) resettable(ctx context.Context, ids []string) ([]*ldap.Entry, error) {
	f := c.server.client.driver
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !f.idForm().MatchString(id) })
	var out []*ldap.Entry
	for chunk := range slices.Chunk(ids, accountsChunk) {
		entries, err := c.describedBy(ctx, withOwner|withDACL, c.server.client.conf.Base, ldap.ScopeWholeSubtree, anyID(f, chunk), accountsChunk,
			f.idAttribute(), "objectSid", "primaryGroupID", "memberOf", "adminCount")
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if err := c.complete(ctx, e); err != nil {
				return nil, err
			}
		}
		out = append(out, entries...)
	}
	return out, nil
}

// holderDN is where protected accounts take their rights from.
func holderDN(domain string) string { return "CN=AdminSDHolder,CN=System," + domain }

// containers are the security descriptors of what passes rights on to accounts,
// by folded DN.
func (c *conn) containers(ctx context.Context, domain string, accounts []accountFor) (map[string]containerFor, error) {
	out := map[string]containerFor{}
	want := map[string]string{strings.ToLower(domain): domain} // who may replicate, too
	for _, a := range accounts {
		if a.protected || a.soon {
			want[strings.ToLower(holderDN(domain))] = holderDN(domain)
		}
		if a.protected || a.closed {
			continue
		}
		for _, dn := range ancestors(a.dn, domain) {
			want[strings.ToLower(dn)] = dn
		}
	}
	var dns []string
	for _, dn := range want {
		dns = append(dns, dn)
	}
	slices.Sort(dns)
	for chunk := range slices.Chunk(dns, accountsChunk/2) {
		entries, err := c.describedBy(ctx, withOwner|withDACL, domain, ldap.ScopeWholeSubtree, anyDN(chunk), accountsChunk)
		if err != nil {
			return out, err
		}
		for _, e := range entries {
			sd := e.GetRawAttributeValue("nTSecurityDescriptor")
			out[strings.ToLower(e.DN)] = containerFor{sd, adacl.InheritsNothing(sd)}
		}
	}
	return out, nil
}

type containerFor struct {
	sd     []byte
	closed bool // it inherits nothing from above
}

// alike puts accounts together that the same others may reset, and finds these.
// It does no I/O.
func alike(accounts []accountFor, above map[string]containerFor) []Alike {
	type sort struct {
		sd        string
		parent    string
		protected bool
		soon      bool
	}
	members := map[sort][]accountFor{}
	for _, a := range accounts {
		if a.sd == "" {
			continue
		}
		k := sort{a.sd, strings.ToLower(parentDN(a.dn)), a.protected, a.soon}
		members[k] = append(members[k], a)
	}
	acting := map[string][]int{} // accounts by the identifiers that they act with
	for i, a := range accounts {
		for sid := range a.sids {
			acting[sid] = append(acting[sid], i)
		}
	}
	var out []Alike
	for _, of := range members {
		one := holder{accountFor: of[0]}
		lists := listsOf(of[0], above)
		powerful := one.named(lists)
		found := Alike{}
		for _, a := range of {
			found.Accounts = append(found.Accounts, a.id)
		}
		for _, i := range candidates(len(accounts), powerful, acting) {
			a := accounts[i]
			if one.takenBy(a.sids, lists) {
				found.By = append(found.By, a.id)
			}
		}
		out = append(out, found)
	}
	return inOrder(out)
}

// lists are the descriptors of what passes rights on to an account or group.
type lists struct {
	containers [][]byte // whoever may rewrite one gives himself any right
	template   []byte   // AdminSDHolder: what is in it comes to be the object's own list within the hour
}

func listsOf(a accountFor, above map[string]containerFor) (out lists) {
	if a.protected || a.soon {
		for dn, c := range above {
			if strings.HasPrefix(dn, "cn=adminsdholder,cn=system,") {
				out.template = c.sd
			}
		}
	}
	if a.protected || a.closed {
		return out
	}
	for dn := parentDN(a.dn); dn != ""; dn = parentDN(dn) {
		c, ok := above[strings.ToLower(dn)]
		if !ok {
			continue
		}
		if len(c.sd) > 0 {
			out.containers = append(out.containers, c.sd)
		}
		if c.closed {
			break
		}
	}
	return out
}

// candidates are the accounts, of n, that act with one of the identifiers; all
// where powerful is nil.
func candidates(n int, powerful map[string]bool, acting map[string][]int) []int {
	may := make([]bool, n)
	for sid := range powerful {
		for _, i := range acting[sid] {
			may[i] = true
		}
	}
	var out []int
	for i := range n {
		if may[i] || powerful == nil {
			out = append(out, i)
		}
	}
	return out
}

// ancestors are the containers above dn up to the domain.
func ancestors(dn, domain string) (out []string) {
	for at := parentDN(dn); at != "" && len(at) >= len(domain); at = parentDN(at) {
		out = append(out, at)
	}
	return out
}

// parentDN cuts the first RDN off; empty at the top, and for what is no DN.
func parentDN(dn string) string {
	for i := 0; i < len(dn); i++ {
		switch dn[i] {
		case '\\':
			i++
		case ',':
			return dn[i+1:]
		}
	}
	return ""
}

// anyDN is the filter that finds the entries of these names.
func anyDN(dns []string) string {
	var b strings.Builder
	b.WriteString("(|")
	for _, dn := range dns {
		fmt.Fprintf(&b, "(distinguishedName=%s)", ldap.EscapeFilter(dn))
	}
	b.WriteByte(')')
	return b.String()
}
