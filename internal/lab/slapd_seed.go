package lab

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Account is a person or a service to seed below ou=people, as inetOrgPerson.
type Account struct {
	UID      string
	Password string
	// ChangedAt is the age of the password; zero means a day ago, so that a
	// minimum age does not stand in the way of the first reset.
	ChangedAt time.Time
	// Attrs are further attributes (description, pwdAccountLockedTime, …).
	Attrs map[string][]string
}

// SlapdPolicy is the default password policy (slapo-ppolicy(5)). The zero value
// asks for nothing.
type SlapdPolicy struct {
	History    int           // pwdInHistory
	MinAge     time.Duration // pwdMinAge
	MinLength  int           // pwdMinLength, checked for clear text only
	SafeModify bool          // pwdSafeModify: the old password must be sent along
	MustChange bool          // pwdMustChange: an administrator's reset sets pwdReset
	// MaxFailure locks an account after so many refused binds; 0 never does.
	MaxFailure      int
	LockoutDuration time.Duration // pwdLockoutDuration; 0 until an administrator unlocks
	// TellLocked lets the server say that an account is locked
	// (ppolicy_use_lockout). OpenLDAP's default is a plain 49.
	TellLocked bool
}

func (p SlapdPolicy) ldif() string {
	var b strings.Builder
	fmt.Fprintf(&b, "dn: cn=default,ou=policies,%s\n", slapdBase)
	b.WriteString("objectClass: device\nobjectClass: pwdPolicy\ncn: default\npwdAttribute: userPassword\npwdAllowUserChange: TRUE\n")
	fmt.Fprintf(&b, "pwdInHistory: %d\npwdMinAge: %d\n", p.History, int(p.MinAge.Seconds()))
	if p.MinLength > 0 {
		fmt.Fprintf(&b, "pwdCheckQuality: 1\npwdMinLength: %d\n", p.MinLength)
	}
	fmt.Fprintf(&b, "pwdSafeModify: %s\npwdMustChange: %s\n", ldapBool(p.SafeModify), ldapBool(p.MustChange))
	if p.MaxFailure > 0 {
		fmt.Fprintf(&b, "pwdLockout: TRUE\npwdMaxFailure: %d\npwdLockoutDuration: %d\npwdFailureCountInterval: 0\n",
			p.MaxFailure, int(p.LockoutDuration.Seconds()))
	}
	b.WriteString("\n")
	return b.String()
}

// tree is the whole directory as LDIF.
func (s *Slapd) tree() string {
	var b strings.Builder
	fmt.Fprintf(&b, "dn: %s\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n\n", slapdBase)
	for _, ou := range []string{"people", "sealed", "services", "policies"} {
		fmt.Fprintf(&b, "dn: ou=%s,%s\nobjectClass: organizationalUnit\nou: %s\n\n", ou, slapdBase, ou)
	}
	b.WriteString(s.opts.Policy.ldif())
	// The identities of services follow a policy of their own that never
	// locks: a test of wrong passwords must not end the whole lab.
	fmt.Fprintf(&b, "dn: cn=services,ou=policies,%s\nobjectClass: device\nobjectClass: pwdPolicy\ncn: services\npwdAttribute: userPassword\n\n", slapdBase)
	for _, id := range []struct{ dn, password string }{
		{s.BinderDN, s.BinderPassword},
		{s.PartnerDN, s.PartnerPassword},
		{s.WriterDN, s.WriterPassword},
		{"cn=replicator,ou=services," + slapdBase, s.replicator},
	} {
		cn, _, _ := strings.Cut(strings.TrimPrefix(id.dn, "cn="), ",")
		fmt.Fprintf(&b, "dn: %s\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: %s\nuserPassword: %s\npwdPolicySubentry: cn=services,ou=policies,%s\n\n",
			id.dn, cn, hashed(id.password), slapdBase)
	}
	for _, a := range s.opts.Accounts {
		b.WriteString(a.ldif())
	}
	return b.String()
}

func (a Account) ldif() string {
	changed := a.ChangedAt
	if changed.IsZero() {
		changed = time.Now().Add(-24 * time.Hour)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "dn: uid=%s,%s\nobjectClass: inetOrgPerson\nuid: %s\ncn: %s\nsn: %s\nuserPassword: %s\npwdChangedTime: %s\n",
		a.UID, slapdPeople, a.UID, a.UID, a.UID, hashed(a.Password), changed.UTC().Format("20060102150405Z"))
	for _, name := range slices.Sorted(maps.Keys(a.Attrs)) {
		for _, v := range a.Attrs[name] {
			// RFC 2849: base64 is always allowed, so no value needs a closer
			// look.
			fmt.Fprintf(&b, "%s:: %s\n", name, base64.StdEncoding.EncodeToString([]byte(v)))
		}
	}
	b.WriteString("\n")
	return b.String()
}

// SeedAccounts makes n accounts uid prefix0001, prefix0002, … with random
// passwords, which please Active Directory's complexity rule too.
func SeedAccounts(prefix string, n int) []Account {
	accounts := make([]Account, n)
	for i := range accounts {
		accounts[i] = Account{UID: fmt.Sprintf("%s%04d", prefix, i+1), Password: complexPassword()}
	}
	return accounts
}

// hashed is the {SSHA} form (salted SHA-1) that slapd's exop also writes.
func hashed(password string) string {
	salt := make([]byte, 8)
	_, _ = rand.Read(salt) // crypto/rand.Read never fails since Go 1.24
	h := sha1.New()
	h.Write([]byte(password))
	h.Write(salt)
	return "{SSHA}" + base64.StdEncoding.EncodeToString(append(h.Sum(nil), salt...))
}

func ldapBool(b bool) string {
	if b {
		return "TRUE"
	}
	return "FALSE"
}

// SeededPassword is the password with which an account was seeded; empty if it
// was not.
func (s *Slapd) SeededPassword(uid string) string { return seededPassword(s.opts.Accounts, uid) }

func seededPassword(accounts []Account, uid string) string {
	for _, a := range accounts {
		if a.UID == uid {
			return a.Password
		}
	}
	return ""
}
