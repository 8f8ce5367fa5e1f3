// Package mysql asks doors of MariaDB and MySQL.
package mysql

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/conn"
	"rollcall/internal/protocol"
)

// MySQL is a door of type mysql. It speaks the protocol itself: Go's driver
// gives an account up that asks for a second method (MariaDB's VIA … OR …), and
// does not tell an error before the login from one that answers it.
type MySQL struct {
	at door.Settings
	// up are accounts whose last good login was by a method that asks
	// elsewhere, which so was up.
	up sync.Map
	// namesakes are the accounts of each name that has logged in, as namesakes
	// values.
	namesakes sync.Map
	shared    func(context.Context) (credential.Secret, error)
}

// Open gives the door. shared reads the value of the account that may read
// which accounts there are (reader).
func Open(s door.Settings, shared func(context.Context) (credential.Secret, error)) *MySQL {
	return &MySQL{at: s, shared: shared}
}

// longest is how many bytes a user's name may have (MariaDB: 128 characters; a
// longer one is cut by some versions).
const longest = 128

// Ask is door.Door.
func (d *MySQL) Ask(ctx context.Context, login string, value credential.Secret) door.Said {
	if why := d.at.CannotCarry(value); why != "" {
		return door.Said{Reply: protocol.NotCarried, Code: why}
	}
	if login == "" || len(login) > longest || strings.ContainsRune(login, 0) {
		return door.Said{Reply: protocol.NotThisWay, Code: "a name that is empty, too long, or has a zero byte"}
	}
	s, done, err := d.greeted(ctx)
	if err != nil {
		return before(err)
	}
	defer done()
	var said *sqlError
	switch err := s.login(login, value); {
	case errors.As(err, &said):
		reply := atLogin(said)
		if _, up := d.up.Load(login); reply == protocol.Refused && s.unsure() && !up {
			return door.Said{Reply: protocol.NotThisWay, Code: said.code() + " after several methods, of which one asks elsewhere"}
		}
		if reply == protocol.Refused {
			return d.refused(login, value, said.code())
		}
		return door.Said{Reply: reply, Code: said.code()}
	case err != nil:
		return before(err)
	}
	if d.up.Delete(login); s.byElsewhere() {
		d.up.Store(login, true)
	}
	who, err := s.currentUser()
	switch {
	case errors.As(err, &said):
		return door.Said{Reply: inSession(said), Code: said.code() + " after the login"}
	case err != nil:
		return before(err)
	}
	in := whose(who, login)
	if in.Reply == protocol.Accepted {
		d.namesakes.Store(login, d.meets(ctx, s, login, who))
	}
	s.quit()
	return in
}

// whose: an account that takes more than one name in (an anonymous one, one
// that others stand for) proves nothing for the one that is asked about, and a
// server with --skip-grant-tables lets in whoever comes as nobody.
func whose(who, login string) door.Said {
	if at := strings.LastIndexByte(who, '@'); at < 0 || who[:at] != login {
		return door.Said{Reply: protocol.Guest, Code: "a session of another account"}
	}
	return door.Said{Reply: protocol.Accepted, Code: "a session"}
}

// Software is door.Door: the version in the greeting. It goes on to a login of
// a user that cannot exist, because a server shuts an address out that breaks
// off in the middle of too many handshakes (max_connect_errors).
func (d *MySQL) Software(ctx context.Context) (string, error) {
	s, done, err := d.greeted(ctx)
	if err != nil {
		return "", trouble(err)
	}
	defer done()
	var said *sqlError
	nobody := "rollcall-nobody-" + rand.Text()[:8]
	if err := s.login(nobody, credential.NewSecret(rand.Text())); err != nil && !errors.As(err, &said) {
		return "", trouble(err)
	}
	if err := d.readable(ctx, s, nobody); err != nil {
		return "", err
	}
	// MariaDB says that it is 5.5.5 first, for replicas of MySQL.
	return conn.Line(strings.TrimPrefix(s.version, "5.5.5-")), nil
}

var errForeign = errors.New("an answer that is none of its protocol")

// greeted connects, and secures the connection where the door is not in clear
// text. Nothing of the greeting is believed but the challenge, which a login is
// bound to.
func (d *MySQL) greeted(ctx context.Context) (s *session, done func(), err error) {
	config, err := conn.TLS(d.at)
	if err != nil {
		return nil, nil, err
	}
	raw, done, err := conn.Dial(ctx, d.at)
	if err != nil {
		return nil, nil, err
	}
	s = &session{Conn: raw}
	if err = s.greeting(); err == nil && d.at.TLS != door.ClearText {
		err = s.startTLS(ctx, raw, config)
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return s, done, nil
}

func (s *session) startTLS(ctx context.Context, raw net.Conn, config *tls.Config) error {
	if s.server&capSSL == 0 {
		return conn.BeginsNoTLS("its greeting offers none")
	}
	if err := s.write(append(s.capabilities(wanted|capSSL), make([]byte, 23)...)); err != nil {
		return err
	}
	over := tls.Client(raw, config)
	if err := over.HandshakeContext(ctx); err != nil {
		return err
	}
	s.Conn, s.secured = over, true
	return nil
}

// trouble is before as an error.
func trouble(err error) error {
	said := before(err)
	return door.Trouble{Why: said.Code, Fault: said.Fault}
}

// before is what went wrong that is no answer to a login.
func before(err error) door.Said {
	var early *early
	switch {
	case errors.As(err, &early):
		return door.Said{Reply: atGreeting(early.number), Code: fmt.Sprint(early.number, " instead of a greeting")}
	case errors.Is(err, errMethod), errors.Is(err, errPrompt):
		return door.Said{Reply: protocol.NotThisWay, Code: err.Error()}
	case errors.Is(err, errForeign):
		return door.Unreachable(err.Error())
	}
	return conn.Unreachable(err)
}
