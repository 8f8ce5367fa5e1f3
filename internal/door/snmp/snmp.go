// Package snmp asks doors of SNMP.
package snmp

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/gosnmp/gosnmp"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/conn"
	"rollcall/internal/protocol"
)

func init() {
	// The library keeps passphrases and the keys made of them for the life of
	// the process, to save a millisecond each.
	gosnmp.PasswordCaching(false)
}

// sysUpTime is what is asked for: every agent has it.
const sysUpTime = ".1.3.6.1.2.1.1.3.0"

// tries is how often a request is repeated that gets no answer: datagrams get
// lost. Nobody is locked out.
const tries = 4

var errForeign = errors.New("an answer that is none of its protocol")

// V3 is a door of type snmp: a user of the User-based Security Model (RFC
// 3414), by the passphrase of its authentication.
type V3 struct {
	at     door.Settings
	shared func(context.Context) (credential.Secret, error)
}

// Open gives the door. shared reads the passphrase that signs, where the value
// is the one that encrypts.
func Open(s door.Settings, shared func(context.Context) (credential.Secret, error)) *V3 {
	return &V3{s, shared}
}

// Ask is door.Door. Without priv_protocol the request is signed and not
// encrypted, so that what is said is about one passphrase alone. With it, the
// value is that of both.
func (d *V3) Ask(ctx context.Context, login string, value credential.Secret) door.Said {
	auth, known := auths[d.at.AuthProtocol]
	if login == "" || len(login) > 32 || value.IsZero() || !known {
		// RFC 3414, 5 (usmUserName).
		return door.Said{Reply: protocol.NotThisWay, Code: "a name or value that is empty, or a name of more than 32 bytes"}
	}
	ctx, cancel := context.WithTimeout(ctx, d.at.Timeout)
	defer cancel()
	if d.at.Auth == door.ByPrivacy {
		return d.askPrivacy(ctx, login, value)
	}
	user := &gosnmp.UsmSecurityParameters{UserName: login, AuthenticationProtocol: auth, AuthenticationPassphrase: value.Reveal()}
	if priv, has := privs[d.at.PrivProtocol]; has {
		encrypted := user.Copy().(*gosnmp.UsmSecurityParameters)
		encrypted.PrivacyProtocol, encrypted.PrivacyPassphrase = priv, value.Reveal()
		said := d.repeated(ctx, gosnmp.AuthPriv, encrypted)
		if said.Reply != protocol.Unreachable {
			return said
		}
		// Silence is what a wrong privacy passphrase is met with.
		if said = d.repeated(ctx, gosnmp.AuthNoPriv, user); said.Reply == protocol.Accepted {
			said = door.Said{Reply: protocol.Restricted, Code: "it signs, and does not decrypt"}
		}
		return said
	}
	return d.repeated(ctx, gosnmp.AuthNoPriv, user)
}

// askPrivacy offers a value as the passphrase that encrypts. Another one is met
// with silence, as is everything while the agent is down, or with a report that
// is not signed. So each try is followed by one that is signed alone: an agent
// that answers that, each time, and never the other refuses the value.
func (d *V3) askPrivacy(ctx context.Context, login string, value credential.Secret) door.Said {
	signs, err := d.shared(ctx)
	if err != nil || signs.IsZero() {
		return door.Unreachable("the passphrase that signs cannot be read, or is empty")
	}
	user := &gosnmp.UsmSecurityParameters{UserName: login, AuthenticationProtocol: auths[d.at.AuthProtocol], AuthenticationPassphrase: signs.Reveal()}
	encrypted := user.Copy().(*gosnmp.UsmSecurityParameters)
	encrypted.PrivacyProtocol, encrypted.PrivacyPassphrase = privs[d.at.PrivProtocol], value.Reveal()
	for range tries {
		said := d.once(ctx, gosnmp.AuthPriv, encrypted.Copy().(*gosnmp.UsmSecurityParameters))
		switch said.Reply {
		case protocol.Accepted:
			return said
		case protocol.Unreachable, protocol.Restricted: // silence, decryptionErrors
		case protocol.Refused:
			return door.Said{Reply: protocol.NotThisWay, Code: said.Code + ": the passphrase that signs is refused"}
		default:
			return said
		}
		alone := d.repeated(ctx, gosnmp.AuthNoPriv, user)
		if alone.Reply != protocol.Accepted {
			return door.Unreachable(alone.Code + ", to what is signed alone")
		}
	}
	return door.Said{Reply: protocol.Refused, Code: "silence, while what is signed alone is answered"}
}

func (d *V3) repeated(ctx context.Context, level gosnmp.SnmpV3MsgFlags, user *gosnmp.UsmSecurityParameters) (said door.Said) {
	for range tries {
		said = d.once(ctx, level, user.Copy().(*gosnmp.UsmSecurityParameters))
		if said.Reply != protocol.Unreachable || ctx.Err() != nil {
			break
		}
	}
	return said
}

func (d *V3) once(ctx context.Context, level gosnmp.SnmpV3MsgFlags, user *gosnmp.UsmSecurityParameters) door.Said {
	client := &gosnmp.GoSNMP{Version: gosnmp.Version3, SecurityModel: gosnmp.UserSecurityModel, MsgFlags: level, SecurityParameters: user}
	c, err := connected(ctx, d.at, client)
	if err != nil {
		return door.Unreachable(trouble(err))
	}
	defer c.Close()
	reply, err := get(client)
	if err == nil && reply.PDUType == gosnmp.GetResponse && reply.MsgFlags&gosnmp.AuthNoPriv != 0 {
		// Signed with the value's key, whatever it says: an agent that wants
		// privacy besides says authorizationError (RFC 3413, 3.2).
		return door.Said{Reply: protocol.Accepted, Code: "a signed answer, " + strings.ToLower(reply.Error.String())}
	}
	if n, heard := c.reported(); heard {
		means, known := reports[n]
		if !known {
			means = protocol.NotThisWay
		}
		return door.Said{Reply: means, Code: "usmStats " + strconv.Itoa(n)}
	}
	return door.Unreachable(trouble(err))
}

// Software is door.Door: whose engine it is, by the answer to a discovery (RFC
// 3414, 4).
func (d *V3) Software(ctx context.Context) (string, error) { return software(ctx, d.at) }

// auths and privs are the protocols by their names in the campaign file.
var auths = map[string]gosnmp.SnmpV3AuthProtocol{
	"": gosnmp.SHA, "md5": gosnmp.MD5, "sha": gosnmp.SHA, "sha224": gosnmp.SHA224, "sha256": gosnmp.SHA256, "sha384": gosnmp.SHA384, "sha512": gosnmp.SHA512,
}

var privs = map[string]gosnmp.SnmpV3PrivProtocol{
	"des": gosnmp.DES, "aes": gosnmp.AES, "aes192": gosnmp.AES192, "aes256": gosnmp.AES256, "aes192c": gosnmp.AES192C, "aes256c": gosnmp.AES256C,
}

// wait is how long an answer is waited for. All those of a login are to be
// within the door's timeout, and an agent answers within milliseconds.
func wait(at door.Settings) time.Duration { return min(time.Second, at.Timeout/(4*tries)) }

// connected lets us hear what a client hears. Nothing is sent yet.
func connected(ctx context.Context, at door.Settings, client *gosnmp.GoSNMP) (c *listening, err error) {
	defer unexpected(&err)
	host, port, err := net.SplitHostPort(at.Address)
	if err != nil {
		return nil, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	client.Context, client.Target, client.Port, client.Transport, client.Timeout = ctx, host, uint16(number), "udp", wait(at)
	if err := client.Connect(); err != nil {
		return nil, err
	}
	c = &listening{Conn: client.Conn}
	client.Conn = c
	return c, nil
}

func get(client *gosnmp.GoSNMP) (reply *gosnmp.SnmpPacket, err error) {
	defer unexpected(&err)
	return client.Get([]string{sysUpTime})
}

// unexpected: an answer that the library's parsers did not expect.
func unexpected(err *error) {
	if recover() != nil {
		*err = errForeign
	}
}

func trouble(err error) string {
	var op *net.OpError
	switch {
	case errors.Is(err, gosnmp.ErrMaxRetriesExceeded), errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.As(err, &op), errors.Is(err, context.Canceled):
		return conn.Trouble(err)
	}
	return errForeign.Error()
}
