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
	Open             []credential.Credential // those that are not dead; where it Lives, of these the logins to Vault
	LeftOut          []credential.Exclusion  // what a person took off it; nobody proves that dead
	Lives            bool                    // a campaign of the device gives signs of life, and has them in hand
	Hosts            []string                // names and addresses of the device

	store *Store
	index RollIndex
	dead  map[credential.Ref]time.Time
}

// OtherRolls are the newest rolls of devices that are not this one, by these
// names. Those of versions that kept no account of what became of them are left
// out.
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
				roll := OtherRoll{Device: rec.Device, Campaign: rec.Campaign, OpenedAt: rec.OpenedAt, Lives: lives[key], Hosts: idx.Containment.Hosts(), store: s, index: idx}
				if roll.dead, err = s.deadRefs(gctx, rec.Campaign, idx.Snapshot); err == nil {
					roll.Open, err = roll.open(gctx)
				}
				if err == nil {
					roll.LeftOut, err = roll.leftOut(gctx)
				}
				rolls <- roll
				return err
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

// open reads those that are not noted as dead. Most rolls have none, and then
// no page is read: the index says how many each has.
func (r *OtherRoll) open(ctx context.Context) (open []credential.Credential, err error) {
	for n := range r.index.Pages {
		if !r.someOpen(n) {
			continue
		}
		err := r.page(ctx, n, func(text []byte) error {
			var p rollPage
			if err := json.Unmarshal(text, &p); err != nil {
				return err
			}
			for i, c := range p.Credentials {
				if r.index.Counts(n, i) && r.isOpen(n, i) && (!r.Lives || c.ReachesVault()) {
					open = append(open, c)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return open, nil
}

// leftOut reads what a person took off the roll. Most have little.
func (r *OtherRoll) leftOut(ctx context.Context) (all []credential.Exclusion, err error) {
	for n := range r.index.ExclusionPages {
		var p rollPage
		if err := r.pageOf(ctx, exclusions, n, func(text []byte) error { return json.Unmarshal(text, &p) }); err != nil {
			return nil, err
		}
		all = append(all, p.Exclusions...)
	}
	return all, nil
}

// someOpen reports whether a page may have one that is not dead. Each
// credential is in one run of the index; where they are not as many as were
// listed, the page tells.
func (r *OtherRoll) someOpen(page int) bool {
	listed, open := 0, false
	for _, w := range r.index.Waves {
		for _, run := range w.Runs {
			listed += run.Len()
			for i := run.From; i < run.To && run.Page == page; i++ {
				open = open || r.isOpen(page, i)
			}
		}
	}
	return open || listed != r.index.Listed
}

func (r *OtherRoll) isOpen(page, index int) bool {
	_, dead := r.dead[credential.Ref{Page: page, Index: index}]
	return !dead
}

// Dead reads the ids of those that are dead.
func (r *OtherRoll) Dead(ctx context.Context) (map[string]bool, error) {
	ids := map[string]bool{}
	for n := range r.index.Pages {
		err := r.page(ctx, n, func(text []byte) error {
			var p struct {
				Credentials []struct {
					ID string `json:"id"`
				} `json:"credentials"`
			}
			if err := json.Unmarshal(text, &p); err != nil {
				return err
			}
			for i, c := range p.Credentials {
				if !r.isOpen(n, i) {
					ids[c.ID] = true
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return ids, nil
}

func (r *OtherRoll) page(ctx context.Context, n int, decode func(text []byte) error) error {
	return r.pageOf(ctx, credentials, n, decode)
}

// pageOf decodes a page that is read once: it does not push one that this
// campaign has in memory out of it.
func (r *OtherRoll) pageOf(ctx context.Context, sort string, n int, decode func(text []byte) error) error {
	_, err := r.store.withRollPage(ctx, rollPath(r.Campaign, r.index.Snapshot, fmt.Sprintf("%s-%d", sort, n)), decode)
	return err
}
