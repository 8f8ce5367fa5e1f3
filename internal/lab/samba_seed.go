package lab

import (
	"context"
	"crypto/rand"
	bin "encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf16"

	"github.com/go-ldap/ldap/v3"
)

// SambaPolicy is the domain's password policy. The zero value is Active
// Directory's default, with a lock-out after three refused logins: complex
// passwords of at least 7 characters, 24 remembered, one day old before the
// owner may change them.
type SambaPolicy struct {
	// LockoutThreshold locks an account after so many refused logins; 0 means
	// 3.
	LockoutThreshold int
	MinLength        int // minPwdLength; 0 means 7
}

// complexPassword has the three classes of characters that Active Directory's
// complexity rule wants, and what PostgreSQL's passwordcheck does.
func complexPassword() string { return rand.Text() + "-a1" }

// seed makes the policy, the identities with their rights, and the accounts.
func (s *Samba) seed(ctx context.Context) error {
	conn, err := s.AdminConn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.Modify(s.policy()); err != nil {
		return fmt.Errorf("lab: set the domain's password policy: %w", err)
	}
	for _, dn := range []string{sambaServices, sambaPeople} {
		ou := ldap.NewAddRequest(dn, nil)
		ou.Attribute("objectClass", []string{"organizationalUnit"})
		if err := conn.Add(ou); err != nil {
			return fmt.Errorf("lab: add %s: %w", dn, err)
		}
	}
	for _, a := range []struct{ dn, name, password string }{
		{s.BinderDN, "rollcall", s.BinderPassword}, {s.ReaderDN, "reader", s.ReaderPassword},
	} {
		if err := conn.Add(sambaUser(a.dn, Account{UID: a.name, Password: a.password}, neverExpires)); err != nil {
			return fmt.Errorf("lab: add %s: %w", a.dn, err)
		}
	}
	if err := s.delegate(ctx, s.BinderDN); err != nil {
		return err
	}
	if s.opts.Pair {
		if err := s.seedPartner(ctx, conn); err != nil {
			return err
		}
	}
	for _, a := range s.opts.Accounts {
		if err := conn.Add(sambaUser(s.AccountDN(a.UID), a, neverExpires)); err != nil {
			return fmt.Errorf("lab: add %s: %w", a.UID, err)
		}
	}
	for _, a := range s.opts.People {
		if err := conn.Add(sambaUser(s.PersonDN(a.UID), a, normalAccount)); err != nil {
			return fmt.Errorf("lab: add %s: %w", a.UID, err)
		}
	}
	return nil
}

// delegate gives an identity what dsacls OU /I:S /G "EXAMPLE\rollcall:CA;Reset
// Password;user" "EXAMPLE\rollcall:RPCA;unixUserPassword;user" grants, and with
// people "EXAMPLE\rollcall:WP;pwdLastSet;user" besides.
func (s *Samba) delegate(ctx context.Context, identity string) error {
	const reset = "(OA;CIIO;CR;" + resetPassword + ";" + userClass + ";%[1]s)(OA;CIIO;RPCR;" + unixUserPassword + ";" + userClass + ";%[1]s)"
	if err := s.AddACE(ctx, sambaServices, identity, reset); err != nil {
		return err
	}
	return s.AddACE(ctx, sambaPeople, identity, reset+"(OA;CIIO;WP;"+pwdLastSet+";"+userClass+";%[1]s)")
}

// seedPartner makes the second identity of the pair.
func (s *Samba) seedPartner(ctx context.Context, conn *ldap.Conn) error {
	if err := conn.Add(sambaUser(s.PartnerDN, Account{UID: "rollcall-b", Password: s.PartnerPassword}, neverExpires)); err != nil {
		return fmt.Errorf("lab: add %s: %w", s.PartnerDN, err)
	}
	if err := s.delegate(ctx, s.PartnerDN); err != nil {
		return err
	}
	// What dsacls ACCOUNT /G "EXAMPLE\other:CA;Reset Password" grants.
	for account, other := range map[string]string{s.BinderDN: s.PartnerDN, s.PartnerDN: s.BinderDN} {
		if err := s.AddACE(ctx, account, other, "(OA;;CR;"+resetPassword+";;%s)"); err != nil {
			return err
		}
	}
	return nil
}

func (s *Samba) policy() *ldap.ModifyRequest {
	p := s.opts.Policy
	if p.LockoutThreshold == 0 {
		p.LockoutThreshold = 3
	}
	if p.MinLength == 0 {
		p.MinLength = 7
	}
	req := ldap.NewModifyRequest(sambaBase, nil)
	req.Replace("lockoutThreshold", []string{strconv.Itoa(p.LockoutThreshold)})
	req.Replace("lockoutDuration", []string{interval(30 * time.Minute)})
	req.Replace("lockOutObservationWindow", []string{interval(30 * time.Minute)})
	req.Replace("minPwdLength", []string{strconv.Itoa(p.MinLength)})
	return req
}

// interval is a time span as the directory keeps it: negative, in units of 100
// ns ([MS-ADTS] 2.2.10, lockoutDuration in [MS-ADA1] 2.367).
func interval(d time.Duration) string { return strconv.FormatInt(-d.Nanoseconds()/100, 10) }

// Values of userAccountControl ([MS-ADTS] 2.2.16).
const (
	normalAccount = "512"
	neverExpires  = "66048" // NORMAL_ACCOUNT | DONT_EXPIRE_PASSWORD
)

// sambaUser adds an account in order.
func sambaUser(dn string, a Account, control string) *ldap.AddRequest {
	req := ldap.NewAddRequest(dn, nil)
	req.Attribute("objectClass", []string{"user"})
	req.Attribute("sAMAccountName", []string{a.UID})
	req.Attribute("userPrincipalName", []string{a.UID + "@ad.example.org"})
	req.Attribute("userAccountControl", []string{control})
	req.Attribute("unicodePwd", []string{unicodePassword(a.Password)})
	for _, name := range slices.Sorted(maps.Keys(a.Attrs)) {
		req.Attribute(name, a.Attrs[name])
	}
	return req
}

// unicodePassword is the form of unicodePwd: in quotes, UTF-16LE ([MS-ADTS]
// 3.1.1.3.1.5.1).
func unicodePassword(password string) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(`"` + password + `"`)) {
		out = bin.LittleEndian.AppendUint16(out, unit)
	}
	return string(out)
}

// resetPassword is the control access right User-Force-Change-Password,
// unixUserPassword and pwdLastSet are attributes, and userClass the class of
// accounts they are given for ([MS-ADTS] 5.1.3.2.1, [MS-ADA3], [MS-ADSC]
// 2.263).
const (
	resetPassword    = "00299570-246d-11d0-a768-00aa006e0529"
	unixUserPassword = "612cb747-c0e8-4f92-9221-fdd5f15b550d"
	pwdLastSet       = "bf967a0a-0de6-11d0-a285-00aa003049e2"
	userClass        = "bf967aba-0de6-11d0-a285-00aa003049e2"
)

// AddACE adds an access control entry in SDDL ([MS-DTYP] 2.5.1), in which %s is
// the identity's SID, to an object and, if it says so, to what is below.
func (s *Samba) AddACE(ctx context.Context, object, identity, ace string) error {
	conn, err := s.AdminConn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	res, err := conn.Search(ldap.NewSearchRequest(identity, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false,
		"(objectClass=*)", []string{"objectSid"}, nil))
	if err != nil || len(res.Entries) != 1 {
		return fmt.Errorf("lab: read the SID of %s: %w", identity, err)
	}
	out, err := s.machine.run(ctx, sambaTool, "dsacl", "set", "-s", sambaConfig, "-H", mountPoint+"/private/sam.ldb",
		"--action=allow", "--objectdn="+object, "--sddl="+fmt.Sprintf(ace, sidText(res.Entries[0].GetRawAttributeValue("objectSid"))))
	if err != nil {
		return fmt.Errorf("lab: samba-tool dsacl set: %w\n%s", err, out)
	}
	return nil
}

// sidText is the string form of a SID ([MS-DTYP] 2.4.2.1, 2.4.2.2).
func sidText(sid []byte) string {
	text := fmt.Sprintf("S-%d-%d", sid[0], sid[7]) // the authority's upper bytes are zero in a domain
	for rest := sid[8:]; len(rest) >= 4; rest = rest[4:] {
		text += "-" + strconv.FormatUint(uint64(bin.LittleEndian.Uint32(rest)), 10)
	}
	return text
}

// SeededPassword is the password with which an account was seeded; empty if it
// was not.
func (s *Samba) SeededPassword(uid string) string {
	return seededPassword(slices.Concat(s.opts.Accounts, s.opts.People), uid)
}

// ResetOnce gives an account another password by a single reset, as most tools
// do it, and returns it. The one before logs in for OldPasswordAllowedPeriod
// more: 60 minutes, unless the domain says otherwise.
func (s *Samba) ResetOnce(ctx context.Context, uid string) (password string, err error) {
	conn, err := s.AdminConn(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	password = complexPassword()
	req := ldap.NewModifyRequest(s.AccountDN(uid), nil)
	req.Replace("unicodePwd", []string{unicodePassword(password)})
	if err := conn.Modify(req); err != nil {
		return "", fmt.Errorf("lab: reset the password of %s: %w", uid, err)
	}
	return password, nil
}
