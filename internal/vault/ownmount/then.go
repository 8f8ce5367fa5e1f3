package ownmount

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// What Vault holds now is what was stolen only where nobody has written there
// since the device was in foreign hands. This is the one room that says what
// counts: the versions that were current then.

// Then is what was stolen of what lies at a path.
type Then struct {
	// Lives are the versions that were there, the newest first, as far as they
	// can be read.
	Lives []vault.Live
	// Lost are those that cannot be read any more. One of version 0 stands for
	// what Vault does not know any more, or does not show.
	Lost []credential.StolenVersion
	// Hidden: which versions were there is not shown to this login.
	Hidden bool
}

// Has reports whether a version of the path is one of those that can be read.
func (t Then) Has(live vault.Live) bool {
	return slices.ContainsFunc(t.Lives, func(l vault.Live) bool { return l.Version == live.Version })
}

// unknownThen is what was there before all that Vault knows.
var unknownThen = []credential.StolenVersion{{}}

// HeldThen is what was stolen of a path that holds live now. It asks Vault for
// nothing where nothing was written since the device was in foreign hands
// first. The first version of a secret counts whenever it was written: a value
// comes into Vault later than it comes to be. But not where Rollcall made the
// secret. Of a file that does not say when that was, it is what is there now,
// unless Rollcall has put it there.
func (s *Store) HeldThen(ctx context.Context, c *config.Campaign, p credential.Path, live vault.Live) (Then, error) {
	switch {
	case live.Version == 0:
		return Then{}, nil
	case !c.SaysWhen():
		ours, err := s.activatedNow(ctx, p, live)
		if err != nil || ours {
			return Then{Lost: unknownThen}, err
		}
		return thenOf(live), nil
	case !c.InForeignHands(time.Time{}, live.Written), live.Version == 1 && live.Owner == "":
		return thenOf(live), nil
	}
	all, err := s.Versions(ctx, p)
	switch {
	case vault.IsDenied(err):
		return Then{Lost: unknownThen, Hidden: true}, nil
	case err != nil:
		return Then{}, err
	}
	then, whole := heldThen(all, c.InForeignHands, live.Owner != "")
	out := Then{}
	if !whole {
		out.Lost = slices.Clone(unknownThen)
	}
	for _, v := range slices.Backward(then) {
		was := live
		if v != live.Version {
			if was, err = s.ReadLive(ctx, p, v); err != nil {
				return Then{}, err
			}
		}
		if was.Version == 0 { // destroyed meanwhile, or forgotten
			was.Version, was.Written = v, all.Written[v]
		}
		out.add(was)
	}
	return out, nil
}

// Before is whether something lay at a path before the device was in foreign
// hands.
type Before string

const (
	NothingBefore  Before = ""       // the secret is younger than that
	BeforeUnseen   Before = "unseen" // newer versions have driven it out, or it is not shown
	BeforeEnded    Before = "ended"  // it was deleted or destroyed
	BeforeReadable Before = "readable"
)

// LastBefore is what lay at a path before the device was in foreign hands.
type LastBefore struct {
	There Before
	// Live is the newest that can still be read.
	Live vault.Live
	// Ended: a newer one was deleted or destroyed since, so that Live is not
	// what lay there last. Ours: the newest may have been by Rollcall, which
	// destroys what it has put a new value on top of, and deletes nothing.
	Ended, Ours bool
}

// HeldBefore is what lay at a path before the device was in foreign hands
// first. It is asked where the file says when that was.
func (s *Store) HeldBefore(ctx context.Context, c *config.Campaign, p credential.Path) (last LastBefore, err error) {
	all, err := s.Versions(ctx, p)
	switch {
	case vault.IsDenied(err):
		return LastBefore{There: BeforeUnseen}, nil
	case err != nil:
		return LastBefore{}, err
	}
	last.There = BeforeUnseen
	for _, v := range slices.Backward(slices.Sorted(maps.Keys(all.Written))) {
		at := all.Written[v]
		switch {
		case at.IsZero():
			continue
		case c.InForeignHands(time.Time{}, at):
			if v == 1 && last.There == BeforeUnseen {
				last.There = NothingBefore
			}
			continue
		}
		was, err := s.ReadLive(ctx, p, v)
		switch {
		case err != nil:
			return LastBefore{}, err
		case len(was.Keys) > 0:
			last.There, last.Live = BeforeReadable, was
			return last, nil
		}
		if !last.Ended && was.Problem != credential.DeletedVersion {
			if last.Ours, err = s.activatedAfter(ctx, p, v); err != nil && !vault.IsDenied(err) {
				return LastBefore{}, err
			}
		}
		last.There, last.Ended = BeforeEnded, true
	}
	return last, nil
}

func thenOf(live vault.Live) (out Then) {
	out.add(live)
	return out
}

// add takes up a version. Of a field that is not there, is empty, or is no bare
// secret there is nothing to offer.
func (t *Then) add(was vault.Live) {
	switch {
	case was.Found || !was.PrivateKey().IsZero():
		t.Lives = append(t.Lives, was)
	case len(was.Keys) == 0: // deleted or destroyed
		t.Lost = append(t.Lost, credential.StolenVersion{Version: was.Version, Written: was.Written})
	}
}

// heldThen are the versions that were current in foreign hands, the oldest
// first; whole is false if Vault has forgotten of some. made: Rollcall made the
// secret.
func heldThen(all vault.Versions, inHands func(from, until time.Time) bool, made bool) (then []int, whole bool) {
	known := slices.Sorted(maps.Keys(all.Written))
	whole = len(known) > 0
	for i, v := range known {
		from, until := all.Written[v], time.Time{}
		if i+1 < len(known) {
			until = all.Written[known[i+1]]
		}
		switch {
		case v == 1 && !made:
			from = time.Time{}
		case i == 0 && v > 1 && inHands(time.Time{}, from):
			whole = false
		}
		if inHands(from, until) {
			then = append(then, v)
		}
	}
	return then, whole
}

// activatedNow reports whether Rollcall put there what a path holds, for
// whomever.
func (s *Store) activatedNow(ctx context.Context, p credential.Path, live vault.Live) (bool, error) {
	a := &s.activated
	a.mu.Lock()
	var ids []string
	_, err := s.readPlaces(ctx)
	for id, notes := range a.places {
		if _, known := notes.of(p); known {
			ids = append(ids, id)
		}
	}
	a.mu.Unlock()
	for _, id := range ids {
		var since Since
		if since, err = s.SinceActivated(ctx, id, p, live); err != nil || since == AsActivated {
			return err == nil, err
		}
	}
	return false, err
}

// Refused is a version of a path of which somebody was seen to refuse the
// value.
type Refused struct {
	Path credential.Path `json:"path"`
	credential.StolenVersion

	// Others of that path were still to be offered when it was refused.
	Others bool `json:"others,omitempty"`
}

// RefusedVersions are those of what a user refused who has the name of an
// account, which lies at its paths.
type RefusedVersions []Refused

// Has reports whether that version was refused; of one that Vault does not know
// any more, whether all was that was stolen there: one of them is noted last.
func (r RefusedVersions) Has(p credential.Path, v credential.StolenVersion) bool {
	return slices.ContainsFunc(r, func(x Refused) bool { return x.Path == p && (v.Version == 0 && !x.Others || x.Same(v)) })
}

const opRefused = "note what a user refused"

// refusedPath is no path of an entry that is staged, as stolenPath is none.
func (s *Store) refusedPath(id string) string { return s.stagingPath(id) + "~refused" }

// RefusedBefore are the versions that a user refused in whichever campaign.
func (s *Store) RefusedBefore(ctx context.Context, id string) (RefusedVersions, error) {
	r, _, err := s.refusedBefore(ctx, id)
	return r, err
}

func (s *Store) refusedBefore(ctx context.Context, id string) (out RefusedVersions, version int, err error) {
	e, err := s.Get(ctx, opRefused, s.mount, s.refusedPath(id), 0)
	if err != nil || e.Data == nil {
		return nil, e.Version, err
	}
	text, _ := e.Data[pageField].(string)
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		return nil, e.Version, s.Odd(opRefused, s.mount+"/data/"+s.refusedPath(id), err)
	}
	return out, e.Version, nil
}

// RecordRefused adds to them. It is kept for good: the version that holds a
// stolen value is destroyed once that is dead, and nobody could ask again.
func (s *Store) RecordRefused(ctx context.Context, id string, news RefusedVersions) error {
	for range maxStageTries {
		had, version, err := s.refusedBefore(ctx, id)
		if err != nil {
			return err
		}
		all := slices.Clone(had)
		for _, r := range news {
			if !had.Has(r.Path, r.StolenVersion) {
				all = append(all, r)
			}
		}
		if len(all) == len(had) {
			return nil
		}
		body, err := json.Marshal(all)
		if err != nil {
			return err
		}
		if _, err = s.Put(ctx, opRefused, s.mount, s.refusedPath(id), version, map[string]any{pageField: string(body)}); !vault.IsCASMismatch(err) {
			return err
		}
	}
	return &vault.Error{Op: opRefused, Path: s.mount + "/data/" + s.refusedPath(id), Server: s.Address(), Kind: vault.CASMismatch, Detail: "others keep writing it"}
}
