package directory

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/directory/adacl"
	"rollcall/internal/directory/adlogin"
	"rollcall/internal/protocol"
)

// activeDirectory is a domain of Active Directory with its domain controllers,
// of Microsoft or of Samba. A Client is one domain: its searches stay in it,
// and it follows no referrals, because that would hand the bind password to a
// server that the campaign file does not name.
type activeDirectory struct{}

func (activeDirectory) idAttribute() string { return "objectGUID" }

func (activeDirectory) identity(e *ldap.Entry) string {
	return guidText(e.GetEqualFoldRawAttributeValue("objectGUID"))
}

// idFilter writes the 16 bytes as RFC 4515 escapes; the server takes no text
// form in a filter.
func (activeDirectory) idFilter(id string) string {
	raw, err := adacl.GUID(id)
	if err != nil {
		return "(!(objectClass=*))" // matches nothing; the caller has checked the form
	}
	var b strings.Builder
	for _, c := range raw {
		fmt.Fprintf(&b, `\%02x`, c)
	}
	return "(objectGUID=" + b.String() + ")"
}

func (activeDirectory) idForm() *regexp.Regexp { return uuidForm }

// guidText is the usual form of a GUID ([MS-DTYP] 2.3.4.3): its first three
// fields are stored little-endian. Empty if raw is no GUID.
func guidText(raw []byte) string {
	if len(raw) != 16 {
		return ""
	}
	g := adacl.Swapped(raw)
	return fmt.Sprintf("%x-%x-%x-%x-%x", g[0:4], g[4:6], g[6:8], g[8:10], g[10:16])
}

// stateAttributes: the computed one tells of locks by the policy that holds for
// the account, fine-grained ones included ([MS-ADTS] 3.1.1.4.5.17).
func (activeDirectory) stateAttributes() []string {
	return []string{"pwdLastSet", "msDS-KeyVersionNumber", "userAccountControl", "msDS-User-Account-Control-Computed", "lockoutTime", "accountExpires", "adminCount", "badPwdCount", "badPasswordTime", "msDS-ResultantPSO", "sAMAccountName", "memberOf", "logonHours", "userWorkstations"}
}

func (activeDirectory) markAttributes() []string {
	return []string{"pwdLastSet", "msDS-KeyVersionNumber"}
}

func (activeDirectory) keptAttributes() []string {
	return append([]string{"servicePrincipalName"}, DomainCopyAttributes...)
}

// bindControls: the ppolicy control is unknown here.
func (activeDirectory) bindControls() []ldap.Control { return nil }

// domainScope asks for no references to other domains and partitions
// (LDAP_SERVER_DOMAIN_SCOPE_OID in [MS-ADTS] 3.1.1.3.4.1).
const domainScope = "1.2.840.113556.1.4.1339"

func (activeDirectory) searchControls() []ldap.Control {
	return []ldap.Control{ldap.NewControlString(domainScope, false, "")}
}

// refusedLogin takes nothing but 52e for a wrong password: without a sub-code,
// from a proxy in between for example, a refusal could mean anything.
func (activeDirectory) refusedLogin(s *server, err error) (protocol.Reply, error) {
	if resultCode(err) != ldap.LDAPResultInvalidCredentials {
		return "", s.unknownRefusal(err)
	}
	var le *ldap.Error
	if !errors.As(err, &le) || le.Err == nil {
		return "", fmt.Errorf("bind at %s is refused without a reason", s.name)
	}
	refusal, found := adlogin.Read(le.Err.Error())
	switch {
	case !found:
		return "", fmt.Errorf("bind at %s is refused and the sub-code that says why is missing, so the refusal proves nothing; connect to the domain controllers themselves, not through a proxy", s.name)
	case refusal.Reply == "":
		return "", fmt.Errorf("bind at %s is refused with sub-code %s, which says nothing about the password", s.name, refusal.Code)
	}
	return refusal.Reply, nil
}

func (activeDirectory) beforeReset(context.Context, *conn, string) error { return nil }
func (activeDirectory) landed(context.Context, *conn, string)            {}

// withoutSelf: Active Directory refuses the bind itself of an account that may
// do nothing until its password is changed (773), so a successful one is
// enough.
func (activeDirectory) withoutSelf(context.Context, *conn, string, string) (protocol.Reply, Entry, error) {
	return protocol.Accepted, Entry{}, nil
}
