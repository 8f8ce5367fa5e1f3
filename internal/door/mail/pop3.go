package mail

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/conn"
	"rollcall/internal/protocol"
)

// POP3 is a door of type pop3 or pop3s (RFC 1939, STLS: RFC 2595). There is no
// client for it that shows the code of a refusal, and the login is two lines.
type POP3 struct{ at door.Settings }

// OpenPOP3 gives the door.
func OpenPOP3(s door.Settings) *POP3 { return &POP3{s} }

// Ask is door.Door.
func (d *POP3) Ask(ctx context.Context, login string, value credential.Secret) door.Said {
	if why := d.at.CannotCarry(value); why != "" {
		return door.Said{Reply: protocol.NotCarried, Code: why}
	}
	if strings.ContainsAny(login, "\r\n\x00") {
		return door.Said{Reply: protocol.NotThisWay, Code: "a line end in the name"}
	}
	c, _, done, err := d.open(ctx)
	if err != nil {
		return conn.Unreachable(err)
	}
	defer done()
	text, err := command(c, "USER "+login)
	if err != nil {
		return conn.Unreachable(err)
	}
	if !ok(text) {
		// Before the value was said.
		return door.Said{Reply: protocol.NotThisWay, Code: "-ERR to USER"}
	}
	if text, err = command(c, "PASS "+value.Reveal()); err != nil {
		return conn.Unreachable(err)
	}
	return pop3Answer(text)
}

// Software is door.Door: the greeting.
func (d *POP3) Software(ctx context.Context) (string, error) {
	_, greeting, done, err := d.open(ctx)
	if err != nil {
		return "", conn.Explain(err)
	}
	defer done()
	return conn.Line(strings.TrimPrefix(greeting, "+OK ")), nil
}

func (d *POP3) open(ctx context.Context) (c *lines, greeting string, done func(), err error) {
	raw, done, err := conn.Dial(ctx, d.at)
	if err != nil {
		return nil, "", nil, err
	}
	fail := func(err error) (*lines, string, func(), error) {
		done()
		return nil, "", nil, err
	}
	c = over(raw)
	if greeting, err = conn.ReadLine(c.in); err != nil {
		return fail(err)
	}
	if !ok(greeting) {
		return fail(errNotPOP3)
	}
	if d.at.TLS != door.StartTLS {
		return c, greeting, done, nil
	}
	text, err := command(c, "STLS")
	if err != nil {
		return fail(err)
	}
	switch {
	case strings.HasPrefix(text, "-ERR") && pop3Answer(text).Reply != protocol.Unreachable:
		return fail(conn.BeginsNoTLS("-ERR to STLS"))
	case !ok(text) || c.in.Buffered() > 0:
		// What came before the handshake is nobody's word.
		return fail(errNotPOP3)
	}
	config, err := conn.TLS(d.at)
	if err != nil {
		return fail(err)
	}
	secured := tls.Client(raw, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return fail(err)
	}
	return over(secured), greeting, done, nil
}

var errNotPOP3 = errors.New("no greeting of POP3, or no STLS")

func ok(text string) bool { return text == "+OK" || strings.HasPrefix(text, "+OK ") }

// lines are a connection's.
type lines struct {
	c  net.Conn
	in *bufio.Reader
}

func over(c net.Conn) *lines { return &lines{c, conn.Lines(c)} }

// command takes no line that breaks off for an answer: "-ERR" may have been to
// become "-ERR [SYS/TEMP]".
func command(c *lines, text string) (string, error) {
	if _, err := c.c.Write([]byte(text + "\r\n")); err != nil {
		return "", err
	}
	return conn.ReadLine(c.in)
}

// pop3Answer says what the answer to PASS means (RFC 2449 section 8, RFC 3206).
func pop3Answer(text string) door.Said {
	if ok(text) {
		return door.Said{Reply: protocol.Accepted, Code: "+OK"}
	}
	said, isError := strings.CutPrefix(text, "-ERR")
	if !isError {
		return door.Unreachable("an answer that is none of its protocol")
	}
	code := ""
	if rest, has := strings.CutPrefix(strings.TrimSpace(said), "["); has {
		code, _, _ = strings.Cut(rest, "]")
	}
	for _, row := range pop3Codes {
		if strings.EqualFold(row.code, code) || strings.HasPrefix(strings.ToUpper(code), row.code+"/") {
			return door.Said{Reply: row.means, Code: "-ERR [" + row.code + "]"}
		}
	}
	if code != "" {
		return door.Said{Reply: protocol.NotThisWay, Code: "-ERR with a code that says nothing of the value"}
	}
	return door.Said{Reply: protocol.Refused, Code: "-ERR"}
}

var pop3Codes = []struct {
	code  string
	means protocol.Reply
}{
	{"AUTH", protocol.Refused},
	// The value was right, and another session has the mailbox.
	{"IN-USE", protocol.Restricted},
	// The value was right, and the last login is too recent.
	{"LOGIN-DELAY", protocol.Restricted},
	{"SYS", protocol.Unreachable},
}
