package directory

import (
	"context"
	"fmt"
	"rollcall/internal/directory/adacl"
	"rollcall/internal/plural"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// sampled is how many accounts below the base checkRights looks at.
const sampled = 20

// checkRights works out from access control lists what the identity may do, and
// changes nothing. It looks at a few accounts: delegation commonly holds for a
// whole organizational unit.
func (c *conn) checkRights(ctx context.Context, domain string, add addCheck) {
	who, err := c.sids(ctx)
	if err != nil {
		add("rights", true, "bind.dn may not read its own groups", notChecked)
		return
	}
	base := c.server.client.conf.Base
	users, err := c.descriptors(ctx, base, ldap.ScopeWholeSubtree,
		"(&(objectCategory=person)(objectClass=user)(!(adminCount=1)))", sampled)
	if err == nil && len(users) > 0 {
		granted := 0
		for _, sd := range users {
			if adacl.MayControl(sd, who, adacl.ResetPassword) {
				granted++
			}
		}
		add("rights", granted > 0, fmt.Sprintf("bind.dn has the right Reset Password on %d of %s below base", granted, plural.Count(len(users), "account", "accounts")), grantReset)
	}
	protected, err := c.descriptors(ctx, base, ldap.ScopeWholeSubtree, "(&(objectCategory=person)(objectClass=user)(adminCount=1))", sampled)
	if err == nil && len(protected) > 0 {
		granted := 0
		for _, sd := range protected {
			if adacl.MayControl(sd, who, adacl.ResetPassword) {
				granted++
			}
		}
		add("protected", true, fmt.Sprintf("below base are accounts of protected groups (adminCount 1); bind.dn may reset %d of %d looked at; their rights come from CN=AdminSDHolder,CN=System", granted, len(protected)), "")
	}
	if sd, err := c.descriptors(ctx, domain, ldap.ScopeBaseObject, "(objectClass=*)", 1); err == nil && len(sd) == 1 {
		ok := adacl.MayControl(sd[0], who, adacl.UnexpirePassword)
		add("unexpire", ok, "the right Unexpire Password on the domain: "+yesNo(ok), grantUnexpire(domain))
	}
}

// mayReset works out from access control lists whether the identity may reset
// an account so that its new password is not expired at once.
func (activeDirectory) mayReset(ctx context.Context, c *conn, dn string, add addCheck) {
	who, err := c.sids(ctx)
	if err != nil {
		add("pair", true, c.bound+" may not read its own groups", notChecked)
		return
	}
	may := func(object, right string) bool {
		sd, err := c.descriptors(ctx, object, ldap.ScopeBaseObject, "(objectClass=*)", 1)
		return err == nil && len(sd) == 1 && adacl.MayControl(sd[0], who, right)
	}
	ok := may(dn, adacl.ResetPassword)
	add("pair", ok, fmt.Sprintf("%s has the right Reset Password on %s: %s", c.bound, dn, yesNo(ok)),
		fmt.Sprintf(`grant it: dsacls %q /G "DOMAIN\account:CA;Reset Password"`, dn))
	root, err := c.read(ctx, "", ldap.ScopeBaseObject, "(objectClass=*)", "defaultNamingContext")
	if err == nil && len(root) == 1 {
		domain := root[0].GetAttributeValue("defaultNamingContext")
		ok = may(domain, adacl.UnexpirePassword)
		add("pair", ok, fmt.Sprintf("%s has the right Unexpire Password on the domain: %s", c.bound, yesNo(ok)), grantUnexpire(domain))
	}
}

// grantUnexpire is how an administrator lets resets leave passwords in force.
func grantUnexpire(domain string) string {
	return fmt.Sprintf(`grant it: dsacls %q /G "DOMAIN\account:CA;Unexpire Password"; without it every password that bind.dn resets has expired at once`, domain)
}

// sids are the identity's own and its groups' security identifiers, and those
// that every login has.
func (c *conn) sids(ctx context.Context) (map[string]bool, error) {
	e, err := c.read(ctx, c.bound, ldap.ScopeBaseObject, "(objectClass=*)", "tokenGroups", "objectSid")
	if err != nil || len(e) != 1 {
		return nil, fmt.Errorf("%s", found(e, err, ""))
	}
	out := map[string]bool{adacl.Everyone: true, adacl.Authenticated: true}
	for _, name := range []string{"tokenGroups", "objectSid"} {
		for _, sid := range e[0].GetRawAttributeValues(name) {
			out[string(sid)] = true
		}
	}
	return out, nil
}

// Parts of a security descriptor (LDAP_SERVER_SD_FLAGS_OID in [MS-ADTS]
// 3.1.1.3.4.1).
const (
	withOwner = 1
	withDACL  = 4 // the discretionary access control list
)

// accessListControl asks for security descriptors without the parts that need
// more rights.
func accessListControl(parts int64) ldap.Control {
	flags := ber.NewSequence("SDFlagsRequestValue")
	flags.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, parts, "flags"))
	return ldap.NewControlString("1.2.840.113556.1.4.801", true, string(flags.Bytes()))
}

// descriptors reads security descriptors.
func (c *conn) descriptors(ctx context.Context, base string, scope int, filter string, limit int) ([][]byte, error) {
	entries, err := c.described(ctx, base, scope, filter, limit)
	var out [][]byte
	for _, e := range entries {
		if sd := e.GetRawAttributeValue("nTSecurityDescriptor"); len(sd) > 0 {
			out = append(out, sd)
		}
	}
	return out, err
}

// described reads entries with their access control lists and further
// attributes, limit at most.
func (c *conn) described(ctx context.Context, base string, scope int, filter string, limit int, attrs ...string) ([]*ldap.Entry, error) {
	return c.describedBy(ctx, withDACL, base, scope, filter, limit, attrs...)
}

func (c *conn) describedBy(ctx context.Context, parts int64, base string, scope int, filter string, limit int, attrs ...string) ([]*ldap.Entry, error) {
	controls := append(activeDirectory{}.searchControls(), accessListControl(parts), ldap.NewControlPaging(uint32(limit)))
	req := ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, 0, 10, false, filter, append([]string{"nTSecurityDescriptor"}, attrs...), controls)
	var res *ldap.SearchResult
	err := c.do(ctx, "read access control lists", func(l *ldap.Conn) (err error) {
		res, err = l.Search(req)
		return err
	})
	if err != nil {
		return nil, err
	}
	return res.Entries, nil
}
