package postgres

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
)

var _ authority.Lister = (*System)(nil)

// Tied is authority.Lister: roles that may log in, or might again with the
// password that they have (List), by their name, a role that
// they are members of (as PostgreSQL counts it, through others too; a superuser
// is a member of nothing by that alone), and a network from which they are
// logged in now, at any of the servers, or which a line of pg_hba.conf names
// for them.
func (s *System) Tied(ctx context.Context, by authority.Ties) (out authority.Tied, err error) {
	all, err := s.List(ctx, s.Servers()[0])
	if err != nil {
		return out, err
	}
	groups, err := s.groups(ctx)
	if err != nil {
		return out, err
	}
	if by.MemberOf != "" {
		if _, found, err := s.Client.Find(ctx, s.Servers()[0], by.MemberOf); err != nil || !found {
			return out, orErr(err, "no role is called as member_of says: correct it")
		}
	}
	from, hidden, err := s.from(ctx, by.Network, all, groups)
	if err != nil {
		return out, err
	}
	var roles []Role
	out.Why = map[string]string{}
	for _, r := range all {
		if why := whyRole(r, by, groups[r.ID], from[r.ID]); why != "" {
			out.Why[r.ID] = why
			roles = append(roles, r)
		}
	}
	shown, err := s.accounts(ctx, roles)
	if err != nil {
		return out, err
	}
	for _, r := range roles {
		a := shown[r.ID]
		if p, is := r.serverRole(); is {
			a.Problems = append(a.Problems, p)
		}
		out.Accounts = append(out.Accounts, a)
	}
	if hidden != "" && by.Network != "" {
		out.Warnings = append(out.Warnings, credential.Finding{Code: credential.FindingRulesHidden, Detail: hidden})
	}
	return out, nil
}

func orErr(err error, text string) error {
	if err != nil {
		return err
	}
	return ourError(text)
}

// whyRole is the first evidence that ties the role to the device, or "".
func whyRole(r Role, by authority.Ties, groups []string, from string) string {
	if by.Name != "" {
		if ok, err := config.Matches(by.Name, r.Name); err == nil && ok {
			return "role name matches " + by.Name
		}
	}
	if by.MemberOf != "" && slices.Contains(groups, by.MemberOf) {
		return "member of " + by.MemberOf
	}
	return from
}

// serverRole keeps a role as it is that the servers themselves may need, until
// somebody has looked.
func (r Role) serverRole() (authority.Problem, bool) {
	if !r.Super { // REPLICATION is a problem of its own (LookAt)
		return authority.Problem{}, false
	}
	return authority.Problem{Code: credential.ServerRole, Detail: "it is a superuser: standbys (primary_conninfo), backups or scripts of the servers may log in with it and would be cut off. " +
		"Look what does; if the device had it, accept server-role by name, else narrow the source or exclude it"}, true
}

// groups are the roles that each role is a member of, by its id.
func (s *System) groups(ctx context.Context) (map[string][]string, error) {
	out := map[string][]string{}
	primary := s.servers[0]
	err := primary.read(ctx, "read memberships", func(ctx context.Context, conn *session) error {
		rows, err := conn.Query(ctx, `WITH RECURSIVE m(member, roleid) AS (
				SELECT member, roleid FROM pg_catalog.pg_auth_members
				UNION SELECT m.member, a.roleid FROM m JOIN pg_catalog.pg_auth_members a ON a.member = m.roleid)
			SELECT m.member::text, r.rolname::text FROM m JOIN pg_catalog.pg_roles r ON r.oid = m.roleid ORDER BY 1, 2`)
		if err != nil {
			return err
		}
		clear(out)
		for rows.Next() {
			var member, group string
			if err := rows.Scan(&member, &group); err != nil {
				return err
			}
			out[member] = append(out[member], group)
		}
		return rows.Err()
	})
	return out, err
}

// from says, by role, what ties it to a network. hidden says what was not
// shown.
func (s *System) from(ctx context.Context, network string, roles []Role, groups map[string][]string) (why map[string]string, hidden string, err error) {
	why = map[string]string{}
	var within netip.Prefix
	if network != "" {
		if within, err = netip.ParsePrefix(network); err != nil {
			return nil, "", err
		}
	}
	for _, server := range s.servers {
		rules, shown, err := s.Rules(ctx, server.name)
		switch {
		case err != nil && network == "" && IsUnreachable(err):
		case err != nil:
			return nil, "", err
		case !shown:
			hidden = "what pg_hba.conf lets in, and how, is not shown to the worker's role: a superuser sees it, or who was granted SELECT on pg_hba_file_rules and EXECUTE on pg_hba_file_rules()"
		}
		if network == "" {
			continue
		}
		for _, r := range roles {
			for _, rule := range rules {
				if why[r.ID] == "" && rule.Error == "" && rule.names(r.Name, groups[r.ID]) && inside(rule.Address, within) {
					why[r.ID] = fmt.Sprintf("line %d of pg_hba.conf of %s lets it in from %s", rule.Line, server.name, rule.Address)
				}
			}
		}
		if err := server.loggedIn(ctx, network, why); err != nil {
			return nil, "", err
		}
	}
	return why, hidden, nil
}

// inside reports whether an address of pg_hba.conf lies in a network.
func inside(address string, network netip.Prefix) bool {
	p, err := netip.ParsePrefix(address)
	if err != nil {
		a, err := netip.ParseAddr(address)
		if err != nil {
			return false // a name, or a word as all
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	return p.Bits() >= network.Bits() && network.Contains(p.Addr())
}

// loggedIn adds whose sessions come from a network now.
func (s *server) loggedIn(ctx context.Context, network string, why map[string]string) error {
	return s.read(ctx, "look who is logged in", func(ctx context.Context, conn *session) error {
		var may bool
		if err := conn.QueryRow(ctx, "SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')").Scan(&may); err != nil {
			return err
		}
		if !may {
			return ourError("who is logged in from where is not shown to the worker's role: grant it pg_read_all_stats")
		}
		rows, err := conn.Query(ctx, `SELECT DISTINCT usesysid::text, host(client_addr) FROM pg_catalog.pg_stat_activity
			WHERE usesysid IS NOT NULL AND client_addr <<= $1::text::inet ORDER BY 1, 2`, network)
		if err != nil {
			return err
		}
		for rows.Next() {
			var id, at string
			if err := rows.Scan(&id, &at); err != nil {
				return err
			}
			if why[id] == "" {
				why[id] = "logged in at " + strings.TrimPrefix(s.name, "postgresql://") + " from " + at
			}
		}
		return rows.Err()
	})
}
