package directory

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/directory/ldapacl"
)

// idAndDN is an account by its immutable id and its DN.
type idAndDN struct{ id, dn string }

// namedBy reads the names of accounts.
func (c *conn) namedBy(ctx context.Context, ids []string) (out []idAndDN, err error) {
	f := c.server.client.driver
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !f.idForm().MatchString(id) })
	for chunk := range slices.Chunk(ids, accountsChunk) {
		entries, err := c.readMany(ctx, c.server.client.conf.Base, ldap.ScopeWholeSubtree, anyID(f, chunk), f.idAttribute())
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			out = append(out, idAndDN{f.identity(e), e.DN})
		}
	}
	return out, nil
}

// readMany is read without its limit of one entry.
func (c *conn) readMany(ctx context.Context, base string, scope int, filter string, attrs ...string) ([]*ldap.Entry, error) {
	req := ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, 0, 10, false, filter, attrs, nil)
	var res *ldap.SearchResult
	err := c.do(ctx, "read rights", func(l *ldap.Conn) (err error) {
		res, err = l.Search(req)
		return err
	})
	if res == nil {
		return nil, err
	}
	return res.Entries, err
}

// members are the members of groups, folded, and of groups in them; those that
// may not be read are missing, and hidden says so.
func (c *conn) members(ctx context.Context, groups []string) (in map[string]map[string]bool, hidden bool, err error) {
	in = map[string]map[string]bool{}
	const nested = 5
	for _, group := range groups {
		if in[foldDN(group)] != nil {
			continue
		}
		all := map[string]bool{}
		ask := []string{group}
		for range nested {
			var next []string
			for _, dn := range ask {
				entries, err := c.readMany(ctx, dn, ldap.ScopeBaseObject, "(objectClass=*)", "member", "uniqueMember", "roleOccupant")
				if err != nil && !answered(err) {
					return nil, false, err
				}
				found := 0
				for _, e := range entries {
					for _, a := range e.Attributes {
						for _, m := range a.Values {
							found++
							if !all[foldDN(m)] {
								all[foldDN(m)] = true
								next = append(next, m)
							}
						}
					}
				}
				hidden = hidden || found == 0 && strings.EqualFold(dn, group)
			}
			if ask = next; len(ask) == 0 || len(all) > accountsChunk {
				break // a large group's members are accounts
			}
		}
		in[foldDN(group)] = all
	}
	return in, hidden, nil
}

// foldDN is a DN as it is compared.
func foldDN(dn string) string {
	if parsed, err := ParseDN(dn); err == nil {
		dn = parsed.String()
	}
	return strings.ToLower(dn)
}

// alikeBy puts accounts together that the same rules are about, and finds who
// may by them. It does no I/O.
func alikeBy(accounts []idAndDN, rulesOf func(dn string) string, may func(target, dn string) bool) (out []Alike) {
	kinds := map[string][]idAndDN{}
	for _, a := range accounts {
		if k := rulesOf(a.dn); k != "" {
			kinds[k] = append(kinds[k], a)
		}
	}
	for _, of := range kinds {
		found := Alike{}
		for _, a := range of {
			found.Accounts = append(found.Accounts, a.id)
		}
		for _, b := range accounts {
			if may(of[0].dn, b.dn) {
				found.By = append(found.By, b.id)
			}
		}
		out = append(out, found)
	}
	return inOrder(out)
}

// inOrder sorts what was found, without the accounts that nobody may set.
func inOrder(all []Alike) (out []Alike) {
	for _, found := range all {
		if len(found.By) == 0 {
			continue
		}
		slices.Sort(found.Accounts)
		slices.Sort(found.By)
		out = append(out, found)
	}
	slices.SortFunc(out, func(a, b Alike) int { return strings.Compare(a.Accounts[0], b.Accounts[0]) })
	return out
}

// passwordRules are the rules of a directory about userPassword, with who is in
// the groups that they name.
type passwordRules struct {
	hidden string                     // why they are not known, or not all
	why    string                     // what lets somebody and is not worked out
	about  func(target string) string // the same for accounts that the same rules are about; empty: none
	may    func(target, dn string) bool
}

// resets by the rules about writing.
func (c *conn) resets(ctx context.Context, ids []string, rules func(context.Context, *conn, bool) (passwordRules, error)) (Resets, error) {
	by, err := rules(ctx, c, false)
	if err != nil || by.may == nil {
		return Resets{NotAsked: by.hidden}, err
	}
	accounts, err := c.namedBy(ctx, ids)
	if err != nil && !answered(err) {
		return Resets{}, err
	}
	return Resets{NotAsked: by.hidden, Why: by.why, Alike: alikeBy(accounts, by.about, by.may)}, nil
}

// readers are those of who that may read the password of one of the accounts of
// by the rules about reading.
func (c *conn) readers(ctx context.Context, who, of []string, rules func(context.Context, *conn, bool) (passwordRules, error)) (map[string]bool, error) {
	by, err := rules(ctx, c, true)
	if err != nil {
		return nil, err
	}
	if by.may == nil {
		return nil, errors.New(by.hidden)
	}
	named, err := c.namedBy(ctx, append(slices.Clone(who), of...))
	if err != nil {
		return nil, err
	}
	dns := map[string]string{}
	for _, a := range named {
		dns[a.id] = a.dn
	}
	one := map[string]string{} // of each kind of target
	for _, id := range of {
		if dn := dns[strings.ToLower(id)]; dn != "" {
			one[by.about(dn)] = dn
		}
	}
	out := map[string]bool{}
	for _, id := range who {
		dn := dns[strings.ToLower(id)]
		for kind, target := range one {
			out[id] = out[id] || dn != "" && kind != "" && by.may(target, dn)
		}
	}
	return out, nil
}

func (f openLDAP) resets(ctx context.Context, c *conn, ids []string) (Resets, error) {
	return c.resets(ctx, ids, f.rules)
}

func (f openLDAP) readers(ctx context.Context, c *conn, who, of []string) (map[string]bool, error) {
	return c.readers(ctx, who, of, f.rules)
}

func (f openLDAP) stillRead(ctx context.Context, c *conn, who map[string][]string, of []string) (map[string]bool, error) {
	return c.readers(ctx, slices.Sorted(maps.Keys(who)), of, f.rules)
}

func (f ds389) resets(ctx context.Context, c *conn, ids []string) (Resets, error) {
	return c.resets(ctx, ids, f.rules)
}

func (f ds389) readers(ctx context.Context, c *conn, who, of []string) (map[string]bool, error) {
	return c.readers(ctx, who, of, f.rules)
}

func (f ds389) stillRead(ctx context.Context, c *conn, who map[string][]string, of []string) (map[string]bool, error) {
	return c.readers(ctx, slices.Sorted(maps.Keys(who)), of, f.rules)
}

// rules are those of the database (olcAccess), if bind.dn may see them, and who
// may act for others.
func (openLDAP) rules(ctx context.Context, c *conn, read bool) (passwordRules, error) {
	base, err := ParseDN(c.server.client.conf.Base)
	if err != nil {
		return passwordRules{}, nil
	}
	databases, err := c.readMany(ctx, "cn=config", ldap.ScopeWholeSubtree, "(|(olcAccess=*)(objectClass=olcGlobal))", "olcSuffix", "olcDatabase", "olcAccess", "olcRootDN", "olcAuthzPolicy")
	if err != nil && !answered(err) {
		return passwordRules{}, err
	}
	var ours, frontend []string
	root, policy, global := "", "", false
	for _, e := range databases {
		if strings.EqualFold(e.DN, "cn=config") {
			policy, global = e.GetAttributeValue("olcAuthzPolicy"), true
		}
		if strings.HasSuffix(e.GetAttributeValue("olcDatabase"), "frontend") {
			frontend = e.GetAttributeValues("olcAccess")
		}
		for _, suffix := range e.GetAttributeValues("olcSuffix") {
			if at, err := ParseDN(suffix); err == nil && (at.EqualFold(base) || at.AncestorOfFold(base)) {
				ours, root = e.GetAttributeValues("olcAccess"), e.GetAttributeValue("olcRootDN")
			}
		}
	}
	acts, err := c.acting(ctx, policy, global)
	if err != nil {
		return passwordRules{}, err
	}
	if len(ours) == 0 {
		out := passwordRules{hidden: "olcAccess of the database in cn=config is not shown to bind.dn"}
		if acts != nil {
			out.about, out.may = func(string) string { return "-" }, func(_, dn string) bool { return acts(dn) }
		}
		return out, nil
	}
	rules := ldapacl.OpenLDAP(append(ours, frontend...))
	may, groups := ldapacl.May, ldapacl.Groups(rules)
	if read {
		may, groups = ldapacl.MayRead, ldapacl.ReadGroups(rules)
	}
	in, hidden, err := c.members(ctx, groups)
	if err != nil {
		return passwordRules{}, err
	}
	out := passwordRules{}
	if hidden {
		out.hidden = "bind.dn is not shown who is in a group that olcAccess names"
	}
	if undecided := ldapacl.Undecided(rules); len(undecided) > 0 {
		out.why = "olcAccess lets somebody set passwords by what is not worked out here: " + strings.Join(undecided, ", ")
	}
	out.about = func(dn string) string {
		key := "-"
		for _, n := range ldapacl.For(rules, dn) {
			key += strconv.Itoa(n) + "-"
		}
		return key
	}
	out.may = func(target, dn string) bool {
		if root != "" && SameDN(root, dn) || acts != nil && acts(dn) {
			return true
		}
		return may(rules, target, dn, func(group string) bool { return in[foldDN(group)][foldDN(dn)] })
	}
	return out, nil
}

// rules are those (aci) of the entries and of those above them, if bind.dn may
// see them.
func (ds389) rules(ctx context.Context, c *conn, read bool) (passwordRules, error) {
	above, err := c.readMany(ctx, c.server.client.conf.Base, ldap.ScopeWholeSubtree, "(aci=*)", "aci")
	if err != nil && !answered(err) {
		return passwordRules{}, err
	}
	for dn := parentDN(c.server.client.conf.Base); dn != ""; dn = parentDN(dn) {
		higher, err := c.readMany(ctx, dn, ldap.ScopeBaseObject, "(objectClass=*)", "aci")
		if err != nil && !answered(err) {
			return passwordRules{}, err
		}
		above = append(above, higher...)
	}
	if !slices.ContainsFunc(above, func(e *ldap.Entry) bool { return len(e.GetAttributeValues("aci")) > 0 }) {
		return passwordRules{hidden: "no aci is shown to bind.dn"}, nil
	}
	of := ldapacl.ACIOf
	if read {
		of = ldapacl.ACIReads
	}
	rules, err := c.acis(ctx, above, of)
	if err != nil {
		return passwordRules{}, err
	}
	out := passwordRules{may: rules.may}
	if rules.hidden {
		out.hidden = "bind.dn is not shown who is in a group that an aci names"
	}
	if len(rules.undecided) > 0 {
		out.why = "an aci lets somebody set passwords by what is not worked out here: " + strings.Join(rules.undecided, ", ")
	}
	out.about = func(dn string) (key string) {
		for n, r := range rules.list {
			if r.Applies(dn) {
				key += strconv.Itoa(n) + "-"
			}
		}
		return key
	}
	return out, nil
}

// acis are rules of 389 Directory Server that let somebody do something, with
// who is in the groups that they name.
type acis struct {
	list      []ldapacl.ACI
	undecided []string // what lets somebody and is not worked out
	hidden    bool     // of a group nobody is shown
	in        map[string]map[string]bool
}

// acis reads those of some entries, each by of.
func (c *conn) acis(ctx context.Context, entries []*ldap.Entry, of func(at, text string) (ldapacl.ACI, bool)) (out acis, err error) {
	var groups []string
	for _, e := range entries {
		for _, text := range e.GetAttributeValues("aci") {
			if a, grants := of(e.DN, text); grants {
				out.list, out.undecided = append(out.list, a), append(out.undecided, a.Other...)
				for _, w := range a.Who {
					groups = append(groups, w.Group)
				}
			}
		}
	}
	out.undecided = slices.Compact(slices.Sorted(slices.Values(out.undecided)))
	out.in, out.hidden, err = c.members(ctx, slices.DeleteFunc(groups, func(g string) bool { return g == "" }))
	return out, err
}

func (a acis) may(target, dn string) bool {
	return slices.ContainsFunc(a.list, func(r ldapacl.ACI) bool {
		return r.Applies(target) && slices.ContainsFunc(r.Who, func(w ldapacl.Who) bool {
			return w.May(dn, func(group string) bool { return a.in[foldDN(group)][foldDN(dn)] })
		})
	})
}

// noteRules says whether the rules are shown by which the listing finds who may
// reset others.
func (c *conn) noteRules(ctx context.Context, base string, scope int, attribute string, add addCheck) {
	entries, err := c.readMany(ctx, base, scope, "("+attribute+"=*)", attribute)
	for _, e := range entries {
		if len(e.GetAttributeValues(attribute)) > 0 {
			add("who resets", true, attribute+" is shown to bind.dn: accounts that may set others' passwords by it go before them", "")
			return
		}
	}
	add("who resets", true, "not checked ("+found(nil, err, "")+"): "+attribute+" below "+base+" is not shown, so accounts that may set others' passwords are not put first by themselves: let bind.dn read it (docs/rights.md), or name them in an early wave of the campaign file", notChecked)
}
