package postgres

import (
	"context"
	"fmt"

	"rollcall/internal/plural"
	"slices"
	"strings"
)

// checkAround looks at what a server shows of roles besides themselves: how it
// lets them in, and as which it replicates.
func (s *server) checkAround(ctx context.Context, conn *session, primary bool, add addCheck) {
	a, err := s.client.around(ctx, s.name)
	if err != nil {
		add("pg_hba", true, "who is let in how does not show: "+err.Error(), notChecked)
		add("followers", true, "not checked, because as which roles servers replicate does not show: "+err.Error(), notChecked)
		return
	}
	s.checkRules(ctx, conn, a, add)
	s.checkReplication(a, add)
	if primary {
		s.checkKept(ctx, add)
	}
}

func (s *server) checkRules(ctx context.Context, conn *session, a around, add addCheck) {
	if !a.rulesShown {
		add("pg_hba", true, "not checked, because the worker's role may not read who is let in how: a listing warns of it, and no campaign ends with exit code 0; "+showRules, notChecked)
		return
	}
	powerful, err := s.powerful(ctx, conn)
	if err != nil {
		add("pg_hba", true, err.Error(), notChecked)
		return
	}
	wrong, known := judgeRules(a.rules, powerful)
	if a.older != "" {
		wrong = append(wrong, a.older)
	}
	good := plural.Count(len(a.rules), "line, which lets nobody in without a password or in clear text", "lines, none of which lets in without a password or in clear text")
	if len(known) > 0 {
		good = strings.Join(known, "; ") + ": what of the roll is let in by such a line stays open (password-not-asked)"
	}
	if len(wrong) == 0 && a.unsure != "" {
		add("pg_hba", true, "not checked, because "+a.unsure+": a listing warns of it, and no campaign ends with exit code 0; "+a.doLoad+". What is in the file: "+good, notChecked)
		return
	}
	add("pg_hba", len(wrong) == 0, orDefault(strings.Join(wrong, "; "), good),
		"correct pg_hba.conf and reload it (SELECT pg_reload_conf()): where no password is asked for, or everybody reads it on its way, no rotation keeps anybody out")
}

// powerful are the roles that may set the passwords of others.
func (s *server) powerful(ctx context.Context, conn *session) ([]Who, error) {
	var roles []Role
	err := s.do(ctx, conn, "look for roles", func(ctx context.Context) (err error) {
		roles, err = conn.roles(ctx, "r.rolcanlogin AND (r.rolsuper OR r.rolcreaterole) AND r.rolname !~ $1::text", "^pg_")
		return err
	})
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, r := range roles {
		ids = append(ids, r.ID)
	}
	groups, _, err := s.client.memberships(ctx, s.name, ids)
	var out []Who
	for _, r := range roles {
		out = append(out, Who{Name: r.Name, Groups: groups[r.ID], Replicates: r.Super || r.Replication})
	}
	return out, err
}

func (s *server) checkReplication(a around, add addCheck) {
	if a.hidden {
		add("followers", true, "not checked, because as which role it follows does not show now (primary_conninfo shows to superusers and pg_read_all_settings): if that is an account of the roll, exclude it, or rotate it by hand", notChecked)
		return
	}
	var names []string
	for _, f := range a.followers {
		names = append(names, f.String())
	}
	slices.Sort(names)
	detail := "nothing takes its log now"
	if len(names) > 0 {
		detail = "its log is taken by " + strings.Join(some(names), "; ")
	}
	add("followers", true, detail+"; a role of the roll by which servers replicate stays open (replicates)", "")
}

// checkKept looks for passwords that the cluster keeps for itself.
func (s *server) checkKept(ctx context.Context, add addCheck) {
	kept, hidden, err := s.client.kept(ctx)
	switch {
	case err != nil:
		add("kept passwords", true, "not checked, because of this: "+err.Error(), notChecked)
	case len(hidden) > 0:
		add("kept passwords", true, "not checked, because "+strings.Join(some(hidden), "; ")+": what goes through one that has the password of a role of the roll is refused from the new one on; have a superuser look at pg_user_mappings and pg_subscription", notChecked)
	case len(kept) > 0:
		add("kept passwords", true, fmt.Sprintf("user mappings and subscriptions: %d; a role of the roll whose password one of them has stays open (kept-elsewhere)", len(kept)), "")
	default:
		add("kept passwords", true, "no user mapping and no subscription", "")
	}
}
