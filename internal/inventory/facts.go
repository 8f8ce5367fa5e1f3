package inventory

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/credential"
	"rollcall/internal/directory"
)

// facts are what an entry shows of being an account, and of what a reset would
// do to it.
type facts struct {
	rootpw    bool // driver.rootpw
	domains   bool
	classes   []string // objectClass, in lower case
	login     []string
	stored    []directory.Stored // its passwords; none if bind.dn may not read them
	copies    []string           // attributes that hold the same secret once more
	spn       []string
	restricts string // what keeps it from logging in at any hour and from anywhere

	domain, principal string // of Active Directory: as in DNS; userPrincipalName
	mails             []string
	aliased           string

	// without: the server says that there is no userPassword, which is more
	// than that none is shown.
	without bool

	named map[string][]string // values of attributes that auth mounts of Vault go by

	personal []string // attributes that it has, as people's entries have

	smartCard bool // Active Directory: the domain made the password random when the flag was set
}

// problem is why an account cannot be rotated as it is listed. A person may
// accept some.
type problem struct {
	code   credential.Problem
	detail string
}

// The attributes besides names that tell these facts.
var (
	ldapFacts   = append([]string{"aliasedObjectName"}, directory.KeptAttributes...)
	domainFacts = append([]string{"objectClass", "userAccountControl", "logonHours", "userWorkstations"}, directory.DomainCopyAttributes...)
)

// personal are attributes that directories have of people and hardly ever of a
// service (RFC 4519, RFC 2798). Whoever made the accounts of services as
// inetOrgPerson gave them the names that it demands, cn and sn, and perhaps an
// address.
var personal = []string{"givenName", "employeeNumber", "employeeType", "manager"}

// smartCardRequired is ADS_UF_SMARTCARD_REQUIRED ([MS-ADTS] 2.2.16).
const smartCardRequired = 0x40000

// Object classes of RFC 4519, 2307, 4524 and of the usual servers, in lower
// case. An entry with one of the first is meant to log in; one with none of
// these and one of the second is not.
var (
	accountClasses = classes("person organizationalPerson inetOrgPerson residentialPerson account simpleSecurityObject posixAccount shadowAccount " +
		"sambaSamAccount uidObject organizationalRole applicationProcess applicationEntity dSA krbPrincipal krbPrincipalAux mailUser user")
	otherClasses = classes("organizationalUnit organization dcObject domain locality country groupOfNames groupOfUniqueNames groupOfURLs groupOfMembers groupOfEntries " +
		"posixGroup mailGroup group device ipHost bootableDevice nisNetgroup nisMap nisObject nsContainer container pwdPolicy subentry sudoRole " +
		"automount automountMap contact foreignSecurityPrincipal builtinDomain nsRoleDefinition ldapSubEntry document documentSeries room dNSDomain rFC822LocalPart")
	managedClasses = classes("msDS-GroupManagedServiceAccount msDS-ManagedServiceAccount msDS-DelegatedManagedServiceAccount")
)

func classes(names string) map[string]bool {
	set := map[string]bool{}
	for _, n := range strings.Fields(names) {
		set[strings.ToLower(n)] = true
	}
	return set
}

func (d driver) factsOf(e directory.Entry) *facts {
	out := &facts{rootpw: d.rootpw, domains: d.domains, domain: d.domain, login: e.Attrs[d.login], stored: e.Stored["userPassword"], aliased: e.First("aliasedObjectName"), principal: e.First("userPrincipalName"), mails: e.Attrs["mail"]}
	for _, a := range d.more {
		if out.named == nil {
			out.named = map[string][]string{}
		}
		out.named[a] = e.Attrs[a]
	}
	for _, a := range personal {
		if len(e.Attrs[a]) > 0 {
			out.personal = append(out.personal, a)
		}
	}
	for _, c := range e.Attrs["objectClass"] {
		out.classes = append(out.classes, strings.ToLower(c))
	}
	slices.Sort(out.classes)
	if !d.domains {
		out.copies = directory.Copies(e)
		return out
	}
	out.stored, out.copies = nil, directory.DomainCopies(e)
	control, _ := strconv.Atoi(e.First("userAccountControl"))
	out.smartCard = control&smartCardRequired != 0
	out.restricts = directory.Restricts(e, time.Now())
	out.spn = slices.Sorted(slices.Values(e.Attrs["servicePrincipalName"]))
	return out
}

func (a *facts) is(set map[string]bool) bool {
	return slices.ContainsFunc(a.classes, func(c string) bool { return set[c] })
}

// problems are all reasons for which the account is not rotated, those that
// nobody can accept first.
func (a *facts) problems() []problem {
	if a == nil {
		return nil
	}
	if p := a.noAccount(); p.code != "" {
		return []problem{p}
	}
	var out []problem
	if len(a.copies) > 0 {
		out = append(out, problem{credential.SecondCopy, "the entry keeps the same secret a second time, in " + strings.Join(a.copies, ", ") +
			", which a reset does not change unless the server does it (OpenLDAP: overlay smbk5pwd; a domain: Server for NIS); what reads it goes on with the stolen value"})
	}
	if a.restricts != "" {
		out = append(out, problem{credential.Restricted, "it may log in at some hours or from some computers only (" + a.restricts +
			"), and not now and within the next hour from here, so that it may not be seen whether a new password works: run again within its hours, or lift that for the time of the campaign"})
	}
	if len(a.spn) > 0 {
		out = append(out, problem{credential.HasKeytab, "it has the principals " + some(a.spn) +
			": a reset raises the key version, and every keytab made from the password stops working until it is made anew"})
	}
	return out
}

// noAccount: nobody can rotate the entry's password, because it has none of its
// own.
func (a *facts) noAccount() problem {
	name := ""
	if len(a.login) > 0 {
		name = a.login[0]
	}
	switch {
	case slices.Contains(a.classes, "alias"):
		return problem{credential.IsAlias, fmt.Sprintf("the entry is an alias and holds no password; it means %q: name that one", a.aliased)}
	case a.is(managedClasses):
		return problem{credential.ManagedAccount, "a managed service account: the domain makes its password, and hosts that may fetch it log in with it"}
	case slices.Contains(a.classes, "computer") || strings.HasSuffix(name, "$"):
		return problem{credential.ComputerAccount, "the account of a computer, or of a trust: a reset from here would cut it off from the domain, and it changes its password itself"}
	case a.domains && (strings.EqualFold(name, "krbtgt") || strings.HasPrefix(strings.ToLower(name), "krbtgt_")):
		return problem{credential.ManagedAccount, "the key with which the domain signs all Kerberos tickets"}
	case a.domains && len(a.classes) > 0 && !slices.Contains(a.classes, "user"):
		return problem{credential.NotAnAccount, "its object classes are " + strings.Join(a.classes, ", ") + ": it logs in nowhere"}
	case a.smartCard:
		return problem{credential.NoPassword, "it must log on with a smart card (SMARTCARD_REQUIRED): the domain has made its password random, nobody knows it, and a reset would give it one that logs in"}
	case a.domains:
		return problem{}
	}
	return a.withoutPassword()
}

func (a *facts) withoutPassword() problem {
	void := len(a.stored) > 0
	for _, s := range a.stored {
		if s.Elsewhere() {
			return problem{credential.CheckedElsewhere, "its userPassword is {" + s.Scheme + "}: the entry names who checks the password and holds none"}
		}
		void = void && s.Void
	}
	kind := !a.is(accountClasses) && a.is(otherClasses)
	switch {
	case void:
		return problem{credential.NoPassword, "its userPassword is a mark that no password matches: somebody barred the account from logging in"}
	case len(a.stored) > 0:
		return problem{}
	case kind && a.without:
		return problem{credential.NotAnAccount, "its object classes are " + strings.Join(a.classes, ", ") + ", and it has no userPassword"}
	case kind:
		return problem{credential.NotAnAccount, "its object classes are " + strings.Join(a.classes, ", ") + "; bind.dn may not see whether it has a userPassword"}
	case a.without:
		return problem{credential.NoPassword, "it has no userPassword, so nothing logs in with one: a certificate, Kerberos or another system may decide instead"}
	}
	return problem{}
}

// administrators are what the rootdn of a database is commonly called (Debian,
// the Admin Guide, appliances).
var administrators = []string{"admin", "manager", "root", "rootdn", "administrator", "ldapadm"}

// mayBeRoot: an entry with the name of the database's rootdn has two passwords
// if the configuration holds a rootpw, which is hidden from bind.dn
// (slapd.conf(5)).
func (a Account) mayBeRoot(base string) bool {
	if a.facts == nil || !a.facts.rootpw {
		return false
	}
	dn, err := ldap.ParseDN(a.Name)
	if err != nil || len(dn.RDNs) < 2 || !slices.Contains(administrators, strings.ToLower(dn.RDNs[0].Attributes[0].Value)) {
		return false
	}
	parent := &ldap.DN{RDNs: dn.RDNs[1:]}
	suffix, err := ldap.ParseDN(base)
	return err == nil && (parent.EqualFold(suffix) || parent.AncestorOfFold(suffix))
}

// some names a few of many.
func some(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
