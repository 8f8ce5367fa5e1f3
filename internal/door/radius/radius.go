// Package radius asks doors of RADIUS.
package radius

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"errors"
	"net"
	"time"

	"layeh.com/radius"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2869"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/conn"
	"rollcall/internal/protocol"
)

// RADIUS is a door of type radius: a login by PAP (RFC 2865), with a
// Message-Authenticator (RFC 3579, 3.2).
type RADIUS struct {
	at     door.Settings
	shared func(context.Context) (credential.Secret, error)
}

// Open gives the door. shared reads the secret that the server has for this
// machine.
func Open(s door.Settings, shared func(context.Context) (credential.Secret, error)) *RADIUS {
	return &RADIUS{s, shared}
}

// Ask is door.Door. The request is sent once: a server that does not know it
// for a repetition would count it as another try.
func (d *RADIUS) Ask(ctx context.Context, login string, value credential.Secret) door.Said {
	if d.at.Auth == door.BySecret {
		return d.askShared(ctx, value)
	}
	if why := d.at.CannotCarry(value); why != "" {
		return door.Said{Reply: protocol.NotCarried, Code: why}
	}
	if login == "" || len(login) > 253 {
		return door.Said{Reply: protocol.NotThisWay, Code: "a name that is empty, or that an attribute cannot carry"}
	}
	reply, err := d.exchange(ctx, d.at.Timeout, radius.CodeAccessRequest, func(p *radius.Packet) error {
		return errors.Join(rfc2865.UserName_SetString(p, login), rfc2865.UserPassword_SetString(p, value.Reveal()))
	})
	if err != nil {
		return door.Unreachable(words(err))
	}
	means, known := codes[reply.Code]
	if !known {
		return door.Unreachable(errOther.Error())
	}
	return door.Said{Reply: means, Code: reply.Code.String()}
}

// codes are what the answers mean. Access-Reject is everything: wrong, unknown,
// locked, expired, and the directory behind is down.
var codes = map[radius.Code]protocol.Reply{
	radius.CodeAccessAccept: protocol.Accepted,
	radius.CodeAccessReject: protocol.Refused,
	// More is asked for, with some servers whatever the value.
	radius.CodeAccessChallenge: protocol.NotThisWay,
}

// Software is door.Door. A server says nothing of itself, and answers
// Status-Server (RFC 5997) if it knows this machine.
func (d *RADIUS) Software(ctx context.Context) (string, error) {
	if d.at.Auth == door.BySecret {
		return "", d.replies(ctx)
	}
	_, err := d.exchange(ctx, min(d.at.Timeout, 5*time.Second), radius.CodeStatusServer, func(*radius.Packet) error { return nil })
	if errors.Is(err, context.DeadlineExceeded) {
		return "", errors.New("no answer to Status-Server: it is down, does not know this machine with that shared secret, or does not do that (status_server = yes)")
	}
	if err != nil {
		return "", errors.New(words(err))
	}
	return "", nil
}

var (
	errShared = errors.New("the shared secret cannot be read, or is empty")
	errOther  = errors.New("an answer that is none of its protocol")
	errForged = errors.New("its answers are not signed with the shared secret")
)

// exchange sends one request and gives the answer that is signed with the
// shared secret. What is not is waited past.
func (d *RADIUS) exchange(ctx context.Context, timeout time.Duration, code radius.Code, fill func(*radius.Packet) error) (*radius.Packet, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	shared, err := d.shared(ctx)
	if err != nil || shared.IsZero() {
		return nil, errShared
	}
	p := radius.New(code, []byte(shared.Reveal()))
	// First of all attributes, so that no prefix of the request is known whose
	// hash could be continued (CVE-2024-3596).
	if err := errors.Join(rfc2869.MessageAuthenticator_Set(p, make([]byte, md5.Size)), rfc2865.NASIdentifier_SetString(p, "rollcall"), fill(p)); err != nil {
		return nil, errOther
	}
	if err := sign(p); err != nil {
		return nil, errOther
	}
	client := &radius.Client{MaxPacketErrors: 100}
	reply, err := client.Exchange(ctx, p, d.at.Address)
	if err != nil {
		return nil, err
	}
	if !signed(reply, p) {
		return nil, errForged
	}
	return reply, nil
}

// sign is RFC 3579, 3.2: the hash of the packet with zeros in its place.
func sign(p *radius.Packet) error {
	wire, err := p.MarshalBinary()
	if err != nil {
		return err
	}
	return rfc2869.MessageAuthenticator_Set(p, sum(wire, p.Secret))
}

// signed: an answer's Message-Authenticator holds, if it has one. FreeRADIUS
// before 3.2.5 sends none; what every answer has is the Response Authenticator,
// which the library has held.
func signed(reply, request *radius.Packet) bool {
	got, err := rfc2869.MessageAuthenticator_Lookup(reply)
	if errors.Is(err, radius.ErrNoAttribute) {
		return true
	}
	if err != nil {
		return false
	}
	blank := *reply
	blank.Attributes = append(radius.Attributes(nil), reply.Attributes...)
	for i, a := range blank.Attributes {
		if a.Type == rfc2869.MessageAuthenticator_Type {
			blank.Attributes[i] = &radius.AVP{Type: a.Type, Attribute: make([]byte, md5.Size)}
		}
	}
	blank.Authenticator = request.Authenticator
	wire, err := blank.MarshalBinary()
	return err == nil && hmac.Equal(got, sum(wire, request.Secret))
}

func sum(wire, secret []byte) []byte {
	h := hmac.New(md5.New, secret)
	h.Write(wire)
	return h.Sum(nil)
}

func words(err error) string {
	var forged *radius.NonAuthenticResponseError
	var op *net.OpError
	switch {
	case errors.Is(err, errShared), errors.Is(err, errOther), errors.Is(err, errForged):
		return err.Error()
	case errors.As(err, &forged):
		return errForged.Error()
	case errors.As(err, &op), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return conn.Trouble(err)
	}
	return errOther.Error()
}
