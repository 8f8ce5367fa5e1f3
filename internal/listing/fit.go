package listing

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"

	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/directory"
	"rollcall/internal/kind/registry"
)

// Fit refuses what doctor finds wrong with the servers of a campaign, as far as
// no waiting mends it and a proof would not hold. spec has every server. A
// server that is down is no reason.
func Fit(ctx context.Context, kinds *registry.Registry, spec *config.Campaign) error {
	_, err := FitBut(ctx, kinds, spec)
	return err
}

// FitBut is Fit, and names the servers that gave no answer, in the order of the
// file: each line says which, of which authority, and what was met. They are
// those of all authorities only where err is nil.
func FitBut(ctx context.Context, kinds *registry.Registry, spec *config.Campaign) (silent []string, err error) {
	// Before the servers, because a replica under another name is that first.
	twice := Twice(ctx, kinds, spec)
	var known *TwiceError
	if errors.As(twice, &known) {
		return nil, twice
	}
	for _, name := range spec.Authorities() {
		d, err := kinds.System(spec, name)
		if err != nil {
			return nil, err
		}
		for _, c := range d.Check(ctx) {
			if c.Stops {
				return nil, fmt.Errorf("%s: %s: %s; %s", spec.Called(name), c.Server, c.Detail, c.Do)
			}
			if c.Silent {
				silent = append(silent, spec.Called(name)+": "+c.Detail)
			}
		}
	}
	return silent, twice
}

// Twice refuses one directory under two names: an account of it would be on the
// roll twice, with two locks and two new values, of which the later one undoes
// the other. Bases that do not overlap have no account in common.
func Twice(ctx context.Context, kinds *registry.Registry, spec *config.Campaign) error {
	if err := twiceAt(spec); err != nil {
		return err
	}
	if err := twiceOne(ctx, kinds, spec); err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(spec.Directories))
	for i, a := range names {
		for _, b := range names[i+1:] {
			shared := sharedBase(spec.Directories[a].Base, spec.Directories[b].Base)
			if shared == "" {
				continue
			}
			why, err := one(ctx, kinds, spec, a, b, shared)
			if err != nil {
				return err
			}
			if why != "" {
				return &TwiceError{fmt.Sprintf("directories %s and %s are one, and their bases overlap: %s, so an account there would get two new values, one of which undoes the other", a, b, why)}
			}
		}
	}
	return nil
}

// twiceAt refuses two authorities of one type, other than directories, that
// have a server in common: there everything is in one place.
func twiceAt(spec *config.Campaign) error {
	names := slices.Sorted(maps.Keys(spec.Systems))
	for i, a := range names {
		for _, b := range names[i+1:] {
			if spec.Systems[a].Type() != spec.Systems[b].Type() {
				continue
			}
			if at := shared(spec.Systems[a].ServerNames(), spec.Systems[b].ServerNames()); at != "" {
				return &TwiceError{fmt.Sprintf("%s and %s are one: both have the server %s, so an account there would get two new values, one of which undoes the other", a, b, at)}
			}
		}
	}
	return nil
}

// twiceOne refuses two of which the servers themselves show that they are one:
// a cluster has many names and addresses.
func twiceOne(ctx context.Context, kinds *registry.Registry, spec *config.Campaign) error {
	names := slices.Sorted(maps.Keys(spec.Systems))
	for i, a := range names {
		for _, b := range names[i+1:] {
			if spec.Systems[a].Type() != spec.Systems[b].Type() {
				continue
			}
			one, err := kinds.System(spec, a)
			if err != nil {
				return err
			}
			other, err := kinds.System(spec, b)
			if err != nil {
				return err
			}
			compared, ok := one.(authority.Comparer)
			if !ok {
				continue
			}
			why, err := compared.One(ctx, other)
			if err != nil {
				return err
			}
			if why != "" {
				return &TwiceError{fmt.Sprintf("%s and %s are one: %s, so an account there would get two new values, one of which undoes the other", a, b, why)}
			}
		}
	}
	return nil
}

// TwiceError is one directory under two names.
type TwiceError struct{ What string }

func (e *TwiceError) Error() string { return e.What + "; " + MendTwice }

// MendTwice is what to do about it.
const MendTwice = "make one directory of them, or give them bases that do not overlap; a copy that does not replicate goes into a campaign file of its own, under another name"

// sharedBase is the inner one of two bases, or empty if neither lies in the
// other.
func sharedBase(a, b string) string {
	switch {
	case directory.Within(a, b):
		return a
	case directory.Within(b, a):
		return b
	}
	return ""
}

// one says what shows that two directories are one: the entry at the shared
// base has the same immutable id at both, by whatever name or port they are
// reached; or, where ids cannot be compared, they are reached at one address.
func one(ctx context.Context, kinds *registry.Registry, spec *config.Campaign, a, b, base string) (string, error) {
	var ids []string
	for _, name := range []string{a, b} {
		d, err := kinds.Directory(spec, name)
		if err != nil {
			return "", err
		}
		id, err := d.IDOf(ctx, base)
		if err != nil {
			return "", err
		}
		ids = append(ids, id)
	}
	da, db := spec.Directories[a], spec.Directories[b]
	if da.Driver == db.Driver && ids[0] != "" && ids[1] != "" {
		if ids[0] != ids[1] {
			return "", nil
		}
		if reached, err := reaches(ctx, kinds, spec, []string{a, b}, base); err != nil || !reached {
			return "", err
		}
		return fmt.Sprintf("%s and %s show the same entry at %s", da.Servers[0], db.Servers[0], base), nil
	}
	at := places(da)
	for place, server := range places(db) {
		if other, same := at[place]; same {
			return fmt.Sprintf("%s and %s are at %s", other, server, place), nil
		}
	}
	return "", nil
}

// reaches reports whether searches of two directories at the base of each find
// the entry at the inner base. A database of its own below another one has no
// account in common with that.
func reaches(ctx context.Context, kinds *registry.Registry, spec *config.Campaign, names []string, inner string) (bool, error) {
	for _, name := range names {
		d, err := kinds.Directory(spec, name)
		if err != nil {
			return true, err
		}
		if base := spec.Directories[name].Base; !directory.SameDN(base, inner) {
			if reached, err := d.Reaches(ctx, base, inner); err != nil || !reached {
				return reached, err
			}
		}
	}
	return true, nil
}

// places are the addresses and ports of a directory's servers, with their
// names.
func places(d config.Directory) map[string]string {
	out := map[string]string{}
	for _, s := range d.Servers {
		text, address := config.SplitServer(s)
		u, err := url.Parse(text)
		if err != nil {
			continue // Open has refused it
		}
		for _, known := range []string{d.Addresses[s], u.Hostname()} {
			if address == "" {
				address = known
			}
		}
		out[net.JoinHostPort(address, u.Port())] = s
	}
	return out
}
