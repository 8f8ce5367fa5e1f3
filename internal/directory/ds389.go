package directory

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/protocol"
)

// ds389 is 389 Directory Server (Red Hat Directory Server, FreeIPA's directory). Where
// a comment says "tried", it was on version 2.3.1.
type ds389 struct{}

// idAttribute: nsUniqueId is what replication knows an entry by, so every entry has one and
// it survives renames. entryUUID is younger and comes from a plug-in: entries from before
// it and those imported offline have none until an administrator runs its fix-up task (tried).
func (ds389) idAttribute() string { return "nsUniqueId" }

func (ds389) identity(e *ldap.Entry) string {
	return strings.ToLower(e.GetEqualFoldAttributeValue("nsUniqueId"))
}

func (ds389) idFilter(id string) string { return "(nsUniqueId=" + id + ")" }

// nsUniqueIDForm is four groups of eight digits, and so no UUID (RFC 9562).
var nsUniqueIDForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{8}){3}$`)

func (ds389) idForm() *regexp.Regexp { return nsUniqueIDForm }

// stateAttributes are operational. nsAccountLock may come from a role (nsManagedDisabledRole)
// by way of a class of service, and is shown then as well.
func (ds389) stateAttributes() []string {
	return []string{"modifyTimestamp", "pwdUpdateTime", "nsAccountLock", "accountUnlockTime", "passwordRetryCount", "pwdReset", "pwdPolicySubentry"}
}

func (ds389) bindControls() []ldap.Control   { return policyControls() }
func (ds389) searchControls() []ldap.Control { return nil }

// refusedLogin: a wrong password is 49 and so is a right one that has expired, which the
// policy control tells; it is told to nobody who does not know the password. 19 is an account
// locked by failures (the refusal that locks it is a plain 49, unless
// passwordLegacyPolicy is off) or by disuse. 53 with the control's accountLocked is one
// that is inactivated (nsAccountLock). All of it tried. A consumer that is being initialised
// refers to its supplier.
func (ds389) refusedLogin(s *server, err error) (protocol.Answer, error) {
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

// withoutSelf: pwdReset and "Who am I?" tell it here too, and ns-slapd refuses the
// latter while the password must be changed.
func (ds389) withoutSelf(ctx context.Context, c *conn, dn string) (protocol.Answer, error) {
	return openLDAP{}.withoutSelf(ctx, c, dn)
}

// recent is how long after a change settle asks the server for its time. It allows for
// clocks that differ as much as doctor lets pass.
const recent = clockSkew + time.Second

// settle waits until the second in which the entry was last changed is over: the change mark
// has whole seconds, and two changes in one would look like none. An
// entry that is not there ends the reset with noSuchObject, because to a replace of it the server
// answers insufficientAccessRights, like to one that it forbids (tried).
func (ds389) settle(ctx context.Context, c *conn, dn string) error {
	e, err := c.read(ctx, dn, ldap.ScopeBaseObject, "(objectClass=*)", "modifyTimestamp")
	switch {
	case err != nil && (!answered(err) || resultCode(err) == ldap.LDAPResultNoSuchObject):
		return err
	case err != nil || len(e) == 0:
		return nil // hidden from bind.dn: the reset's own answer says more
	}
	last, ok := generalizedTime(e[0].GetAttributeValue("modifyTimestamp"))
	if !ok || time.Since(last).Abs() > recent {
		return nil
	}
	for began := time.Now(); time.Since(began) < time.Second; {
		now, err := c.serverTime(ctx)
		if err == nil && now.Sub(last).Abs() >= time.Second {
			return nil
		}
		if err != nil && !answered(err) && !errors.Is(err, errNoTime) {
			return err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

var errNoTime = errors.New("the server does not show its time")

// serverTime is the server's clock, in whole seconds. By default everybody may read it.
func (c *conn) serverTime(ctx context.Context) (time.Time, error) {
	e, err := c.read(ctx, "cn=monitor", ldap.ScopeBaseObject, "(objectClass=*)", "currentTime")
	if err != nil {
		return time.Time{}, err
	}
	if len(e) == 1 {
		if now, ok := generalizedTime(e[0].GetAttributeValue("currentTime")); ok {
			return now, nil
		}
	}
	return time.Time{}, errNoTime
}
