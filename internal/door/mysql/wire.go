package mysql

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"rollcall/internal/credential"
)

// The protocol of MySQL 4.1 and later
// (https://mariadb.com/kb/en/clientserver-protocol/), as far as a login and one
// row need it.

// Capabilities of a client and a server.
const (
	capLongPassword = 1 << 0
	capProtocol41   = 1 << 9
	capSSL          = 1 << 11
	capTransactions = 1 << 13
	capSecure       = 1 << 15
	capPlugins      = 1 << 19
)

// wanted are those that a login needs. Without one for expired passwords a
// server may say 1862 instead of opening a session for the change.
const wanted = capLongPassword | capProtocol41 | capTransactions | capSecure | capPlugins

// most is how long a packet may be. An answer to a login has some hundred
// bytes.
const most = 16 << 10

// session is a connection, and where it is in its protocol.
type session struct {
	net.Conn
	next    byte // number of the next packet
	server  uint32
	salt    []byte
	version string
	secured bool
	methods []string // that the account was asked by, in turn
}

// sqlError is an error that a server answers, without its text, which names the
// account.
type sqlError struct {
	number uint16
	state  string
}

func (e *sqlError) Error() string { return e.code() }

// early is one that comes instead of a greeting.
type early struct{ number uint16 }

func (e *early) Error() string { return fmt.Sprint(e.number) }

func (s *session) read() ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(s.Conn, head); err != nil {
		return nil, err
	}
	n := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	if n == 0 || n > most || head[3] != s.next {
		return nil, errForeign
	}
	s.next++
	body := make([]byte, n)
	_, err := io.ReadFull(s.Conn, body)
	return body, err
}

func (s *session) write(body []byte) error {
	head := []byte{byte(len(body)), byte(len(body) >> 8), byte(len(body) >> 16), s.next}
	s.next++
	_, err := s.Conn.Write(append(head, body...))
	return err
}

func (s *session) greeting() error {
	p, err := s.read()
	if err != nil {
		return err
	}
	if p[0] == isError {
		if len(p) < 3 {
			return errForeign
		}
		return &early{binary.LittleEndian.Uint16(p[1:])}
	}
	version, rest, ok := bytes.Cut(p[1:], []byte{0})
	// Number of the connection, 8 bytes of the challenge, a zero, capabilities,
	// character set, state, more capabilities, length of the challenge, 10
	// bytes, the challenge's rest.
	if p[0] != 10 || !ok || len(rest) < 4+8+1+2+1+2+2+1+10+12 {
		return errForeign
	}
	s.version = string(version)
	s.server = uint32(binary.LittleEndian.Uint16(rest[13:])) | uint32(binary.LittleEndian.Uint16(rest[18:]))<<16
	s.salt = append(append([]byte(nil), rest[4:12]...), rest[31:43]...)
	if s.server&wanted&^capLongPassword != wanted&^capLongPassword {
		return errForeign
	}
	return nil
}

// capabilities is how a client begins: what it can, how long a packet it takes,
// and its character set (utf8mb4_general_ci).
func (s *session) capabilities(can uint32) []byte {
	if s.secured {
		can |= capSSL
	}
	out := binary.LittleEndian.AppendUint32(nil, can)
	out = binary.LittleEndian.AppendUint32(out, most)
	return append(out, 45)
}

// What a packet begins with.
const (
	isOK     = 0x00
	isMore   = 0x01
	isSwitch = 0xfe
	isError  = 0xff
)

// login answers challenges by the methods that the server asks for, until it
// says yes (nil) or no (a *sqlError). An account with several methods asks for
// one after the other; it begins with one that no account has, so that each of
// them is named.
func (s *session) login(name string, value credential.Secret) error {
	response := native(s.salt, value)
	out := append(s.capabilities(wanted), make([]byte, 23)...)
	out = append(append(out, name...), 0)
	out = append(append(out, byte(len(response))), response...)
	out = append(append(out, methodNobodys...), 0)
	if err := s.write(out); err != nil {
		return err
	}
	method := methodNobodys
	for range 10 {
		p, err := s.read()
		if err != nil {
			return err
		}
		var reply []byte
		switch p[0] {
		case isOK:
			return nil
		case isError:
			return refusal(p)
		case isSwitch:
			name, challenge, whole := bytes.Cut(p[1:], []byte{0})
			if len(p) > 1 && !whole {
				return errForeign
			}
			method = string(name)
			s.methods = append(s.methods, method)
			reply, err = s.respond(method, challenge, value)
		case isMore:
			if reply, err = s.more(method, p[1:], value); err == nil && reply == nil {
				continue
			}
		case 2, 3, 4, 5:
			if method != methodDialog {
				return errForeign
			}
			// It may ask for a new password, or for a code.
			return errPrompt
		default:
			return errForeign
		}
		if err != nil {
			return err
		}
		if err := s.write(reply); err != nil {
			return err
		}
	}
	return errForeign
}

func refusal(p []byte) error {
	if len(p) < 3 {
		return errForeign
	}
	e := &sqlError{number: binary.LittleEndian.Uint16(p[1:])}
	if len(p) >= 9 && p[3] == '#' {
		for _, c := range p[4:9] {
			if (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
				return errForeign
			}
		}
		e.state = string(p[4:9])
	}
	return e
}

// currentUser is the account whose session it is.
func (s *session) currentUser() (string, error) {
	s.next = 0
	if err := s.write(append([]byte{3}, "SELECT CURRENT_USER()"...)); err != nil {
		return "", err
	}
	// One column, what it is, an end, one row, an end.
	var row []byte
	for i := range 5 {
		p, err := s.read()
		switch {
		case err != nil:
			return "", err
		case p[0] == isError:
			return "", refusal(p)
		case i == 0 && (len(p) != 1 || p[0] != 1), (i == 2 || i == 4) && (p[0] != isSwitch || len(p) > 5):
			return "", errForeign
		case i == 3:
			row = p
		}
	}
	if int(row[0]) != len(row)-1 || row[0] > 250 {
		return "", errForeign
	}
	return string(row[1:]), nil
}

// quit says that it is over, so that the server counts no broken connection.
func (s *session) quit() {
	s.next = 0
	_ = s.write([]byte{1})
}

var errPrompt = errors.New("a second prompt, which is not answered")

var errMethod = errors.New("it asks for a method that this build does not know, or that would send the value in clear text")
