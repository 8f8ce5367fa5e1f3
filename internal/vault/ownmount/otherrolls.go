package ownmount

import (
	"context"
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
	Credentials      []credential.Credential
	Dead             map[string]bool
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
				last, err := s.lastRoll(gctx, rec.Campaign, idx)
				if err == nil && last.Dead != nil {
					rolls <- OtherRoll{rec.Device, rec.Campaign, rec.OpenedAt, last.Credentials, last.Dead}
				}
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
