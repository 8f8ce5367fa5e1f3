package directory

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/directory/adacl"
	"rollcall/internal/plural"
	"rollcall/internal/protocol"
)

// Flags of userAccountControl ([MS-ADTS] 2.2.16) with which a domain controller
// never wants a password changed, whatever pwdLastSet says ([MS-SAMR]
// 3.1.5.14.4).
const (
	dontExpirePassword = 0x10000
	smartcardRequired  = 0x40000
)

// grantMustChange is how an administrator delegates must-change at the next
// log-on.
const grantMustChange = `grant it on the organizational unit: dsacls "OU=…" /I:S /G "DOMAIN\account:WP;pwdLastSet;user"`

// PasswordFlags is how a person stands to the password of his account.
type PasswordFlags struct {
	// NeverExpires: must-change at the next log-on is ignored.
	NeverExpires bool
	// MayNotChange: the access control list denies him to change it ("user
	// cannot change password"), so must-change would lock him out. A list that
	// bind.dn may not read denies nothing.
	MayNotChange bool
}

// PasswordFlags reads from the write server of an Active Directory domain how
// the owner of the account dn stands to its password. It changes nothing.
func (c *Client) PasswordFlags(ctx context.Context, dn string) (PasswordFlags, error) {
	s := c.servers[0]
	req := ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false, "(objectClass=*)",
		[]string{"userAccountControl", "nTSecurityDescriptor", "objectSid"}, append(c.driver.searchControls(), accessListControl(withDACL)))
	var res *ldap.SearchResult
	err := s.admin(ctx, dn, (*pool).useTwice, func(cn *conn) error {
		return cn.do(ctx, "read who may change a password", func(l *ldap.Conn) (err error) {
			res, err = l.Search(req)
			return err
		})
	})
	switch {
	case resultCode(err) == ldap.LDAPResultNoSuchObject || err == nil && len(res.Entries) != 1:
		return PasswordFlags{}, protocol.StopFor(protocol.Gone, s.name)
	case err != nil && answered(err):
		return PasswordFlags{}, fmt.Errorf("directory %s: bind.dn may not read the entry at %s (%s); grant it read", c.name, s.name, describe(err))
	case err != nil:
		return PasswordFlags{}, err
	}
	e := res.Entries[0]
	control, _ := strconv.ParseInt(e.GetEqualFoldAttributeValue("userAccountControl"), 10, 64)
	sd := e.GetEqualFoldRawAttributeValue("nTSecurityDescriptor")
	self := map[string]bool{
		adacl.Everyone: true, adacl.Authenticated: true, adacl.Self: true,
		string(e.GetEqualFoldRawAttributeValue("objectSid")): true,
	}
	return PasswordFlags{
		NeverExpires: control&(dontExpirePassword|smartcardRequired) != 0,
		MayNotChange: len(sd) > 0 && !adacl.MayControl(sd, self, adacl.ChangePassword),
	}, nil
}

// RequireChange makes the owner of the account dn change its password at the
// next log-on: it writes 0 to pwdLastSet on the write server, one of the two
// values that it takes ([MS-SAMR] 3.1.1.8.8, [MS-ADA3] pwdLastSet). From then
// on a right password is answered with sub-code 773 and opens nothing. Doing it
// twice does no harm.
//
// A clear refusal, after which nothing has changed, is a *protocol.Stop
// (ReasonRights, ReasonGone). After any other error it may or may not have been
// applied.
func (c *Client) RequireChange(ctx context.Context, dn string) error {
	s := c.servers[0]
	req := ldap.NewModifyRequest(dn, nil)
	req.Replace("pwdLastSet", []string{"0"})
	err := s.admin(ctx, dn, (*pool).use, func(cn *conn) error {
		return cn.change(ctx, "require a change of password", func(l *ldap.Conn) error { return l.Modify(req) })
	})
	if err == nil || !answered(err) {
		return err
	}
	switch resultCode(err) {
	case ldap.LDAPResultNoSuchObject:
		return &protocol.Stop{Reason: protocol.ReasonGone, Server: s.name, Detail: "the account is not there, or bind.dn may not see it"}
	case ldap.LDAPResultInsufficientAccessRights:
		return &protocol.Stop{Reason: protocol.ReasonRights, Server: s.name,
			Detail: "the new value is in force, and bind.dn lacks the right to write pwdLastSet on this account, so its owner is not made to change it; " + grantMustChange +
				" (an account of a protected group, adminCount 1, takes its rights from CN=AdminSDHolder instead); the next pass goes on"}
	}
	return fmt.Errorf("require a change of password at %s: whether it was applied is unknown (%s)", s.name, describe(err))
}

// CheckPasswordFlags looks on the write server of an Active Directory domain
// whether bind.dn may make the owners of accounts, named by their immutable
// ids, change their passwords, and counts those whom that would not reach. It
// looks at the first few, because delegation commonly holds for a whole
// organizational unit, and changes nothing.
func (c *Client) CheckPasswordFlags(ctx context.Context, ids []string) []Check {
	ids = ids[:min(len(ids), sampled)]
	s := c.servers[0]
	check := Check{Server: s.name, What: "must-change", Do: grantMustChange}
	granted, ignored, denied := 0, 0, 0
	for _, id := range ids {
		// The attributes that the identity may write ([MS-ADTS] 3.1.1.4.5.7).
		e, found, err := c.one(ctx, s.name, "", c.conf.Base, ldap.ScopeWholeSubtree, c.driver.idFilter(id), []string{c.driver.idAttribute(), "allowedAttributesEffective"})
		if err == nil && found {
			var owner PasswordFlags
			if owner, err = c.PasswordFlags(ctx, e.DN); owner.NeverExpires {
				ignored++
			} else if owner.MayNotChange {
				denied++
			}
		}
		if err != nil {
			check.Detail, check.Do = err.Error(), "mend the connection first"
			return []Check{check}
		}
		if slices.ContainsFunc(e.Attrs["allowedAttributesEffective"], func(a string) bool { return strings.EqualFold(a, "pwdLastSet") }) {
			granted++
		}
	}
	check.OK = granted == len(ids)
	check.Detail = fmt.Sprintf("bind.dn may write pwdLastSet on %d of %s looked at", granted, plural.Count(len(ids), "person's account", "people's accounts"))
	if check.OK {
		check.Do = ""
	}
	out := []Check{check}
	if ignored+denied > 0 {
		out = append(out, Check{Server: s.name, What: "owners", OK: true,
			Detail: fmt.Sprintf("people looked at: %d, of whom %d with a password that never expires, so must-change is ignored, and %d who may not change their own; those get a finding", len(ids), ignored, denied)})
	}
	return out
}
