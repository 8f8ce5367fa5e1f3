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

	// Superseded: a later campaign closed it, and its workers may not know yet.
	Superseded bool
}

// Settles is how long a superseded campaign keeps what it staged. Its workers
// ask CampaignEnded before each credential, at worst a little late, and bound
// the one in hand to two minutes; so after it nobody is about to set a staged
// value that another campaign has replaced. The rest is for clocks that differ.
const Settles = 4 * time.Minute

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
	return s.closeCampaign(ctx, campaign, false)
}

// SupersedeEarlier closes every campaign of the device of campaign that was
// opened before it and is still open: a device has one campaign at a time, and
// those ended without saying so, or run on a Temporal that this one knows
// nothing of. Their workers stop at the next credential, and what they staged may be
// taken over once Settles has passed.
func (s *Store) SupersedeEarlier(ctx context.Context, campaign, device string) error {
	all, err := s.Campaigns(ctx, device)
	if err != nil {
		return err
	}
	own := slices.IndexFunc(all, func(r CampaignRecord) bool { return r.Campaign == campaign })
	if own < 0 {
		return fmt.Errorf("vault: campaign %s of device %s has no record", campaign, device)
	}
	for _, r := range all {
		if r.ClosedAt.IsZero() && r.OpenedAt.Before(all[own].OpenedAt) {
			if err := s.closeCampaign(ctx, r.Campaign, true); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) closeCampaign(ctx context.Context, campaign string, superseded bool) error {
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
	rec.ClosedAt, rec.Superseded = time.Now().UTC(), superseded
	_, err = s.put(ctx, op, s.mount, campaignPath(campaign), e.version, rec.encode())
	if AsCAS(err) {
		// Only another close writes to an open campaign.
		return nil
	}
	return err
}

// CampaignClosed reports whether a campaign no longer owns what it staged: it
// was closed, was superseded long enough ago, or was never opened.
func (s *Store) CampaignClosed(ctx context.Context, campaign string) (bool, error) {
	rec, found, err := s.readCampaign(ctx, campaign)
	if err != nil || !found {
		return err == nil, err
	}
	return !rec.ClosedAt.IsZero() && (!rec.Superseded || time.Since(rec.ClosedAt) > Settles), nil
}

// CampaignEnded reports whether a campaign was closed, by itself or by a later
// one. Its workers then begin nothing more.
func (s *Store) CampaignEnded(ctx context.Context, campaign string) (bool, error) {
	rec, _, err := s.readCampaign(ctx, campaign)
	return !rec.ClosedAt.IsZero(), err
}

func (s *Store) readCampaign(ctx context.Context, campaign string) (CampaignRecord, bool, error) {
	const op = "read the campaign"
	e, err := s.get(ctx, op, s.mount, campaignPath(campaign), 0)
	if err != nil || e.data == nil {
		return CampaignRecord{}, false, err
	}
	rec, err := decodeCampaign(campaign, e)
	if err != nil {
		return CampaignRecord{}, false, s.odd(op, s.mount+"/data/"+campaignPath(campaign), err)
	}
	return rec, true, nil
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
		m["superseded"] = r.Superseded
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
		r.Superseded, _ = e.data["superseded"].(bool)
	}
	return r, nil
}
