package inventory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/config"
	"rollcall/internal/directory"
)

// family is how the directories of one family name their accounts.
type family struct {
	driver string
	only   string   // filter that every account matches and nothing else with a name does; empty: any entry
	login  string   // the attribute that people call an account by
	others []string // further attributes whose values mean it
	mails  []string // where a reference with an "@" is looked for
	dn     string   // attribute that a filter can compare a whole DN with
	id     string   // attribute of the immutable id, for messages
	read   []string
}

var families = map[string]family{
	config.OpenLDAP: {
		login: "uid", mails: []string{"mail", "uid"}, dn: "entryDN", id: "entryUUID",
		read: []string{"uid", "cn", "mail"},
	},
	config.DS389: {
		login: "uid", mails: []string{"mail", "uid"}, dn: "entrydn", id: "nsUniqueId",
		read: []string{"uid", "cn", "mail"},
	},
	// Groups have a sAMAccountName too, and computers change their own passwords.
	config.ActiveDirectory: {
		only:  "(objectCategory=person)(objectClass=user)(!(objectClass=computer))",
		login: "sAMAccountName", others: []string{"userPrincipalName", "servicePrincipalName"},
		mails: []string{"userPrincipalName", "mail", "sAMAccountName"}, dn: "distinguishedName", id: "objectGUID",
		read: []string{"sAMAccountName", "userPrincipalName", "servicePrincipalName", "cn", "mail", "adminCount"},
	},
}

func familyOf(driver string) family {
	f := families[driver]
	f.driver = driver
	return f
}

// accounts narrows a filter to accounts.
func (f family) accounts(filter string) string {
	if f.only == "" {
		return filter
	}
	return "(&" + f.only + filter + ")"
}

// shown are the attributes that the bind identity must be able to read.
func (f family) shown() string { return strings.Join(append([]string{f.id}, f.read...), ", ") }

// clause is the filter that finds a reference. For a DN it asks for the
// leading RDN, which a server can look up in its index; the caller compares
// the whole DN.
func (f family) clause(m mention) string {
	value := ldap.EscapeFilter(strings.TrimSpace(m.text))
	switch {
	case m.form == byUUID:
		return directory.FilterByID(f.driver, m.key)
	case m.form == byMail:
		return anyOf(f.mails, value)
	case m.form == byDN:
		dn, _ := ldap.ParseDN(m.text) // isDN saw that it parses
		a := dn.RDNs[0].Attributes[0]
		return "(" + a.Type + "=" + ldap.EscapeFilter(a.Value) + ")"
	case strings.Contains(m.text, "/") && len(f.others) > 0: // a servicePrincipalName is service/host
		return anyOf(append([]string{f.login}, f.others...), value)
	}
	return "(" + f.login + "=" + value + ")"
}

func anyOf(attributes []string, value string) string {
	var b strings.Builder
	b.WriteString("(|")
	for _, a := range attributes {
		b.WriteString("(" + a + "=" + value + ")")
	}
	b.WriteByte(')')
	return b.String()
}

// keysOf are the folded references that mean the entry.
func (f family) keysOf(e directory.Entry) []string {
	keys := []string{dnKey(e.DN), fold(e.UUID)}
	for _, name := range append([]string{f.login}, f.others...) {
		for _, v := range e.Attrs[name] {
			keys = append(keys, fold(v))
		}
	}
	for _, v := range e.Attrs["mail"] {
		if strings.Contains(v, "@") {
			keys = append(keys, fold(v))
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// accountOf reads an entry. An entry whose immutable id is hidden from us cannot
// be told from another one of the same name, so it ends the listing.
func (f family) accountOf(e directory.Entry) (Account, error) {
	if e.UUID == "" {
		return Account{}, &naming{
			fmt.Errorf("the entry %s shows no %s: let the bind DN read that attribute", e.DN, f.id),
			fmt.Sprintf("an entry shows no %s: let the bind DN read that attribute", f.id),
		}
	}
	a := Account{Subject: strings.ToLower(e.UUID), Name: e.DN, Protected: e.First("adminCount") == "1"}
	for _, name := range append([]string{f.login}, f.others...) {
		a.Logins = append(a.Logins, e.Attrs[name]...)
	}
	slices.Sort(a.Logins)
	a.Short = a.Subject
	if cn := slices.Sorted(slices.Values(e.Attrs["cn"])); len(cn) > 0 {
		a.Short = cn[0]
	}
	if logins := slices.Sorted(slices.Values(e.Attrs[f.login])); len(logins) > 0 {
		a.Short = logins[0]
	}
	return a, nil
}
