package inventory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/config"
	"rollcall/internal/directory"
)

// naming is how a family of directories names its accounts.
type naming struct {
	driver string
	only   string   // filter that every account matches and nothing else with a name does; empty: any entry
	login  string   // the attribute that people call an account by
	others []string // further attributes whose values mean it
	mails  []string // where a reference with an "@" is looked for
	dn     string   // attribute that a filter can compare a whole DN with
	id     string   // attribute of the immutable id, for messages
	read   []string
}

var namings = map[string]naming{
	config.OpenLDAP: {
		login: "uid", mails: []string{"mail", "uid"}, dn: "entryDN", id: "entryUUID",
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

func namingOf(driver string) naming {
	n := namings[driver]
	n.driver = driver
	return n
}

// accounts narrows a filter to accounts.
func (n naming) accounts(filter string) string {
	if n.only == "" {
		return filter
	}
	return "(&" + n.only + filter + ")"
}

// shown are the attributes that the bind identity must be able to read.
func (n naming) shown() string { return strings.Join(append([]string{n.id}, n.read...), ", ") }

// clause is the filter that finds a reference. For a DN it asks for the
// leading RDN, which a server can look up in its index; the caller compares
// the whole DN.
func (n naming) clause(m mention) string {
	value := ldap.EscapeFilter(strings.TrimSpace(m.text))
	switch {
	case m.form == byUUID:
		return directory.FilterByID(n.driver, m.key)
	case m.form == byMail:
		return anyOf(n.mails, value)
	case m.form == byDN:
		dn, _ := ldap.ParseDN(m.text) // isDN saw that it parses
		a := dn.RDNs[0].Attributes[0]
		return "(" + a.Type + "=" + ldap.EscapeFilter(a.Value) + ")"
	case strings.Contains(m.text, "/") && len(n.others) > 0: // a servicePrincipalName is service/host
		return anyOf(append([]string{n.login}, n.others...), value)
	}
	return "(" + n.login + "=" + value + ")"
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
func (n naming) keysOf(e directory.Entry) []string {
	keys := []string{dnKey(e.DN), fold(e.UUID)}
	for _, name := range append([]string{n.login}, n.others...) {
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
func (n naming) accountOf(e directory.Entry) (Account, error) {
	if e.UUID == "" {
		return Account{}, fmt.Errorf("the entry %s shows no %s: let the bind DN read that attribute", e.DN, n.id)
	}
	a := Account{Subject: strings.ToLower(e.UUID), Name: e.DN, Protected: e.First("adminCount") == "1"}
	for _, name := range append([]string{n.login}, n.others...) {
		a.Logins = append(a.Logins, e.Attrs[name]...)
	}
	slices.Sort(a.Logins)
	a.Short = a.Subject
	if cn := slices.Sorted(slices.Values(e.Attrs["cn"])); len(cn) > 0 {
		a.Short = cn[0]
	}
	if logins := slices.Sorted(slices.Values(e.Attrs[n.login])); len(logins) > 0 {
		a.Short = logins[0]
	}
	return a, nil
}
