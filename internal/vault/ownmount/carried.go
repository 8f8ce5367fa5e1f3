package ownmount

import (
	"context"
	"slices"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// A secret holds the fields of several credentials, and each that is rotated
// makes another version of it, in which the others are as they were. The
// version by which one of them is known is then destroyed, for it holds the
// stolen value of another. So with each note stands on top of which version
// Rollcall wrote, and a note leads to the newest version that holds its value.

// carried says that a version holds what the one before it held, or what it is
// noted for.
type carried struct {
	before time.Time // when the earlier version was written
	to     Placed
	// own: it is said of the field of to alone; else of all fields but that.
	own bool
}

type versionOf struct {
	mount, path string
	version     int
}

// carries notes what a line says of other versions. Called with mu held.
func (a *activated) carries(at placedAt) {
	from := versionOf{at.Path.Mount, at.Path.Path, at.Version - 1}
	if !at.Over.IsZero() {
		a.over[from] = append(a.over[from], carried{before: at.Over, to: Placed{Path: at.Path, Version: at.Version, Written: at.Written}})
	}
	if from.version = at.Version; at.In > at.Version {
		a.over[from] = append(a.over[from], carried{before: at.Written, to: Placed{Path: at.Path, Version: at.In, Written: at.InWritten}, own: true})
	}
}

// newest is the newest version that holds what one held in its field, as far as
// the notes tell. Called with mu held.
func (a *activated) newest(was Placed) Placed {
	for {
		next := was
		for _, c := range a.over[versionOf{was.Path.Mount, was.Path.Path, was.Version}] {
			if said(was.Written, c.before) && c.to.Version > next.Version && c.isOf(was.Path) {
				next.Version, next.Written = c.to.Version, c.to.Written
			}
		}
		if next.Version == was.Version {
			return was
		}
		was = next
	}
}

func (c carried) isOf(p credential.Path) bool {
	if c.own {
		return c.to.Path == p
	}
	mine := p.Fields()
	return !slices.ContainsFunc(c.to.Path.Fields(), func(f string) bool { return slices.Contains(mine, f) })
}

// said reports whether a version was written when it is said to have been: a
// person may have said it to the second.
func said(when, written time.Time) bool {
	if when.Nanosecond() == 0 {
		written = written.Truncate(time.Second)
	}
	return when.Equal(written)
}

// Carried is the newest version that Rollcall wrote on top of one and that
// holds the same value in its field: that one itself where there is none.
func (s *Store) Carried(ctx context.Context, was Placed) (Placed, error) {
	a := &s.activated
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, err := s.readPlaces(ctx); err != nil {
		return was, err
	}
	return a.newest(was), nil
}

// HeldSince reports whether a path holds the value of an earlier version, as
// far as Vault still shows it or the notes tell: somebody may have changed
// another field of the secret since. It costs no call where it is that very
// version.
func (s *Store) HeldSince(ctx context.Context, was Placed, live vault.Live) (bool, error) {
	switch {
	case was.is(live):
		return true, nil
	case !was.known() || live.Version < was.Version || !live.Found:
		return false, nil
	}
	then, err := s.ReadLive(ctx, was.Path, was.Version)
	if err != nil {
		return false, err
	}
	if then = then.Like(live); was.is(then) && then.Found {
		return then.Value.Equal(live.Value), nil
	}
	last, err := s.Carried(ctx, was)
	switch {
	case err != nil || last == was:
		return false, err
	case last.is(live):
		return true, nil
	}
	if then, err = s.ReadLive(ctx, was.Path, last.Version); err != nil {
		return false, err
	}
	then = then.Like(live)
	return last.is(then) && then.Found && then.Value.Equal(live.Value), nil
}
