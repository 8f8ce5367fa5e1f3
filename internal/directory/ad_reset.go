package directory

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf16"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// reset replaces unicodePwd, which is an administrative reset: it needs the
// right Reset Password and neither the old value nor its minimum age, and the
// history does not bind it ([MS-ADTS] 3.1.1.3.1.5.1). The control that would
// make the history bind (LDAP_SERVER_POLICY_HINTS_OID) is not sent: the same
// value must be settable twice.
func (activeDirectory) reset(l *ldap.Conn, _, dn string, new, _ credential.Secret) error {
	req := ldap.NewModifyRequest(dn, nil)
	req.Replace("unicodePwd", []string{unicodePwd(new)})
	return l.Modify(req)
}

// unicodePwd is the value in quotes as UTF-16LE.
func unicodePwd(s credential.Secret) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(`"` + s.Reveal() + `"`)) {
		out = binary.LittleEndian.AppendUint16(out, unit)
	}
	return string(out)
}

// Whether a value is the password in force, as far as a domain tells.
const (
	NotInForce = iota
	InForce
	// SetAnew: it is, and was set once more by the question.
	SetAnew
)

// InForce asks the write server of a domain whether value is the password in
// force, and not the one before, which a bind accepts for an hour as well. It
// asks to change it to itself: that is refused by the policy (history, minimum
// age) where it is in force, and as a wrong password (ERROR_INVALID_PASSWORD)
// where it is not, which counts as one (Samba 4.17 tried). A domain without
// either does what it was asked, which raises the password's version by one.
// NotInForce where the answer is another.
func (c *Client) InForce(ctx context.Context, dn string, value credential.Secret) (int, error) {
	s := c.servers[0]
	err := s.admin(ctx, dn, (*pool).use, func(cn *conn) error {
		return cn.do(ctx, "ask which password is in force", func(l *ldap.Conn) error {
			req := ldap.NewModifyRequest(dn, nil)
			req.Delete("unicodePwd", []string{unicodePwd(value)})
			req.Add("unicodePwd", []string{unicodePwd(value)})
			return l.Modify(req)
		})
	})
	switch {
	case err == nil:
		return SetAnew, nil
	case !answered(err):
		return NotInForce, err
	case win32(err) == passwordRestriction:
		return InForce, nil
	}
	return NotInForce, nil
}

// passwordRestriction is ERROR_PASSWORD_RESTRICTION ([MS-ERREF] 2.2), with
// which a domain controller begins its message when the domain's policy refuses
// a value.
const passwordRestriction = "0000052D"

var win32Error = regexp.MustCompile(`^([0-9A-Fa-f]{8}):`)

// win32 is the Win32 error with which the server's message begins, or empty.
func win32(err error) string {
	var le *ldap.Error
	if !errors.As(err, &le) || le.Err == nil {
		return ""
	}
	if m := win32Error.FindStringSubmatch(strings.TrimSpace(le.Err.Error())); m != nil {
		return strings.ToUpper(m[1])
	}
	return ""
}

// grantReset is how an administrator delegates what the worker needs.
const grantReset = `grant it on the organizational unit: dsacls "OU=…" /I:S /G "DOMAIN\account:CA;Reset Password;user"`

func (activeDirectory) refusal(s *server, err error, _ bool) error {
	if stop := s.takesNone(err); stop != nil {
		return stop
	}
	stop := func(r protocol.Reason, detail string) error {
		return &protocol.Stop{Reason: r, Server: s.name, Detail: detail}
	}
	if win32(err) == passwordRestriction {
		return stop(protocol.ReasonPolicy, "the domain's password policy refuses the new value (minPwdLength, complexity, or a fine-grained policy of the account); raise password.length of this directory in the campaign file, or allow symbols")
	}
	switch code := resultCode(err); code {
	case ldap.LDAPResultInsufficientAccessRights:
		return stop(protocol.ReasonRights, "bind.dn lacks the right Reset Password on this account; "+grantReset+
			"; an account of a protected group (adminCount 1) takes its rights from CN=AdminSDHolder instead, so grant it there, or have a domain administrator reset this one")
	case ldap.LDAPResultConfidentialityRequired, ldap.LDAPResultStrongAuthRequired:
		return stop(protocol.ReasonRights, "the domain controller takes passwords only over TLS; use ldaps:// or starttls: true")
	case ldap.LDAPResultNoSuchObject:
		return stop(protocol.ReasonGone, "the account is not there, or bind.dn may not see it")
	case ldap.LDAPResultUnwillingToPerform:
		return stop(protocol.ReasonRights, "the domain controller is unwilling: it forbids resets of this account (a managed service account, for example), is read-only, or wants TLS of at least 128 bits")
	case ldap.LDAPResultConstraintViolation:
		return stop(protocol.ReasonPolicy, "the domain controller refuses the new value (constraint violation); adapt password of this directory in the campaign file")
	case ldap.LDAPResultUndefinedAttributeType, ldap.LDAPResultObjectClassViolation, ldap.LDAPResultNoSuchAttribute, ldap.LDAPResultInvalidDNSyntax:
		return stop(protocol.ReasonRights, fmt.Sprintf("the account's entry cannot hold a password (%s)", describe(err)))
	}
	return fmt.Errorf("reset a password at %s: whether it was applied is unknown (%s)", s.name, describe(err))
}

func (activeDirectory) mayStoreAsSent(string) bool { return false }
