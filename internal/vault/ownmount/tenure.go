package ownmount

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"rollcall/internal/vault"
)

// Running is a campaign of a device that has not ended.
type Running struct {
	CampaignRecord
	Ago time.Duration // since its last sign of life, by Vault's clock
}

// Lives reports whether a worker took it up and it gave a sign of life lately.
// What gives none any more was lost: its process, its Temporal or its machine.
func (o Running) Lives() bool { return o.Begun && o.Ago < SupersededGrace }

// String says whose it is and when it was last seen.
func (o Running) String() string {
	return fmt.Sprintf("campaign %s of device %s runs since %s UTC, started by %s, last seen %s ago",
		o.Campaign, o.Device, o.OpenedAt.UTC().Format(time.DateTime), cmp.Or(o.Actor, "an earlier version"), max(o.Ago, 0).Round(time.Second))
}

// Lives is the error of who may not begin, or go on, because another campaign
// of the device lives and nobody asked to end it.
type Lives struct{ Running }

func (l *Lives) Error() string {
	return l.String() + ": watch it there, or `rollcall run --take-over` ends it and goes on"
}

// AsLives finds a Lives in err.
func AsLives(err error) (*Lives, bool) {
	var l *Lives
	ok := errors.As(err, &l)
	return l, ok
}

// Others are the campaigns of a device that have not ended, but own, newest
// first.
func (s *Store) Others(ctx context.Context, device, own string) ([]Running, error) {
	all, err := s.Campaigns(ctx, device)
	if err != nil {
		return nil, err
	}
	var out []Running
	now := s.clock(ctx)
	for _, r := range all {
		if r.ClosedAt.IsZero() && r.Campaign != own {
			out = append(out, Running{r, now.Sub(r.Seen)})
		}
	}
	return out, nil
}

// LookAt gives the record of one campaign.
func (s *Store) LookAt(ctx context.Context, campaign string) (rec Running, found bool, err error) {
	r, found, err := s.readCampaign(ctx, campaign)
	if err != nil || !found {
		return Running{}, false, err
	}
	return Running{r, s.clock(ctx).Sub(r.Seen)}, true, nil
}

// clock is Vault's, because signs of life are told by it; this machine's if
// Vault does not say.
func (s *Store) clock(ctx context.Context) time.Time {
	now, said := s.ServerTime(ctx)
	if !said {
		return time.Now()
	}
	return now
}

// SignOfLife writes that a worker has the campaign in hand. ended says that it
// was closed: nobody writes to it any more.
func (s *Store) SignOfLife(ctx context.Context, campaign string) (ended bool, err error) {
	rec, found, err := s.readCampaign(ctx, campaign)
	if err != nil {
		return false, err
	}
	if !found || !rec.ClosedAt.IsZero() {
		return true, nil
	}
	rec.Begun = true
	_, err = s.Put(ctx, "give a sign of life", s.mount, campaignPath(campaign), rec.version, rec.encode())
	if vault.IsCASMismatch(err) {
		return false, nil // somebody else did, or closed it: the next look shows
	}
	return false, err
}

// MayBegin is an error while an earlier campaign of the device lives, unless
// this one takes over, and one for a campaign that was closed.
func (s *Store) MayBegin(ctx context.Context, campaign string) error {
	_, _, err := s.earlier(ctx, campaign)
	return err
}

// Supersede closes every campaign of the device that was opened before this one
// and has not ended, and names them: a device has one campaign at a time. One
// that lives is closed only if this one takes over; otherwise none is, and the
// error satisfies AsLives. Their workers stop at the next credential, and what
// they staged may be taken over once SupersededGrace has passed. Call it when
// the roll and its record are in order.
func (s *Store) Supersede(ctx context.Context, campaign string) ([]string, error) {
	var ended []string
	for range maxCloseTries {
		own, others, err := s.earlier(ctx, campaign)
		if err != nil {
			return ended, err
		}
		for _, o := range others {
			if err = s.end(ctx, o.CampaignRecord, true, own.Campaign); err != nil {
				break
			}
			ended = append(ended, o.Campaign)
		}
		// It gave a sign of life, or ended by itself: look again.
		if !vault.IsCASMismatch(err) {
			return ended, err
		}
	}
	return ended, s.contended(campaign)
}

// SupersedeLost closes a campaign that whoever calls knows to have ended,
// though its last sign of life is not old.
func (s *Store) SupersedeLost(ctx context.Context, lost CampaignRecord) error {
	for range maxCloseTries {
		if err := s.end(ctx, lost, true, ""); !vault.IsCASMismatch(err) {
			return err
		}
		now, found, err := s.readCampaign(ctx, lost.Campaign)
		if err != nil || !found {
			return err
		}
		lost = now
	}
	return s.contended(lost.Campaign)
}

// earlier are the campaigns that stand before one that has been opened.
func (s *Store) earlier(ctx context.Context, campaign string) (own CampaignRecord, before []Running, err error) {
	own, found, err := s.readCampaign(ctx, campaign)
	switch {
	case err != nil:
		return own, nil, err
	case !found:
		return own, nil, fmt.Errorf("vault: campaign %s has no record", campaign)
	case !own.ClosedAt.IsZero():
		return own, nil, &ClosedMeanwhile{own}
	}
	others, err := s.Others(ctx, own.Device, campaign)
	if err != nil {
		return own, nil, err
	}
	for _, o := range others {
		if cmp.Or(o.OpenedAt.Compare(own.OpenedAt), cmp.Compare(o.Campaign, own.Campaign)) > 0 {
			continue // a later one, which looks at this one
		}
		if o.Lives() && !own.TakesOver {
			return own, nil, &Lives{o}
		}
		before = append(before, o)
	}
	return own, before, nil
}

// ClosedMeanwhile is the error of a campaign that was closed while it worked.
type ClosedMeanwhile struct{ CampaignRecord }

func (e *ClosedMeanwhile) Error() string {
	if e.Superseded && e.By == "" {
		return fmt.Sprintf("campaign %s was ended at %s UTC by a later one of the device", e.Campaign, e.ClosedAt.UTC().Format(time.DateTime))
	}
	if e.Superseded {
		return fmt.Sprintf("campaign %s was ended at %s UTC by campaign %s of the device, which took over", e.Campaign, e.ClosedAt.UTC().Format(time.DateTime), e.By)
	}
	return fmt.Sprintf("campaign %s was closed at %s UTC", e.Campaign, e.ClosedAt.UTC().Format(time.DateTime))
}
