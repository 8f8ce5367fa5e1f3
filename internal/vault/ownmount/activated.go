package ownmount

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"rollcall/internal/credential"
)

// Where Rollcall has put new values is kept on its own mount, where no device
// writes: one account may be known to several devices, each with a path of its
// own, and whoever rotates it next must keep the paths of all current. One
// secret holds what a batch has added, and is never changed.

// PlacesFolder is where that is, on our mount.
const PlacesFolder = "places"

// activated is what is known of the places; the zero value knows nothing.
type activated struct {
	mu     sync.Mutex
	read   map[string]bool                          // names of the secrets that were read
	places map[string]map[credential.Path]placeNote // by credential id
}

// placeNote is what is known of one place.
type placeNote struct {
	first  time.Time // when Vault was first told
	latest Placed    // what was activated last; without a version where no note says one
}

// ActivatedPlaces gives the paths at which Rollcall has activated a value of a
// credential, in any campaign of any device, by credential id; ids without one
// are missing. Whether what such a path holds now is still the account's is for
// the caller to find out.
func (s *Store) ActivatedPlaces(ctx context.Context, ids []string) (map[string][]credential.Path, error) {
	return s.ActivatedSince(ctx, time.Time{}, ids)
}

// ActivatedSince is ActivatedPlaces of what was noted after a moment, by
// Vault's clock.
func (s *Store) ActivatedSince(ctx context.Context, since time.Time, ids []string) (map[string][]credential.Path, error) {
	a := &s.activated
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := s.readPlaces(ctx); err != nil {
		return nil, err
	}
	out := map[string][]credential.Path{}
	for _, id := range ids {
		for p, at := range a.places[id] {
			if at.first.After(since) {
				out[id] = append(out[id], p)
			}
		}
		slices.SortFunc(out[id], func(x, y credential.Path) int { return strings.Compare(x.String(), y.String()) })
	}
	return out, nil
}

// RecordActivated notes where values were activated, by credential id. What is
// known is not written again: a place with the version that was noted, or one
// of which none is said. Call it before the credentials are freed.
func (s *Store) RecordActivated(ctx context.Context, placed map[string][]Placed) error {
	const op = "note where values were activated"
	a := &s.activated
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := s.readPlaces(ctx); err != nil {
		return err
	}
	var page []placedAt
	size := 0
	flush := func() error {
		if len(page) == 0 {
			return nil
		}
		body, err := json.Marshal(page)
		if err != nil {
			return err
		}
		name := strings.ToLower(rand.Text()[:20])
		if _, err := s.Put(ctx, op, s.mount, PlacesFolder+"/"+name, 0, map[string]any{pageField: string(body)}); err != nil {
			return err
		}
		page, size = nil, 0 // what was noted is read like the notes of others
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(placed)) {
		for _, p := range placed[id] {
			was, known := a.places[id][p.Path]
			if known && (!p.known() || !p.Written.After(was.latest.Written)) {
				continue
			}
			at := placedAt{ID: id, Path: p.Path}
			if p.known() {
				at.Version, at.Written = p.Version, p.Written.UTC()
			}
			page = append(page, at)
			// JSON in a JSON string, where each quote counts double.
			if size += 2*(len(id)+len(p.Path.String())) + 130; size > pageBytes {
				if err := flush(); err != nil {
					return err
				}
			}
		}
	}
	return flush()
}

// placedAt is a line of a secret below places.
type placedAt struct {
	ID   string          `json:"id"`
	Path credential.Path `json:"path"`
	// Builds before 2026-11-28 did not say which version it was.
	Version int       `json:"version,omitempty"`
	Written time.Time `json:"written,omitzero"`
}

func (a *activated) add(page []placedAt, noted time.Time) {
	for _, at := range page {
		if a.places[at.ID] == nil {
			a.places[at.ID] = map[credential.Path]placeNote{}
		}
		now, known := a.places[at.ID][at.Path]
		// What is noted twice is as old as its first note, and holds what was
		// written last.
		if !known || noted.Before(now.first) {
			now.first = noted
		}
		if placed := (Placed{at.Path, at.Version, at.Written}); placed.known() && placed.Written.After(now.latest.Written) {
			now.latest = placed
		}
		a.places[at.ID][at.Path] = now
	}
}

// readPlaces takes up what was written since the last look. Called with mu
// held.
func (s *Store) readPlaces(ctx context.Context) error {
	const op = "read where values were activated"
	a := &s.activated
	names, err := s.Names(ctx, op, s.mount, PlacesFolder)
	if err != nil {
		return err
	}
	if a.read == nil {
		a.read, a.places = map[string]bool{}, map[string]map[credential.Path]placeNote{}
	}
	names = slices.DeleteFunc(names, func(n string) bool { return a.read[n] || strings.HasSuffix(n, "/") })
	pages, written := make([][]placedAt, len(names)), make([]time.Time, len(names))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(readsAtOnce)
	for i, name := range names {
		g.Go(func() error {
			// Version 1, so that nothing written over it later is ever read.
			e, err := s.Get(gctx, op, s.mount, PlacesFolder+"/"+name, 1)
			if err != nil {
				return err
			}
			if e.Data == nil {
				return nil // somebody deleted it: what it said is not known
			}
			written[i] = e.Written
			text, _ := e.Data[pageField].(string)
			if err := json.Unmarshal([]byte(text), &pages[i]); err != nil {
				return s.Odd(op, s.mount+"/data/"+PlacesFolder+"/"+name, fmt.Errorf("it is unreadable: %w", err))
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, name := range names {
		a.read[name] = true
		a.add(pages[i], written[i])
	}
	return nil
}
