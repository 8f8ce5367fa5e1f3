package activities

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/notify"
	"rollcall/internal/record"
	"rollcall/internal/tasks"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/vault/setup"
	"rollcall/internal/wire"
)

// Ledger serves the ledger's queue. It is the only writer: it knows names from
// the roll in Vault, so that none needs to travel through Temporal.
type Ledger struct {
	Store *ownmount.Store
	Dir   string       // holds one folder per campaign
	Log   *slog.Logger // says what is recorded, as it is: names and no value; nil: nothing does

	looking sync.Mutex // at what people say

	notifier *notify.Notifier // nil: nobody is told
	ending   sync.Mutex       // of the last entry of a ledger
	ended    map[string]bool

	folding sync.Mutex // one at a time folds a ledger for all, and asks what came of it

	mu      sync.Mutex
	logs    map[string]*ledger.Log
	trouble error // of the last append
	last    folded
	grown   int // by entries of what is dead, in appends
}

// rollChunk is about how many entries of a roll go into one append: each costs
// a checkpoint, its signature and its anchor.
const rollChunk = 4000

// RecordRoll writes every line of the roll with its provenance, then its count.
func (l *Ledger) RecordRoll(ctx context.Context, in wire.Roll) error {
	ctx, still := beat(ctx)
	defer still()
	if err := setup.RequireLedgerRights(ctx, l.Store, slices.ContainsFunc(in.Waves, func(w credential.WaveIndex) bool { return w.Tasks })); err != nil {
		return classify(wire.Denied, err)
	}
	now := time.Now().UTC()
	index, err := l.Store.ReadIndex(ctx, in.Campaign)
	if err != nil {
		return classify(errVault, err)
	}
	l.notifier.Begin(in.Campaign, index.Told, index.Containment.Hosts())
	entries := record.Started(in, index.Incident, index.Containment, index.Profile, now)
	was, found, err := l.Store.LookAt(ctx, in.Campaign)
	if err != nil {
		return classify(errVault, err)
	}
	if found && was.OpenedAt.Before(now) { // it began then, and not when it was listed
		entries[0].At = was.OpenedAt.UTC()
	}
	signs := map[string][]ledger.Entry{} // by reading of logs
	for n := range in.Pages {
		page, err := l.Store.ReadPage(ctx, in.Campaign, in.Snapshot, n)
		if err != nil {
			return classify(errVault, err)
		}
		found, err := l.Store.ReadFindings(ctx, in.Campaign, in.Snapshot, n)
		if err != nil {
			return classify(errVault, err)
		}
		entries = append(entries, record.Listed(in.Campaign, page, found, now)...)
		for _, c := range page {
			for _, e := range ledger.SignEntries(in.Campaign, c, now) {
				signs[e.Reading.ID] = append(signs[e.Reading.ID], e)
			}
		}
		if len(entries) < rollChunk {
			continue
		}
		if err := l.append(ctx, in.Campaign, entries); err != nil {
			return err
		}
		entries = nil
	}
	then, err := tasks.AttestedThen(ctx, l.Store, l.Dir, in)
	if err != nil {
		return classify(errVault, err)
	}
	entries = append(entries, record.Findings(in.Campaign, "", slices.Concat(index.Warnings, then), now)...)
	entries = append(entries, record.NotAsked(in.Campaign, index.Unfit, now)...)
	readings, err := l.Store.ReadReadings(ctx, index)
	if err != nil {
		return classify(errVault, err)
	}
	for part := range slices.Chunk(record.Read(in.Campaign, readings, signs, now), rollChunk) {
		entries = append(entries, part...)
		if err := l.append(ctx, in.Campaign, entries); err != nil {
			return err
		}
		entries = nil
	}
	excluded, err := l.Store.ReadExcluded(ctx, in.Campaign)
	if err != nil {
		return classify(errVault, err)
	}
	return l.append(ctx, in.Campaign, append(entries, record.Closed(in, excluded, time.Now().UTC())...))
}

// RecordIntents says that these are about to be set. Only once it has returned
// may any of them be.
func (l *Ledger) RecordIntents(ctx context.Context, in wire.IntentInput) error {
	ctx, still := beat(ctx)
	defer still()
	page, err := l.page(ctx, in.Batch)
	if err != nil {
		return err
	}
	return l.append(ctx, in.Batch.Campaign, record.Intents(in, page, time.Now().UTC()))
}

// RecordActivated says of which credentials of a batch that is still worked on
// consumers read the new value by now.
func (l *Ledger) RecordActivated(ctx context.Context, in wire.ActivatedInput) error {
	ctx, still := beat(ctx)
	defer still()
	page, err := l.page(ctx, in.Batch)
	if err != nil {
		return err
	}
	return l.append(ctx, in.Batch.Campaign, record.Activated(in, page, time.Now().UTC()))
}

// RecordResults says how a pass over a batch ended for each credential. Only
// once it has returned may what is dead be cleaned.
func (l *Ledger) RecordResults(ctx context.Context, in wire.ResultInput) error {
	ctx, still := beat(ctx)
	defer still()
	page, err := l.page(ctx, in.Batch)
	if err != nil {
		return err
	}
	return l.append(ctx, in.Batch.Campaign, record.Results(in, page, time.Now().UTC()))
}

// RecordExceptions says which credentials stay open for good, and why.
func (l *Ledger) RecordExceptions(ctx context.Context, in wire.ExceptionInput) error {
	ctx, still := beat(ctx)
	defer still()
	page, err := l.page(ctx, in.Batch)
	if err != nil {
		return err
	}
	return l.append(ctx, in.Batch.Campaign, record.Exceptions(in, page, time.Now().UTC()))
}

// RecordEvent writes what happened to the campaign as a whole. After
// campaign-closed the ledger's folder is released.
func (l *Ledger) RecordEvent(ctx context.Context, in wire.EventInput) error {
	ctx, still := beat(ctx)
	defer still()
	e := record.Event(in, time.Now().UTC())
	if in.TookFrom != "" {
		if err := l.tookFrom(ctx, in, &e); err != nil {
			return err
		}
	}
	if in.Login != nil {
		login, err := l.Store.ReadRefs(ctx, in.Campaign, in.Snapshot, credential.Refs{*in.Login})
		if err != nil {
			return classify(errVault, err)
		}
		e.Credential, e.Name = login[0].ID, login[0].Name
	}
	entries := []ledger.Entry{e}
	if in.Accepted != nil {
		all, err := l.accepted(ctx, in, e)
		if err != nil {
			return err
		}
		entries = all
	}
	closing := in.Event == ledger.CampaignClosed
	if closing {
		l.lastWord(in.Campaign)
		entries[0].Counts = &ledger.Counts{Listed: in.Listed, Excluded: in.Excluded, Dead: in.Dead, Open: in.Open}
		end, err := l.end(ctx, in.Campaign)
		if err != nil {
			return err
		}
		entries[0].End = end
		where := record.AnchoredAt(in.Campaign, l.Store.AnchorPlace(in.Campaign), e.At)
		entries = []ledger.Entry{where, entries[0]}
		if in.Detail != "" {
			// It ended early, perhaps before anybody said that it began.
			was, found, err := l.Store.LookAt(ctx, in.Campaign)
			if err != nil {
				return classify(errVault, err)
			}
			if found {
				l.notifier.Begin(in.Campaign, json.RawMessage(was.Told), nil)
				entries = slices.Insert(entries, 0, record.NeverListed(in.Campaign, in.Device, was.Actor, was.Incident, was.OpenedAt))
			}
		}
	}
	if err := l.append(ctx, in.Campaign, entries); err != nil || !closing {
		return err
	}
	return classify(errLedger, l.release(in.Campaign))
}

// accepted are the entries of a person's word on what stays open.
func (l *Ledger) accepted(ctx context.Context, in wire.EventInput, e ledger.Entry) ([]ledger.Entry, error) {
	var refs credential.Refs
	for _, it := range in.Accepted.Items {
		refs = append(refs, it.Ref)
	}
	var of []credential.Credential
	if len(refs) > 0 {
		var err error
		if of, err = l.Store.ReadRefs(ctx, in.Campaign, in.Snapshot, refs); err != nil {
			return nil, classify(errVault, err)
		}
	}
	return record.Accepted(e, in.Accepted, of), nil
}

// end is what the ledger so far makes of a campaign with a profile; nil without
// one, and where the roll was not made.
func (l *Ledger) end(ctx context.Context, campaign string) (*ledger.End, error) {
	index, err := l.Store.ReadIndex(ctx, campaign)
	switch {
	case vault.IsNotFound(err) || err == nil && index.Profile == nil:
		return nil, nil
	case err != nil:
		return nil, classify(errVault, err)
	}
	state, err := l.stateNow(ctx, campaign)
	if err != nil {
		return nil, err
	}
	if state.Profile == nil {
		return nil, nil // it could not be recorded
	}
	end, _, _ := ledger.EndOf(state)
	return &end, nil
}

// tookFrom adds what Vault has of a campaign that was taken over.
func (l *Ledger) tookFrom(ctx context.Context, in wire.EventInput, e *ledger.Entry) error {
	was, _, err := l.Store.LookAt(ctx, in.TookFrom)
	if err != nil {
		return classify(errVault, err)
	}
	own, _, err := l.Store.LookAt(ctx, in.Campaign)
	if err != nil {
		return classify(errVault, err)
	}
	e.ID = ledger.EntryID(in.Campaign, "", in.TookFrom, in.Event)
	e.TookFrom = &ledger.TookFrom{Campaign: in.TookFrom, Actor: was.Actor, Ended: was.ClosedAt, Asked: own.TakesOver}
	return nil
}
