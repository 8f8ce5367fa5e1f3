package inventory

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/lab"
)

// oddSlapd is a directory whose administrator adds entries of every kind.
func oddSlapd(t *testing.T, accounts ...lab.Account) (*lab.Slapd, *ldap.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	s, err := lab.StartSlapd(ctx, lab.SlapdOptions{Dir: t.TempDir(), CA: ca, Accounts: accounts})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	admin, err := s.AdminConn(ctx)
	require.NoError(t, err)
	t.Cleanup(func() { _ = admin.Close() })
	return s, admin
}

// addLDIF adds entries of simple LDIF: "name: value" lines, a blank line
// between entries.
func addLDIF(t *testing.T, admin *ldap.Conn, text string, controls ...ldap.Control) {
	t.Helper()
	for entry := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		var add *ldap.AddRequest
		attrs := map[string][]string{}
		for line := range strings.SplitSeq(entry, "\n") {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			if name == "dn" {
				add = ldap.NewAddRequest(value, controls)
				continue
			}
			attrs[name] = append(attrs[name], value)
		}
		for name, values := range attrs {
			add.Attribute(name, values)
		}
		require.NoError(t, admin.Add(add), entry)
	}
}

// listLDAP lists one directory called corp from sources.
func listLDAP(t *testing.T, d config.Directory, password string, c *config.Campaign) (*credential.Roll, *counter) {
	t.Helper()
	roll, counted, err := listCorp(t, d, password, c)
	require.NoError(t, err)
	return roll, counted
}

func tryLDAP(t *testing.T, d config.Directory, password string, c *config.Campaign) (*credential.Roll, error) {
	t.Helper()
	roll, _, err := listCorp(t, d, password, c)
	return roll, err
}

func addValue(t *testing.T, admin *ldap.Conn, dn, name, value string) {
	t.Helper()
	m := ldap.NewModifyRequest(dn, nil)
	m.Add(name, []string{value})
	require.NoError(t, admin.Modify(m))
}

func listCorp(t *testing.T, d config.Directory, password string, c *config.Campaign) (*credential.Roll, *counter, error) {
	t.Helper()
	client, err := directory.Open("corp", d, func(context.Context) (credential.Secret, error) { return credential.NewSecret(password), nil })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	c.Directories = map[string]config.Directory{"corp": d}
	counted := &counter{Directory: client}
	roll, _, err := listIn(t.Context(), c, map[string]Directory{"corp": counted}, emptyVault{}, "esg-01-1", time.Now())
	return roll, counted, err
}

func slapdDirectory(s *lab.Slapd) config.Directory {
	return config.Directory{
		Driver: config.OpenLDAP, Servers: []string{s.LDAPS()}, Base: s.BaseDN(), CA: s.CA,
		Bind: config.Bind{DN: s.BinderDN}, Connections: 8, Timeout: patience,
	}
}

func bySource(filter string) config.Source {
	return config.Source{Name: "filter", Type: config.FromLDAP, Directory: "corp", Filter: filter}
}

// details are the findings of one code.
func details(roll *credential.Roll, id string, code credential.FindingCode) string {
	var out []string
	for _, f := range roll.Findings[id] {
		if f.Code == code {
			out = append(out, f.Detail)
		}
	}
	return strings.Join(out, "; ")
}

// What a broad filter meets besides accounts is on the roll, each with its own
// problem.
func TestWhatHasNoPasswordOfItsOwnIsListedWithThatAndNotGivenOne(t *testing.T) {
	t.Parallel()
	s, admin := oddSlapd(t, lab.Account{UID: "svc", Password: "x", Attrs: map[string][]string{"description": {"esg-k1"}}})
	people := "," + s.PeopleDN()
	addLDIF(t, admin, `
dn: ou=esg-zone`+people+`
objectClass: organizationalUnit
ou: esg-zone
description: esg-k1

dn: cn=esg-list`+people+`
objectClass: groupOfNames
cn: esg-list
member: `+s.BinderDN+`
description: esg-k1

dn: cn=esg-box`+people+`
objectClass: device
cn: esg-box
description: esg-k1

dn: cn=esg-box-2`+people+`
objectClass: device
objectClass: simpleSecurityObject
cn: esg-box-2
userPassword: secret
description: esg-k1

dn: uid=certificate`+people+`
objectClass: inetOrgPerson
uid: certificate
cn: x
sn: x
description: esg-k1

dn: uid=barred`+people+`
objectClass: inetOrgPerson
uid: barred
cn: x
sn: x
userPassword: {CRYPT}!$6$abc$def
description: esg-k1

dn: uid=passthru`+people+`
objectClass: inetOrgPerson
uid: passthru
cn: x
sn: x
userPassword: {SASL}someone@realm
description: esg-k1

dn: uid=esgalias`+people+`
objectClass: alias
objectClass: extensibleObject
aliasedObjectName: `+s.AccountDN("svc")+`
uid: esgalias
description: esg-k1

dn: ou=machines`+people+`
objectClass: organizationalUnit
ou: machines

dn: uid=esg-01$,ou=machines`+people+`
objectClass: account
objectClass: simpleSecurityObject
uid: esg-01$
userPassword: secret
description: esg-k1`)
	// An alias bears the name of the account it stands for.
	addLDIF(t, admin, `
dn: uid=svc,ou=machines`+people+`
objectClass: alias
objectClass: extensibleObject
aliasedObjectName: `+s.AccountDN("svc")+`
uid: svc`)

	c := campaign()
	c.Sources = []config.Source{bySource("(description=*esg-k1*)"), manifestSource("account,path", "svc,kv/apps/svc#password", "esgalias,kv/apps/alias#password", "passthru,kv/apps/sasl#password")}
	roll, counted := listLDAP(t, slapdDirectory(s), s.BinderPassword, c)
	got := byName(roll)
	for name, want := range map[string]credential.Problem{
		s.AccountDN("svc"):                 "",
		"cn=esg-box-2" + people:            "",
		"ou=esg-zone" + people:             credential.NotAnAccount,
		"cn=esg-list" + people:             credential.NotAnAccount,
		"cn=esg-box" + people:              credential.NotAnAccount,
		s.AccountDN("certificate"):         credential.NoPassword,
		s.AccountDN("barred"):              credential.NoPassword,
		s.AccountDN("passthru"):            credential.CheckedElsewhere,
		s.AccountDN("esgalias"):            credential.IsAlias,
		"uid=esg-01$,ou=machines" + people: credential.ComputerAccount,
	} {
		require.Contains(t, got, name)
		require.Equal(t, want, got[name].Problem, name)
		if want != "" {
			require.NotEmpty(t, details(roll, got[name].ID, credential.FindingCode(want)), name)
			require.False(t, got[name].Adopted, "%s: no path is made for what is not rotated", name)
		}
	}
	require.Len(t, roll.Credentials, 10)
	require.Contains(t, details(roll, got[s.AccountDN("esgalias")].ID, credential.FindingAlias), s.AccountDN("svc"))
	require.Len(t, got[s.AccountDN("svc")].Paths, 1, "the account and not its alias is meant by the name")
	require.NotContains(t, roll.Findings, got[s.AccountDN("svc")].ID)
	require.LessOrEqual(t, counted.n.Load(), int64(5), "one search of the source, one for all names, one for what showed no password, one for namesakes, one for whether the entry that was found has a password")
}

// A password that the bind identity may not see may be there: nothing is
// guessed.
func TestAHiddenPasswordIsNotTakenForNone(t *testing.T) {
	t.Parallel()
	s, _ := oddSlapd(t, lab.Account{UID: "svc", Password: "x"})
	d := slapdDirectory(s)
	c := campaign()
	c.Sources = []config.Source{manifestSource("account", `"`+s.BinderDN+`"`, `"`+s.WriterDN+`"`)}
	roll, _ := listLDAP(t, d, s.BinderPassword, c)
	require.Empty(t, byName(roll)[s.WriterDN].Problem, "organizationalRole, its userPassword hidden from the binder")
	require.Len(t, roll.Warnings, 2)
	require.Contains(t, roll.Warnings[1].Detail, "may not read userPassword of 1 of its entries (of 1 not even whether there is one)")
}

func TestASecondCopyOfThePasswordKeepsTheAccountOpen(t *testing.T) {
	t.Parallel()
	s, admin := oddSlapd(t)
	addLDIF(t, admin, `
dn: uid=smb,`+s.PeopleDN()+`
objectClass: inetOrgPerson
objectClass: sambaSamAccount
uid: smb
cn: x
sn: x
sambaSID: S-1-5-21-1-2-3-1001
sambaNTPassword: 0CB6948805F797BF2A82807973B89537
userPassword: Old-smb-1`)
	c := campaign()
	c.Sources = []config.Source{manifestSource("account,path", "smb,kv/apps/smb#password")}
	roll, _ := listLDAP(t, slapdDirectory(s), s.BinderPassword, c)
	got := byName(roll)[s.AccountDN("smb")]
	require.Equal(t, credential.SecondCopy, got.Problem)
	require.Contains(t, details(roll, got.ID, credential.FindingSecondCopy), "sambaNTPassword")
	require.NotContains(t, asJSON(t, roll), "0CB694")
}

// SMB is not all that goes by a copy of its own: Samba 2 and the servers that
// still read its attributes do, and Kerberos.
func TestEachSecondCopyOfThePasswordKeepsTheAccountOpen(t *testing.T) {
	t.Parallel()
	s, admin := oddSlapd(t)
	for uid, rest := range map[string]string{
		"nt": "objectClass: sambaAccount\nntPassword: 0CB6948805F797BF2A82807973B89537",
		"lm": "objectClass: sambaAccount\nlmPassword: 0CB6948805F797BF2A82807973B89537",
		// A KDC of Heimdal, of which only the principal is shown.
		"principal": "objectClass: krb5KDCEntry\nkrb5PrincipalName: principal@EXAMPLE.ORG",
		"key":       "objectClass: krb5KDCEntry\nkrb5PrincipalName: key@EXAMPLE.ORG\nkrb5Key: 0CB6948805",
	} {
		addLDIF(t, admin, "dn: uid="+uid+","+s.PeopleDN()+"\nobjectClass: inetOrgPerson\n"+rest+"\nuid: "+uid+"\ncn: x\nsn: x\nuserPassword: Old-1")
	}
	c := campaign()
	c.Sources = []config.Source{manifestSource("account,path", "nt,kv/apps/nt#password", "lm,kv/apps/lm#password", "principal,kv/apps/p#password", "key,kv/apps/k#password")}
	roll, _ := listLDAP(t, slapdDirectory(s), s.BinderPassword, c)
	for uid, attribute := range map[string]string{"nt": "ntPassword", "lm": "lmPassword", "principal": "krb5Key", "key": "krb5Key"} {
		got := byName(roll)[s.AccountDN(uid)]
		require.Equal(t, credential.SecondCopy, got.Problem, uid)
		require.Contains(t, details(roll, got.ID, credential.FindingSecondCopy), attribute)
	}
	require.NotContains(t, asJSON(t, roll), "0CB694")
}

func TestAnEntryNamedAsTheRootdnIsSaidToHavePerhapsASecondPassword(t *testing.T) {
	t.Parallel()
	s, admin := oddSlapd(t, lab.Account{UID: "admin", Password: "x"})
	addLDIF(t, admin, "dn: "+s.AdminDN+"\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: admin\nuserPassword: "+s.AdminPassword)
	c := campaign()
	c.Sources = []config.Source{bySource("(|(cn=admin)(uid=admin))")}
	roll, _ := listLDAP(t, slapdDirectory(s), s.BinderPassword, c)
	got := byName(roll)
	require.Contains(t, details(roll, got[s.AdminDN].ID, credential.FindingRootDN), "olcRootPW")
	require.Empty(t, got[s.AdminDN].Problem)
	require.Empty(t, details(roll, got[s.AccountDN("admin")].ID, credential.FindingRootDN))
}

// A part of the tree on another server is said, and what may lie there is not
// called deleted.
func TestAPartOfTheTreeOnAnotherServerIsSaid(t *testing.T) {
	t.Parallel()
	s, admin := oddSlapd(t, lab.Account{UID: "svc", Password: "x", Attrs: map[string][]string{"description": {"esg-ref"}}})
	addLDIF(t, admin, `
dn: ou=child,`+s.PeopleDN()+`
objectClass: referral
objectClass: extensibleObject
ou: child
ref: ldap://ldap.child.example.org/ou=people,dc=example,dc=org`, ldap.NewControlManageDsaIT(true))
	c := campaign()
	below := "uid=other,ou=child," + s.PeopleDN()
	c.Sources = []config.Source{bySource("(description=*esg-ref*)"),
		manifestSource("account,path", "other,kv/ref#password", `"`+below+`",kv/ref2#password`, `"uid=gone,`+s.PeopleDN()+`",kv/gone#password`)}
	roll, _ := listLDAP(t, slapdDirectory(s), s.BinderPassword, c)
	require.Len(t, roll.Warnings, 1)
	require.Equal(t, credential.FindingNotSearched, roll.Warnings[0].Code)
	require.Contains(t, roll.Warnings[0].Detail, "ou=child,"+s.PeopleDN())
	require.Contains(t, roll.Warnings[0].Detail, "ldap.child.example.org")
	got := byName(roll)
	require.Empty(t, got[s.AccountDN("svc")].Problem)
	require.Equal(t, credential.BehindReferral, got["other"].Problem)
	require.Equal(t, credential.BehindReferral, got[below].Problem)
	require.Equal(t, credential.NoAccount, got["uid=gone,"+s.PeopleDN()].Problem, "its DN lies on this side")
	require.NotContains(t, details(roll, got["other"].ID, credential.FindingBehindReferral), "deleted")
	require.Equal(t, 1, roll.Incomplete())

	c.Accept = []config.Accept{{Directory: "corp", Reason: "no account of the device is there"}}
	roll, _ = listLDAP(t, slapdDirectory(s), s.BinderPassword, c)
	require.Zero(t, roll.Incomplete())
	require.Contains(t, roll.Warnings[0].Detail, "which the campaign file accepts: no account of the device is there")
}
