package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// Login is what one server said to one value.
type Login struct {
	Answer protocol.Reply
	// Method is how the server asked for the value. ClearText may mean that
	// somebody else checks it (ldap, pam, radius): then a password that is set
	// here is not the one that logs in, and the new value is refused as
	// NotThisWay.
	Method Method
	// Code is the SQLSTATE with which the login ended; empty for a session that
	// came up.
	Code string
}

// Try offers value to one server, once, as the role that has an immutable id
// and that name. After a good login the session reads the id of its role;
// another one is a *protocol.Stop (ReasonInterrupted), whatever let it in, and
// so is a pooler that answered in the server's place (ReasonContradicts). A
// refusal is believed only after a look at the role on the same server, because
// the server says the same of a role that is gone or renamed, or whose VALID
// UNTIL is over.
//
// Accepted is every login for which the server took the value, also where it
// then gave no session because of the database or a limit: Login.Code says so.
// NotThisWay is a login that tells nothing of the value: none was asked for, or
// pg_hba.conf does not let it in. A server that does not answer, starts or has
// no room is Unreachable, not an error.
func (c *Client) Try(ctx context.Context, server, id, role string, value credential.Secret) (Login, error) {
	l, conn, err := c.offer(ctx, server, role, value)
	if conn != nil {
		defer hangUp(ctx, conn)
	}
	switch {
	case err != nil:
		return l, err
	case conn != nil && l.Answer == protocol.Accepted:
		return c.own(ctx, server, id, l, conn)
	case l.Answer != protocol.Refused:
		return l, nil
	}
	r, found, err := c.ByID(ctx, server, id)
	switch {
	case IsUnreachable(err) && ctx.Err() == nil:
		l.Answer = protocol.Unreachable
	case err != nil:
		return Login{}, err
	case !found:
		l.Answer = protocol.Gone
	case r.Name != role:
		return Login{}, errors.New("the role was renamed at " + server + " while it was worked on; read it again")
	case r.State != protocol.Accepted:
		l.Answer = r.State
	}
	return l, nil
}

// Offer is Try without the look at the role: neither after a good login nor
// after a refusal.
func (c *Client) Offer(ctx context.Context, server, role string, value credential.Secret) (Login, error) {
	l, conn, err := c.offer(ctx, server, role, value)
	if conn != nil {
		hangUp(ctx, conn)
	}
	return l, err
}

func (c *Client) offer(ctx context.Context, server, role string, value credential.Secret) (Login, *pgx.Conn, error) {
	s, err := c.server(server)
	if err != nil {
		return Login{}, nil, err
	}
	// In clear text a value ends at a zero byte (it is a C string), so another
	// one would be offered.
	if role == "" || value.IsZero() || strings.ContainsRune(value.Reveal(), 0) {
		return Login{}, nil, fmt.Errorf("database %s: an empty name or value, or one with a zero byte, cannot be tried", c.name)
	}
	conn, saw, err := s.present(ctx, role, value)
	l := Login{Method: saw.asked, Code: codeOf(err)}
	if err != nil && l.Code == "" {
		err = s.plain(ctx, "log in with a value under test", err)
		if IsUnreachable(err) && ctx.Err() == nil {
			return Login{Answer: protocol.Unreachable}, nil, nil
		}
		return Login{}, nil, err
	}
	reply, tells := judge(saw, l.Code)
	switch {
	case !tells:
		return Login{}, nil, fmt.Errorf("log in with a value under test at %s: neither accepted nor refused as wrong (%s)", s.name, meaning(l.Code))
	case reply == protocol.Refused && saw.asked == SCRAM && !survives(prepare(value.Reveal())):
		return Login{}, nil, fmt.Errorf("database %s: the value holds characters that cannot be offered from here, so that its refusal at %s proves nothing", c.name, s.name)
	}
	l.Answer = reply
	return l, conn, nil
}

// own holds the role of a session against the one that is meant. Where the
// session may not read roles, its login is what there is.
func (c *Client) own(ctx context.Context, server, id string, l Login, conn *pgx.Conn) (Login, error) {
	s, err := c.server(server)
	if err != nil {
		return Login{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.conf.Timeout)
	defer cancel()
	var is string
	var pid uint32
	err = conn.QueryRow(ctx, "SELECT oid::text, pg_backend_pid() FROM pg_catalog.pg_roles WHERE rolname = session_user").Scan(&is, &pid)
	switch err = s.plain(ctx, "read the own role after a login", err); {
	case err == nil && pid != conn.PgConn().PID():
		return Login{}, &protocol.Stop{Reason: protocol.ReasonContradicts, Server: server,
			Detail: "a connection pooler answers in the server's place, so that its answer to a value is its own; name the server itself"}
	case err == nil && is != id:
		return Login{}, &protocol.Stop{Reason: protocol.ReasonInterrupted, Server: server,
			Detail: "another role has the account's name: it was renamed, or dropped and made anew, while it was worked on; the next pass reads it by its id. Find out who did that"}
	case refusal(err) != "":
		l.Code = refusal(err)
		return l, nil
	case IsUnreachable(err) && ctx.Err() == nil:
		return Login{Answer: protocol.Unreachable}, nil
	}
	return l, err
}
