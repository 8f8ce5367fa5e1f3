package postgres

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"rollcall/internal/awaited"
	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// refusalTTL is how long a refused password is not offered again: PostgreSQL
// locks nobody out, but what reads its log (fail2ban) or slows it down
// (auth_delay) may.
const refusalTTL = time.Minute

// identity is one login of the worker at one server.
type identity struct {
	server   *server
	who      Identity
	password func(context.Context) (credential.Secret, error)
	pool     *pool

	mu      sync.Mutex
	refused credential.Secret
	until   time.Time
	refusal error
}

func newIdentity(s *server, who Identity, password func(context.Context) (credential.Secret, error)) *identity {
	i := &identity{server: s, who: who, password: password}
	i.pool = newPool(s.client.conf.Connections, i.dial)
	return i
}

// name is what errors call the identity.
func (i *identity) name() string {
	switch ids := i.server.identities; {
	case len(ids) < 2:
		return "the worker's identity"
	case i == ids[0]:
		return "the first of the worker's identities"
	}
	return "the second of the worker's identities"
}

// identityError is a login of the worker that did not come about. Its text
// names the role and the place of its password; Public does not.
type identityError struct {
	public  string
	who     Identity
	refused bool // another identity may be let in
}

func (e *identityError) Error() string {
	return fmt.Sprintf("%s (role %q, its password at %s)", e.public, e.who.Role, e.who.Password)
}

// Public is the text without a name.
func (e *identityError) Public() string { return e.public }
func (*identityError) SafeText()        {}

func isRefused(err error) bool {
	e, ok := err.(*identityError)
	return ok && e.refused
}

func (i *identity) failed(refused bool, format string, args ...any) error {
	return &identityError{public: "database " + i.server.client.name + ": " + fmt.Sprintf(format, args...), who: i.who, refused: refused}
}

// session is a connection of one of the worker's identities, and what it may
// read there.
type session struct {
	*pgx.Conn
	identity *identity
	method   Method
	bound    bool
	rights   rights
	used     bool
}

// rights are what the identity may read of pg_authid, besides the view
// pg_roles, which everybody may read and which has neither.
type rights struct {
	super            bool
	verifier, change bool // rolpassword; xmin
	none             bool // whether there is a password, by the function
}

var askRights = `SELECT rolsuper,
	has_column_privilege('pg_catalog.pg_authid', 'rolpassword', 'SELECT') AND has_column_privilege('pg_catalog.pg_authid', 'oid', 'SELECT'),
	has_column_privilege('pg_catalog.pg_authid', 'xmin', 'SELECT') AND has_column_privilege('pg_catalog.pg_authid', 'oid', 'SELECT'),
	` + askPresence + `
	FROM pg_catalog.pg_roles WHERE rolname = current_user`

// dial logs in.
func (i *identity) dial(ctx context.Context) (*session, error) {
	s := i.server
	value, err := i.password(ctx)
	switch {
	case err != nil:
		return nil, fmt.Errorf("database %s: read the password of %s: %w", s.client.name, i.name(), err)
	case value.IsZero():
		return nil, i.failed(false, "Vault holds no password for %s; write it there", i.name())
	}
	i.mu.Lock()
	known := i.refused.Equal(value) && time.Now().Before(i.until)
	refusal := i.refusal
	i.mu.Unlock()
	if known {
		return nil, refusal
	}
	conn, saw, err := s.present(ctx, i.who.Role, value)
	if err != nil {
		return nil, i.refusedLogin(s.plain(ctx, "log in as "+i.name(), err), saw, value)
	}
	out := &session{Conn: conn, identity: i, method: saw.asked, bound: saw.bound}
	ctx, cancel := context.WithTimeout(ctx, s.client.conf.Timeout)
	defer cancel()
	if err := conn.QueryRow(ctx, askRights).Scan(&out.rights.super, &out.rights.verifier, &out.rights.change, &out.rights.none); err != nil {
		out.close(ctx)
		return nil, s.plain(ctx, "look at the own rights", err)
	}
	return out, nil
}

// refusedLogin says what a login that failed means for the identity.
func (i *identity) refusedLogin(err error, saw seen, value credential.Secret) error {
	code := refusal(err)
	if code == "" {
		return err
	}
	if !saw.authenticated && code == codeInvalidPassword {
		err = i.failed(true, "login to %s as %s is refused: the password that Vault holds is wrong, or the role is not there, or its VALID UNTIL is over; put that in order", i.server.name, i.name())
		i.mu.Lock()
		i.refused, i.until, i.refusal = value, time.Now().Add(refusalTTL), err
		i.mu.Unlock()
		return err
	}
	return i.failed(true, "login to %s as %s is refused (%s)", i.server.name, i.name(), meaning(code))
}

// close ends the session without waiting for the server.
func (c *session) close(ctx context.Context) { hangUp(ctx, c.Conn) }

// do runs one operation, bounded by the cluster's timeout.
func (s *server) do(ctx context.Context, c *session, what string, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.client.conf.Timeout)
	defer cancel()
	defer awaited.From(ctx, s.name)()
	return s.plain(ctx, what, f(ctx))
}

// read runs f as the first of the worker's identities that the server lets in,
// once more if a connection of the pool was broken. f reads and changes
// nothing.
func (s *server) read(ctx context.Context, what string, f func(context.Context, *session) error) error {
	return s.admin(ctx, "", true, func(c *session) error {
		return s.do(ctx, c, what, func(ctx context.Context) error { return f(ctx, c) })
	})
}

// admin runs f as the first of the worker's identities that the server lets in.
// An operation on one of a pair is for the other alone, and on a connection
// made for it: the login just before shows that the other's value in Vault
// works.
func (s *server) admin(ctx context.Context, role string, twice bool, f func(*session) error) error {
	if i := s.partnerOf(role); i != nil {
		return i.once(ctx, f)
	}
	var failed error
	for _, i := range s.identities {
		err := i.pool.use(ctx, twice, f)
		if !isRefused(err) {
			return err
		}
		if failed == nil {
			failed = err
		}
	}
	return failed
}

// partnerOf is the other of a pair if role is one of it, else nil.
func (s *server) partnerOf(role string) *identity {
	if role == "" || len(s.identities) != 2 {
		return nil
	}
	for n, i := range s.identities {
		if i.who.Role == role {
			return s.identities[1-n]
		}
	}
	return nil
}

// once runs f on a connection of its own.
func (i *identity) once(ctx context.Context, f func(*session) error) error {
	c, err := i.dial(ctx)
	if isRefused(err) {
		return &protocol.Stop{Reason: protocol.ReasonRights, Server: i.server.name,
			Detail: "the other role of the pair, which works on this one, is not let in here with the password that Vault holds for it; put that in order (rollcall doctor)"}
	}
	if err != nil {
		return err
	}
	defer c.close(ctx)
	return f(c)
}
