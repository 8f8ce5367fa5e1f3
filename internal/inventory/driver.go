package inventory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/config"
	"rollcall/internal/directory"
)

// driver is how the directories of one driver name their accounts.
type driver struct {
	name    string
	domains bool // config.Directory.HasDomains
	rootpw  bool // the rootdn may have a password in the configuration besides that of its entry
	// passesOn: a userPassword may name another system that checks it ({SASL}).
	passesOn bool
	domain   string   // of Active Directory, as in DNS
	login    string   // the attribute that people call an account by
	others   []string // further attributes whose values mean it
	mails    []string // where a reference with an "@" is looked for
	dn       string   // attribute that a filter can compare a whole DN with
	id       string   // attribute of the immutable id, for messages
	read     []string
	more     []string // attributes that auth mounts of Vault go by, besides
}

var drivers = map[string]driver{
	config.OpenLDAP: {
		rootpw: true, passesOn: true, login: "uid", mails: []string{"mail", "uid"}, dn: "entryDN", id: "entryUUID",
		read: slices.Concat([]string{"uid", "cn", "mail"}, personal, ldapFacts),
	},
	config.DS389: {
		login: "uid", mails: []string{"mail", "uid"}, dn: "entrydn", id: "nsUniqueId",
		read: slices.Concat([]string{"uid", "cn", "mail"}, personal, ldapFacts),
	},
	config.ActiveDirectory: {
		login: "sAMAccountName", others: []string{"userPrincipalName", "servicePrincipalName"},
		mails: []string{"userPrincipalName", "mail", "sAMAccountName"}, dn: "distinguishedName", id: "objectGUID",
		read: slices.Concat([]string{"sAMAccountName", "userPrincipalName", "servicePrincipalName", "cn", "mail", "adminCount"}, personal, domainFacts),
	},
}

func (l *lister) driver(name string) driver {
	d := l.c.Directories[name]
	f := drivers[d.Driver]
	f.name = d.Driver
	f.domains, f.domain = d.HasDomains(), d.Domain()
	for _, m := range l.mounts {
		if _, asked := m.servers[name]; asked {
			for _, attr := range m.attributes() {
				if !slices.Contains(f.more, attr) {
					f.more = append(f.more, attr)
				}
			}
		}
	}
	for _, u := range l.uses {
		if _, asked := u.in[name]; asked && u.attr != "" && !slices.Contains(f.more, u.attr) {
			f.more = append(f.more, u.attr)
		}
	}
	for _, e := range l.engines {
		if _, asked := e.in[name]; asked && e.attr != "" && !slices.Contains(f.more, e.attr) {
			f.more = append(f.more, e.attr)
		}
	}
	if len(f.more) > 0 {
		f.read = append(slices.Clone(f.read), f.more...)
	}
	return f
}

// shown are the attributes that the bind identity must be able to read.
func (d driver) shown() string {
	return strings.Join([]string{d.id, d.login, "cn", "mail", "objectClass"}, ", ")
}

// clause is the filter that finds a reference. A DN is asked for as a whole,
// which servers look up without a search (entryDN, RFC 5020;
// distinguishedName). Its leading RDN may fit every entry that there is, and
// whoever writes a secret's metadata chooses it.
func (d driver) clause(m mention) string {
	value := ldap.EscapeFilter(strings.TrimSpace(m.text))
	switch {
	case m.form == byID:
		return directory.FilterByID(d.name, m.key)
	case m.form == byMail && d.localPart(m.text) != "":
		return "(|" + anyOf(d.mails, value) + "(" + d.login + "=" + ldap.EscapeFilter(d.localPart(m.text)) + "))"
	case m.form == byMail:
		return anyOf(d.mails, value)
	case m.form == byDN:
		return "(" + d.dn + "=" + value + ")"
	case strings.Contains(m.text, "/") && len(d.others) > 0: // a servicePrincipalName is service/host
		return anyOf(append([]string{d.login}, d.others...), value)
	}
	return "(" + d.login + "=" + value + ")"
}

// localPart is the account in account@domain, which a domain takes for the
// account's name whether or not it has a userPrincipalName ([MS-ADTS]
// 5.1.1.1.1); empty if it is another domain's.
func (d driver) localPart(text string) string {
	account, domain, _ := strings.Cut(strings.TrimSpace(text), "@")
	if d.domain == "" || !strings.EqualFold(domain, d.domain) {
		return ""
	}
	return account
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
func (d driver) keysOf(e directory.Entry) []string {
	keys := []string{dnKey(e.DN), fold(e.ID)}
	for _, name := range append([]string{d.login}, d.others...) {
		for _, v := range e.Attrs[name] {
			keys = append(keys, fold(v))
		}
	}
	for _, v := range e.Attrs[d.login] {
		if d.domain != "" {
			keys = append(keys, fold(v+"@"+d.domain))
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

// accountOf reads an entry. An entry whose immutable id is hidden from us
// cannot be told from another one of the same name, so it ends the listing.
func (d driver) accountOf(e directory.Entry) (Account, error) {
	if e.ID == "" {
		return Account{}, &naming{
			fmt.Errorf("the entry %s shows no %s: let the bind DN read that attribute", e.DN, d.id),
			fmt.Sprintf("an entry shows no %s: let the bind DN read that attribute", d.id),
		}
	}
	a := Account{Subject: strings.ToLower(e.ID), Name: e.DN, Protected: e.First("adminCount") == "1", facts: d.factsOf(e)}
	for _, name := range append([]string{d.login}, d.others...) {
		a.Logins = append(a.Logins, e.Attrs[name]...)
	}
	slices.Sort(a.Logins)
	a.Short = a.Subject
	if cn := slices.Sorted(slices.Values(e.Attrs["cn"])); len(cn) > 0 {
		a.Short = cn[0]
	}
	if logins := slices.Sorted(slices.Values(e.Attrs[d.login])); len(logins) > 0 {
		a.Short = logins[0]
	}
	return a, nil
}
