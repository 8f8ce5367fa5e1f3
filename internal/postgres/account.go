package postgres

import (
	"context"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// asksAtOnce bounds the connections that look how a password is asked for.
const asksAtOnce = 4

// accounts are roles as a listing takes them, by their ids. How a password is
// kept decides whether a new one may cut consumers off: where that is not shown
// to the worker's role, the way in which the primary asks for it tells.
func (s *System) accounts(ctx context.Context, roles []Role) (map[string]authority.Account, error) {
	out := map[string]authority.Account{}
	waysIn, err := s.waysIn(ctx, roles)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	all, within := errgroup.WithContext(ctx)
	all.SetLimit(asksAtOnce)
	for _, r := range roles {
		all.Go(func() error {
			if r.Stored == StoredUnknown && r.State == protocol.Accepted && !strings.HasPrefix(r.Name, "pg_") {
				asked, err := s.Asks(within, s.Servers()[0], r.Name)
				if err != nil {
					return err
				}
				if asked == MD5 {
					r.Stored = StoredMD5
				}
			}
			mu.Lock()
			defer mu.Unlock()
			out[r.ID] = waysIn[r.ID].add(account(r))
			return nil
		})
	}
	return out, all.Wait()
}

// wayIn is how pg_hba.conf lets a role in by something else than its password.
// That it does is a problem of its own (LookAt).
type wayIn struct {
	lines []string // of each server that shows them
	only  bool     // nowhere by its own password
}

func (w wayIn) add(a authority.Account) authority.Account {
	if len(w.lines) == 0 {
		return a
	}
	detail := strings.Join(w.lines, "; ")
	if w.only && len(a.Problems) == 0 {
		a.Problems = append(a.Problems, authority.Problem{Code: credential.CheckedElsewhere, Detail: "no line of pg_hba.conf asks for its own password, and somebody else checks the one that is asked for: change it there (" + detail + ")"})
	}
	return a
}

// waysIn reads pg_hba.conf of each server that shows it. One that does not
// answer says nothing here: a campaign meets it by itself.
func (s *System) waysIn(ctx context.Context, roles []Role) (map[string]wayIn, error) {
	out := map[string]wayIn{}
	var groups map[string][]string
	for n, server := range s.servers {
		rules, shown, err := s.Rules(ctx, server.name)
		if err != nil && (n == 0 || !IsUnreachable(err) || ctx.Err() != nil) {
			return nil, err
		}
		if !shown {
			continue
		}
		if groups == nil {
			if groups, err = s.groups(ctx); err != nil {
				return nil, err
			}
		}
		for _, r := range roles {
			w := out[r.ID]
			lines, only := Lines(rules, r.Name, groups[r.ID])
			for _, line := range lines {
				w.lines = append(w.lines, server.name+": "+line)
			}
			w.only = only && (w.only || n == 0)
			out[r.ID] = w
		}
	}
	return out, nil
}

// account is a role as a listing takes it.
func account(r Role) authority.Account {
	return authority.Account{Subject: r.ID, Name: r.Name, Short: r.Name, Names: []string{r.Name}, Resets: r.Super || r.CreateRole, Problems: r.Problems(), SecretHidden: r.PasswordHidden}
}

// Problems are why the password of a role must not be set now, as a listing
// says it.
func (r Role) Problems() []authority.Problem {
	switch {
	case strings.HasPrefix(r.Name, "pg_"):
		return []authority.Problem{{Code: credential.NotAnAccount, Detail: "it is a role of PostgreSQL itself, which logs in nowhere"}}
	case r.Stored == StoredNone:
		return []authority.Problem{{Code: credential.NoPassword, Detail: "it has no password: something else lets it in (a certificate, peer, Kerberos, ldap in pg_hba.conf), or nothing does"}}
	case r.Stored == StoredMD5:
		return []authority.Problem{{Code: credential.MD5Stored, Detail: "its password is stored by md5, and the new one will be by SCRAM: a client that cannot do SCRAM (libpq before 10, and drivers of before 2018) is cut off. Update those first; if none is left, or they may be cut off, accept md5-stored by name"}}
	}
	return nil
}
