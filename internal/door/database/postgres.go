// Package database asks doors of databases.
package database

import (
	"cmp"
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/conn"
	"rollcall/internal/postgres"
	"rollcall/internal/protocol"
)

// Postgres is a door of type postgres.
type Postgres struct{ at door.Settings }

// OpenPostgres gives the door.
func OpenPostgres(s door.Settings) *Postgres { return &Postgres{s} }

// Ask is door.Door.
func (d *Postgres) Ask(ctx context.Context, login string, value credential.Secret) door.Said {
	if why := cmp.Or(d.at.CannotCarry(value), postgres.CannotOffer(value)); why != "" {
		return door.Said{Reply: protocol.NotCarried, Code: why}
	}
	if login == "" || strings.ContainsRune(login, 0) {
		return door.Said{Reply: protocol.NotThisWay, Code: "a name that is empty, or has a zero byte"}
	}
	saw, err := d.offer(ctx, login, value)
	if err != nil {
		return conn.Unreachable(err)
	}
	said := door.Said{Reply: pgAnswer(saw), Code: pgCode(saw), Verified: saw.Verified || saw.Authenticated && saw.Asked != postgres.NoPassword}
	if saw.PoolerRefused {
		said.Keeps = "pgbouncer"
	}
	return said
}

// pgAnswer reads a login (PostgreSQL 15, appendix A; internal/postgres has why
// it is known what came before and after the password). Codes after the
// password say that it was right.
func pgAnswer(saw postgres.Offered) protocol.Reply {
	asked := saw.Asked == postgres.SCRAM || saw.Asked == postgres.MD5 || saw.Asked == postgres.ClearText
	switch code := saw.Code; {
	case saw.Authenticated && saw.Asked == postgres.NoPassword:
		return protocol.Guest // trust, peer, cert: with whatever value
	case saw.Authenticated && !asked:
		return protocol.NotThisWay
	case saw.Authenticated && code == "28000":
		return protocol.Restricted // the role may not log in
	case saw.Authenticated:
		// A session, or none because of the database (3D000, 42501, 55000) or a
		// limit of the role (53300).
		return protocol.Accepted
	case saw.Verified:
		// A pooler found the value right, and the server behind gave it no
		// session, for whatever reason: the value, the database, a limit.
		return protocol.Restricted
	case saw.PoolerRefused:
		return protocol.Refused
	case code == "28P01" && asked:
		return protocol.Refused
	case code == "28000" && saw.Asked == postgres.ClearText:
		// ldap, pam or radius in pg_hba.conf: what stands behind refuses it, or
		// is down.
		return protocol.Refused
	case code == "53300":
		return protocol.TooMany
	case postgres.ForNow(code):
		return protocol.Unreachable
	}
	// No line of pg_hba.conf lets it in (28000 before it was asked for), and
	// everything else.
	return protocol.NotThisWay
}

func pgCode(saw postgres.Offered) string {
	code := saw.Code
	if code == "" {
		code = "a session"
	} else if len(code) != 5 || strings.ContainsFunc(code, func(r rune) bool { return r <= ' ' || r > '~' }) {
		code = "a code that is none"
	}
	if (saw.Authenticated || saw.Verified) && saw.Code != "" {
		code += " after the password"
	}
	return code
}

// Software is door.Door. A server says its version after a login only, so this
// looks no further than whether TLS is spoken and a login is answered.
func (d *Postgres) Software(ctx context.Context) (string, error) {
	// No role can have an empty name, so that nobody's login fails.
	saw, err := d.offer(ctx, "", credential.Secret{})
	if err != nil {
		return "", conn.Explain(err)
	}
	if saw.Code == "" && !saw.Authenticated {
		return "", errors.New("an answer that is none of its protocol")
	}
	return "", nil
}

func (d *Postgres) offer(ctx context.Context, login string, value credential.Secret) (postgres.Offered, error) {
	config, err := conn.TLS(d.at)
	if err != nil {
		return postgres.Offered{}, err
	}
	_, port, err := net.SplitHostPort(d.at.Address)
	if err != nil {
		return postgres.Offered{}, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return postgres.Offered{}, err
	}
	at := postgres.Elsewhere{Host: config.ServerName, Port: uint16(number), Database: d.at.Database, Timeout: d.at.Timeout}
	if at.Database == "" {
		at.Database = "postgres"
	}
	if d.at.TLS != door.ClearText {
		at.TLS = config
	}
	var mu sync.Mutex
	var ends []func()
	var last *heard
	at.Dial = func(ctx context.Context) (net.Conn, error) {
		c, done, err := conn.Dial(ctx, d.at)
		if err != nil {
			return nil, err
		}
		mu.Lock()
		defer mu.Unlock()
		ends, last = append(ends, done), &heard{Conn: c}
		return last, nil
	}
	ctx, cancel := context.WithTimeout(ctx, d.at.Timeout)
	defer cancel()
	saw, err := at.Offer(ctx, login, value)
	mu.Lock()
	defer mu.Unlock()
	for _, end := range ends {
		end()
	}
	if err != nil && at.TLS != nil && last != nil && last.first == 'N' {
		err = conn.BeginsNoTLS("N to SSLRequest")
	}
	return saw, err
}

// heard keeps the first byte that a server says. The library words what it says
// to SSLRequest as text alone, and has one text for no TLS (N) and for no room
// (E; PostgreSQL 15, 55.2.10).
type heard struct {
	net.Conn
	first byte
}

func (h *heard) Read(p []byte) (int, error) {
	n, err := h.Conn.Read(p)
	if h.first == 0 && n > 0 {
		h.first = p[0]
	}
	return n, err
}
