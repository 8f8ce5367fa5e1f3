package ownmount

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"rollcall/internal/credential"
)

// OtherRoll is the newest roll of another device, and what became of it.
type OtherRoll struct {
	Device, Campaign string
	OpenedAt         time.Time
	Open             []credential.Credential // those that are not dead
	Dead             map[string]bool         // by ID
}

// OtherRolls are the newest rolls of devices that are not this one, by these
// names. Those of which a campaign gives signs of life are left out, for it has
// their credentials in hand; so are those of versions that kept no account of
// what became of them.
func (s *Store) OtherRolls(ctx context.Context, device string, formerly ...string) ([]OtherRoll, error) {
	all, err := s.Campaigns(ctx, "")
	if err != nil {
		return nil, err
	}
	now := s.clock(ctx)
	ofDevice := map[string][]CampaignRecord{} // newest first
	lives := map[string]bool{}
	for _, r := range all {
		if oneOf(r.Device, device, formerly) {
			continue
		}
		key := strings.ToLower(r.Device)
		ofDevice[key] = append(ofDevice[key], r)
		lives[key] = lives[key] || r.ClosedAt.IsZero() && now.Sub(r.Seen) < SupersededGrace
	}
	rolls := make(chan OtherRoll, len(ofDevice))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(readsAtOnce)
	for key, records := range ofDevice {
		if lives[key] {
			continue
		}
		g.Go(func() error {
			for _, rec := range records {
				idx, found, err := s.readIndex(gctx, rec.Campaign)
				if err != nil {
					return err
				}
				if !found {
					continue
				}
				if !idx.Outcomes {
					return nil
				}
				roll := OtherRoll{Device: rec.Device, Campaign: rec.Campaign, OpenedAt: rec.OpenedAt, Dead: map[string]bool{}}
				if err := s.openOf(gctx, idx, &roll); err != nil {
					return err
				}
				rolls <- roll
				return nil
			}
			return nil
		})
	}
	err = g.Wait()
	close(rolls)
	var out []OtherRoll
	for r := range rolls {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b OtherRoll) int { return b.OpenedAt.Compare(a.OpenedAt) })
	return out, err
}

// openOf fills in what a roll has, page by page: rolls of others are read once,
// and most of what they have is dead.
func (s *Store) openOf(ctx context.Context, idx RollIndex, roll *OtherRoll) error {
	dead, err := s.deadRefs(ctx, roll.Campaign, idx.Snapshot)
	if err != nil {
		return err
	}
	for n := range idx.Pages {
		path := rollPath(roll.Campaign, idx.Snapshot, fmt.Sprintf("%s-%d", credentials, n))
		_, err := s.withRollPage(ctx, path, func(text []byte) error { return roll.take(text, n, dead) })
		if err != nil {
			return err
		}
	}
	return nil
}

// take adds a page. The whole of it is decoded only where something is open.
func (r *OtherRoll) take(text []byte, n int, dead map[credential.Ref]bool) error {
	var ids struct {
		Credentials []struct {
			ID string `json:"id"`
		} `json:"credentials"`
	}
	if err := json.Unmarshal(text, &ids); err != nil {
		return err
	}
	var open []int
	for i, c := range ids.Credentials {
		if dead[credential.Ref{Page: n, Index: i}] {
			r.Dead[c.ID] = true
			continue
		}
		open = append(open, i)
	}
	if len(open) == 0 {
		return nil
	}
	var page rollPage
	if err := json.Unmarshal(text, &page); err != nil {
		return err
	}
	for _, i := range open {
		r.Open = append(r.Open, page.Credentials[i])
	}
	return nil
}
