package directory

import (
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// noPolicyError is go-ldap's mark for a control without an error.
const noPolicyError = -1

// policyControls asks the server to say what its password policy thinks
// (draft-behera-ldap-password-policy-10, as slapo-ppolicy(5) implements it).
func policyControls() []ldap.Control {
	return []ldap.Control{ldap.NewControlBeheraPasswordPolicy()}
}

// policyError is the error in the response control, or noPolicyError.
func policyError(controls []ldap.Control) int8 {
	if c, ok := ldap.FindControl(controls, ldap.ControlTypeBeheraPasswordPolicy).(*ldap.ControlBeheraPasswordPolicy); ok {
		return c.Error
	}
	return noPolicyError
}

// slapdTexts are the words of slapd 2.5's ppolicy overlay. Its answer to the RFC
// 3062 exop carries no response control, only these words.
var slapdTexts = []struct {
	words string
	code  int8
}{
	{"too young", ldap.BeheraPasswordTooYoung},
	{"in history", ldap.BeheraPasswordInHistory},
	{"is not being changed", ldap.BeheraPasswordInHistory},
	{"must supply old password", ldap.BeheraMustSupplyOldPassword},
	{"too short", ldap.BeheraPasswordTooShort},
	{"quality", ldap.BeheraInsufficientPasswordQuality},
	{"alteration of password is not allowed", ldap.BeheraPasswordModNotAllowed},
	{"operations are restricted", ldap.BeheraChangeAfterReset},
}

// policyErrorOf is the policy's reason in a refusal: from the response control
// if there is one, else from the server's words.
func policyErrorOf(err error) int8 {
	le, ok := err.(*ldap.Error)
	if !ok {
		return noPolicyError
	}
	if code := policyError(controlsIn(le.Packet)); code != noPolicyError {
		return code
	}
	text := strings.ToLower(le.Err.Error())
	for _, t := range slapdTexts {
		if strings.Contains(text, t.words) {
			return t.code
		}
	}
	return noPolicyError
}

// controlsIn decodes the controls of a response (RFC 4511, 4.1.11), which go-ldap
// leaves undecoded in refusals.
func controlsIn(packet *ber.Packet) []ldap.Control {
	if packet == nil || len(packet.Children) < 3 {
		return nil
	}
	var out []ldap.Control
	for _, child := range packet.Children[2].Children {
		if c, err := ldap.DecodeControl(child); err == nil {
			out = append(out, c)
		}
	}
	return out
}
