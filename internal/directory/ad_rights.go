package directory

import (
	"context"
	"encoding/binary"
	"fmt"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// Control access rights ([MS-ADTS] 5.1.3.2.1).
const (
	rightResetPassword    = "00299570-246d-11d0-a768-00aa006e0529" // User-Force-Change-Password
	rightUnexpirePassword = "ccc2dc7d-a6ad-4a7a-8846-c04e3cc53501" // Unexpire-Password
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
			if mayControl(sd, who, rightResetPassword) {
				granted++
			}
		}
		add("rights", granted > 0, fmt.Sprintf("bind.dn has the right Reset Password on %d of %d accounts below base", granted, len(users)), grantReset)
	}
	protected, err := c.descriptors(ctx, base, ldap.ScopeWholeSubtree, "(&(objectCategory=person)(objectClass=user)(adminCount=1))", sampled)
	if err == nil && len(protected) > 0 {
		granted := 0
		for _, sd := range protected {
			if mayControl(sd, who, rightResetPassword) {
				granted++
			}
		}
		add("protected", true, fmt.Sprintf("below base are accounts of protected groups (adminCount 1); bind.dn may reset %d of %d looked at; their rights come from CN=AdminSDHolder,CN=System", granted, len(protected)), "")
	}
	if sd, err := c.descriptors(ctx, domain, ldap.ScopeBaseObject, "(objectClass=*)", 1); err == nil && len(sd) == 1 {
		ok := mayControl(sd[0], who, rightUnexpirePassword)
		add("unexpire", ok, "the right Unexpire Password on the domain: "+yesNo(ok), grantUnexpire(domain))
	}
}

// Security identifiers that are the same everywhere ([MS-DTYP] 2.4.2.4).
const (
	sidEveryone      = "\x01\x01\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00" // S-1-1-0
	sidAuthenticated = "\x01\x01\x00\x00\x00\x00\x00\x05\x0b\x00\x00\x00" // S-1-5-11
	sidSelf          = "\x01\x01\x00\x00\x00\x00\x00\x05\x0a\x00\x00\x00" // S-1-5-10, the account itself
)

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
		return err == nil && len(sd) == 1 && mayControl(sd[0], who, right)
	}
	ok := may(dn, rightResetPassword)
	add("pair", ok, fmt.Sprintf("%s has the right Reset Password on %s: %s", c.bound, dn, yesNo(ok)),
		fmt.Sprintf(`grant it: dsacls %q /G "DOMAIN\account:CA;Reset Password"`, dn))
	root, err := c.read(ctx, "", ldap.ScopeBaseObject, "(objectClass=*)", "defaultNamingContext")
	if err == nil && len(root) == 1 {
		domain := root[0].GetAttributeValue("defaultNamingContext")
		ok = may(domain, rightUnexpirePassword)
		add("pair", ok, fmt.Sprintf("%s has the right Unexpire Password on the domain: %s", c.bound, yesNo(ok)), grantUnexpire(domain))
	}
}

// grantUnexpire is how an administrator lets resets leave passwords in force.
func grantUnexpire(domain string) string {
	return fmt.Sprintf(`grant it: dsacls %q /G "DOMAIN\account:CA;Unexpire Password"; without it every password that bind.dn resets has expired at once`, domain)
}

// sids are the identity's own and its groups' security identifiers, and those that
// every login has.
func (c *conn) sids(ctx context.Context) (map[string]bool, error) {
	e, err := c.read(ctx, c.bound, ldap.ScopeBaseObject, "(objectClass=*)", "tokenGroups", "objectSid")
	if err != nil || len(e) != 1 {
		return nil, fmt.Errorf("%s", found(e, err, ""))
	}
	out := map[string]bool{sidEveryone: true, sidAuthenticated: true}
	for _, name := range []string{"tokenGroups", "objectSid"} {
		for _, sid := range e[0].GetRawAttributeValues(name) {
			out[string(sid)] = true
		}
	}
	return out, nil
}

// Parts of a security descriptor (LDAP_SERVER_SD_FLAGS_OID in [MS-ADTS] 3.1.1.3.4.1).
const (
	withOwner = 1
	withDACL  = 4 // the discretionary access control list
)

// accessListControl asks for security descriptors without the parts that need more rights.
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

// described reads entries with their access control lists and further attributes, limit at most.
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

// Parts of an access control entry ([MS-DTYP] 2.4.4).
const (
	aceAllow, aceDeny             = 0, 1
	aceAllowObject, aceDenyObject = 5, 6
	aceInheritOnly                = 0x08
	aceHasType, aceHasInherited   = 0x1, 0x2
	writeProperty                 = 0x20    // ADS_RIGHT_DS_WRITE_PROP
	controlAccess                 = 0x100   // ADS_RIGHT_DS_CONTROL_ACCESS
	writeDACL                     = 0x40000 // and WRITE_OWNER, [MS-DTYP] 2.4.3
	writeOwner                    = 0x80000
	genericAll                    = 0x10000000
	genericWrite                  = 0x40000000
)

// mayControl reports whether the list in a self-relative security descriptor
// ([MS-DTYP] 2.4.6) grants a control access right to any of who.
func mayControl(sd []byte, who map[string]bool, right string) bool {
	return grants(sd, who, controlAccess|genericAll, right)
}

// grants reports whether the list in a self-relative security descriptor grants any of who one of
// the rights of mask, which is one right and what contains it: the first entry that speaks of it
// decides. object is the control access right, property or class that it is about; empty for a
// right on the whole. Without a list everybody may; a damaged one grants nothing.
func grants(sd []byte, who map[string]bool, mask uint32, object string) bool {
	want := ""
	if object != "" {
		id, err := guidBytes(object)
		if err != nil {
			return false
		}
		want = string(id)
	}
	everybody := true
	for e := range entriesOf(sd, &everybody) {
		if e.mask&mask != 0 && who[e.sid] && (e.object == "" || e.object == want) {
			return e.allow
		}
	}
	return everybody
}

// ace is an access control entry that holds for the object itself.
type ace struct {
	allow  bool
	mask   uint32
	sid    string
	object string // a GUID as the server keeps it; empty: all
}

// entriesOf reads the list. everybody is left true if there is none. A damaged list ends where
// it is damaged.
func entriesOf(sd []byte, everybody *bool) func(func(ace) bool) {
	return func(yield func(ace) bool) {
		*everybody = false
		if len(sd) < 20 {
			return
		}
		at := int(binary.LittleEndian.Uint32(sd[16:]))
		if at == 0 {
			*everybody = true
			return
		}
		if at+8 > len(sd) {
			return
		}
		acl := sd[at:]
		count := int(binary.LittleEndian.Uint16(acl[4:]))
		for rest := acl[8:]; count > 0 && len(rest) >= 16; count-- {
			size := int(binary.LittleEndian.Uint16(rest[2:]))
			if size < 16 || size > len(rest) {
				return
			}
			if e, ok := readACE(rest[:size]); ok && !yield(e) {
				return
			}
			rest = rest[size:]
		}
	}
}

// readACE reads one entry; ok is false for one that does not hold for the object itself, or is of
// a type that grants and denies nothing.
func readACE(b []byte) (e ace, ok bool) {
	kind, flags := b[0], b[1]
	e.mask = binary.LittleEndian.Uint32(b[4:])
	if flags&aceInheritOnly != 0 {
		return e, false
	}
	sid := b[8:]
	switch kind {
	case aceAllow, aceDeny:
	case aceAllowObject, aceDenyObject:
		has := binary.LittleEndian.Uint32(b[8:])
		sid = b[12:]
		for _, part := range []uint32{aceHasType, aceHasInherited} {
			if has&part == 0 {
				continue
			}
			if len(sid) < 16 {
				return e, false
			}
			if part == aceHasType {
				e.object = string(sid[:16])
			}
			sid = sid[16:]
		}
	default:
		return e, false
	}
	e.sid, ok = readSID(sid)
	e.allow = kind == aceAllow || kind == aceAllowObject
	return e, ok
}

// readSID reads a security identifier at the beginning of b ([MS-DTYP] 2.4.2.2).
func readSID(b []byte) (string, bool) {
	if len(b) < 8 || len(b) < 8+4*int(b[1]) {
		return "", false
	}
	return string(b[:8+4*int(b[1])]), true
}
