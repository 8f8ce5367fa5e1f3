// Package mail asks doors of mail: IMAP, POP3 and SMTP submission. Each file
// has one protocol, and the table of what its answers mean.
package mail

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/conn"
	"rollcall/internal/protocol"
)

// IMAP is a door of type imap or imaps.
type IMAP struct{ at door.Settings }

// OpenIMAP gives the door.
func OpenIMAP(s door.Settings) *IMAP { return &IMAP{s} }

// Ask is door.Door. It logs in by AUTHENTICATE PLAIN (RFC 4616) where that is
// offered, which takes any text, else by LOGIN.
//
// The library keeps of what broke a connection the text alone (go-imap
// 2.0.0-beta.8), so that time is up is told by the time.
func (d *IMAP) Ask(ctx context.Context, login string, value credential.Secret) door.Said {
	if why := d.at.CannotCarry(value); why != "" {
		return door.Said{Reply: protocol.NotCarried, Code: why}
	}
	begun := time.Now()
	said := d.ask(ctx, login, value)
	if said.Reply == protocol.Unreachable && time.Since(begun) >= d.at.Timeout {
		said.Code = conn.Silence
	}
	return said
}

func (d *IMAP) ask(ctx context.Context, login string, value credential.Secret) door.Said {
	c, done, err := d.open(ctx)
	if err != nil {
		return unshown(imapTrouble(err))
	}
	defer done()
	caps := c.Caps()
	plain := caps.Has(imap.AuthCap(sasl.Plain))
	switch {
	case plain && caps.Has(imap.CapSASLIR): // the value stands in the command itself
		err = c.Authenticate(sasl.NewPlainClient("", login, value.Reveal()))
	case !caps.Has(imap.CapLoginDisabled):
		err = c.Login(login, value.Reveal()).Wait()
	case plain:
		// The value follows once the server asks for it. A NO may be to the
		// mechanism, unless its code speaks of the login.
		if err = c.Authenticate(sasl.NewPlainClient("", login, value.Reveal())); err != nil {
			if said := imapTrouble(err); said.Code == "NO" {
				return unshown(said)
			}
		}
	default:
		return door.Said{Reply: protocol.NotThisWay, Code: string(imap.CapLoginDisabled)}
	}
	if err != nil {
		return imapTrouble(err)
	}
	return door.Said{Reply: protocol.Accepted, Code: "OK"}
}

// Software is door.Door: the greeting, and what ID says (RFC 2971) if that is
// answered before a login.
func (d *IMAP) Software(ctx context.Context) (string, error) {
	c, done, err := d.open(ctx)
	if err != nil {
		return "", conn.Explain(err)
	}
	defer done()
	if !c.Caps().Has(imap.CapID) {
		return "", nil
	}
	id, err := c.ID(nil).Wait()
	if err != nil || id == nil {
		return "", nil
	}
	return conn.Line(id.Name + " " + id.Version), nil
}

func (d *IMAP) open(ctx context.Context) (*imapclient.Client, func(), error) {
	raw, done, err := conn.Dial(ctx, d.at)
	if err != nil {
		return nil, nil, err
	}
	var c *imapclient.Client
	if d.at.TLS == door.StartTLS {
		config, _ := conn.TLS(d.at)
		if c, err = imapclient.NewStartTLS(raw, &imapclient.Options{TLSConfig: config}); err != nil {
			done()
			return nil, nil, startTLSTrouble(err)
		}
	} else {
		c = imapclient.New(raw, nil)
	}
	all := func() { done(); _ = c.Close() }
	if err := c.WaitGreeting(); err != nil {
		all()
		return nil, nil, err
	}
	switch c.State() {
	case imap.ConnStateNotAuthenticated:
	case imap.ConnStateAuthenticated, imap.ConnStateSelected:
		all()
		return nil, nil, errPreauth
	default: // it has hung up since
		all()
		return nil, nil, io.EOF
	}
	return c, all, nil
}

// startTLSTrouble tells a server that does not begin TLS from one that does not
// for now, or whose answer broke off.
func startTLSTrouble(err error) error {
	var said *imap.Error
	if !errors.As(err, &said) || said.Code == "" && said.Text == "" || said.Type == imap.StatusResponseTypeBye {
		return err
	}
	switch imapCodes[said.Code] {
	case protocol.Unreachable, protocol.TooMany:
		return err
	}
	return conn.BeginsNoTLS(string(said.Type) + " to STARTTLS")
}

// errPreauth is a server that lets in whoever connects (PREAUTH, RFC 9051
// section 7.1.4).
var errPreauth = errors.New("PREAUTH")

// unshown is what an answer means that came before the value was shown: nothing
// of it, whatever it says. STARTTLS may be refused, in clear text, by whoever
// is on the way.
func unshown(said door.Said) door.Said {
	switch said.Reply {
	case protocol.Unreachable, protocol.TooMany, protocol.Guest:
		return said
	}
	return door.Said{Reply: protocol.NotThisWay, Code: said.Code + " before the value was shown"}
}

// imapTrouble says what an error means. A refusal without a code is one of the
// value: servers that know no codes (RFC 5530) say no more than NO.
func imapTrouble(err error) door.Said {
	var said *imap.Error
	switch {
	case errors.Is(err, errPreauth):
		return door.Said{Reply: protocol.Guest, Code: "PREAUTH"}
	case !errors.As(err, &said):
		return conn.Unreachable(err)
	case said.Code == "" && said.Text == "":
		// No answer may be without a text: it broke off before its code.
		return door.Unreachable("an answer that breaks off")
	case said.Type != imap.StatusResponseTypeNo:
		return door.Said{Reply: protocol.NotThisWay, Code: string(said.Type)}
	}
	reply, known := imapCodes[said.Code]
	switch {
	case said.Code == "":
		return door.Said{Reply: protocol.Refused, Code: "NO"}
	case !known: // ALERT, which Gmail says to the right value, NOPERM, CORRUPTION, …
		return door.Said{Reply: protocol.NotThisWay, Code: "NO with a code that says nothing of the value"}
	}
	return door.Said{Reply: reply, Code: "NO " + string(said.Code)}
}

// imapCodes are what NO with a code means to a login (RFC 5530 section 3).
var imapCodes = map[imap.ResponseCode]protocol.Reply{
	imap.ResponseCodeAuthenticationFailed: protocol.Refused,
	// The value was right, and what it opens is somebody else's.
	imap.ResponseCodeAuthorizationFailed: protocol.Restricted,
	// Dovecot's answer to the right value of an account that may not log in
	// (nologin). Others say so without looking at the value.
	imap.ResponseCodeContactAdmin:    protocol.Restricted,
	imap.ResponseCodeExpired:         protocol.Expired,
	imap.ResponseCodePrivacyRequired: protocol.NotThisWay,
	// What it goes by is down.
	imap.ResponseCodeUnavailable: protocol.Unreachable,
	imap.ResponseCodeInUse:       protocol.Unreachable,
	imap.ResponseCodeLimit:       protocol.TooMany,
	imap.ResponseCodeServerBug:   protocol.Unreachable,
}
