package ownmount

import (
	"context"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// Each campaign notes where it put values, and of each place the first note and
// the last one are all that is asked for (placeNote). So what many campaigns
// have noted can be put into a few secrets, of which the size goes with the
// number of places and not with that of campaigns.
//
// The new secrets are written before an old one is deleted, and hold all that
// is known of every place. So whoever reads in between, or after a crash, reads
// some things twice, which says the same (activated.add); who finds a secret
// gone that he was about to read lists again (readPlaces). What was written
// meanwhile is not on the list and stays.

const (
	// superseded is how many lines more than there are places are let be, and
	// shards how many secrets more than the places would fill.
	superseded = 1000
	shards     = 64
)

// worthCompacting reports whether half of what is kept says nothing any more,
// or it is in many small pieces.
func worthCompacting(secrets, lines, places int) bool {
	return secrets > 1 && (lines > 2*places+superseded || secrets > places/100+shards)
}

// CompactPlaces puts the notes on where values were activated into few secrets,
// if that is worth it. It may fail, or be broken off, anywhere: nothing is
// lost. The right to delete them is the one that only it needs.
func (s *Store) CompactPlaces(ctx context.Context) error {
	const op = "delete notes that are in another one"
	a := &s.activated
	a.mu.Lock()
	defer a.mu.Unlock()
	names, err := s.readPlaces(ctx)
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(n string) bool { _, read := a.lines[n]; return !read })
	lines := 0
	for _, name := range names {
		lines += a.lines[name]
	}
	all := a.all()
	if !worthCompacting(len(names), lines, len(all)) {
		return nil
	}
	if err := s.writePlaces(ctx, all); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(readsAtOnce)
	for _, name := range names {
		g.Go(func() error { return s.Purge(gctx, op, s.mount, PlacesFolder+"/"+name) })
	}
	return g.Wait()
}

// all are the lines that say what is known, with the time of each first note.
func (a *activated) all() (out []placedAt) {
	for _, id := range slices.Sorted(maps.Keys(a.places)) {
		from := len(out)
		for _, note := range a.places[id] {
			at := placedAt{ID: id, Path: note.latest.Path, Version: note.latest.Version, Written: note.latest.Written, First: note.first.UTC()}
			if last := a.newest(note.latest); last.Version > at.Version {
				at.In, at.InWritten = last.Version, last.Written
			}
			out = append(out, at)
		}
		slices.SortFunc(out[from:], func(x, y placedAt) int { return strings.Compare(x.Path.String(), y.Path.String()) })
	}
	return out
}
