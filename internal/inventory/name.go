package inventory

import (
	"regexp"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
	"golang.org/x/text/unicode/norm"

	"rollcall/config"
	"rollcall/internal/directory"
)

// form is how a reference names an LDAP account.
type form int

const (
	byUID  form = iota
	byMail      // holds an "@": mail, a uid that looks like one, a userPrincipalName
	byDN
	byID // the immutable id: entryUUID, nsUniqueId or objectGUID
)

// uuid is the form of an immutable id: that of a UUID, or of an nsUniqueId.
var uuid = regexp.MustCompile(`^[0-9A-Fa-f]{8}((-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|(-[0-9A-Fa-f]{8}){3})$`)

func formOf(account string) form {
	if uuid.MatchString(account) {
		return byID
	}
	if isDN(account) {
		return byDN
	}
	if strings.Contains(account, "@") {
		return byMail
	}
	return byUID
}

var attributeType = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]*$`)

func isDN(s string) bool {
	if !strings.Contains(s, "=") {
		return false
	}
	dn, err := ldap.ParseDN(s)
	if err != nil || len(dn.RDNs) == 0 {
		return false
	}
	for _, rdn := range dn.RDNs {
		for _, a := range rdn.Attributes {
			if !attributeType.MatchString(a.Type) || a.Value == "" {
				return false
			}
		}
	}
	return true
}

// fold makes two spellings of one uid or mail equal, as caseIgnoreMatch does
// (RFC 4517 section 4.2.11, RFC 4518): case aside, blanks at the ends dropped,
// several inside taken as one, letters composed.
func fold(s string) string {
	return strings.ToLower(norm.NFKC.String(strings.Join(strings.Fields(s), " ")))
}

// dnKey makes two spellings of one DN equal: case, blanks around separators,
// escapes, the order within an RDN and other names of a type aside. Text that
// is no DN is folded as it is.
func dnKey(s string) string {
	dn, err := directory.ParseDN(s)
	if err != nil {
		return fold(s)
	}
	var b strings.Builder
	for i, rdn := range dn.RDNs {
		if i > 0 {
			b.WriteByte(',')
		}
		parts := make([]string, len(rdn.Attributes))
		for j, a := range rdn.Attributes {
			parts[j] = a.Type + "=" + ldap.EscapeDN(fold(a.Value))
		}
		slices.Sort(parts)
		b.WriteString(strings.Join(parts, "+"))
	}
	return b.String()
}

// refTo is an account as sources name it at an authority. Directories and Vault
// know names whatever their case; other authorities are asked for the very
// text, in which a blank at an end makes another name.
func refTo(c *config.Campaign, name, account string) reference {
	if _, exact := c.Systems[name]; exact {
		return reference{name, account}
	}
	return reference{name, accountKey(account)}
}

// accountKey folds a reference so that equal references are looked up once.
func accountKey(account string) string {
	switch formOf(account) {
	case byDN:
		return dnKey(account)
	default:
		return fold(account)
	}
}
