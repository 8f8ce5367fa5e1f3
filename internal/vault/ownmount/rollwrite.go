package ownmount

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"rollcall/internal/credential"
	"rollcall/internal/plural"
)

// WriteRoll stores a roll as immutable pages and an index that is written last
// and only once. If the campaign has a roll already, that one is returned
// unchanged: a listing that is retried keeps the first snapshot. What an
// interrupted WriteRoll left is removed by the next.
func (s *Store) WriteRoll(ctx context.Context, roll *credential.Roll) (RollIndex, error) {
	idx, found, err := s.readIndex(ctx, roll.Campaign)
	if err != nil {
		return RollIndex{}, err
	}
	if found {
		return idx, s.dropOrphans(ctx, idx)
	}
	pages, idx, err := cutRoll(roll)
	if err != nil {
		return RollIndex{}, err
	}
	idx.Snapshot = strings.ToLower(rand.Text()[:16])

	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(writesAtOnce)
	for name, body := range pages {
		g.Go(func() error {
			_, err := s.Put(gctx, "write a page of the roll", s.mount, rollPath(roll.Campaign, idx.Snapshot, name), 0, rollPart(body))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return RollIndex{}, err
	}
	body, err := json.Marshal(idx)
	if err != nil {
		return RollIndex{}, err
	}
	_, err = s.Put(ctx, "write the index of the roll", s.mount, rollPath(roll.Campaign, indexName), 0, rollPart(body))
	if err == nil {
		return idx, nil
	}
	// A lost reply, or another listing was first. The worker may create an
	// index but not change one, so the latter can show as a missing right too.
	kept, found, readErr := s.readIndex(ctx, roll.Campaign)
	if readErr != nil || !found {
		return RollIndex{}, err
	}
	return kept, s.dropOrphans(ctx, kept)
}

// dropOrphans deletes the pages of listings that did not become the roll. It
// must only run once an index exists: until then any of them may.
func (s *Store) dropOrphans(ctx context.Context, idx RollIndex) error {
	const op = "remove pages of an interrupted listing"
	snapshots, err := s.Names(ctx, op, s.mount, rollPath(idx.Campaign))
	if err != nil {
		return err
	}
	for _, snap := range snapshots {
		if snap == indexName || snap == idx.Snapshot+"/" {
			continue
		}
		names, err := s.Names(ctx, op, s.mount, rollPath(idx.Campaign, strings.TrimSuffix(snap, "/")))
		if err != nil {
			return err
		}
		for _, n := range names {
			if err := s.Purge(ctx, op, s.mount, rollPath(idx.Campaign, strings.TrimSuffix(snap, "/"), n)); err != nil {
				return err
			}
		}
	}
	return nil
}

// cutRoll lays a roll out in pages, by name, and builds its index.
func cutRoll(roll *credential.Roll) (map[string][]byte, RollIndex, error) {
	c := cutter{pages: map[string][]byte{}, runs: map[int][]credential.Run{}, alone: map[int]bool{}}
	idx := RollIndex{Campaign: roll.Campaign, Device: roll.Device, Listed: len(roll.Credentials), Excluded: len(roll.Excluded), Servers: roll.Servers, Addresses: roll.Addresses, Doors: roll.Doors, Unfit: roll.Unfit,
		Warnings: fewWarnings(roll.Warnings), Incomplete: roll.Incomplete(), Outcomes: true, Profile: roll.Profile, Incident: roll.Incident, Containment: roll.Containment,
		PeoplesOwn: roll.PeoplesOwn, NewestToken: roll.NewestToken, Unlike: roll.Unlike[:min(len(roll.Unlike), maxUnlike)], TokensEnded: roll.TokensEnded, Told: roll.Told}

	unlisted := make(map[string][]credential.Finding, len(roll.Findings))
	for id, f := range roll.Findings {
		unlisted[id] = f
	}
	for _, cr := range roll.Credentials {
		if cr.Problem != "" {
			idx.Problems++
		}
		if err := c.add(&cr, cr.ID, roll.Findings[cr.ID]); err != nil {
			return nil, idx, err
		}
		delete(unlisted, cr.ID)
	}
	for id, f := range unlisted {
		if err := c.add(nil, id, f); err != nil {
			return nil, idx, err
		}
	}
	if err := c.flush(credentials); err != nil {
		return nil, idx, err
	}
	idx.Pages, idx.Waves, idx.Logins = c.n, c.waves(roll.Waves), c.logins
	idx.Readers = c.readers

	c.n = 0
	for _, x := range roll.Excluded {
		if err := c.exclude(x); err != nil {
			return nil, idx, err
		}
	}
	if err := c.flush(exclusions); err != nil {
		return nil, idx, err
	}
	idx.ExclusionPages = c.n

	c.n = 0
	for _, r := range roll.Readings {
		if err := c.reading(r); err != nil {
			return nil, idx, err
		}
	}
	if err := c.flush(readings); err != nil {
		return nil, idx, err
	}
	idx.ReadingPages = c.n
	return c.pages, idx, nil
}

// fewWarnings keeps the index small, whatever a source makes of its warnings.
// What the next listing repeats from it comes first.
func fewWarnings(all []credential.Finding) []credential.Finding {
	const most = 200
	if len(all) <= most {
		return all
	}
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b credential.Finding) int {
		first := map[bool]int{true: -1}
		return first[a.Code == credential.FindingMade] - first[b.Code == credential.FindingMade]
	})
	last := credential.Finding{Code: all[most].Code, Detail: fmt.Sprintf("and %s of the listing: rollcall list shows them", plural.Count(len(all)-most, "more warning", "more warnings"))}
	return append(all[:most:most], last)
}

// cost is the length of v in a page: JSON inside a JSON string, where quotes
// and backslashes count double. Nothing else that encoding/json leaves in its
// output needs escaping again.
func cost(id string, v any) (int, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return 0, fmt.Errorf("vault: roll: %s: %w", id, err)
	}
	n := len(b) + bytes.Count(b, []byte{'"'}) + bytes.Count(b, []byte{'\\'}) + 1
	if n > pageBytes {
		return 0, fmt.Errorf("vault: roll: %s alone takes %d bytes and a page holds %d: too many reasons or paths for one credential", id, n, pageBytes)
	}
	return n, nil
}
