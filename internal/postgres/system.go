package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"rollcall/internal/address"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/postgres/settings"
)

// System is a cluster as listings, doctor and campaigns know authorities.
type System struct {
	*Client
	conf settings.Cluster
	last lastView
}

var (
	_ authority.Comparer = (*System)(nil)
	_ authority.Finder   = (*System)(nil)
	_ authority.Knower   = (*System)(nil)
	_ authority.Looker   = (*System)(nil)
	_ authority.Namer    = (*System)(nil)
)

// OpenSystem opens the cluster that the campaign file calls name. It does no
// network I/O. passwords read those of its logins, in their order.
func OpenSystem(name string, s settings.Cluster, passwords ...func(context.Context) (credential.Secret, error)) (*System, error) {
	conf := Config{Servers: s.Servers, Addresses: s.Addresses, Database: s.Database, CA: s.CA, Connections: s.Connections, Timeout: s.Timeout}
	for n, login := range s.Bind {
		who := Identity{Role: login.Name, Password: login.Secret}
		if n == 0 {
			conf.Admin = who
		} else {
			conf.Partner = who
		}
	}
	c, err := Open(name, conf, passwords...)
	if err != nil {
		return nil, err
	}
	return &System{Client: c, conf: s}, nil
}

// Discover is authority.System. A cluster has the servers that the file names,
// each at its addresses; replicas that it leaves out are a check.
func (s *System) Discover(ctx context.Context) (found authority.Found, err error) {
	finder := address.Finder{Timeout: s.conf.Timeout}
	for _, of := range s.servers {
		at := address.Server{Name: of.name, Host: of.host, Port: strconv.Itoa(int(of.port))}
		if of.address != of.host {
			at.Address = of.address
		}
		if err := finder.Add(ctx, &found, at); err != nil {
			return found, fmt.Errorf("database %s: %w", s.name, err)
		}
	}
	return found, nil
}

// Ready is authority.System.
func (s *System) Ready(ctx context.Context) error {
	m, err := s.Who(ctx, s.Servers()[0])
	switch {
	case err != nil:
		return err
	case !m.Primary:
		return fmt.Errorf("database %s: %s is a standby, and passwords are set on the primary: name that first in servers", s.name, s.Servers()[0])
	}
	return nil
}

// Check is authority.System.
func (s *System) Check(ctx context.Context, subjects ...string) []authority.Check {
	return s.Client.Check(ctx, subjects...)
}

// Others is authority.Knower: standbys that follow one of the servers, and are
// none of them. Two that call themselves the same at one address are one name.
func (s *System) Others(ctx context.Context, accepted ...string) (out authority.Others, err error) {
	var machines []*Machine
	var followers []Standby
	for i, server := range s.Servers() {
		m, err := s.Who(ctx, server)
		if err != nil && i == 0 {
			return out, err
		}
		if err != nil { // it counts for no follower, which is then named
			machines = append(machines, nil)
			continue
		}
		machines = append(machines, &m)
		follow, err := s.Standbys(ctx, server)
		if err != nil {
			return out, err
		}
		followers = append(followers, follow...)
	}
	for _, f := range followers {
		if f.Address == "" && f.State == "" {
			out.Hidden = "who follows is not shown to the worker's role: grant it pg_read_all_stats"
		}
	}
	for _, f := range Unnamed(machines, followers) {
		name := f.Name()
		switch {
		case slices.Contains(out.Names, name) || slices.Contains(out.Accepted, name):
		case slices.Contains(accepted, name):
			out.Accepted = append(out.Accepted, name)
		default:
			out.Names = append(out.Names, name)
		}
	}
	if len(out.Names) > 0 {
		out.Detail = "standbys follow it that servers does not name: " + strings.Join(out.Names, ", ")
	}
	return out, nil
}

// Find is authority.Finder. A reference is the name of a role, as PostgreSQL
// keeps it, or its oid; digits that are the name of one role and the oid of
// another mean both, and are ambiguous.
func (s *System) Find(ctx context.Context, references []string) (map[string][]authority.Account, error) {
	server := s.Servers()[0]
	found := map[string][]Role{}
	var ids []string
	named, err := s.ManyByName(ctx, server, references)
	if err != nil {
		return nil, err
	}
	for _, ref := range references {
		if r, ok := named[ref]; ok {
			found[ref] = append(found[ref], r)
		}
		if isID(ref) {
			ids = append(ids, ref)
		}
	}
	byID, err := s.ManyByID(ctx, server, ids)
	if err != nil {
		return nil, err
	}
	all := map[string]Role{}
	for id, r := range byID {
		if !slices.ContainsFunc(found[id], func(a Role) bool { return a.ID == r.ID }) {
			found[id] = append(found[id], r)
		}
	}
	for _, roles := range found {
		for _, r := range roles {
			all[r.ID] = r
		}
	}
	shown, err := s.accounts(ctx, slices.Collect(maps.Values(all)))
	if err != nil {
		return nil, err
	}
	out := map[string][]authority.Account{}
	for ref, roles := range found {
		for _, r := range roles {
			out[ref] = append(out[ref], shown[r.ID])
		}
	}
	return out, nil
}

// Called is authority.Namer. SQL folds a name that is not quoted, so a role may
// be spelled otherwise than the account of a directory that is the same
// person's.
func (s *System) Called(ctx context.Context, names []string) ([]authority.Account, error) {
	roles, err := s.manyBy(ctx, s.Servers()[0], "lower(r.rolname::text) = ANY($1::text[])", names)
	if err != nil {
		return nil, err
	}
	shown, err := s.accounts(ctx, roles)
	if err != nil {
		return nil, err
	}
	return slices.Collect(maps.Values(shown)), nil
}
