package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"rollcall/internal/authority"
	"rollcall/internal/credential"
)

// around is what one server shows of roles that no role shows by itself.
type around struct {
	rules      []Rule
	rulesShown bool
	// older says why another file than rules is in force, unsure why it may be
	// and doLoad what to do about that.
	older, unsure, doLoad string
	quoted                bool // see Rule

	followers []follower
	upstream  string // the role as which it follows another server
	hidden    bool   // whether it has one does not show
}

// follower is a connection by which something takes the server's log.
type follower struct {
	Standby
	role string // oid
}

func (f follower) String() string {
	what := f.Name()
	if f.Logical {
		what += ", a logical subscriber"
	}
	return what + " (" + orDefault(f.State, "its state is not shown") + ")"
}

// userIn finds the user in a connection string, at the server: the password in
// it does not leave it. Both forms of libpq are known (34.1.1).
const userIn = `coalesce(substring(%[1]s from '(?:^|\s)user\s*=\s*''((?:[^''\\]|\\.)*)'''), substring(%[1]s from '(?:^|\s)user\s*=\s*([^\s'']+)'),
	substring(%[1]s from '^postgres(?:ql)?://([^:@/?]+)[^@/]*@'), '')`

// around reads what one server shows. What its settings hide from us is no
// error.
func (c *Client) around(ctx context.Context, server string) (around, error) {
	s, err := c.server(server)
	if err != nil {
		return around{}, err
	}
	var out around
	err = s.read(ctx, "look who follows", func(ctx context.Context, conn *session) error {
		out = around{}
		return conn.replication(ctx, &out)
	})
	if err != nil {
		return out, err
	}
	out.rules, out.rulesShown, err = c.Rules(ctx, server)
	if err != nil || !out.rulesShown {
		return out, err
	}
	err = s.inForce(ctx, &out)
	for i := range out.rules {
		out.rules[i].Quoted = out.quoted
	}
	return out, err
}

func (c *session) replication(ctx context.Context, out *around) error {
	rows, err := c.Query(ctx, `SELECT coalesce(r.usesysid::text, ''), coalesce(r.application_name, ''), coalesce(host(r.client_addr), ''), coalesce(r.state, ''), coalesce(l.slot_type = 'logical', false)
		FROM pg_catalog.pg_stat_replication r LEFT JOIN pg_catalog.pg_replication_slots l ON l.active_pid = r.pid ORDER BY 2, 3`)
	if err != nil {
		return err
	}
	for rows.Next() {
		var f follower
		if err := rows.Scan(&f.role, &f.Application, &f.Address, &f.State, &f.Logical); err != nil {
			return err
		}
		out.followers = append(out.followers, f)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	// The setting shows to superusers and pg_read_all_settings; what it was
	// when the receiver connected to pg_read_all_stats.
	var set, used string
	var standby, shown bool
	err = c.QueryRow(ctx, `SELECT pg_is_in_recovery(), coalesce((SELECT bool_or(true) FROM pg_catalog.pg_settings WHERE name = 'primary_conninfo'), false),
		coalesce((SELECT `+fmt.Sprintf(userIn, "setting")+` FROM pg_catalog.pg_settings WHERE name = 'primary_conninfo'), ''),
		coalesce((SELECT `+fmt.Sprintf(userIn, "conninfo")+` FROM pg_catalog.pg_stat_wal_receiver), '')`).Scan(&standby, &shown, &set, &used)
	if standby {
		out.upstream = strings.ReplaceAll(orDefault(set, used), `\'`, "'")
		out.hidden = !shown && used == ""
	}
	return err
}

// memberships are the roles of which roles, by id, are members, directly or
// not: by their names, and whether such a membership lets reset others.
func (c *Client) memberships(ctx context.Context, server string, ids []string) (groups map[string][]string, power map[string]string, err error) {
	s, err := c.server(server)
	if err != nil {
		return nil, nil, err
	}
	err = s.read(ctx, "look at memberships", func(ctx context.Context, conn *session) error {
		groups, power = map[string][]string{}, map[string]string{}
		rows, err := conn.Query(ctx, `WITH RECURSIVE m(member, role) AS (
				SELECT member, roleid FROM pg_catalog.pg_auth_members WHERE member = ANY($1::text[]::oid[])
				UNION SELECT m.member, a.roleid FROM m JOIN pg_catalog.pg_auth_members a ON a.member = m.role)
			SELECT m.member::text, r.rolname::text, r.rolsuper, r.rolcreaterole FROM m JOIN pg_catalog.pg_roles r ON r.oid = m.role ORDER BY 1, 2`, ids)
		if err != nil {
			return err
		}
		for rows.Next() {
			var member, role string
			var super, create bool
			if err := rows.Scan(&member, &role, &super, &create); err != nil {
				return err
			}
			groups[member] = append(groups[member], role)
			if why := resetsBy(role, super, create); why != "" && power[member] == "" {
				power[member] = why
			}
		}
		return rows.Err()
	})
	return groups, power, err
}

// resetsBy says how a member of a role may come to reset others: SET ROLE makes
// him that role, and who runs programs or writes files as the server's own user
// is a superuser by a detour (PostgreSQL 15 documentation, 22.5).
func resetsBy(role string, super, create bool) string {
	switch {
	case super:
		return "it may become " + role + ", a superuser (SET ROLE)"
	case create:
		return "it may become " + role + ", which has CREATEROLE (SET ROLE)"
	case role == "pg_execute_server_program", role == "pg_write_server_files":
		return "it has " + role + ", and so may become a superuser"
	}
	return ""
}

// hides says what a server did not show of how roles are let in.
func hides(server, why string) authority.Hidden {
	return authority.Hidden{Code: credential.FindingRulesHidden, Server: server, Detail: "how roles are let in there does not show (pg_hba.conf), " + why +
		": a role that is let in by something else than its password, for any database or from any address, would be called dead all the same; " + showRules + "; and " + showFile}
}

// showRules lets the worker's role read the lines (docs/rights.md).
const showRules = "as a superuser on the primary, in the database that the file names: GRANT SELECT ON pg_catalog.pg_hba_file_rules TO …; GRANT EXECUTE ON FUNCTION pg_catalog.pg_hba_file_rules() TO …"

// LookAt is authority.Looker.
func (s *System) LookAt(ctx context.Context, accounts []authority.Account) (authority.Seen, error) {
	var ids []string
	for _, a := range accounts {
		ids = append(ids, a.Subject)
	}
	servers := s.Servers()
	roles, err := s.ManyByID(ctx, servers[0], ids)
	if err != nil {
		return authority.Seen{}, err
	}
	view, hidden, err := s.view(ctx, ids)
	if err != nil {
		return authority.Seen{}, err
	}
	seen := authority.Seen{Resets: view.power, Hidden: hidden}
	for i, a := range view.of {
		if a != nil {
			seen.Binds = append(seen.Binds, binds(view.servers[i], a.rules)...)
		}
	}
	for id, r := range roles {
		for _, p := range view.problems(r) {
			seen.Add(id, p)
		}
	}
	kept, unseen, err := s.keptWithin(ctx, roles)
	if err != nil {
		return authority.Seen{}, err
	}
	for id, p := range kept {
		seen.Add(id, p)
	}
	seen.Hidden = append(seen.Hidden, unseen...)
	return seen, nil
}

// view is what all servers show, with the memberships of some roles.
type view struct {
	servers []string
	of      []*around // nil where one did not answer
	groups  map[string][]string
	power   map[string]string
}

func (s *System) view(ctx context.Context, ids []string) (view, []authority.Hidden, error) {
	v := view{servers: s.Servers()}
	var err error
	if len(ids) > 0 {
		if v.groups, v.power, err = s.memberships(ctx, v.servers[0], ids); err != nil {
			return v, nil, err
		}
	}
	v.of = make([]*around, len(v.servers))
	errs := make([]error, len(v.servers))
	var all sync.WaitGroup
	for i, server := range v.servers {
		all.Go(func() {
			a, err := s.around(ctx, server)
			if v.of[i], errs[i] = &a, err; err != nil {
				v.of[i] = nil
			}
		})
	}
	all.Wait()
	if errs[0] != nil {
		return v, nil, errs[0]
	}
	var hidden []authority.Hidden
	for i, a := range v.of {
		switch {
		case ctx.Err() != nil:
			return v, nil, ctx.Err()
		case a == nil:
			hidden = append(hidden, hides(v.servers[i], "because it does not answer"))
		case !a.rulesShown:
			hidden = append(hidden, hides(v.servers[i], "because the worker's role may not read it"))
		}
		if a != nil && a.rulesShown {
			if h, is := a.mayBeOlder(v.servers[i]); is {
				hidden = append(hidden, h)
			}
		}
		if a != nil && a.hidden {
			hidden = append(hidden, authority.Hidden{Server: v.servers[i], Detail: "as which role it follows does not show now (primary_conninfo shows to superusers and pg_read_all_settings)"})
		}
	}
	return v, hidden, nil
}

// problems are what the servers show that stands between a role and a new
// password.
func (v view) problems(r Role) (out []authority.Problem) {
	if by := v.replicatesBy(r); len(by) > 0 {
		out = append(out, authority.Problem{Code: credential.Replicates, Detail: "servers or backups replicate by it: " + strings.Join(by, "; ") +
			". From a new password on none of them can log in again after a restart or a broken connection until it has it too, and where a standby of the cluster does not follow, no change arrives. " +
			"Give them a role of their own, that the device never had (primary_conninfo, .pgpass, ALTER SUBSCRIPTION … CONNECTION), and list again; " +
			"or accept it by name: then it goes last of its cluster, what follows by it is not cut off, and a person writes the new password to those places at once"})
	}
	who := Who{Name: r.Name, Groups: v.groups[r.ID], Replicates: r.Replication || r.Super}
	var lines []string
	for i, a := range v.of {
		if a == nil {
			continue
		}
		if why := a.notInForce(); why != "" {
			lines = append(lines, v.servers[i]+": "+why)
		}
		for _, line := range Otherwise(a.rules, who) {
			lines = append(lines, v.servers[i]+": "+line)
		}
	}
	if len(lines) > 0 {
		out = append(out, authority.Problem{Code: credential.NotAsked, Detail: strings.Join(some(lines), "; ") +
			": there the stolen password, or any, or another system's may go on letting it in, whatever is set here. Correct these lines and reload (SELECT pg_reload_conf()), then list again; or find that nobody comes in that way, and accept it by name"})
	}
	return out
}

// some bounds what a finding says.
func some(lines []string) []string {
	const most = 6
	if len(lines) <= most {
		return lines
	}
	return append(slices.Clone(lines[:most]), fmt.Sprintf("and %d more", len(lines)-most))
}

// replicatesBy says by what a role shows to be one by which servers replicate.
func (v view) replicatesBy(r Role) (by []string) {
	if r.Replication && !strings.HasPrefix(r.Name, "pg_") {
		by = append(by, "it has REPLICATION")
	}
	for i, a := range v.of {
		if a == nil {
			continue
		}
		for _, f := range a.followers {
			if f.role == r.ID {
				by = append(by, fmt.Sprintf("%s takes the log of %s by it", f, v.servers[i]))
			}
		}
		if a.upstream != "" && a.upstream == r.Name {
			by = append(by, v.servers[i]+" follows by it (primary_conninfo)")
		}
	}
	return some(by)
}

// viewTTL is how long a view is taken to be as it was seen: it is looked at
// before each Set, and is not about one role.
const viewTTL = time.Minute

// lastView is a view without memberships.
type lastView struct {
	mu   sync.Mutex
	view view
	at   time.Time
}

func (s *System) viewNow(ctx context.Context) (view, error) {
	s.last.mu.Lock()
	defer s.last.mu.Unlock()
	if time.Since(s.last.at) > viewTTL {
		v, _, err := s.view(ctx, nil)
		if err != nil {
			return v, err
		}
		s.last.view, s.last.at = v, time.Now()
	}
	return s.last.view, nil
}

// Hinders adds to each of some accounts what its servers show now, or did
// within the last minute, that keeps its role from being set. A server that
// does not answer shows nothing: nothing is proved there either.
func (s *System) Hinders(ctx context.Context, roles []Role, add func(id string, p credential.Problem)) error {
	if len(roles) == 0 {
		return nil
	}
	v, err := s.viewNow(ctx)
	if err != nil {
		return err
	}
	var ids []string
	for _, r := range roles {
		ids = append(ids, r.ID)
	}
	if v.aboutGroups() {
		if v.groups, _, err = s.memberships(ctx, v.servers[0], ids); err != nil {
			return err
		}
	}
	for _, r := range roles {
		for _, p := range v.problems(r) {
			add(r.ID, p.Code)
		}
	}
	return nil
}

// aboutGroups reports whether what the lines say of a role depends on groups: a
// line for one may let its members in, and may also decide before a later one
// does.
func (v view) aboutGroups() bool {
	return slices.ContainsFunc(v.of, func(a *around) bool {
		return a != nil && slices.ContainsFunc(a.rules, func(r Rule) bool {
			return slices.ContainsFunc(r.Roles, func(n string) bool { return strings.HasPrefix(n, "+") })
		})
	})
}
