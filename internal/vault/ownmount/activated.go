package ownmount

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"math"
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
// secret holds what a batch has added, and is never changed; CompactPlaces puts
// many into few.

// PlacesFolder is where that is, on our mount.
const PlacesFolder = "places"

// activated is what is known of the places; the zero value knows nothing.
type activated struct {
	mu     sync.Mutex
	read   map[string]bool       // names of the secrets that were read
	places map[string]placeNotes // by credential id
	newer  map[secretAt]int      // the newest version of a secret that was noted of any; noVersion where one says none
	lines  map[string]int        // by name of a secret that was read, how many it holds
	over   map[versionOf][]carried
}

type secretAt struct{ mount, path string }

// noVersion is taken for newer than any that Vault has.
const noVersion = math.MaxInt

// activatedAfter reports whether Rollcall has put a value into a secret, for
// whomever, in a version after that one: so it may have destroyed that one.
func (s *Store) activatedAfter(ctx context.Context, p credential.Path, version int) (bool, error) {
	a := &s.activated
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.read == nil {
		if _, err := s.readPlaces(ctx); err != nil {
			return false, err
		}
	}
	return a.newer[secretAt{p.Mount, p.Path}] > version, nil
}

// placeNote is what is known of one place.
type placeNote struct {
	first  time.Time // when Vault was first told
	latest Placed    // what was activated last; without a version where no note says one
}

// placeNotes are those of one credential. It has few places, and there are
// credentials of every campaign of every device: a map of each takes a
// kilobyte.
type placeNotes []placeNote

func (n placeNotes) of(p credential.Path) (placeNote, bool) {
	for _, note := range n {
		if note.latest.Path == p {
			return note, true
		}
	}
	return placeNote{}, false
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
	if _, err := s.readPlaces(ctx); err != nil {
		return nil, err
	}
	out := map[string][]credential.Path{}
	for _, id := range ids {
		for _, at := range a.places[id] {
			if at.first.After(since) {
				out[id] = append(out[id], at.latest.Path)
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
	a := &s.activated
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, err := s.readPlaces(ctx); err != nil {
		return err
	}
	var news []placedAt
	for _, id := range slices.Sorted(maps.Keys(placed)) {
		for _, p := range placed[id] {
			was, known := a.places[id].of(p.Path)
			if known && (!p.known() || !p.Written.After(was.latest.Written)) {
				continue
			}
			at := placedAt{ID: id, Path: p.Path}
			if p.known() {
				at.Version, at.Written, at.Over = p.Version, p.Written.UTC(), p.Over
			}
			news = append(news, at)
		}
	}
	return s.writePlaces(ctx, news) // what was noted is read like the notes of others
}

// writePlaces writes lines, in secrets that Vault takes.
func (s *Store) writePlaces(ctx context.Context, lines []placedAt) error {
	const op = "note where values were activated"
	for len(lines) > 0 {
		size, n := 0, 0
		for n < len(lines) && size <= pageBytes {
			// JSON in a JSON string, where each quote counts double.
			size += 2*(len(lines[n].ID)+len(lines[n].Path.String())) + 280
			n++
		}
		body, err := json.Marshal(lines[:n])
		if err != nil {
			return err
		}
		name := strings.ToLower(rand.Text()[:20])
		if _, err := s.Put(ctx, op, s.mount, PlacesFolder+"/"+name, 0, map[string]any{pageField: string(body)}); err != nil {
			return err
		}
		lines = lines[n:]
	}
	return nil
}

// placedAt is a line of a secret below places.
type placedAt struct {
	ID   string          `json:"id"`
	Path credential.Path `json:"path"`
	// Builds before 2026-11-28 did not say which version it was.
	Version int       `json:"version,omitempty"`
	Written time.Time `json:"written,omitzero"`
	// First is when it was noted first; zero where that is when the secret was
	// written.
	First time.Time `json:"first,omitzero"`
	// Over is Placed.Over. In is a newer version that holds the same value, and
	// InWritten when that was written: what many notes came to.
	Over      time.Time `json:"over,omitzero"`
	In        int       `json:"in,omitempty"`
	InWritten time.Time `json:"in_written,omitzero"`
}

func (a *activated) add(page []placedAt, noted time.Time) {
	if a.newer == nil {
		a.newer = map[secretAt]int{}
	}
	for _, at := range page {
		a.carries(at)
		secret := secretAt{at.Path.Mount, at.Path.Path}
		if a.newer[secret] = max(a.newer[secret], at.Version); at.Version == 0 {
			a.newer[secret] = noVersion
		}
		notes := a.places[at.ID]
		i := slices.IndexFunc(notes, func(n placeNote) bool { return n.latest.Path == at.Path })
		known := i >= 0
		if !known {
			i, notes = len(notes), append(notes, placeNote{latest: Placed{Path: at.Path}})
			a.places[at.ID] = notes
		}
		now, noted := &notes[i], noted
		if !at.First.IsZero() && at.First.Before(noted) {
			noted = at.First
		}
		// What is noted twice is as old as its first note, and holds what was
		// written last.
		if !known || noted.Before(now.first) {
			now.first = noted
		}
		if placed := (Placed{Path: at.Path, Version: at.Version, Written: at.Written}); placed.known() && placed.Written.After(now.latest.Written) {
			now.latest = placed
		}
	}
}

// readPlaces takes up what was written since the last look, and gives the names
// of all secrets that are there. Called with mu held.
func (s *Store) readPlaces(ctx context.Context) ([]string, error) {
	for {
		names, gone, err := s.readPlacesOnce(ctx)
		if err != nil || !gone {
			return names, err
		}
		// It was put into another one meanwhile, which the list did not show.
	}
}

func (s *Store) readPlacesOnce(ctx context.Context) (all []string, gone bool, err error) {
	const op = "read where values were activated"
	a := &s.activated
	if all, err = s.Names(ctx, op, s.mount, PlacesFolder); err != nil {
		return nil, false, err
	}
	if a.read == nil {
		a.read, a.places, a.lines = map[string]bool{}, map[string]placeNotes{}, map[string]int{}
		a.over = map[versionOf][]carried{}
	}
	all = slices.DeleteFunc(all, func(n string) bool { return strings.HasSuffix(n, "/") })
	names := slices.DeleteFunc(slices.Clone(all), func(n string) bool { return a.read[n] })
	var taking sync.Mutex
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(readsAtOnce)
	for _, name := range names {
		g.Go(func() error {
			// Version 1, so that nothing written over it later is ever read.
			e, err := s.Get(gctx, op, s.mount, PlacesFolder+"/"+name, 1)
			if err != nil {
				return err
			}
			var page []placedAt
			text, _ := e.Data[pageField].(string)
			if err := json.Unmarshal([]byte(text), &page); err != nil && e.Data != nil {
				return s.Odd(op, s.mount+"/data/"+PlacesFolder+"/"+name, fmt.Errorf("it is unreadable: %w", err))
			}
			taking.Lock()
			defer taking.Unlock()
			a.read[name] = true
			if e.Data == nil { // it was put into another one, or somebody deleted it
				gone = true
				return nil
			}
			a.lines[name] = len(page)
			a.add(page, e.Written)
			return nil
		})
	}
	return all, gone, g.Wait()
}
