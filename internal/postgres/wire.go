package postgres

import (
	"encoding/binary"
	"errors"
	"io"
	"sync"
)

// Method is how a server asked for a password (PostgreSQL 15, 55.2.1 and 55.7).
type Method string

// Methods. What the server calls ldap, pam and radius in pg_hba.conf asks in
// clear text, as password does: the value is checked somewhere else then.
const (
	// NoPassword: nothing was asked for (trust, peer, ident, cert), so a login
	// proves nothing.
	NoPassword Method = ""
	SCRAM      Method = "scram-sha-256"
	MD5        Method = "md5"
	ClearText  Method = "password"
	// OtherMethod is Kerberos or the like.
	OtherMethod Method = "other"
)

// exchange is what a server sent during a login. It is read beside the client
// library, which does not tell whether a password was asked for, nor whether an
// error came before or after it was accepted.
type exchange struct {
	mu sync.Mutex

	head  [9]byte // type, length, and the first four bytes of an Authentication message
	have  int
	skip  uint32 // bytes of the present message that are still to come and tell nothing
	ended bool   // the login is over; nothing is read any more

	asked         Method
	asks          int
	authenticated bool // AuthenticationOk
	verified      bool // AuthenticationSASLFinal, which comes once the proof of SCRAM is found right (RFC 5802 section 3)
	bound         bool // the server can tie SCRAM to its certificate: no pooler ends TLS before it
	mechanisms    []byte
	list          uint32 // bytes of the list of mechanisms that are still to come
}

// tap gives a reader that shows e what is read.
func (e *exchange) tap(r io.Reader) io.Reader { return tapped{r, e} }

type tapped struct {
	r io.Reader
	e *exchange
}

func (t tapped) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.e.feed(p[:n])
	if t.e.again() {
		return 0, errAskedAgain
	}
	return n, err
}

const maxMechanisms = 4096

// errAskedAgain: the library would give a password as often as it is asked for.
var errAskedAgain = errors.New("a password was asked for more than once")

func (e *exchange) again() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asks > 1
}

// feed takes the next bytes of the server, in pieces of any length.
func (e *exchange) feed(b []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(b) > 0 && !e.ended {
		switch {
		case e.list > 0:
			n := min(e.list, uint32(len(b)))
			e.mechanisms = append(e.mechanisms, b[:min(int(n), maxMechanisms-len(e.mechanisms))]...)
			e.list -= n
			b = b[n:]
			if e.list == 0 {
				e.readMechanisms()
			}
		case e.skip > 0:
			n := min(e.skip, uint32(len(b)))
			e.skip -= n
			b = b[n:]
		default:
			e.head[e.have] = b[0]
			e.have++
			b = b[1:]
			e.readHead()
		}
	}
}

// readHead looks whether enough of a message is there.
func (e *exchange) readHead() {
	if e.have < 5 {
		return
	}
	length := binary.BigEndian.Uint32(e.head[1:5]) // of itself and the body
	if length < 4 {
		e.ended = true // no message of PostgreSQL
		return
	}
	switch e.head[0] {
	case 'R':
		if length < 8 {
			e.ended = true
			return
		}
		if e.have < 9 {
			return
		}
		e.authentication(binary.BigEndian.Uint32(e.head[5:9]), length-8)
	case 'Z', 'E': // ReadyForQuery, ErrorResponse
		e.ended = true
	default:
		e.skip = length - 4
	}
	e.have = 0
}

// authentication reads an Authentication message (55.7).
func (e *exchange) authentication(code, rest uint32) {
	e.skip = rest
	switch code {
	case 0:
		e.authenticated = true
	case 3:
		e.asked = ClearText
		e.asks++
	case 5:
		e.asked = MD5
		e.asks++
	case 10:
		e.asked = OtherMethod
		e.asks++
		e.skip, e.list, e.mechanisms = 0, rest, nil
	case 11: // the exchange of mechanisms goes on
	case 12:
		e.verified = true
	default:
		e.asked = OtherMethod
	}
}

// readMechanisms: names that end in a zero byte, and one more at the end.
func (e *exchange) readMechanisms() {
	start := 0
	for i, b := range e.mechanisms {
		if b != 0 {
			continue
		}
		switch string(e.mechanisms[start:i]) {
		case "SCRAM-SHA-256":
			e.asked = SCRAM
		case "SCRAM-SHA-256-PLUS":
			e.asked, e.bound = SCRAM, true
		}
		start = i + 1
	}
	e.mechanisms = nil
}

// seen is what an exchange has shown.
type seen struct {
	asked         Method
	authenticated bool
	bound         bool
	verified      bool
}

func (e *exchange) seen() seen {
	e.mu.Lock()
	defer e.mu.Unlock()
	return seen{e.asked, e.authenticated, e.bound, e.verified}
}
