package directory

import (
	"fmt"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// reset: a replace takes out every value that the entry had, and so does the
// extended operation (tried). The server hashes either. It never asks for the
// old value.
func (ds389) reset(l *ldap.Conn, set, dn string, new, _ credential.Secret) error {
	if set == "replace" {
		return replace(l, dn, new, credential.Secret{})
	}
	return exop(l, dn, new, credential.Secret{})
}

// refusal: the extended operation says "Failed to update password" for whatever
// the policy refuses, and only the control tells what it was; none comes with a
// value that is in force or, by replace, in the history.
func (ds389) refusal(s *server, err error, _ bool) error {
	if stop := s.takesNone(err); stop != nil {
		return stop
	}
	stop := func(r protocol.Reason, detail string) error {
		return &protocol.Stop{Reason: r, Server: s.name, Detail: detail}
	}
	const administrator = "make bind.dn a password administrator (passwordAdminDN) with set: replace, which frees it from the policy"
	code := resultCode(err)
	if code == ldap.LDAPResultConstraintViolation {
		switch policyErrorOf(err) {
		case ldap.BeheraPasswordTooYoung:
			return stop(protocol.ReasonPolicy, "the policy forbids another change so soon (passwordMinAge); wait for it, or "+administrator)
		case ldap.BeheraPasswordTooShort:
			return stop(protocol.ReasonPolicy, "the policy wants a longer value (passwordMinLength); raise password.length of this directory in the campaign file")
		case ldap.BeheraInsufficientPasswordQuality:
			return stop(protocol.ReasonPolicy, "the policy's syntax check refuses the new value (passwordCheckSyntax, passwordMinLength); adapt password in the campaign file, or "+administrator)
		case ldap.BeheraPasswordModNotAllowed:
			return stop(protocol.ReasonRights, "the policy forbids changing this password (passwordChange); "+administrator)
		}
		return stop(protocol.ReasonPolicy, "the policy refuses the new value: it was in use before (passwordHistory), or is in force already; another value will be made, or "+administrator)
	}
	switch code {
	case ldap.LDAPResultInsufficientAccessRights:
		return stop(protocol.ReasonRights, `bind.dn may not write userPassword of this account; grant it on the branch: aci: (targetattr="userPassword")(version 3.0; acl "Rollcall"; allow (write) userdn="ldap:///<bind.dn>";)`)
	case ldap.LDAPResultConfidentialityRequired, ldap.LDAPResultStrongAuthRequired:
		return stop(protocol.ReasonRights, "the server takes passwords only over a stronger connection; use ldaps:// or starttls: true")
	case ldap.LDAPResultNoSuchObject:
		return stop(protocol.ReasonGone, "the account is not there, or bind.dn may not see it")
	case ldap.LDAPResultUnwillingToPerform:
		return stop(protocol.ReasonRights, "the server is unwilling: bind.dn may do nothing until its own password is changed, or the server forbids the operation")
	case ldap.LDAPResultUndefinedAttributeType, ldap.LDAPResultInvalidAttributeSyntax, ldap.LDAPResultObjectClassViolation, ldap.LDAPResultInvalidDNSyntax:
		return stop(protocol.ReasonRights, fmt.Sprintf("the account's entry cannot hold a userPassword (%s)", describe(err)))
	}
	return fmt.Errorf("reset a password at %s: whether it was applied is unknown (%s)", s.name, describe(err))
}

// A server that has passwordStorageScheme CLEAR does so however it is set.
func (ds389) mayStoreAsSent(string) bool { return false }
