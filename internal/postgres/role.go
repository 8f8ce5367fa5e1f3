package postgres

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// Role is a role as one server shows it now. Roles are the cluster's, not a
// database's.
type Role struct {
	// ID is the oid: it outlives a rename, and is not given again before it
	// wraps.
	ID string
	// Name is case-sensitive, here as in a login; SQL folds what is not quoted.
	Name string

	// State is Accepted for a role that may log in, or what makes every login
	// fail: Disabled (NOLOGIN), Expired (VALID UNTIL, by the server's clock).
	// Expired is not dead: whoever extends it brings the password back.
	State      protocol.Reply
	ValidUntil time.Time // zero without one

	Super, CreateRole, Replication bool
	// Limit is the role's CONNECTION LIMIT; -1 is none. A login beyond it is
	// refused after the password was taken.
	Limit int

	// Stored is how the password is kept; StoredUnknown where our identity may
	// not read it.
	Stored Stored
	// PasswordHidden: whether the role has a password at all is not shown.
	PasswordHidden bool
	// Verifier is what is kept, where our identity may read it.
	Verifier credential.Secret

	// Mark is the transaction that last changed the role in any way
	// (pg_authid.xmin with its epoch): equal on servers that have seen the same
	// changes, moved by no login, greater as a string after a later change
	// unless two changes overlapped. Empty where our identity may not read it;
	// GRANT SELECT (oid, xmin) ON pg_authid is enough, in the database where it
	// logs in.
	Mark string
}

// Holds reports whether what a server keeps for the role was made of value;
// false too where that is not shown.
func (r Role) Holds(value credential.Secret) bool {
	return holds(r.Verifier.Reveal(), r.Name, value)
}

// isID reports whether a text can be an oid.
func isID(text string) bool {
	n, err := strconv.ParseUint(text, 10, 32)
	return err == nil && strconv.FormatUint(n, 10) == text && n > 0
}

// ByID finds a role by its immutable id.
func (c *Client) ByID(ctx context.Context, server, id string) (Role, bool, error) {
	found, err := c.ManyByID(ctx, server, []string{id})
	r, ok := found[id]
	return r, ok, err
}

// ManyByID finds roles by their ids in one call. Those that are not there are
// not in the answer.
func (c *Client) ManyByID(ctx context.Context, server string, ids []string) (map[string]Role, error) {
	asked := []string{}
	for _, id := range ids {
		if isID(id) {
			asked = append(asked, id)
		}
	}
	out := map[string]Role{}
	if len(asked) == 0 {
		return out, nil
	}
	roles, err := c.roles(ctx, server, "r.oid = ANY($1::text[]::oid[])", asked)
	for _, r := range roles {
		out[r.ID] = r
	}
	return out, err
}

// Find finds a role by its name. One that the database's encoding cannot hold
// is no role's there: whoever writes the metadata of a secret chooses names.
func (c *Client) Find(ctx context.Context, server, name string) (Role, bool, error) {
	roles, err := c.roles(ctx, server, "r.rolname = $1::text", name)
	if code := refusal(err); code == codeNotInRepertoire || code == codeUntranslatable {
		return Role{}, false, nil
	}
	if err != nil || len(roles) == 0 {
		return Role{}, false, err
	}
	return roles[0], true, nil
}

// ManyByName finds roles by their names in one call. Those that are not there
// are not in the answer.
func (c *Client) ManyByName(ctx context.Context, server string, names []string) (map[string]Role, error) {
	roles, err := c.manyBy(ctx, server, "r.rolname::text = ANY($1::text[])", names)
	out := map[string]Role{}
	for _, r := range roles {
		out[r.Name] = r
	}
	return out, err
}

// manyBy asks for all names at once, and in halves where the database's
// encoding cannot hold one: that is no role's there, and whoever writes the
// metadata of a secret chooses names.
func (c *Client) manyBy(ctx context.Context, server, where string, names []string) ([]Role, error) {
	if len(names) == 0 {
		return nil, nil
	}
	roles, err := c.roles(ctx, server, where, names)
	if code := refusal(err); code != codeNotInRepertoire && code != codeUntranslatable {
		return roles, err
	}
	if len(names) == 1 {
		return nil, nil
	}
	half := len(names) / 2
	for _, part := range [][]string{names[:half], names[half:]} {
		found, err := c.manyBy(ctx, server, where, part)
		if err != nil {
			return nil, err
		}
		roles = append(roles, found...)
	}
	return roles, nil
}

// List gives every role that may log in, and those that may not just now and
// have a password, which whoever lets them in again brings back; but none of
// PostgreSQL itself. Where it is not shown who has one, a role that may not log
// in counts unless it has members: those are groups.
func (c *Client) List(ctx context.Context, server string) ([]Role, error) {
	return c.roles(ctx, server, `r.rolname !~ $1::text AND (r.rolcanlogin OR
		NOT coalesce(p.none, EXISTS (SELECT FROM pg_catalog.pg_auth_members m WHERE m.roleid = r.oid)))`, "^pg_")
}

func (c *Client) roles(ctx context.Context, server, where string, arg any) ([]Role, error) {
	s, err := c.server(server)
	if err != nil {
		return nil, err
	}
	var out []Role
	err = s.read(ctx, "look for a role", func(ctx context.Context, conn *session) (err error) {
		out, err = conn.roles(ctx, where, arg)
		if conn.rights.lost(err) {
			out, err = conn.roles(ctx, where, arg)
		}
		return err
	})
	return out, err
}

// The next transaction's number has an epoch, which a row's has not.
const (
	rowMark = `(SELECT lpad((n - ((n - a.xmin::text::bigint) & 4294967295))::text, 20, '0')
		FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS n) AS next)`
	roleColumns = `r.oid::text, r.rolname::text, r.rolcanlogin, r.rolsuper, r.rolcreaterole, r.rolreplication, r.rolconnlimit,
		coalesce(isfinite(r.rolvaliduntil) AND r.rolvaliduntil < clock_timestamp() OR r.rolvaliduntil = '-infinity', false),
		CASE WHEN isfinite(r.rolvaliduntil) THEN r.rolvaliduntil END`
)

func (c *session) roles(ctx context.Context, where string, arg any) ([]Role, error) {
	verifier, mark, from := "NULL", "NULL", "pg_catalog.pg_roles r"
	if c.rights.verifier {
		verifier = "coalesce(a.rolpassword, '')"
	}
	if c.rights.change {
		mark = rowMark
	}
	if c.rights.verifier || c.rights.change {
		from += " JOIN pg_catalog.pg_authid a ON a.oid = r.oid"
	}
	from += " CROSS JOIN LATERAL (SELECT " + c.rights.presence() + " AS none) p"
	rows, err := c.Query(ctx, fmt.Sprintf("SELECT %s, p.none, %s, %s FROM %s WHERE %s", roleColumns, verifier, mark, from, where), arg)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Role, error) {
		var r Role
		var canLogin, expired bool
		var until *time.Time
		var none *bool
		var verifier, mark *string
		err := row.Scan(&r.ID, &r.Name, &canLogin, &r.Super, &r.CreateRole, &r.Replication, &r.Limit, &expired, &until, &none, &verifier, &mark)
		switch {
		case !canLogin:
			r.State = protocol.Disabled
		case expired:
			r.State = protocol.Expired
		default:
			r.State = protocol.Accepted
		}
		if until != nil {
			r.ValidUntil = *until
		}
		r.PasswordHidden = none == nil
		if none != nil && *none {
			r.Stored = StoredNone
		}
		if verifier != nil {
			r.Stored, r.Verifier = storedAs(*verifier), credential.NewSecret(*verifier)
		}
		if mark != nil {
			r.Mark = *mark
		}
		return r, err
	})
}
