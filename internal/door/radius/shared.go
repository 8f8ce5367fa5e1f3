package radius

import (
	"context"
	"crypto/md5"
	"crypto/rand"
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

// askShared offers a value as the secret that server and client share. Nobody
// logs in: whoever answers signs his answer with the secret that he knows
// (Response Authenticator, RFC 2865, 3), so that the answer to a user that
// cannot exist tells.
//
// The first request is signed with the value. A server that has another secret
// is silent then, as one that is down. So the second one is not signed
// (Message-Authenticator is optional without EAP): a server answers that with
// whatever secret it has. One that wants every request signed
// (require_message_authenticator) says nothing about another value.
func (d *RADIUS) askShared(ctx context.Context, value credential.Secret) door.Said {
	if value.IsZero() {
		return door.Said{Reply: protocol.NotThisWay, Code: "no value"}
	}
	ctx, cancel := context.WithTimeout(ctx, d.at.Timeout)
	defer cancel()
	otherwise := false
	for _, signs := range []bool{true, false} {
		by, other, err := d.whoSigns(ctx, []byte(value.Reveal()), signs)
		switch {
		case err != nil:
			return door.Unreachable(words(err))
		case by:
			return door.Said{Reply: protocol.Accepted, Code: "an answer that is signed with it"}
		}
		otherwise = otherwise || other
	}
	if otherwise {
		return door.Said{Reply: protocol.Refused, Code: "an answer that is signed with another secret"}
	}
	return door.Unreachable("no answer in time")
}

// whoSigns sends a request for a user that cannot exist, twice if it is not
// answered. by: an answer is signed with the secret; other: one is not, and the
// right one did not come in its time.
func (d *RADIUS) whoSigns(ctx context.Context, secret []byte, signs bool) (by, other bool, err error) {
	p := radius.New(radius.CodeAccessRequest, secret)
	if signs {
		if err := rfc2869.MessageAuthenticator_Set(p, make([]byte, md5.Size)); err != nil {
			return false, false, errOther
		}
	}
	err = errors.Join(rfc2865.NASIdentifier_SetString(p, "rollcall"), rfc2865.UserName_SetString(p, "rollcall-nobody-"+rand.Text()[:8]), rfc2865.UserPassword_SetString(p, rand.Text()))
	if err != nil {
		return false, false, errOther
	}
	if signs {
		if err := sign(p); err != nil {
			return false, false, errOther
		}
	}
	request, err := p.Encode()
	if err != nil {
		return false, false, errOther
	}
	c, err := new(net.Dialer).DialContext(ctx, "udp", d.at.Address)
	if err != nil {
		return false, false, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	for range 2 {
		if _, err := c.Write(request); err != nil {
			return false, false, err
		}
		if ctx.Err() == nil {
			_ = c.SetReadDeadline(time.Now().Add(d.patience()))
		}
		by, heard, err := hear(c, request, secret)
		if other = other || heard; by || err != nil {
			return by, other, err
		}
		if other {
			break
		}
	}
	return false, other, ctx.Err()
}

// patience is how long an answer is waited for: four of these are within the
// door's timeout, and FreeRADIUS holds a rejection back for a second.
func (d *RADIUS) patience() time.Duration { return min(5*time.Second, d.at.Timeout/5) }

// hear reads what comes until an answer is signed with the secret, or the time
// is over.
func hear(c net.Conn, request, secret []byte) (by, other bool, err error) {
	buffer := make([]byte, radius.MaxPacketLength)
	for range 100 {
		n, err := c.Read(buffer)
		var timeout net.Error
		switch {
		case errors.As(err, &timeout) && timeout.Timeout():
			return false, other, nil
		case err != nil:
			return false, other, err
		}
		said := buffer[:n]
		if _, known := codes[answerTo(said, request)]; !known {
			continue
		}
		if radius.IsAuthenticResponse(said, request, secret) {
			return true, other, nil
		}
		other = true
	}
	return false, other, nil
}

// answerTo is the code of a whole answer to a request; 0 if it is none.
func answerTo(said, request []byte) radius.Code {
	const header = 20
	if len(said) < header || said[1] != request[1] || int(said[2])<<8|int(said[3]) != len(said) {
		return 0
	}
	return radius.Code(said[0])
}

// replies reports whether the server answers requests that are not signed.
func (d *RADIUS) replies(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, d.at.Timeout)
	defer cancel()
	by, other, err := d.whoSigns(ctx, []byte(rand.Text()), false)
	switch {
	case err != nil:
		return conn.Explain(err)
	case !by && !other:
		return errors.New("no answer to a request that is not signed: it is down, does not know this machine as a client, or wants every request signed (require_message_authenticator), and then says nothing about a secret that is not its own")
	}
	return nil
}
