package directory

import (
	"errors"
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

// restrictedText is how slapd 2.5 refuses everything but a password change
// under pwdReset. It is an answer to a search, which carries no policy control.
const restrictedText = "Operations are restricted"

// policyErrorOf is the policy's reason in a refusal, or noPolicyError.
func policyErrorOf(err error) int8 {
	var le *ldap.Error
	if !errors.As(err, &le) {
		return noPolicyError
	}
	if strings.Contains(le.Err.Error(), restrictedText) {
		return ldap.BeheraChangeAfterReset
	}
	return policyError(controlsIn(le.Packet))
}

// controlsIn decodes the controls of a response (RFC 4511, 4.1.11), which
// go-ldap leaves undecoded in refusals.
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
