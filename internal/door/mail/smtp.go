package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"net/textproto"
	"strings"

	"github.com/emersion/go-sasl"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/conn"
	"rollcall/internal/protocol"
)

// SMTP is a door of type submission or smtps (RFC 4954).
type SMTP struct{ at door.Settings }

// OpenSMTP gives the door.
func OpenSMTP(s door.Settings) *SMTP { return &SMTP{s} }

// Ask is door.Door. No mail is sent.
func (d *SMTP) Ask(ctx context.Context, login string, value credential.Secret) door.Said {
	if why := d.at.CannotCarry(value); why != "" {
		return door.Said{Reply: protocol.NotCarried, Code: why}
	}
	c, _, done, err := d.open(ctx)
	if err != nil {
		return smtpTrouble(err, false)
	}
	defer done()
	how := mechanismOf(c, login, value)
	if how == nil {
		return door.Said{Reply: protocol.NotThisWay, Code: "neither PLAIN nor LOGIN"}
	}
	if err := c.Auth(mechanism{how}); err != nil {
		return smtpTrouble(err, true)
	}
	return door.Said{Reply: protocol.Accepted, Code: "235"}
}

// Software is door.Door: what follows the name in the greeting. The connection
// is secured as for a login, so that a certificate of somebody else's is told.
func (d *SMTP) Software(ctx context.Context) (string, error) {
	c, greeting, done, err := d.open(ctx)
	if err != nil {
		return "", conn.Explain(err)
	}
	defer done()
	_ = c.Close()
	line, _, _ := strings.Cut(string(greeting.said), "\n")
	_, said, _ := strings.Cut(line[min(len("220 "), len(line)):], " ")
	return conn.Line(said), nil
}

func (d *SMTP) open(ctx context.Context) (*smtp.Client, *greeted, func(), error) {
	raw, done, err := conn.Dial(ctx, d.at)
	if err != nil {
		return nil, nil, nil, err
	}
	config, err := conn.TLS(d.at)
	if err != nil {
		done()
		return nil, nil, nil, err
	}
	heard := &greeted{Conn: raw}
	c, err := smtp.NewClient(heard, config.ServerName)
	if err == nil {
		err = c.Hello("localhost")
	}
	if err == nil && d.at.TLS == door.StartTLS {
		err = startTLS(c, config)
	}
	if err != nil {
		done()
		return nil, nil, nil, err
	}
	return c, heard, done, nil
}

// startTLS is RFC 3207. 454 is said of a server that has TLS and not at the
// moment.
func startTLS(c *smtp.Client, config *tls.Config) error {
	if offered, _ := c.Extension("STARTTLS"); !offered {
		return offersNone(c)
	}
	err := c.StartTLS(config)
	var said *textproto.Error
	if _, begun := c.TLSConnectionState(); !begun && errors.As(err, &said) && said.Code/100 == 5 {
		return conn.BeginsNoTLS(fmt.Sprint(said.Code, " to STARTTLS"))
	}
	return err
}

// offersNone asks once more what the server offers. Where EHLO itself is not
// answered net/smtp says HELO, to which nobody offers anything, and does not
// tell.
func offersNone(c *smtp.Client) error {
	id, err := c.Text.Cmd("EHLO localhost")
	if err != nil {
		return err
	}
	c.Text.StartResponse(id)
	defer c.Text.EndResponse(id)
	_, offers, err := c.Text.ReadResponse(250)
	var said *textproto.Error
	switch {
	case errors.As(err, &said):
		return door.Trouble{Why: fmt.Sprint(said.Code, " to EHLO, which is to say whether it begins TLS")}
	case err != nil:
		return err
	case strings.Contains(strings.ToUpper(offers), "STARTTLS"):
		return door.Trouble{Why: "it says once that it begins TLS, and once that it does not"}
	}
	return conn.BeginsNoTLS("it offers no STARTTLS")
}

// greeted keeps what a server says first, which net/smtp does not hand on.
type greeted struct {
	net.Conn
	said []byte
}

func (g *greeted) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if len(g.said) < 512 {
		g.said = append(g.said, p[:n]...)
	}
	return n, err
}

// mechanism lets net/smtp use one that asks for no TLS of its own: whether the
// connection may be clear text is the campaign file's to say.
type mechanism struct{ sasl.Client }

func (m mechanism) Start(*smtp.ServerInfo) (string, []byte, error) { return m.Client.Start() }

func (m mechanism) Next(challenge []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	return m.Client.Next(challenge)
}

// smtpTrouble says what an error means. asked: the value was sent.
func smtpTrouble(err error, asked bool) door.Said {
	var said *textproto.Error
	if !errors.As(err, &said) {
		return conn.Unreachable(err)
	}
	code := fmt.Sprint(said.Code)
	if reply, known := smtpCodes[said.Code]; known && (asked || reply != protocol.Refused) {
		return door.Said{Reply: reply, Code: code}
	}
	return door.Said{Reply: protocol.NotThisWay, Code: code}
}

// smtpCodes are what the answer to AUTH means (RFC 4954 sections 4 and 6).
var smtpCodes = map[int]protocol.Reply{
	535: protocol.Refused,
	// What it goes by is down, or too many wrong logins came before (Postfix
	// before Dovecot's penalty).
	454: protocol.Unreachable,
	451: protocol.Unreachable,
	421: protocol.TooMany,
	// The value has to be set anew for this mechanism: it was looked at, and
	// what was made of it is not said.
	432: protocol.Expired,
}

func has(all []string, one string) bool {
	for _, a := range all {
		if a == one {
			return true
		}
	}
	return false
}
