package vault

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// CampaignRecord says that a campaign exists and whether it still owns what it staged.
type CampaignRecord struct {
	Campaign string
	Device   string
	OpenedAt time.Time // UTC
	ClosedAt time.Time // UTC; zero while it runs
}

const (
	campaignFolder = "campaigns"
	readsAtOnce    = 16
)

// OpenCampaign records that a campaign runs. Call it before anything is
// staged. Doing it again while it is open does no harm; a closed campaign or
// one of another device is an error.
func (s *Store) OpenCampaign(ctx context.Context, campaign, device string) error {
	const op = "open the campaign"
	rec := CampaignRecord{Campaign: campaign, Device: device, OpenedAt: time.Now().UTC()}
	_, err := s.put(ctx, op, s.mount, campaignPath(campaign), 0, rec.encode())
	if !AsCAS(err) {
		return err
	}
	e, err := s.get(ctx, op, s.mount, campaignPath(campaign), 0)
	if err != nil {
		return err
	}
	was, err := decodeCampaign(campaign, e)
	switch {
	case err != nil:
		return s.odd(op, s.mount+"/data/"+campaignPath(campaign), err)
	case was.Device != device:
		return fmt.Errorf("vault: campaign %s belongs to device %s, not %s: choose another campaign id", campaign, was.Device, device)
	case !was.ClosedAt.IsZero():
		return fmt.Errorf("vault: campaign %s was closed at %s: start another one", campaign, was.ClosedAt.Format(time.RFC3339))
	}
	return nil
}

// CloseCampaign records that a campaign runs no more: others may take over
// what it left staged. Closing it again does no harm.
func (s *Store) CloseCampaign(ctx context.Context, campaign string) error {
	const op = "close the campaign"
	e, err := s.get(ctx, op, s.mount, campaignPath(campaign), 0)
	if err != nil {
		return err
	}
	rec, err := decodeCampaign(campaign, e)
	if err != nil {
		return s.odd(op, s.mount+"/data/"+campaignPath(campaign), err)
	}
	if !rec.ClosedAt.IsZero() {
		return nil
	}
	rec.ClosedAt = time.Now().UTC()
	_, err = s.put(ctx, op, s.mount, campaignPath(campaign), e.version, rec.encode())
	if AsCAS(err) {
		// Only another close writes to an open campaign.
		return nil
	}
	return err
}

// CampaignClosed reports whether a campaign no longer owns what it staged: it
// was closed, or was never opened.
func (s *Store) CampaignClosed(ctx context.Context, campaign string) (bool, error) {
	const op = "read the campaign"
	e, err := s.get(ctx, op, s.mount, campaignPath(campaign), 0)
	if err != nil {
		return false, err
	}
	if e.data == nil {
		return true, nil
	}
	rec, err := decodeCampaign(campaign, e)
	if err != nil {
		return false, s.odd(op, s.mount+"/data/"+campaignPath(campaign), err)
	}
	return !rec.ClosedAt.IsZero(), nil
}

// Campaigns lists the campaigns of a device, or of all if it is empty, newest first.
func (s *Store) Campaigns(ctx context.Context, device string) ([]CampaignRecord, error) {
	const op = "list campaigns"
	names, err := s.names(ctx, op, s.mount, campaignFolder)
	if err != nil {
		return nil, err
	}
	all := make([]CampaignRecord, len(names))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(readsAtOnce)
	for i, name := range names {
		campaign, ok := decodeSegment(strings.TrimSuffix(name, "/"))
		if !ok {
			continue
		}
		g.Go(func() error {
			e, err := s.get(gctx, op, s.mount, campaignPath(campaign), 0)
			if err != nil || e.data == nil {
				return err
			}
			if all[i], err = decodeCampaign(campaign, e); err != nil {
				return s.odd(op, s.mount+"/data/"+campaignPath(campaign), err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(r CampaignRecord) bool {
		return r.Campaign == "" || device != "" && r.Device != device
	})
	slices.SortFunc(all, func(a, b CampaignRecord) int {
		return cmp.Or(b.OpenedAt.Compare(a.OpenedAt), strings.Compare(a.Campaign, b.Campaign))
	})
	return all, nil
}

// campaignPath keeps a campaign to one segment, whatever its id holds.
func campaignPath(campaign string) string { return campaignFolder + "/" + encodeSegment(campaign) }

func (r CampaignRecord) encode() map[string]any {
	m := map[string]any{"device": r.Device, "opened_at": r.OpenedAt.Format(time.RFC3339Nano)}
	if !r.ClosedAt.IsZero() {
		m["closed_at"] = r.ClosedAt.Format(time.RFC3339Nano)
	}
	return m
}

func decodeCampaign(campaign string, e entry) (CampaignRecord, error) {
	r := CampaignRecord{Campaign: campaign}
	if e.data == nil {
		return r, fmt.Errorf("campaign %s has no record", campaign)
	}
	r.Device, _ = e.data["device"].(string)
	opened, _ := e.data["opened_at"].(string)
	var err error
	if r.OpenedAt, err = time.Parse(time.RFC3339Nano, opened); err != nil {
		return r, fmt.Errorf("opened_at is not a time")
	}
	if closed, ok := e.data["closed_at"].(string); ok {
		if r.ClosedAt, err = time.Parse(time.RFC3339Nano, closed); err != nil {
			return r, fmt.Errorf("closed_at is not a time")
		}
	}
	return r, nil
}
