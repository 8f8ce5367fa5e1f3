package inventory

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/credential"
)

// target is what a name in the campaign file means: the id of an account, on
// the roll or not, or of a credential without one.
type target struct {
	id, name string
	account  *Account // nil for a credential without one, and for an AppRole
}

// meant is all that a name means, in every directory and on the roll. The
// directories decide, and not the roll: who may add a name to his own entry
// would choose what is left out otherwise.
func (m *merger) meant(name string) []target {
	found := map[string]target{}
	key := accountKey(name)
	for _, authority := range m.c.Authorities() {
		for _, a := range preferAccounts(m.known[refTo(m.c, authority, name)]) {
			id := authority + "/" + a.Subject
			found[id] = target{id, authority + ": " + a.Name, &a}
		}
	}
	for id, l := range m.drafts {
		if l.Authority == credential.VaultAuthority && l.Subject != "" && accountKey(l.Subject) == key {
			found[id] = target{id: id, name: l.Name}
		}
		// What no account was found for is known by the name that its source
		// gives; an ambiguous one is known by what it may mean, above.
		if l.Subject == "" && l.Problem != credential.Ambiguous && (accountKey(l.Name) == key || slices.ContainsFunc(l.logins, func(s string) bool { return accountKey(s) == key })) {
			found[id] = target{id: id, name: id}
		}
	}
	out := make([]target, 0, len(found))
	for _, id := range slices.Sorted(maps.Keys(found)) {
		out = append(out, found[id])
	}
	return out
}

// theOne is what a name in the campaign file means, if that is one thing; none
// if it is not on the roll. where is the place in the file, for errors.
func (m *merger) theOne(where, name string) ([]target, error) {
	all := m.meant(name)
	exact := formOf(name) == byID || formOf(name) == byDN
	noAccount := !slices.ContainsFunc(all, func(t target) bool { return t.account != nil || strings.HasPrefix(t.id, credential.VaultAuthority+"/") })
	if len(all) > 1 && !(exact && noAccount) {
		names := make([]string, 0, len(all))
		for _, t := range all {
			names = append(names, t.name)
		}
		return nil, &naming{
			fmt.Errorf("%s matches %d credentials (%s): nothing was listed; name the one you mean by its DN or immutable id", where, len(all), strings.Join(names, "; ")),
			fmt.Sprintf("a name in the campaign file matches %d credentials; name the one you mean by its DN or immutable id", len(all)),
		}
	}
	for _, t := range all {
		if t.account == nil || m.drafts[t.id] == nil || t.account.mainName(name) {
			continue
		}
		return nil, &naming{
			fmt.Errorf("%s means %s by a name that can be added to an entry (a further login, a mail address, a principal): nothing was listed; name it by its DN or immutable id", where, t.name),
			"a name in the campaign file means an account by a name that can be added to an entry; name it by its DN or immutable id",
		}
	}
	return slices.DeleteFunc(all, func(t target) bool { return m.drafts[t.id] == nil }), nil
}

// bears reports whether any of the account's logins is that text.
func (a Account) bears(text string) bool {
	return slices.ContainsFunc(a.Logins, func(login string) bool { return fold(login) == fold(text) })
}

// mainName reports whether the account itself goes by name: whoever may write
// one more value to an entry must not make it pass for another.
func (a Account) mainName(name string) bool {
	if form := formOf(name); form == byID || a.facts == nil || form == byDN && dnKey(name) == dnKey(a.Name) {
		return true
	}
	if formOf(name) == byDN && !a.bears(name) {
		return true // by a spelling of its DN that the directory's schema knows
	}
	want := fold(name)
	is := func(s string) bool { return fold(s) == want }
	if a.facts.domains {
		// Both are single-valued, and unique by the domain's own care.
		if _, account, ok := cutDomain(name); ok {
			want = fold(account)
		}
		if account, ok := strings.CutSuffix(want, "@"+a.facts.domain); ok && slices.ContainsFunc(a.facts.login, func(s string) bool { return fold(s) == account }) {
			return true
		}
		return slices.ContainsFunc(a.facts.login, is) || is(a.facts.principal)
	}
	if !slices.ContainsFunc(a.facts.login, is) {
		return false
	}
	dn, err := ldap.ParseDN(a.Name)
	return len(a.facts.login) == 1 || err == nil && slices.ContainsFunc(dn.RDNs[0].Attributes, func(v *ldap.AttributeTypeAndValue) bool { return is(v.Value) })
}
