package directory

import (
	"context"
	"regexp"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/protocol"
)

// ds389 is 389 Directory Server (Red Hat Directory Server, FreeIPA's
// directory). Where a comment says "tried", it was on version 2.3.1.
type ds389 struct{}

// idAttribute: nsUniqueId is what replication knows an entry by, so every entry
// has one and it survives renames. entryUUID is younger and comes from a
// plug-in: entries from before it and those imported offline have none until an
// administrator runs its fix-up task (tried).
func (ds389) idAttribute() string { return "nsUniqueId" }

func (ds389) identity(e *ldap.Entry) string {
	return strings.ToLower(e.GetEqualFoldAttributeValue("nsUniqueId"))
}

func (ds389) idFilter(id string) string { return "(nsUniqueId=" + id + ")" }

// nsUniqueIDForm is four groups of eight digits, and so no UUID (RFC 9562).
var nsUniqueIDForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{8}){3}$`)

func (ds389) idForm() *regexp.Regexp { return nsUniqueIDForm }

// stateAttributes are operational. nsAccountLock may come from a role
// (nsManagedDisabledRole) by way of a class of service, and is shown then as
// well.
func (ds389) stateAttributes() []string {
	return []string{"modifyTimestamp", "modifiersName", "pwdUpdateTime", "nsAccountLock", "accountUnlockTime", "passwordRetryCount", "retryCountResetTime", "pwdReset", "pwdPolicySubentry"}
}

func (ds389) markAttributes() []string { return []string{"pwdUpdateTime", "modifyTimestamp"} }

func (ds389) keptAttributes() []string { return KeptAttributes }

func (ds389) bindControls() []ldap.Control   { return policyControls() }
func (ds389) searchControls() []ldap.Control { return nil }

// refusedLogin: a wrong password is 49 and so is a right one that has expired,
// which the policy control tells; it is told to nobody who does not know the
// password. 19 is an account locked by failures (the refusal that locks it is a
// plain 49, unless passwordLegacyPolicy is off) or by disuse. 53 with the
// control's accountLocked is one that is inactivated (nsAccountLock). All of it
// tried. A consumer that is being initialised refers to its supplier.
func (ds389) refusedLogin(s *server, err error) (protocol.Reply, error) {
	policy := policyErrorOf(err)
	switch code := resultCode(err); {
	case code == ldap.LDAPResultInvalidCredentials && policy == ldap.BeheraPasswordExpired:
		return protocol.PasswordExpired, nil
	case code == ldap.LDAPResultInvalidCredentials && policy == noPolicyError:
		return protocol.Refused, nil
	case code == ldap.LDAPResultConstraintViolation:
		return protocol.Locked, nil
	case code == ldap.LDAPResultUnwillingToPerform && policy == ldap.BeheraAccountLocked:
		return protocol.Disabled, nil
	case code == ldap.LDAPResultReferral:
		return protocol.Unreachable, nil
	}
	return "", s.unknownRefusal(err)
}

// withoutSelf: pwdReset and "Who am I?" tell it here too, and ns-slapd refuses
// the latter while the password must be changed.
func (ds389) withoutSelf(ctx context.Context, c *conn, dn, id string) (protocol.Reply, Entry, error) {
	return openLDAP{}.withoutSelf(ctx, c, dn, id)
}
