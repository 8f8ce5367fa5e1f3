// Package ftp asks doors of FTP.
package ftp

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/conn"
	"rollcall/internal/protocol"
)

// FTP is a door of type ftp (AUTH TLS, RFC 4217) or ftps (over TLS from the
// first byte on). A login is two lines (RFC 959), and no data connection is
// made.
type FTP struct{ at door.Settings }

// Open gives the door.
func Open(s door.Settings) *FTP { return &FTP{s} }

// Ask is door.Door.
func (d *FTP) Ask(ctx context.Context, login string, value credential.Secret) door.Said {
	if why := d.at.CannotCarry(value); why != "" {
		return door.Said{Reply: protocol.NotCarried, Code: why}
	}
	switch {
	case login == "" || strings.ContainsAny(login, "\r\n\x00"), strings.IndexByte(login, 0xff) >= 0:
		// \xff is a command of Telnet (RFC 959, 5.3.1).
		return door.Said{Reply: protocol.NotThisWay, Code: "an empty name, or a character in it that FTP cannot carry"}
	case strings.EqualFold(login, "anonymous"), strings.EqualFold(login, "ftp"):
		// RFC 1635: with whatever value.
		return door.Said{Reply: protocol.Guest, Code: "a name of anonymous FTP"}
	}
	c, _, done, err := d.open(ctx)
	if err != nil {
		return trouble(err)
	}
	defer done()
	r, err := c.command("USER " + login)
	switch {
	case err != nil:
		return trouble(err)
	case r.code == 230:
		return door.Said{Reply: protocol.Guest, Code: "230 without a password"}
	case r.code != 331:
		return door.Said{Reply: before(r.code), Code: fmt.Sprint(r.code, " to USER")}
	}
	if r, err = c.command("PASS " + value.Reveal()); err != nil {
		return trouble(err)
	}
	reply, known := codes[r.code]
	if !known {
		reply = before(r.code)
	}
	return door.Said{Reply: reply, Code: fmt.Sprint(r.code)}
}

// codes are what the answer to PASS means (RFC 959, 5.4). 530 is everything:
// wrong, unknown, locked, expired, and the directory behind is down.
var codes = map[int]protocol.Reply{
	230: protocol.Accepted,
	232: protocol.Accepted, // the same over TLS (RFC 2228)
	// No password was needed.
	202: protocol.Guest,
	// The value was right, and an ACCT is asked for besides.
	332: protocol.Restricted,
	530: protocol.Refused,
}

// before is what a code means that is no verdict on the value.
func before(code int) protocol.Reply {
	switch {
	case code == 421:
		return protocol.TooMany
	case code/100 == 4, code == 120:
		return protocol.Unreachable
	}
	return protocol.NotThisWay
}

// Software is door.Door: the greeting.
func (d *FTP) Software(ctx context.Context) (string, error) {
	_, greeting, done, err := d.open(ctx)
	if err != nil {
		said := trouble(err)
		return "", door.Trouble{Why: said.Code, Fault: said.Fault}
	}
	defer done()
	return conn.Line(greeting), nil
}

func (d *FTP) open(ctx context.Context) (c *control, greeting string, done func(), err error) {
	raw, done, err := conn.Dial(ctx, d.at)
	if err != nil {
		return nil, "", nil, err
	}
	c = over(raw)
	greeting, err = c.greet()
	if err == nil && d.at.TLS == door.StartTLS {
		c, err = c.secure(ctx, raw, d.at)
	}
	if err != nil {
		done()
		return nil, "", nil, err
	}
	return c, greeting, done, nil
}

func (c *control) greet() (string, error) {
	r, err := c.read()
	if err == nil && r.code != 220 {
		err = &turnedAway{r.code, "instead of a greeting"}
	}
	return r.text, err
}

// secure is RFC 4217, 4. What came before the handshake is nobody's word.
func (c *control) secure(ctx context.Context, raw net.Conn, s door.Settings) (*control, error) {
	config, err := conn.TLS(s)
	if err != nil {
		return nil, err
	}
	r, err := c.command("AUTH TLS")
	switch {
	case err != nil:
		return nil, err
	case r.code/100 == 5:
		return nil, conn.BeginsNoTLS(fmt.Sprint(r.code, " to AUTH TLS"))
	case r.code != 234:
		return nil, &turnedAway{r.code, "to AUTH TLS"}
	case c.in.Buffered() > 0:
		return nil, errNotFTP
	}
	secured := tls.Client(raw, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return over(secured), nil
}

// control is a control connection.
type control struct {
	c  net.Conn
	in *bufio.Reader
}

func over(c net.Conn) *control { return &control{c, conn.Lines(c)} }

type reply struct {
	code int
	text string // of its first line
}

func (c *control) command(text string) (reply, error) {
	if _, err := c.c.Write([]byte(text + "\r\n")); err != nil {
		return reply{}, err
	}
	return c.read()
}

// read is RFC 959, 4.2: "230 text", or "230-text", any lines, "230 text".
func (c *control) read() (reply, error) {
	line, err := conn.ReadLine(c.in)
	if err != nil {
		return reply{}, err
	}
	code, err := strconv.Atoi(line[:min(3, len(line))])
	if err != nil || code < 100 || code > 599 || len(line) > 3 && line[3] != ' ' && line[3] != '-' {
		return reply{}, errNotFTP
	}
	r := reply{code: code}
	if len(line) > 4 {
		r.text = line[4:]
	}
	if len(line) > 3 && line[3] == '-' {
		for !strings.HasPrefix(line, fmt.Sprint(code, " ")) && line != fmt.Sprint(code) {
			if line, err = conn.ReadLine(c.in); err != nil {
				return reply{}, err
			}
		}
	}
	return r, nil
}

var errNotFTP = errors.New("an answer that is none of FTP")

// turnedAway is an answer before a login was tried.
type turnedAway struct {
	code int
	when string
}

func (e *turnedAway) Error() string { return fmt.Sprint(e.code, " ", e.when) }

func trouble(err error) door.Said {
	var away *turnedAway
	if errors.As(err, &away) {
		return door.Said{Reply: before(away.code), Code: away.Error()}
	}
	return conn.Unreachable(err)
}
