package directory

import (
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// attributeTypes are the names that a schema gives the types that stand in DNs:
// the one that servers write, and the others (RFC 4519, 4524, 2985; core.schema
// of OpenLDAP, 00core.ldif of 389 Directory Server).
var attributeTypes = map[string]string{}

func init() {
	for as, others := range map[string]string{
		"cn": "commonName 2.5.4.3", "sn": "surname 2.5.4.4", "serialnumber": "2.5.4.5", "c": "countryName 2.5.4.6", "l": "localityName 2.5.4.7",
		"st": "stateOrProvinceName 2.5.4.8", "o": "organizationName 2.5.4.10", "ou": "organizationalUnitName 2.5.4.11",
		"title": "2.5.4.12", "description": "2.5.4.13", "member": "2.5.4.31", "name": "2.5.4.41",
		"givenname": "gn 2.5.4.42", "initials": "2.5.4.43", "dnqualifier": "2.5.4.46", "uniquemember": "2.5.4.50",
		"dc": "domainComponent 0.9.2342.19200300.100.1.25", "uid": "userid 0.9.2342.19200300.100.1.1",
		"mail": "rfc822Mailbox 0.9.2342.19200300.100.1.3", "emailaddress": "email pkcs9email 1.2.840.113549.1.9.1",
		"memberuid": "1.3.6.1.1.1.1.12", "employeenumber": "2.16.840.1.113730.3.1.3", "samaccountname": "1.2.840.113556.1.4.221",
		"userprincipalname": "1.2.840.113556.1.4.656",
	} {
		attributeTypes[as] = as
		for _, name := range strings.Fields(others) {
			attributeTypes[strings.ToLower(name)] = as
		}
	}
}

// AttributeType is the name, in lower case, that servers write for a type that
// somebody names by that or by another of its names. known is false where only
// the schema of a server could say what its other names are.
func AttributeType(name string) (as string, known bool) {
	name = strings.ToLower(strings.TrimSpace(name))
	if as, known = attributeTypes[name]; known {
		return as, true
	}
	return name, false
}

// ParseDN reads a DN, with its types named as servers write them.
func ParseDN(text string) (*ldap.DN, error) {
	dn, err := ldap.ParseDN(text)
	if err != nil {
		return nil, err
	}
	for _, rdn := range dn.RDNs {
		for _, a := range rdn.Attributes {
			a.Type, _ = AttributeType(a.Type)
		}
	}
	return dn, nil
}

// Comparable reports whether a DN can be held against another one without its
// server: it is one, and its types have no names that are not known here.
func Comparable(text string) bool {
	dn, err := ldap.ParseDN(text)
	if err != nil {
		return false
	}
	for _, rdn := range dn.RDNs {
		for _, a := range rdn.Attributes {
			if _, known := AttributeType(a.Type); !known {
				return false
			}
		}
	}
	return true
}

// Within reports whether a DN is another or below it.
func Within(dn, ancestor string) bool {
	a, err := ParseDN(ancestor)
	if err != nil {
		return false
	}
	d, err := ParseDN(dn)
	return err == nil && (a.EqualFold(d) || a.AncestorOfFold(d))
}

// SameDN reports whether two DNs name the same entry, whatever their case and
// spacing, and by which of its names they call a type.
func SameDN(a, b string) bool {
	if plainDN(a) && plainDN(b) && !strings.EqualFold(a, b) {
		return false // nearly always, and each entry that is read is held against some
	}
	da, err := ParseDN(a)
	if err != nil {
		return false
	}
	db, err := ParseDN(b)
	return err == nil && da.EqualFold(db)
}

// plainDN reports whether a DN has one spelling, but for upper and lower case:
// no blanks, escapes, quotes or encoded values, no second sign between parts
// (RFC 4514), and each type by the name that servers write.
func plainDN(dn string) bool {
	start := 0
	for i := range len(dn) {
		switch b := dn[i]; {
		case b == '=':
			kind := strings.ToLower(dn[start:i])
			if as, known := attributeTypes[kind]; !known || as != kind {
				return false
			}
		case b == ',':
			start = i + 1
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b == '-', b == '_', b == '.':
		default:
			return false
		}
	}
	return true
}
