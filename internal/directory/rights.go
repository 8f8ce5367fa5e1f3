package directory

import (
	"context"
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
		slices.Sort(found.Accounts)
		slices.Sort(found.By)
		if len(found.By) > 0 {
			out = append(out, found)
		}
	}
	slices.SortFunc(out, func(a, b Alike) int { return strings.Compare(a.Accounts[0], b.Accounts[0]) })
	return out
}

// resets reads the access rules of the database (olcAccess), if bind.dn may see
// them, and who is in the groups that they name.
func (openLDAP) resets(ctx context.Context, c *conn, ids []string) (Resets, error) {
	base, err := ParseDN(c.server.client.conf.Base)
	if err != nil {
		return Resets{}, nil
	}
	databases, err := c.readMany(ctx, "cn=config", ldap.ScopeSingleLevel, "(olcAccess=*)", "olcSuffix", "olcDatabase", "olcAccess", "olcRootDN")
	if err != nil && !answered(err) {
		return Resets{}, err
	}
	var ours, frontend []string
	root := ""
	for _, e := range databases {
		if strings.HasSuffix(e.GetAttributeValue("olcDatabase"), "frontend") {
			frontend = e.GetAttributeValues("olcAccess")
		}
		for _, suffix := range e.GetAttributeValues("olcSuffix") {
			if at, err := ParseDN(suffix); err == nil && (at.EqualFold(base) || at.AncestorOfFold(base)) {
				ours, root = e.GetAttributeValues("olcAccess"), e.GetAttributeValue("olcRootDN")
			}
		}
	}
	if len(ours) == 0 {
		return Resets{NotAsked: "olcAccess of the database in cn=config is not shown to bind.dn"}, nil
	}
	accounts, err := c.namedBy(ctx, ids)
	if err != nil && !answered(err) {
		return Resets{}, err
	}
	rules := ldapacl.OpenLDAP(append(ours, frontend...))
	in, hidden, err := c.members(ctx, ldapacl.Groups(rules))
	if err != nil {
		return Resets{}, err
	}
	out := Resets{}
	if hidden {
		out.NotAsked = "bind.dn is not shown who is in a group that olcAccess names"
	}
	if undecided := ldapacl.Undecided(rules); len(undecided) > 0 {
		out.Why = "olcAccess lets somebody set passwords by what is not worked out here: " + strings.Join(undecided, ", ")
	}
	out.Alike = alikeBy(accounts, func(dn string) string {
		key := "-"
		for _, n := range ldapacl.For(rules, dn) {
			key += strconv.Itoa(n) + "-"
		}
		return key
	}, func(target, dn string) bool {
		if root != "" && SameDN(root, dn) {
			return true
		}
		return ldapacl.May(rules, target, dn, func(group string) bool { return in[foldDN(group)][foldDN(dn)] })
	})
	return out, nil
}

// resets reads the rules (aci) of the entries and of those above them, if
// bind.dn may see them, and who is in the groups that they name.
func (ds389) resets(ctx context.Context, c *conn, ids []string) (Resets, error) {
	accounts, err := c.namedBy(ctx, ids)
	if err != nil && !answered(err) {
		return Resets{}, err
	}
	above, err := c.readMany(ctx, c.server.client.conf.Base, ldap.ScopeWholeSubtree, "(aci=*)", "aci")
	if err != nil && !answered(err) {
		return Resets{}, err
	}
	for dn := parentDN(c.server.client.conf.Base); dn != ""; dn = parentDN(dn) {
		higher, err := c.readMany(ctx, dn, ldap.ScopeBaseObject, "(objectClass=*)", "aci")
		if err != nil && !answered(err) {
			return Resets{}, err
		}
		above = append(above, higher...)
	}
	if !slices.ContainsFunc(above, func(e *ldap.Entry) bool { return len(e.GetAttributeValues("aci")) > 0 }) {
		return Resets{NotAsked: "no aci is shown to bind.dn"}, nil
	}
	var rules []ldapacl.ACI
	var groups, undecided []string
	for _, e := range above {
		for _, text := range e.GetAttributeValues("aci") {
			if a, writes := ldapacl.ACIOf(e.DN, text); writes {
				rules, undecided = append(rules, a), append(undecided, a.Other...)
				for _, w := range a.Who {
					groups = append(groups, w.Group)
				}
			}
		}
	}
	groups = slices.DeleteFunc(groups, func(g string) bool { return g == "" })
	in, hidden, err := c.members(ctx, groups)
	if err != nil {
		return Resets{}, err
	}
	out := Resets{}
	if hidden {
		out.NotAsked = "bind.dn is not shown who is in a group that an aci names"
	}
	if undecided = slices.Compact(slices.Sorted(slices.Values(undecided))); len(undecided) > 0 {
		out.Why = "an aci lets somebody set passwords by what is not worked out here: " + strings.Join(undecided, ", ")
	}
	about := func(dn string) (key string) {
		for n, r := range rules {
			if r.Applies(dn) {
				key += strconv.Itoa(n) + "-"
			}
		}
		return key
	}
	out.Alike = alikeBy(accounts, about, func(target, dn string) bool {
		return slices.ContainsFunc(rules, func(r ldapacl.ACI) bool {
			return r.Applies(target) && slices.ContainsFunc(r.Who, func(w ldapacl.Who) bool {
				return w.May(dn, func(group string) bool { return in[foldDN(group)][foldDN(dn)] })
			})
		})
	})
	return out, nil
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
