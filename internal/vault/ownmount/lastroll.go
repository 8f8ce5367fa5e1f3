package ownmount

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/vault"
)

// What became of the credentials of a roll is in the ledger, which whoever
// lists may not have. So it is noted beside the roll as well, by page and
// index: which are dead, and which of those were open again at the end. What is
// not noted is not dead.

const (
	deadNotes     = "dead-"
	reopenedNotes = "reopened-"
	// Proved dead, and not done with: the next listing has it as open. What
	// follows says why.
	asideNotes  = "proved-aside-"
	someNotes   = "proved-some-"
	serverNotes = "proved-servers-"
)

// LastRoll is the roll of a campaign of the device, and what became of it.
type LastRoll struct {
	Campaign    string
	OpenedAt    time.Time
	Credentials []credential.Credential
	Excluded    []credential.Exclusion
	Warnings    []credential.Finding
	Unlike      []string // see credential.Roll

	// Dead by ID: on every server of the campaign, and where consumers read.
	// nil where nobody kept account: earlier versions did not.
	Dead map[string]bool

	// OnSome by ID: proved dead without a door that a person had left out. What
	// was stolen is not kept beyond that proof. Earlier versions did not tell
	// them from those that lacked a server alone.
	OnSome map[string]bool

	// DeadAt is when each of Dead was noted so, by ID and Vault's clock.
	DeadAt map[string]time.Time

	// Ended is what that roll said of tokens that earlier campaigns ended.
	Ended []credential.TokensEnded

	// Sources and Doors of its campaign file; nil where it cannot be read.
	Sources []config.Source
	Doors   map[string]door.Settings

	// Before are the newest rolls under other spellings and names of the
	// device, the newest first, with what no later roll of it has: a campaign
	// that did not know of the other name carried nothing of it on.
	Before []LastRoll
}

// LastRoll reads the newest roll of the device besides campaign's own, under
// its name or one that it had; nil if there is none.
func (s *Store) LastRoll(ctx context.Context, device, campaign string, formerly ...string) (*LastRoll, error) {
	all, err := s.Campaigns(ctx, "")
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(r CampaignRecord) bool { return !oneOf(r.Device, device, formerly) })
	if i := slices.IndexFunc(all, func(r CampaignRecord) bool { return r.Campaign == campaign }); i >= 0 {
		all = all[i+1:] // newest first
	}
	spellings := map[string]bool{} // of which the newest roll was not met yet
	for _, rec := range all {
		spellings[rec.Device] = true
	}
	var last *LastRoll
	later := map[string]bool{} // ids that a later roll has
	for _, rec := range all {
		if len(spellings) == 0 {
			break
		}
		idx, found, err := s.readIndex(ctx, rec.Campaign)
		if err != nil {
			return nil, err
		}
		if !found {
			continue
		}
		roll, err := s.lastRoll(ctx, rec.Campaign, idx)
		if err != nil {
			return nil, err
		}
		roll.OpenedAt = rec.OpenedAt
		if last == nil {
			last = roll
		} else if spellings[rec.Device] {
			last.Before = append(last.Before, roll.without(later))
		}
		delete(spellings, rec.Device)
		for _, c := range roll.Credentials {
			later[c.ID] = true
		}
	}
	return last, nil
}

func (r LastRoll) without(ids map[string]bool) LastRoll {
	r.Credentials = slices.DeleteFunc(slices.Clone(r.Credentials), func(c credential.Credential) bool { return ids[c.ID] })
	r.Excluded = slices.DeleteFunc(slices.Clone(r.Excluded), func(x credential.Exclusion) bool { return ids[x.ID] })
	return r
}

// oneOf reports whether a name is the device's, now or formerly.
func oneOf(name, device string, formerly []string) bool {
	return (&config.Campaign{Device: device, Formerly: formerly}).IsDevice(name)
}

func (s *Store) lastRoll(ctx context.Context, campaign string, idx RollIndex) (*LastRoll, error) {
	last := &LastRoll{Campaign: campaign, Warnings: idx.Warnings, Unlike: idx.Unlike, Ended: idx.TokensEnded}
	var pages [][]credential.Credential
	for n := range idx.Pages {
		page, err := s.ReadPage(ctx, campaign, idx.Snapshot, n)
		if err != nil {
			return nil, err
		}
		pages = append(pages, page)
		for i, c := range page {
			if idx.Counts(n, i) {
				last.Credentials = append(last.Credentials, c)
			}
		}
	}
	var err error
	if last.Excluded, err = s.ReadExcluded(ctx, campaign); err != nil {
		return nil, err
	}
	last.Excluded = slices.DeleteFunc(last.Excluded, func(x credential.Exclusion) bool {
		return slices.ContainsFunc(last.Credentials, func(c credential.Credential) bool { return c.ID == x.ID })
	})
	if idx.Outcomes {
		if err = s.became(ctx, campaign, idx.Snapshot, pages, last); err != nil {
			return nil, err
		}
	}
	spec, err := s.LoadSpec(ctx, idx.LatestSpec())
	if vault.IsNotFound(err) || vault.IsDenied(err) {
		return last, nil
	}
	if err != nil {
		return nil, err
	}
	var c config.Campaign
	if json.Unmarshal(spec, &c) == nil {
		last.Sources, last.Doors = c.Sources, c.Doors
	}
	return last, nil
}

// NoteDead notes credentials of a roll as dead; their outcome is in the ledger.
func (s *Store) NoteDead(ctx context.Context, campaign, snapshot string, refs credential.Refs) error {
	return s.noteOutcomes(ctx, deadNotes, campaign, snapshot, refs)
}

// NoteAside notes credentials that are proved dead, and whose new value lies
// where no consumer reads it. They are not done with.
func (s *Store) NoteAside(ctx context.Context, campaign, snapshot string, refs credential.Refs) error {
	return s.noteOutcomes(ctx, asideNotes, campaign, snapshot, refs)
}

// NoteOnSome notes credentials that are proved dead without a door that a
// person had left out. They are not done with.
func (s *Store) NoteOnSome(ctx context.Context, campaign, snapshot string, refs credential.Refs) error {
	return s.noteOutcomes(ctx, someNotes, campaign, snapshot, refs)
}

// NoteWithoutServers notes credentials that are proved dead at each of their
// doors, and without a server that a person had left out. They are not done
// with.
func (s *Store) NoteWithoutServers(ctx context.Context, campaign, snapshot string, refs credential.Refs) error {
	return s.noteOutcomes(ctx, serverNotes, campaign, snapshot, refs)
}

// NoteReopened notes dead credentials of a roll as open again.
func (s *Store) NoteReopened(ctx context.Context, campaign, snapshot string, refs credential.Refs) error {
	return s.noteOutcomes(ctx, reopenedNotes, campaign, snapshot, refs)
}

func (s *Store) noteOutcomes(ctx context.Context, sort, campaign, snapshot string, refs credential.Refs) error {
	if len(refs) == 0 {
		return nil
	}
	body, err := json.Marshal(refs)
	if err != nil {
		return err
	}
	// A name of its own, for the worker may not change what is there: said
	// twice does no harm.
	at := rollPath(campaign, snapshot, sort+strings.ToLower(rand.Text()[:16]))
	_, err = s.Put(ctx, "note what became of credentials", s.mount, at, 0, map[string]any{pageField: string(body)})
	return err
}

// became fills in what the notes on a roll say.
func (s *Store) became(ctx context.Context, campaign, snapshot string, pages [][]credential.Credential, last *LastRoll) error {
	noted, err := s.outcomes(ctx, campaign, snapshot)
	if err != nil {
		return err
	}
	last.Dead, last.DeadAt, last.OnSome = map[string]bool{}, map[string]time.Time{}, map[string]bool{}
	each := func(sort string, do func(id string, at time.Time)) {
		for r, at := range noted[sort] {
			if r.Page < len(pages) && r.Index < len(pages[r.Page]) {
				do(pages[r.Page][r.Index].ID, at)
			}
		}
	}
	each(deadNotes, func(id string, at time.Time) { last.Dead[id], last.DeadAt[id] = true, at })
	each(someNotes, func(id string, _ time.Time) { last.OnSome[id] = true })
	return nil
}

// deadRefs are those of a roll that are noted as dead and not as open again,
// with when that was noted first.
func (s *Store) deadRefs(ctx context.Context, campaign, snapshot string) (map[credential.Ref]time.Time, error) {
	noted, err := s.outcomes(ctx, campaign, snapshot)
	return noted[deadNotes], err
}

// outcomes are the notes on a roll by what they say, each with when that was
// noted first, without what is open again.
func (s *Store) outcomes(ctx context.Context, campaign, snapshot string) (map[string]map[credential.Ref]time.Time, error) {
	const op = "read what became of the roll"
	names, err := s.Names(ctx, op, s.mount, rollPath(campaign, snapshot))
	if err != nil {
		return nil, err
	}
	proved := []string{deadNotes, asideNotes, someNotes, serverNotes}
	sorts := append(slices.Clone(proved), reopenedNotes)
	sortOf := func(name string) string {
		i := slices.IndexFunc(sorts, func(sort string) bool { return strings.HasPrefix(name, sort) })
		if i < 0 {
			return ""
		}
		return sorts[i]
	}
	notes, written := make([]credential.Refs, len(names)), make([]time.Time, len(names))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(readsAtOnce)
	for i, name := range names {
		if sortOf(name) == "" {
			continue
		}
		g.Go(func() error {
			at := rollPath(campaign, snapshot, name)
			e, err := s.Get(gctx, op, s.mount, at, 1)
			if err != nil || e.Data == nil {
				return err
			}
			written[i] = e.Written
			text, _ := e.Data[pageField].(string)
			if err := json.Unmarshal([]byte(text), &notes[i]); err != nil {
				return s.Odd(op, s.mount+"/data/"+at, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	out := map[string]map[credential.Ref]time.Time{}
	for _, sort := range sorts {
		out[sort] = map[credential.Ref]time.Time{}
	}
	for i, name := range names {
		for _, r := range notes[i] {
			of := out[sortOf(name)]
			if at, said := of[r]; !said || written[i].Before(at) {
				of[r] = written[i]
			}
		}
	}
	for r := range out[reopenedNotes] {
		for _, sort := range proved {
			delete(out[sort], r)
		}
	}
	return out, nil
}
