// Package ldapbind asks doors that take simple binds: another directory with
// the same accounts, or a proxy in front of one.
package ldapbind

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/credential"
	"rollcall/internal/directory/adlogin"
	"rollcall/internal/door"
	"rollcall/internal/door/conn"
	"rollcall/internal/protocol"
)

// LDAP is a door of type ldap or ldaps.
type LDAP struct{ at door.Settings }

// Open gives the door.
func Open(s door.Settings) *LDAP { return &LDAP{s} }

// Ask is door.Door. After a good bind it asks who is logged in (RFC 4532),
// because a server may take a name and a value for an anonymous login.
func (d *LDAP) Ask(ctx context.Context, login string, value credential.Secret) door.Said {
	if login == "" || value.IsZero() {
		// RFC 4513, 5.1.1 and 5.1.2.
		return door.Said{Reply: protocol.NotThisWay, Code: "an empty name or value is an anonymous login"}
	}
	c, done, err := d.open(ctx)
	if err != nil {
		return trouble(err)
	}
	defer done()
	res, err := c.SimpleBind(ldap.NewSimpleBindRequest(login, value.Reveal(), []ldap.Control{ldap.NewControlBeheraPasswordPolicy()}))
	if err != nil {
		return refusal(err, policyError(res))
	}
	if policyError(res) == ldap.BeheraChangeAfterReset {
		return door.Said{Reply: protocol.MustChange, Code: "0, the policy says: change after reset"}
	}
	who, err := c.WhoAmI(nil)
	switch {
	case err != nil && ldapCode(err) >= ldap.ErrorNetwork:
		return trouble(err)
	case err == nil && who.AuthzID == "":
		return door.Said{Reply: protocol.Guest, Code: "0, and nobody is logged in"}
	}
	return door.Said{Reply: protocol.Accepted, Code: "0"}
}

// Software is door.Door: what the root entry says (RFC 3045). OpenLDAP names
// itself by the entry's class alone.
func (d *LDAP) Software(ctx context.Context) (string, error) {
	c, done, err := d.open(ctx)
	if err != nil {
		return "", words(err)
	}
	defer done()
	res, err := c.Search(ldap.NewSearchRequest("", ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false,
		"(objectClass=*)", []string{"vendorName", "vendorVersion", "objectClass"}, nil))
	switch {
	case err != nil && ldapCode(err) >= ldap.ErrorNetwork:
		return "", words(err)
	case err != nil || len(res.Entries) != 1:
		return "", nil
	}
	root := res.Entries[0]
	if name := root.GetAttributeValue("vendorName") + " " + root.GetAttributeValue("vendorVersion"); name != " " {
		return conn.Line(name), nil
	}
	if slices.Contains(root.GetAttributeValues("objectClass"), "OpenLDAProotDSE") {
		return "OpenLDAP", nil
	}
	return "", nil
}

func (d *LDAP) open(ctx context.Context) (*ldap.Conn, func(), error) {
	raw, done, err := conn.Dial(ctx, d.at)
	if err != nil {
		return nil, nil, err
	}
	if d.at.TLS == door.StartTLS {
		if raw, err = startTLS(ctx, raw, d.at); err != nil {
			done()
			return nil, nil, err
		}
	}
	c := ldap.NewConn(raw, d.at.TLS != door.ClearText)
	c.Start()
	return c, func() { done(); _ = c.Close() }, nil
}

// startTLS is RFC 4511, 4.14. go-ldap's own gives the certificate's error as
// text, from which nobody tells it from silence.
func startTLS(ctx context.Context, raw net.Conn, s door.Settings) (net.Conn, error) {
	config, err := conn.TLS(s)
	if err != nil {
		return nil, err
	}
	packet := ber.NewSequence("LDAP Request")
	packet.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 1, "MessageID"))
	request := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationExtendedRequest, nil, "Start TLS")
	request.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, "1.3.6.1.4.1.1466.20037", "TLS Extended Command"))
	packet.AppendChild(request)
	if _, err := raw.Write(packet.Bytes()); err != nil {
		return nil, err
	}
	// It reads no byte beyond its packet, so what comes behind is the
	// handshake's.
	reply, err := ber.ReadPacket(raw)
	if err != nil {
		return nil, err
	}
	if err := ldap.GetLDAPError(reply); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoStartTLS, err)
	}
	over := tls.Client(raw, config)
	return over, over.HandshakeContext(ctx)
}

// errNoStartTLS has the directory's result beside it.
var errNoStartTLS = errors.New("StartTLS is refused")

// refusal says what the result of a refused bind means.
func refusal(err error, policy int8) door.Said {
	code := ldapCode(err)
	if code >= ldap.ErrorNetwork {
		return trouble(err)
	}
	if code == ldap.LDAPResultInvalidCredentials {
		return invalidCredentials(err, policy)
	}
	if code == ldap.LDAPResultUnwillingToPerform && policy == ldap.BeheraAccountLocked {
		// 389 Directory Server's nsAccountLock, for right and wrong values.
		return door.Said{Reply: protocol.Disabled, Code: "53, the policy says: account locked"}
	}
	reply, known := results[code]
	if !known {
		reply = protocol.NotThisWay
	}
	return door.Said{Reply: reply, Code: fmt.Sprint(code)}
}

// results are those of a bind besides 49 and 53 (RFC 4511, appendix A). What is
// not here says nothing about the value: NotThisWay.
var results = map[uint16]protocol.Reply{
	// 389 Directory Server: locked by failures, or by disuse.
	ldap.LDAPResultConstraintViolation: protocol.Locked,
	ldap.LDAPResultNoSuchObject:        protocol.Gone,
	// What stands behind is down (back-ldap), or it has no room, or is being
	// filled and refers to another server.
	ldap.LDAPResultBusy:               protocol.Unreachable,
	ldap.LDAPResultUnavailable:        protocol.Unreachable,
	ldap.LDAPResultTimeLimitExceeded:  protocol.Unreachable,
	ldap.LDAPResultOperationsError:    protocol.Unreachable,
	ldap.LDAPResultOther:              protocol.Unreachable,
	ldap.LDAPResultReferral:           protocol.Unreachable,
	ldap.LDAPResultAdminLimitExceeded: protocol.TooMany,
}

// invalidCredentials reads 49, which is many things: what the policy control
// says (draft-behera-ldap-password-policy-10), and the sub-code of Active
// Directory. Without either it is a refusal: slapd gives a plain one to locked
// and unknown accounts too, unless it is set to tell (ppolicy_use_lockout).
func invalidCredentials(err error, policy int8) door.Said {
	switch policy {
	case ldap.BeheraPasswordExpired:
		// To the right value alone.
		return door.Said{Reply: protocol.PasswordExpired, Code: "49, the policy says: password expired"}
	case ldap.BeheraAccountLocked:
		return door.Said{Reply: protocol.Locked, Code: "49, the policy says: account locked"}
	}
	text := ""
	var le *ldap.Error
	if errors.As(err, &le) && le.Err != nil {
		text = le.Err.Error()
	}
	if !strings.Contains(text, "AcceptSecurityContext") {
		return door.Said{Reply: protocol.Refused, Code: "49"}
	}
	sub, found := adlogin.Read(text)
	reply := sub.Reply
	switch {
	case !found:
		return door.Said{Reply: protocol.NotThisWay, Code: "49 without a sub-code"}
	case sub.Reply == "":
		reply = protocol.NotThisWay
	case sub.Right && sub.Reply != protocol.PasswordExpired:
		// Whatever keeps the account out, the door takes the value still.
		reply = protocol.Restricted
	}
	return door.Said{Reply: reply, Code: "49 data " + sub.Code}
}

// forNow reports whether a result says nothing of another time.
func forNow(code uint16) bool {
	return results[code] == protocol.Unreachable || results[code] == protocol.TooMany
}

// noPolicyError is go-ldap's mark of a control without an error. 0 is one:
// password expired.
const noPolicyError = -1

func policyError(res *ldap.SimpleBindResult) int8 {
	if res == nil {
		return noPolicyError
	}
	if c, ok := ldap.FindControl(res.Controls, ldap.ControlTypeBeheraPasswordPolicy).(*ldap.ControlBeheraPasswordPolicy); ok {
		return c.Error
	}
	return noPolicyError
}

// ldapCode is the result in an error; ldap.ErrorNetwork where it has none.
func ldapCode(err error) uint16 {
	var le *ldap.Error
	if errors.As(err, &le) {
		return le.ResultCode
	}
	return ldap.ErrorNetwork
}

func trouble(err error) door.Said { return words(err).Said() }

func words(err error) door.Trouble {
	var le *ldap.Error
	_ = errors.As(err, &le)
	switch {
	case errors.Is(err, errNoStartTLS) && (le == nil || le.ResultCode >= ldap.ErrorNetwork || forNow(le.ResultCode)):
		// What is no result at all is as silence.
		return door.Trouble{Why: errNoStartTLS.Error()}
	case errors.Is(err, errNoStartTLS):
		return conn.Explain(conn.BeginsNoTLS(fmt.Sprint(le.ResultCode, " to StartTLS")))
	case le != nil && le.ResultCode == ldap.ErrorNetwork, errors.Is(err, io.ErrUnexpectedEOF):
		// go-ldap keeps no more than the text of what broke it off.
		return door.Trouble{Why: "the connection was closed or gave no answer in time"}
	}
	return conn.Explain(err)
}
