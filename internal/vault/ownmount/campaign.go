package ownmount

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// CampaignRecord says that a campaign exists, whose it is, and whether it still
// owns what it staged.
type CampaignRecord struct {
	Campaign string
	Device   string
	Actor    string    // who started it: a claim
	OpenedAt time.Time // UTC, by Vault's clock: those of machines differ, and this decides which was first
	ClosedAt time.Time // UTC, by Vault's clock; zero while it runs

	// Starter tells whoever opened it, and may do so again, from another one of
	// the same name.
	Starter string

	// TakesOver: a person asked that it end a campaign of the device that
	// lives.
	TakesOver bool

	// Superseded: a later campaign closed it, and its workers may not know yet.
	// By names that one.
	Superseded bool
	By         string

	// EndedItself: a superseded campaign came to its own end since, so that no
	// worker has anything of it in hand any more.
	EndedItself bool

	// Unheard: when it ended a reset of it might still arrive, and no entry of
	// what is staged says so. It lets go LateFor after that.
	Unheard bool

	// Ending is how it came to its own end; zero while it runs, where another
	// one ended it, and in records of earlier versions.
	Ending Ending

	// Begun: a worker took it up. Until then nothing is staged for it, and a
	// process that died before it could start it has left no more than the
	// record.
	Begun bool

	// Incident as the campaign file has it.
	Incident credential.Incident

	// Told is whom the campaign tells how it goes (credential.Roll), while it
	// runs: it may end before it has a roll.
	Told string

	// Seen is when the record was last written, by Vault's clock: while the
	// campaign runs, its last sign of life.
	Seen time.Time

	version int
}

// Ending is how a campaign came to its end.
type Ending struct {
	How string // as the ledger has it
	By  string // the person who ended it: a claim
}

// SupersededGrace is how long a superseded campaign keeps what it staged. Its
// workers ask CampaignWasClosed before each credential, at worst a little late,
// and bound the one in hand to two minutes; so after it nobody is about to set
// a staged value that another campaign has replaced. The rest is for clocks
// that differ.
//
// One that comes to its own end meanwhile, as one does whose workers live, says
// so (EndedItself) and lets go at once.
//
// It is also how long a campaign that gives no sign of life is taken to live.
const SupersededGrace = 4 * time.Minute

// SeenEvery is how often a campaign that runs gives a sign of life.
const SeenEvery = 15 * time.Second

const (
	campaignFolder = "campaigns"
	maxCloseTries  = 8 // a sign of life may come in between
)

// ErrTaken: another campaign has that name.
var ErrTaken = errors.New("the name is taken")

// OpenCampaign records that a campaign runs. Call it before anything is staged.
// Doing it again while it is open does no harm; a closed campaign, one of
// another device, and one that somebody else opened (ErrTaken) are errors.
func (s *Store) OpenCampaign(ctx context.Context, rec CampaignRecord) error {
	const op = "open the campaign"
	rec.OpenedAt = time.Now().UTC()
	_, err := s.Put(ctx, op, s.mount, campaignPath(rec.Campaign), 0, rec.encode())
	if !vault.IsCASMismatch(err) {
		return err
	}
	was, found, err := s.readCampaign(ctx, rec.Campaign)
	switch {
	case err != nil:
		return err
	case !found:
		return fmt.Errorf("vault: campaign %s: %w", rec.Campaign, ErrTaken)
	case !config.SameDevice(was.Device, rec.Device):
		return fmt.Errorf("vault: campaign %s belongs to device %s, not %s: choose another campaign id", rec.Campaign, was.Device, rec.Device)
	case !was.ClosedAt.IsZero():
		return fmt.Errorf("vault: campaign %s was closed at %s: start another one", rec.Campaign, was.ClosedAt.Format(time.RFC3339))
	case was.Starter != rec.Starter:
		return fmt.Errorf("vault: campaign %s was opened by %s: %w", rec.Campaign, was.Actor, ErrTaken)
	}
	return nil
}

// CloseCampaign records that a campaign runs no more: others may take over
// what it left staged. Closing it again does no harm.
func (s *Store) CloseCampaign(ctx context.Context, campaign string) error {
	return s.close(ctx, campaign, false, Ending{})
}

// CloseAs is CloseCampaign that notes how it ended. unheard: what a killed
// process sent may still arrive, and whoever replaced it at once would find the
// older value in force, and nowhere in Vault.
func (s *Store) CloseAs(ctx context.Context, campaign string, unheard bool, as Ending) error {
	return s.close(ctx, campaign, unheard, as)
}

func (s *Store) close(ctx context.Context, campaign string, unheard bool, as Ending) error {
	for range maxCloseTries {
		rec, found, err := s.readCampaign(ctx, campaign)
		if err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("vault: campaign %s has no record", campaign)
		}
		if rec.Superseded && !rec.EndedItself {
			// Whoever took over need not wait any longer.
			rec.EndedItself, rec.Unheard = true, unheard
			if _, err := s.Put(ctx, "close the campaign", s.mount, campaignPath(campaign), rec.version, rec.encode()); !vault.IsCASMismatch(err) {
				return err
			}
			continue
		}
		if rec.ClosedAt.IsZero() {
			rec.Unheard, rec.Ending = unheard, as
		}
		if err := s.end(ctx, rec, false, ""); !vault.IsCASMismatch(err) {
			return err
		}
	}
	return s.contended(campaign)
}

// end closes a campaign whose record is as it was read. IsCASMismatch if it has
// changed since.
func (s *Store) end(ctx context.Context, rec CampaignRecord, superseded bool, by string) error {
	if !rec.ClosedAt.IsZero() {
		return nil
	}
	rec.ClosedAt, rec.Superseded, rec.By = time.Now().UTC(), superseded, by
	_, err := s.Put(ctx, "close the campaign", s.mount, campaignPath(rec.Campaign), rec.version, rec.encode())
	return err
}

func (s *Store) contended(campaign string) error {
	return &vault.Error{Op: "close the campaign", Path: s.mount + "/data/" + campaignPath(campaign), Server: s.Address(), Kind: vault.CASMismatch,
		Detail: "its record keeps changing"}
}

// CampaignReleased reports whether a campaign no longer owns what it staged: it
// was closed, was superseded and has settled, or was superseded long enough
// ago, or was never opened. Of one that lets go by itself until says when at
// the latest.
func (s *Store) CampaignReleased(ctx context.Context, campaign string) (released bool, until time.Time, err error) {
	rec, found, err := s.readCampaign(ctx, campaign)
	if err != nil || !found {
		return err == nil, until, err
	}
	if rec.ClosedAt.IsZero() {
		return false, until, nil
	}
	if until = rec.ClosedAt.Add(SupersededGrace); rec.settled() && rec.Unheard {
		until = rec.Seen.Add(LateFor)
	}
	return rec.settled() && !rec.Unheard || rec.released(s.clock(ctx)), until, nil
}

func (r CampaignRecord) settled() bool { return !r.Superseded || r.EndedItself }

// released reports whether one that has ended no longer owns what it staged.
// Its end is what was written of it last.
func (r CampaignRecord) released(now time.Time) bool {
	if r.settled() {
		return !r.Unheard || now.After(r.Seen.Add(LateFor))
	}
	return r.letsGo(now)
}

// letsGo: it was closed long enough ago. Both times are Vault's: a worker whose
// clock is ahead would else take over at once.
func (r CampaignRecord) letsGo(now time.Time) bool { return now.After(r.ClosedAt.Add(SupersededGrace)) }

// SupersededBy names the campaigns that one has taken over from.
func (s *Store) SupersededBy(ctx context.Context, device, campaign string) ([]string, error) {
	all, err := s.Campaigns(ctx, device)
	var out []string
	for _, r := range all {
		if r.Superseded && r.By == campaign {
			out = append(out, r.Campaign)
		}
	}
	return out, err
}

// CampaignWasClosed reports whether a campaign was closed, by itself or by a
// later one, which the record names. Its workers then begin nothing more.
func (s *Store) CampaignWasClosed(ctx context.Context, campaign string) (bool, CampaignRecord, error) {
	rec, _, err := s.readCampaign(ctx, campaign)
	return !rec.ClosedAt.IsZero(), rec, err
}

func (s *Store) readCampaign(ctx context.Context, campaign string) (CampaignRecord, bool, error) {
	e, err := s.Get(ctx, "read the campaign", s.mount, campaignPath(campaign), 0)
	if err != nil || e.Data == nil {
		return CampaignRecord{}, false, err
	}
	rec, err := decodeCampaign(campaign, e)
	if err != nil {
		return CampaignRecord{}, false, s.Odd("read the campaign", s.mount+"/data/"+campaignPath(campaign), err)
	}
	return rec, true, nil
}

// Campaigns lists the campaigns of a device, in any spelling of its name, or of
// all if it is empty, newest first.
func (s *Store) Campaigns(ctx context.Context, device string) ([]CampaignRecord, error) {
	const op = "list campaigns"
	names, err := s.Names(ctx, op, s.mount, campaignFolder)
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
			e, err := s.Get(gctx, op, s.mount, campaignPath(campaign), 0)
			if err != nil || e.Data == nil {
				return err
			}
			if all[i], err = decodeCampaign(campaign, e); err != nil {
				return s.Odd(op, s.mount+"/data/"+campaignPath(campaign), err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(r CampaignRecord) bool {
		return r.Campaign == "" || device != "" && !config.SameDevice(r.Device, device)
	})
	slices.SortFunc(all, func(a, b CampaignRecord) int {
		return cmp.Or(b.OpenedAt.Compare(a.OpenedAt), strings.Compare(a.Campaign, b.Campaign))
	})
	return all, nil
}

// campaignPath keeps a campaign to one segment, whatever its id holds.
func campaignPath(campaign string) string { return campaignFolder + "/" + encodeSegment(campaign) }

func (r CampaignRecord) encode() map[string]any {
	m := map[string]any{"device": r.Device, "actor": r.Actor, "starter": r.Starter, "opened_at": r.OpenedAt.Format(time.RFC3339Nano), "takes_over": r.TakesOver, "begun": r.Begun}
	for key, text := range map[string]string{"incident": r.Incident.Number, "severity": r.Incident.Severity, "approved_by": r.Incident.ApprovedBy} {
		if text != "" {
			m[key] = text
		}
	}
	if r.Told != "" && r.ClosedAt.IsZero() {
		m["told"] = r.Told
	}
	if !r.ClosedAt.IsZero() {
		m["closed_at"] = r.ClosedAt.Format(time.RFC3339Nano)
		m["superseded"], m["superseded_by"], m["settled"] = r.Superseded, r.By, r.EndedItself
		if r.Unheard {
			m["unheard"] = true
		}
		if r.Ending.How != "" {
			m["ending"], m["ended_by"] = r.Ending.How, r.Ending.By
		}
	}
	return m
}

func decodeCampaign(campaign string, e vault.Entry) (CampaignRecord, error) {
	r := CampaignRecord{Campaign: campaign, Seen: e.Written, version: e.Version}
	if e.Data == nil {
		return r, fmt.Errorf("campaign %s has no record", campaign)
	}
	r.Device, _ = e.Data["device"].(string)
	r.Actor, _ = e.Data["actor"].(string) // absent in records of earlier versions, like the next two
	r.Starter, _ = e.Data["starter"].(string)
	r.TakesOver, _ = e.Data["takes_over"].(bool)
	r.Told, _ = e.Data["told"].(string)
	r.Incident.Number, _ = e.Data["incident"].(string)
	r.Incident.Severity, _ = e.Data["severity"].(string)
	r.Incident.ApprovedBy, _ = e.Data["approved_by"].(string)
	if begun, known := e.Data["begun"].(bool); begun || !known {
		r.Begun = true
	}
	opened, _ := e.Data["opened_at"].(string)
	var err error
	if r.OpenedAt, err = time.Parse(time.RFC3339Nano, opened); err != nil {
		return r, fmt.Errorf("opened_at is not a time")
	}
	if e.Version == 1 && !e.Written.IsZero() {
		r.OpenedAt = e.Written // what is written next keeps it
	}
	if closed, ok := e.Data["closed_at"].(string); ok {
		if r.ClosedAt, err = time.Parse(time.RFC3339Nano, closed); err != nil {
			return r, fmt.Errorf("closed_at is not a time")
		}
		r.Superseded, _ = e.Data["superseded"].(bool)
		r.By, _ = e.Data["superseded_by"].(string)
		r.EndedItself, _ = e.Data["settled"].(bool)
		r.Unheard, _ = e.Data["unheard"].(bool)
		r.Ending.How, _ = e.Data["ending"].(string)
		r.Ending.By, _ = e.Data["ended_by"].(string)
		if !r.EndedItself && !e.Written.IsZero() {
			r.ClosedAt = e.Written.UTC() // nothing is written after it but that it has settled
		}
	}
	return r, nil
}
