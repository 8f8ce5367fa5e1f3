package activities

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/tasks"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/vault/setup"
	"rollcall/internal/version"
	"rollcall/internal/wire"
)

// Ledger serves the ledger's queue. It is the only writer: it knows names from
// the roll in Vault, so that none needs to travel through Temporal.
type Ledger struct {
	Store *ownmount.Store
	Dir   string // holds one folder per campaign

	looking sync.Mutex // at what people say

	mu   sync.Mutex
	logs map[string]*ledger.Log
	last folded
}

// rollChunk is about how many entries of a roll go into one append: each costs
// a checkpoint, its signature and its anchor.
const rollChunk = 4000

// RecordRoll writes every line of the roll with its provenance, then its count.
func (l *Ledger) RecordRoll(ctx context.Context, in wire.Roll) error {
	defer beat(ctx)()
	if err := setup.RequireLedgerRights(ctx, l.Store, slices.ContainsFunc(in.Waves, func(w credential.WaveIndex) bool { return w.Tasks })); err != nil {
		return classify(wire.Denied, err)
	}
	now := time.Now().UTC()
	start := ledger.Entry{
		ID: ledger.EntryID(in.Campaign, "", "", ledger.CampaignStarted), At: now, Campaign: in.Campaign,
		Event: ledger.CampaignStarted, Device: in.Device, Actor: in.Actor, Program: version.Current().String(), Detail: in.Exposure, Servers: in.Servers, Addresses: in.Addresses, Waves: waveNames(in.Waves),
	}
	index, err := l.Store.ReadIndex(ctx, in.Campaign)
	if err != nil {
		return classify(errVault, err)
	}
	entries := []ledger.Entry{start}
	if c := index.Containment; c != nil {
		entries[0].Rules = ledger.RulesContained
		if c.By == "" {
			c.By = in.Actor
		}
		entries = append(entries, ledger.ContainmentEntry(in.Campaign, c, now))
	}
	for _, e := range ledger.ProfileEntries(in.Campaign, index.Profile) {
		e.At = now
		entries = append(entries, e)
	}
	for n := range in.Pages {
		page, err := l.Store.ReadPage(ctx, in.Campaign, in.Snapshot, n)
		if err != nil {
			return classify(errVault, err)
		}
		found, err := l.Store.ReadFindings(ctx, in.Campaign, in.Snapshot, n)
		if err != nil {
			return classify(errVault, err)
		}
		entries = append(entries, listed(in.Campaign, page, found, now)...)
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
	entries = append(entries, findings(in.Campaign, "", slices.Concat(index.Warnings, then), now)...)
	excluded, err := l.Store.ReadExcluded(ctx, in.Campaign)
	if err != nil {
		return classify(errVault, err)
	}
	for _, x := range excluded {
		entries = append(entries, ledger.Entry{
			ID: ledger.EntryID(in.Campaign, x.ID, "", ledger.Excluded), At: now, Campaign: in.Campaign,
			Event: ledger.Excluded, Credential: x.ID, Name: x.Name, Detail: x.Reason, Reasons: x.Found,
		})
	}
	return l.append(ctx, in.Campaign, append(entries, ledger.Entry{
		ID: ledger.EntryID(in.Campaign, "", "", ledger.RollClosed), At: time.Now().UTC(), Campaign: in.Campaign, Event: ledger.RollClosed,
		Counts: &ledger.Counts{Listed: in.Listed, Excluded: in.Excluded},
	}))
}

// listed are the entries of one page of the roll: one for each credential
// and the findings of the listing.
func listed(campaign string, page []credential.Credential, found map[string][]credential.Finding, now time.Time) []ledger.Entry {
	var entries []ledger.Entry
	for _, c := range page {
		e := ledger.About(campaign, c, ledger.Listed, "", now)
		e.Kind, e.Authority, e.Wave, e.Paths, e.Reasons, e.Lines = c.Kind, c.Authority, c.Wave, c.Paths, c.Reasons, c.Lines
		entries = append(entries, e)
	}
	for _, id := range slices.Sorted(maps.Keys(found)) {
		entries = append(entries, findings(campaign, id, found[id], now)...)
	}
	return entries
}

// findings of one credential, or with an empty id of the listing as a whole.
func findings(campaign, id string, list []credential.Finding, now time.Time) []ledger.Entry {
	var entries []ledger.Entry
	nth := map[credential.FindingCode]int{}
	for _, f := range list {
		which := string(f.Code)
		if nth[f.Code]++; nth[f.Code] > 1 {
			which += fmt.Sprintf(".%d", nth[f.Code]) // one code, said of several things
		}
		entries = append(entries, ledger.Entry{
			ID: ledger.EntryID(campaign, id, which, ledger.EventFinding), At: now, Campaign: campaign,
			Event: ledger.EventFinding, Credential: id, Finding: f.Code, Detail: f.Detail,
		})
	}
	return entries
}

// RecordIntents says that these are about to be set. Only once it has returned
// may any of them be.
func (l *Ledger) RecordIntents(ctx context.Context, in wire.IntentInput) error {
	defer beat(ctx)()
	page, err := l.page(ctx, in.Batch)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	entries := make([]ledger.Entry, 0, len(in.Items))
	for _, it := range in.Items {
		c := page[it.Index]
		e := ledger.About(in.Batch.Campaign, c, ledger.EventIntent, strconv.Itoa(it.Attempt), now)
		e.Attempt, e.From = it.Attempt, byPath(c, it.From)
		entries = append(entries, e)
	}
	return l.append(ctx, in.Batch.Campaign, entries)
}

// RecordResults says how a pass over a batch ended for each credential. Only
// once it has returned may what is dead be cleaned.
func (l *Ledger) RecordResults(ctx context.Context, in wire.ResultInput) error {
	defer beat(ctx)()
	page, err := l.page(ctx, in.Batch)
	if err != nil {
		return err
	}
	known := map[int]wire.OpenItem{}
	for _, k := range in.Known {
		k.Before, k.Sent, k.Contradicts = nil, false, ""
		known[k.Index] = k
	}
	now := time.Now().UTC()
	var entries []ledger.Entry
	for _, p := range in.Stopped {
		at := wire.OpenAs(p.Index, p.Step, p.Stop)
		if known[p.Index] != at {
			entries = append(entries, open(in, page[p.Index], at, p.Stop.Detail, now))
		}
	}
	for _, a := range in.Applied {
		c := page[a.Index]
		for _, f := range a.Findings {
			entries = append(entries, found(in.Batch.Campaign, c, a.Attempt, f, now))
		}
		if a.Dead() {
			entries = append(entries, died(in.Batch.Campaign, c, a, now))
			continue
		}
		at := wire.OpenAs(a.Index, a.Step, a.Stop)
		if known[a.Index] != at {
			e := open(in, c, at, a.Stop.Detail, now)
			e.SetAt = a.SetAt
			entries = append(entries, e)
		}
	}
	return l.append(ctx, in.Batch.Campaign, entries)
}

// RecordExceptions says which credentials stay open for good, and why.
func (l *Ledger) RecordExceptions(ctx context.Context, in wire.ExceptionInput) error {
	defer beat(ctx)()
	page, err := l.page(ctx, in.Batch)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	var entries []ledger.Entry
	for _, it := range in.Items {
		e := ledger.About(in.Batch.Campaign, page[it.Index], ledger.Exception, "", now)
		e.Step, e.Reason, e.Server, e.Detail = it.Step, it.Reason, it.Server, in.Why
		if it.Reason.Final() {
			e.Detail = "trying again cannot help"
		}
		if it.Sent {
			e.Detail += "; its new value may be in force and not be where consumers read: it is kept in staging, and the next campaign goes on from it"
		}
		entries = append(entries, e)
	}
	return l.append(ctx, in.Batch.Campaign, entries)
}

// RecordEvent writes what happened to the campaign as a whole. After
// campaign-closed the ledger's folder is released.
func (l *Ledger) RecordEvent(ctx context.Context, in wire.EventInput) error {
	defer beat(ctx)()
	e := ledger.Entry{
		ID: ledger.EntryID(in.Campaign, "", strconv.Itoa(in.Number), in.Event), Campaign: in.Campaign,
		Event: in.Event, Device: in.Device, Actor: in.Actor, Detail: in.Detail, At: time.Now().UTC(),
		Authority: in.Authority, Server: in.Server, Finding: in.Finding,
	}
	if in.Finding != "" {
		e.ID = ledger.EntryID(in.Campaign, "", string(in.Finding), in.Event)
	}
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
	closing := in.Event == ledger.CampaignClosed
	if closing {
		entries[0].Counts = &ledger.Counts{Listed: in.Listed, Dead: in.Dead, Open: in.Open}
		end, err := l.end(ctx, in.Campaign)
		if err != nil {
			return err
		}
		entries[0].End = end
		where := ledger.Entry{
			ID: ledger.EntryID(in.Campaign, "", "", ledger.Anchored), At: e.At, Campaign: in.Campaign, Event: ledger.Anchored,
			Detail: "every checkpoint of this ledger is copied to " + l.Store.AnchorPlace(in.Campaign) + " in Vault, each to a path of its own",
		}
		entries = []ledger.Entry{where, entries[0]}
	}
	if err := l.append(ctx, in.Campaign, entries); err != nil || !closing {
		return err
	}
	return classify(errLedger, l.release(in.Campaign))
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
	reader, err := ledger.OpenReader(filepath.Join(l.Dir, campaign))
	if err != nil {
		return nil, classify(errLedger, err)
	}
	state, err := reader.State(ctx)
	if err != nil {
		return nil, classify(errLedger, err)
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

// Shut releases every folder of l. It is no method, because every exported
// method of an activity struct is an activity.
func Shut(l *Ledger) error {
	l.mu.Lock()
	names := make([]string, 0, len(l.logs))
	for name := range l.logs {
		names = append(names, name)
	}
	l.mu.Unlock()
	var first error
	for _, name := range names {
		if err := l.release(name); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (l *Ledger) append(ctx context.Context, campaign string, entries []ledger.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	log, err := l.log(ctx, campaign)
	if err != nil {
		return classify(errLedger, err)
	}
	_, err = log.Append(ctx, entries)
	return classify(errLedger, err)
}

func (l *Ledger) log(ctx context.Context, campaign string) (*ledger.Log, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if log, ok := l.logs[campaign]; ok {
		return log, nil
	}
	signer, err := l.Store.Signer(ctx, ledger.Origin(campaign))
	if err != nil {
		return nil, err
	}
	key, err := l.Store.VerifierKey(ctx, ledger.Origin(campaign))
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(l.Dir, campaign)
	anchored, err := l.Store.Anchored(ctx, campaign)
	if err != nil {
		return nil, err
	}
	if anchored != nil {
		// A folder that was rolled back must not be continued as a fork.
		if err := ledger.CheckAnchored(folder, key, anchored); err != nil {
			return nil, err
		}
	}
	// The log outlives this activity.
	log, err := ledger.Open(context.WithoutCancel(ctx), folder, campaign, signer, key,
		func(ctx context.Context, checkpoint []byte) error { return l.Store.Anchor(ctx, campaign, checkpoint) })
	if err != nil {
		return nil, err
	}
	if l.logs == nil {
		l.logs = map[string]*ledger.Log{}
	}
	l.logs[campaign] = log
	return log, nil
}

func (l *Ledger) release(campaign string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	log, ok := l.logs[campaign]
	if !ok {
		return nil
	}
	delete(l.logs, campaign)
	return log.Close(context.Background())
}

func (l *Ledger) page(ctx context.Context, b wire.Batch) ([]credential.Credential, error) {
	page, err := l.Store.ReadPage(ctx, b.Campaign, b.Snapshot, b.Span.Page)
	if err == nil && b.Span.To > len(page) {
		err = fmt.Errorf("campaign %s: page %d of the roll has %d credentials, not %d", b.Campaign, b.Span.Page, len(page), b.Span.To)
	}
	return page, classify(errVault, err)
}
