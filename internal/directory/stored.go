package directory

import (
	"regexp"
	"slices"
	"strings"

	"rollcall/internal/credential"
)

// Stored is how an entry keeps one secret, without the secret: entries that
// leave this package never hold one, nor a hash of one.
type Stored struct {
	// Scheme is what stands in braces before the value, in capitals (RFC 2307,
	// 5.3); empty without one.
	Scheme string
	// Void: no password matches the value, and whoever wrote it meant that.
	Void bool
}

// secretAttributes hold secrets or what stands for them: of these a search says
// how many there are and how they are kept, and no more.
var secretAttributes = map[string]bool{
	"userpassword": true, "unicodepwd": true, "authpassword": true, "clearpassword": true,
	"sambantpassword": true, "sambalmpassword": true, "ipanthash": true, "krbprincipalkey": true,
	"radiuspassword": true, "astaccountsecret": true, "astaccountrealmedpassword": true,
	"krb5key": true, "ntpassword": true, "lmpassword": true, "cleartextpassword": true, "cryptpassword": true,
	"sipidentitypassword": true, "h235identitypassword": true,
	"unixuserpassword": true, "mssfu30password": true,
}

func isSecret(attr string) bool { return secretAttributes[strings.ToLower(attr)] }

var scheme = regexp.MustCompile(`^([!*]*)\{([A-Za-z0-9._-]+)\}`)

// storedAs reads how a value is kept.
func storedAs(value string) Stored {
	m := scheme.FindStringSubmatch(value)
	if m == nil {
		return Stored{}
	}
	s := Stored{Scheme: strings.ToUpper(m[2])}
	rest := value[len(m[0]):]
	// "!" or "*" is how passwd -l, LDAP Account Manager and smbldap-tools lock,
	// before the scheme or behind it; crypt(3) gives neither, and "x" alone is
	// no hash.
	s.Void = m[1] != "" || rest == "" || rest == "x" || rest[0] == '!' || rest[0] == '*'
	return s
}

// Clear reports whether the value is kept as it is: whoever reads it has the
// password. {CLEAR} is 389 Directory Server's word for it, {CLEARTEXT}
// OpenLDAP's.
func (s Stored) Clear() bool {
	return !s.Void && (s.Scheme == "" || s.Scheme == "CLEAR" || s.Scheme == "CLEARTEXT")
}

func storedValues(attr string, values []string) []Stored {
	out := make([]Stored, 0, len(values))
	for _, v := range values {
		s := storedAs(v)
		s.Void = s.Void || isSecretOfUnix(attr) && barredInUnix(v)
		out = append(out, s)
	}
	return out
}

// isSecretOfUnix: the attribute holds the password field of a line of
// passwd(5), as Services for UNIX keep it in a domain.
func isSecretOfUnix(attr string) bool {
	return strings.EqualFold(attr, "unixUserPassword") || strings.EqualFold(attr, "msSFU30Password")
}

// barredInUnix reports whether no password matches such a field (shadow(5)).
// The last one is what the tab "UNIX Attributes" of Active Directory Users and
// Computers writes into every account that it opens.
func barredInUnix(field string) bool {
	return strings.HasPrefix(field, "!") || strings.HasPrefix(field, "*") || field == "x" || field == "NP" || field == "ABCD!efgh12345$67890"
}

// elsewhere are schemes whose value names who decides, and is no hash (OpenLDAP
// Admin Guide 14.5; contrib/slapd-modules/passwd).
var elsewhere = map[string]bool{
	"SASL": true, "KERBEROS": true, "KRB5": true, "RADIUS": true, "UNIX": true, "TOTP1": true, "TOTP256": true, "TOTP512": true,
	"TOTP1ANDPW": true, "TOTP256ANDPW": true, "TOTP512ANDPW": true,
	"K5KEY": true, // smbk5pwd: the Kerberos key beside it
}

// Elsewhere reports whether the value names another system that checks the
// password.
func (s Stored) Elsewhere() bool { return elsewhere[s.Scheme] }

// KeptAttributes tell how an entry keeps its password, and whether it keeps the
// same secret once more.
var KeptAttributes = append([]string{"objectClass", "userPassword", "krbPrincipalName", "krb5PrincipalName"}, copyAttributes...)

var copyAttributes = []string{"sambaNTPassword", "sambaLMPassword", "ipaNTHash", "krbPrincipalKey", "authPassword", "clearPassword", "radiusPassword", "AstAccountSecret", "AstAccountRealmedPassword",
	// Heimdal's LDAP backend (hdb.schema); Samba 2, and what FreeRADIUS reads
	// besides (mods-available/ldap); courier-authlib (authldap.schema); H.350.
	"krb5Key", "ntPassword", "lmPassword", "clearTextPassword", "cryptPassword", "SIPIdentityPassword", "h235IdentityPassword"}

// DomainCopyAttributes are where accounts of an Active Directory may keep their
// password a second time. What a domain itself makes of it is changed with it
// and shown to nobody, userPassword too where that means unicodePwd
// (fUserPwdSupport, [MS-ADTS] 3.1.1.3.1.5.2): what is shown is a copy.
var DomainCopyAttributes = append([]string{"userPassword", "unixUserPassword", "msSFU30Password"}, copyAttributes...)

// DomainCopies is Copies of an entry of a domain, read with
// DomainCopyAttributes. The two of Services for UNIX are confidential: who may
// not read them is not told of them.
func DomainCopies(e Entry) (out []string) {
	for _, a := range DomainCopyAttributes {
		if slices.ContainsFunc(e.Stored[a], func(s Stored) bool { return !s.Void }) {
			out = append(out, a)
		}
	}
	return out
}

// copyClasses are object classes of entries that have such an attribute: the
// bind identity may not be shown it.
var copyClasses = []struct{ class, attribute string }{
	{"sambaSamAccount", "sambaNTPassword"}, {"sambaAccount", "ntPassword"}, {"krb5KDCEntry", "krb5Key"},
}

// Copies names what keeps an entry's password once more, for people. The entry
// was read with KeptAttributes; what the identity may not read shows by what
// stands beside it.
func Copies(e Entry) (out []string) {
	for _, a := range copyAttributes {
		if len(e.Stored[a]) > 0 {
			out = append(out, a)
		}
	}
	for _, k := range copyClasses {
		has := slices.ContainsFunc(e.Attrs["objectClass"], func(c string) bool { return strings.EqualFold(c, k.class) })
		if has && len(out) == 0 {
			out = append(out, k.attribute+" (by its object class; bind.dn may not read it)")
		}
	}
	for _, k := range [][2]string{{"krbPrincipalName", "krbPrincipalKey"}, {"krb5PrincipalName", "krb5Key"}} {
		told := slices.ContainsFunc(out, func(a string) bool { return strings.HasPrefix(a, k[1]) })
		if len(e.Attrs[k[0]]) > 0 && !told {
			out = append(out, k[1]+" (it has a Kerberos principal)")
		}
	}
	return out
}

// Hindrances are why a password must not be set although the account is in
// order, worst first: another system checks it, or it was barred, or the entry
// keeps it a second time.
func Hindrances(e Entry) (out []credential.Problem) {
	values := e.Stored["userPassword"]
	switch {
	case slices.ContainsFunc(values, Stored.Elsewhere):
		out = append(out, credential.CheckedElsewhere)
	case len(values) > 0 && !slices.ContainsFunc(values, func(s Stored) bool { return !s.Void }):
		out = append(out, credential.NoPassword)
	}
	if len(Copies(e)) > 0 {
		out = append(out, credential.SecondCopy)
	}
	return out
}
