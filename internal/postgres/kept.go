package postgres

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/paste"
	"rollcall/internal/plural"
)

// A cluster keeps passwords itself, for what it does at other servers or at
// itself: the user mappings of foreign servers (postgres_fdw, dblink), in each
// database, and the subscriptions of logical replication. Nobody brings a new
// password there. Superusers alone see them.

// keptAt is a password that a cluster keeps.
type keptAt struct {
	where string // for people
	mend  string
	user  string
	value credential.Secret
}

// databasesAtOnce bounds the connections that look into databases.
const databasesAtOnce = 4

// kept are the passwords that the primary keeps, as far as it shows them.
func (c *Client) kept(ctx context.Context) (out []keptAt, hidden []string, err error) {
	s := c.servers[0]
	var databases []string
	err = s.read(ctx, "look at subscriptions", func(ctx context.Context, conn *session) error {
		out, hidden, databases = nil, nil, nil
		rows, err := conn.Query(ctx, `SELECT datname::text FROM pg_catalog.pg_database WHERE datallowconn ORDER BY 1`)
		if err == nil {
			databases, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		if err != nil {
			return err
		}
		out, hidden, err = conn.subscriptions(ctx)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	var mu sync.Mutex
	all, within := errgroup.WithContext(ctx)
	all.SetLimit(databasesAtOnce)
	for _, name := range databases {
		all.Go(func() error {
			found, unseen, err := s.mappings(within, name)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case within.Err() != nil:
				return within.Err()
			case err != nil:
				unseen = []string{fmt.Sprintf("database %s may not be looked into (%s)", name, meaning(refusal(err)))}
			}
			out, hidden = append(out, found...), append(hidden, unseen...)
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		return nil, nil, err
	}
	slices.SortFunc(out, func(a, b keptAt) int { return strings.Compare(a.where, b.where) })
	slices.Sort(hidden)
	return out, hidden, nil
}

func (c *session) subscriptions(ctx context.Context) (out []keptAt, hidden []string, err error) {
	if !c.rights.super {
		var n int
		err := c.QueryRow(ctx, `SELECT count(subname) FROM pg_catalog.pg_subscription`).Scan(&n)
		if n > 0 {
			hidden = []string{fmt.Sprintf("with which password %s shows to superusers alone", plural.Pick(n, "its subscription logs in", fmt.Sprintf("each of its %d subscriptions logs in", n)))}
		}
		return nil, hidden, err
	}
	rows, err := c.Query(ctx, `SELECT d.datname::text, s.subname::text, s.subconninfo FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid`)
	if err != nil {
		return nil, nil, err
	}
	for rows.Next() {
		var database, name, text string
		if err := rows.Scan(&database, &name, &text); err != nil {
			return nil, nil, err
		}
		k := keptAt{where: fmt.Sprintf("the subscription %s in database %s", name, database), mend: fmt.Sprintf("ALTER SUBSCRIPTION %s CONNECTION '…'", paste.SQL(name))}
		var value string
		k.user, value = connectionString(text)
		k.value = credential.NewSecret(value)
		out = append(out, k)
	}
	return out, nil, rows.Err()
}

// mapped is whose a mapping is, in a statement: that of all is of no role.
func mapped(whose string) string {
	if whose == everybody {
		return whose
	}
	return paste.SQL(whose)
}

// everybody is of whom a user mapping is that holds for all; no role may be
// called so.
const everybody = "public"

// mappings are those of one database.
func (s *server) mappings(ctx context.Context, database string) (out []keptAt, hidden []string, err error) {
	err = s.inDatabase(ctx, database, func(ctx context.Context, conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, `SELECT srvname::text, coalesce(usename::text, 'public'), umoptions, (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)
			FROM pg_catalog.pg_user_mappings ORDER BY 1, 2`)
		if err != nil {
			return err
		}
		unseen := 0
		for rows.Next() {
			var server, whose string
			var options []string
			var super bool
			if err := rows.Scan(&server, &whose, &options, &super); err != nil {
				return err
			}
			if options == nil && !super {
				unseen++
				continue
			}
			k := keptAt{where: fmt.Sprintf("the user mapping of %s for the foreign server %s in database %s", whose, server, database),
				mend: fmt.Sprintf("ALTER USER MAPPING FOR %s SERVER %s OPTIONS (SET password '…')", mapped(whose), paste.SQL(server))}
			for _, option := range options {
				switch name, value, _ := strings.Cut(option, "="); name {
				case "user", "username":
					k.user = value
				case "password":
					k.value = credential.NewSecret(value)
				}
			}
			out = append(out, k)
		}
		if unseen > 0 {
			hidden = []string{fmt.Sprintf("which passwords user mappings of database %s hold (%d) shows to superusers alone", database, unseen)}
		}
		return rows.Err()
	})
	return out, hidden, err
}

// inDatabase runs f on a connection to another database, which is made for it.
func (s *server) inDatabase(ctx context.Context, database string, f func(context.Context, *pgx.Conn) error) error {
	i := s.identities[0]
	value, err := i.password(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.client.conf.Timeout)
	defer cancel()
	conn, _, err := s.presentTo(ctx, i.who.Role, value, database)
	if err != nil {
		return s.plain(ctx, "look into a database", err)
	}
	defer hangUp(ctx, conn)
	return s.plain(ctx, "look into a database", f(ctx, conn))
}

// keptWithin are the roles whose password the cluster keeps, by their ids. One
// that keeps another value than the role's means another cluster's role of that
// name, or does not work anyway.
func (s *System) keptWithin(ctx context.Context, roles map[string]Role) (map[string]authority.Problem, []authority.Hidden, error) {
	kept, unseen, err := s.kept(ctx)
	if err != nil {
		return nil, nil, err
	}
	out := map[string]authority.Problem{}
	for id, r := range roles {
		var at, mend []string
		for _, k := range kept {
			if k.user == r.Name && !k.value.IsZero() && (r.Stored == StoredUnknown || r.Holds(k.value)) {
				at, mend = append(at, k.where), append(mend, k.mend)
			}
		}
		if len(at) > 0 {
			out[id] = authority.Problem{Code: credential.KeptElsewhere, Detail: "the cluster itself keeps its password, in " + strings.Join(some(at), "; ") +
				": what goes through there is refused from a new password on. Give that a role of its own, that the device never had, and list again; or accept it by name, and right after the rotation: " + strings.Join(some(mend), "; ")}
		}
	}
	var hidden []authority.Hidden
	for _, what := range unseen {
		hidden = append(hidden, authority.Hidden{Code: credential.FindingKeptHidden, Server: s.Servers()[0], Detail: what + ": what goes through one that has the password of a role of the roll is refused from the new one on; have a superuser look at pg_user_mappings and pg_subscription"})
	}
	return out, hidden, nil
}

// connectionString finds user and password in a connection string of libpq
// (34.1.1), in either form; what it cannot read has neither.
func connectionString(text string) (user, password string) {
	if strings.HasPrefix(text, "postgresql://") || strings.HasPrefix(text, "postgres://") {
		u, err := url.Parse(text)
		if err != nil {
			return "", ""
		}
		user, password = u.Query().Get("user"), u.Query().Get("password")
		if u.User != nil {
			user = orDefault(u.User.Username(), user)
			if p, ok := u.User.Password(); ok {
				password = p
			}
		}
		return user, password
	}
	for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimSpace(rest) {
		name, after, ok := strings.Cut(rest, "=")
		if !ok {
			break
		}
		var value string
		value, rest = connectionValue(strings.TrimLeft(after, " \t\n"))
		switch strings.TrimSpace(name) {
		case "user":
			user = value
		case "password":
			password = value
		}
	}
	return user, password
}

// connectionValue reads a value, in quotes or not, and gives what is behind it.
func connectionValue(text string) (value, rest string) {
	quoted := strings.HasPrefix(text, "'")
	if quoted {
		text = text[1:]
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case quoted && c == '\'', !quoted && strings.IndexByte(" \t\n\r\f\v", c) >= 0:
			return b.String(), text[i+1:]
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}
