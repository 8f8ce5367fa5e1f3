package directory

import (
	"fmt"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// passwordModifyOID is the password modify extended operation (RFC 3062).
const passwordModifyOID = "1.3.6.1.4.1.4203.1.11.1"

func (openLDAP) reset(l *ldap.Conn, set, dn string, new, old credential.Secret) error {
	if set == "replace" {
		return replace(l, dn, new, old)
	}
	return exop(l, dn, new, old)
}

func (openLDAP) mayStoreAsSent(set string) bool { return set == "replace" }

// exop lets the server hash the value by its own rule. go-ldap's own
// PasswordModify cannot carry the policy control.
func exop(l *ldap.Conn, dn string, new, old credential.Secret) error {
	field := func(tag ber.Tag, value string) *ber.Packet {
		return ber.NewString(ber.ClassContext, ber.TypePrimitive, tag, value, "")
	}
	value := ber.NewSequence("PasswdModifyRequestValue")
	value.AppendChild(field(0, dn))
	if !old.IsZero() {
		value.AppendChild(field(1, old.Reveal()))
	}
	value.AppendChild(field(2, new.Reveal()))
	req := ldap.NewExtendedRequest(passwordModifyOID, value)
	req.Controls = policyControls()
	_, err := l.Extended(req)
	return err
}

// replace writes userPassword. The server must hash it itself (OpenLDAP:
// ppolicy_hash_cleartext), or it is stored readable.
func replace(l *ldap.Conn, dn string, new, old credential.Secret) error {
	req := ldap.NewModifyRequest(dn, policyControls())
	if old.IsZero() {
		req.Replace("userPassword", []string{new.Reveal()})
	} else {
		req.Delete("userPassword", []string{old.Reveal()})
		req.Add("userPassword", []string{new.Reveal()})
	}
	return l.Modify(req)
}

func (openLDAP) refusal(s *server, err error, oldSent bool) error {
	if stop := s.takesNone(err); stop != nil {
		return stop
	}
	stop := func(r protocol.Reason, detail string) error {
		return &protocol.Stop{Reason: r, Server: s.name, Detail: detail}
	}
	const manage = "grant bind.dn manage on userPassword (OpenLDAP), which frees it from the policy"
	switch policyErrorOf(err) {
	case ldap.BeheraPasswordTooYoung:
		return stop(protocol.ReasonPolicy, "the policy forbids another change so soon (pwdMinAge); wait for it, or "+manage)
	case ldap.BeheraPasswordInHistory:
		return stop(protocol.ReasonPolicy, "the policy says the new value was in use before (pwdInHistory), or is in force already; another value will be made, or "+manage)
	case ldap.BeheraPasswordTooShort:
		return stop(protocol.ReasonPolicy, "the policy wants a longer value (pwdMinLength); raise password.length of this directory in the campaign file")
	case ldap.BeheraInsufficientPasswordQuality:
		return stop(protocol.ReasonPolicy, "the policy's quality check refuses the new value (pwdCheckQuality); adapt password in the campaign file, or "+manage)
	case ldap.BeheraMustSupplyOldPassword:
		if oldSent {
			return stop(protocol.ReasonPolicy, "the policy demands the old password (pwdSafeModify), and the server does not take the one that Vault held; "+manage)
		}
		return stop(protocol.ReasonPolicy, "the policy demands the old password (pwdSafeModify), and it is unknown; "+manage)
	case ldap.BeheraPasswordModNotAllowed:
		return stop(protocol.ReasonRights, "the policy forbids changing this password (pwdAllowUserChange); "+manage)
	case ldap.BeheraChangeAfterReset:
		return stop(protocol.ReasonRights, "bind.dn may do nothing until its own password is changed (pwdReset)")
	}
	switch code := resultCode(err); code {
	case ldap.LDAPResultInsufficientAccessRights:
		return stop(protocol.ReasonRights, "bind.dn may not write userPassword of this account; "+manage)
	case ldap.LDAPResultConfidentialityRequired, ldap.LDAPResultStrongAuthRequired:
		return stop(protocol.ReasonRights, "the server takes passwords only over a stronger connection; use ldaps:// or starttls: true")
	case ldap.LDAPResultNoSuchObject:
		return stop(protocol.ReasonGone, "the account is not there, or bind.dn may not see it")
	case ldap.LDAPResultUnwillingToPerform:
		if oldSent {
			return stop(protocol.ReasonPolicy, "the policy demands the old password (pwdSafeModify), and the server does not take the one that Vault held; "+manage)
		}
		return stop(protocol.ReasonRights, "the server is unwilling: it forbids the operation, or is a replica of a sort that is not known here; try set: replace, or name the provider as the first of servers")
	case ldap.LDAPResultConstraintViolation:
		return stop(protocol.ReasonPolicy, "the server refuses the new value (constraint violation); adapt password in the campaign file, or "+manage)
	case ldap.LDAPResultNoSuchAttribute:
		if !oldSent {
			// Not about the password: slapd's ppolicy overlay deletes the
			// failure times of the entry with the reset, and a login has just
			// cleared them.
			break
		}
		return stop(protocol.ReasonPolicy, "the policy demands the old password, and the server does not take the one that Vault held; "+manage)
	case ldap.LDAPResultUndefinedAttributeType, ldap.LDAPResultInvalidAttributeSyntax, ldap.LDAPResultObjectClassViolation,
		ldap.LDAPResultInvalidDNSyntax, ldap.LDAPResultInappropriateMatching:
		return stop(protocol.ReasonRights, fmt.Sprintf("the account's entry cannot hold a userPassword (%s)", describe(err)))
	}
	return fmt.Errorf("reset a password at %s: whether it was applied is unknown (%s)", s.name, describe(err))
}
