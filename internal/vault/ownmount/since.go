package ownmount

import (
	"context"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// Placed is where a value was activated, and as which version of its secret.
// Vault counts a secret's versions from 1 again once it was deleted with its
// metadata, so it takes the time as well.
type Placed struct {
	Path    credential.Path
	Version int // 0: not known
	Written time.Time
	// Over is when the version before it was written, where Rollcall wrote this
	// one on top of that and left the other fields of the secret as they were;
	// zero where it has no others, or that is not known.
	Over time.Time
}

func (p Placed) is(l vault.Live) bool {
	return p.Version == l.Version && p.known() && said(p.Written, l.Written)
}

func (p Placed) known() bool { return p.Version > 0 && !p.Written.IsZero() }

// Since is what became of a path since Rollcall activated a value of a
// credential there.
type Since string

const (
	NotActivated Since = ""             // no note says that it ever did
	AsActivated  Since = "as-activated" // it holds that very value, or nothing at all any more
	WrittenSince Since = "written-since"
	// Anothers: a later campaign activated another credential's value there,
	// and it holds that.
	Anothers Since = "anothers"
	// NotSaid: the note is of a build that did not keep the version.
	NotSaid Since = "not-said"
)

// SinceActivated says what became of a path, by what it holds now. The same
// version, written at the same time, tells; and so does the same value in a
// later one, for somebody may have changed another field of the secret. It
// costs no call where the version is the noted one.
func (s *Store) SinceActivated(ctx context.Context, id string, p credential.Path, live vault.Live) (Since, error) {
	was, known, anothers, err := s.noted(ctx, id, p, live)
	switch {
	case err != nil:
		return "", err
	case !known:
		return NotActivated, nil
	case anothers:
		return Anothers, nil
	case live.Version == 0 || was.is(live):
		return AsActivated, nil
	case !was.known():
		return NotSaid, nil
	}
	held, err := s.HeldSince(ctx, was, live)
	if held || err != nil {
		return AsActivated, err
	}
	return WrittenSince, nil
}

// noted is the last note on a place. Another campaign may have added one since
// the last look, so Vault is asked again unless what is known explains what is
// there.
func (s *Store) noted(ctx context.Context, id string, p credential.Path, live vault.Live) (was Placed, known, anothers bool, err error) {
	a := &s.activated
	a.mu.Lock()
	defer a.mu.Unlock()
	if has, known := a.places[id].of(p); known && (has.latest.is(live) || a.newest(has.latest).is(live)) {
		return a.newest(has.latest), true, false, nil
	}
	if _, err := s.readPlaces(ctx); err != nil {
		return Placed{}, false, false, err
	}
	has, known := a.places[id].of(p)
	for other, notes := range a.places {
		at, there := notes.of(p)
		anothers = anothers || other != id && there && at.latest.is(live)
	}
	return has.latest, known, anothers && !has.latest.is(live), nil
}
