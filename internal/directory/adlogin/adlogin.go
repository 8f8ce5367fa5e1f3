// Package adlogin reads what a domain controller of Active Directory says to a
// login that it refuses, for the directory itself and for doors that pass its
// answer on. It does no I/O.
package adlogin

import (
	"regexp"
	"strings"

	"rollcall/internal/protocol"
)

// Refusal is a sub-code, and what it means.
type Refusal struct {
	Code string // "52e"
	// Reply is empty for a code that says nothing about the value.
	Reply protocol.Reply
	// Right: the code comes only after the right value, which is in force
	// whatever keeps the account out.
	Right bool
}

// subCode is the Win32 error in the text of a refused bind: "80090308: LdapErr:
// DSID-…, comment: AcceptSecurityContext error, data 52e, v…".
var subCode = regexp.MustCompile(`, data ([0-9a-fA-F]{1,8}),`)

// refusals are the Win32 errors ([MS-ERREF] 2.2) that a domain controller
// gives.
var refusals = map[string]Refusal{
	"52e": {Reply: protocol.Refused},                      // ERROR_LOGON_FAILURE
	"525": {Reply: protocol.Gone},                         // ERROR_NO_SUCH_USER
	"52f": {Reply: protocol.NotThisWay},                   // ERROR_ACCOUNT_RESTRICTION: Protected Users, for right and wrong values alike (Samba 4.17 tried)
	"530": {Reply: protocol.Restricted, Right: true},      // ERROR_INVALID_LOGON_HOURS
	"531": {Reply: protocol.Restricted, Right: true},      // ERROR_INVALID_WORKSTATION
	"532": {Reply: protocol.PasswordExpired, Right: true}, // ERROR_PASSWORD_EXPIRED
	"533": {Reply: protocol.Disabled, Right: true},        // ERROR_ACCOUNT_DISABLED
	"701": {Reply: protocol.Expired, Right: true},         // ERROR_ACCOUNT_EXPIRED
	"773": {Reply: protocol.PasswordExpired, Right: true}, // ERROR_PASSWORD_MUST_CHANGE
	"775": {Reply: protocol.Locked},                       // ERROR_ACCOUNT_LOCKED_OUT
}

// Read finds the sub-code in the text of a refused bind. found is false where
// there is none, from a proxy in between for example.
func Read(text string) (r Refusal, found bool) {
	m := subCode.FindStringSubmatch(text)
	if m == nil {
		return Refusal{}, false
	}
	code := strings.ToLower(m[1])
	r = refusals[code]
	r.Code = code
	return r, true
}
