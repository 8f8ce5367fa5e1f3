package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/inventory"
	"rollcall/internal/ledger"
	"rollcall/internal/listing"
	"rollcall/internal/record"
	"rollcall/internal/tasks"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// Relist lists again while the campaign runs, by the campaign file that is
// stored under the proposal's name, and stores what is other than it was. It
// changes nothing else. Repeating it gives what the first one found.
func (r *Rotation) Relist(ctx context.Context, in wire.RelistInput) (wire.RelistFound, error) {
	ctx, still := beat(ctx)
	defer still()
	if stop := r.superseded(ctx, in.Campaign); stop != nil {
		return wire.RelistFound{}, temporal.NewNonRetryableApplicationError(stop.Detail, "Refused", nil)
	}
	index, err := r.Store.ReadIndex(ctx, in.Campaign)
	if err != nil {
		return wire.RelistFound{}, classify(errVault, err)
	}
	p, err := r.Store.ReadProposal(ctx, index, in.Proposal)
	if vault.IsNotFound(err) {
		if p, err = r.listAgain(ctx, in, index); err != nil {
			return wire.RelistFound{}, err
		}
		p, err = r.Store.Propose(ctx, index, p)
	}
	if err != nil {
		return wire.RelistFound{}, classify(errVault, err)
	}
	out := wire.RelistFound{Proposal: p.ID, Items: len(p.Items), Replaced: p.Replaced, Warnings: len(p.Warnings)}
	for _, it := range p.Items {
		out.Old = append(out.Old, it.Old)
	}
	return out, nil
}

func (r *Rotation) listAgain(ctx context.Context, in wire.RelistInput, index ownmount.RollIndex) (p ownmount.Proposal, err error) {
	begun, err := r.spec(ctx, in.Campaign)
	if err != nil {
		return p, err
	}
	data, err := r.Store.LoadSpec(ctx, ownmount.RelistSpec(in.Campaign, in.Proposal))
	if err != nil {
		return p, classify(errVault, err)
	}
	now := &config.Campaign{}
	if err := json.Unmarshal(data, now); err != nil {
		return p, classify(errSpec, fmt.Errorf("campaign %s: the campaign file to list again with is unreadable in Vault: %w", in.Campaign, err))
	}
	spec := listing.AgainSpec(begun, now)
	was, err := rollNow(ctx, r.Store, index)
	if err != nil {
		return p, err
	}
	// Nobody is offered anything: what Vault holds may be a new value by now.
	running := &inventory.Running{Unlike: index.Unlike}
	for _, w := range was {
		running.Credentials = append(running.Credentials, w.Credential)
	}
	roll, err := listing.ForRun(ctx, r.Store, r.Kinds, spec, in.Campaign, listing.Beside{Running: running, Doors: &r.doors})
	if err != nil {
		return p, classifyListing(err)
	}
	// A door that is not what the file says keeps a campaign from beginning;
	// one that runs is warned of it.
	goesOn := *roll
	goesOn.Unfit = nil
	if err := r.mayRun(ctx, spec, &goesOn); err != nil {
		return p, err
	}
	doors := map[string]bool{}
	for name := range listing.AtAddresses(begun, index.Doors).Doors {
		doors[name] = true
	}
	return listing.Again(in.Proposal, was, roll, doors, index.Warnings), nil
}

// rollNow are the credentials of a roll, each where it counts.
func rollNow(ctx context.Context, store *ownmount.Store, index ownmount.RollIndex) (was []listing.Was, err error) {
	err = store.Current(ctx, index, func(at credential.Ref, c credential.Credential) {
		was = append(was, listing.Was{Ref: at, Credential: c})
	})
	return was, classify(errVault, err)
}

// Amend makes part of the roll what a person takes up. Nothing works on the
// places that it moves.
func (r *Rotation) Amend(ctx context.Context, in wire.AmendInput) (wire.Amended, error) {
	ctx, still := beat(ctx)
	defer still()
	index, err := r.Store.ReadIndex(ctx, in.Campaign)
	if err != nil {
		return wire.Amended{}, classify(errVault, err)
	}
	p, err := r.Store.ReadProposal(ctx, index, in.Proposal)
	if err != nil {
		return wire.Amended{}, classify(errVault, err)
	}
	was, err := rollAt(ctx, r.Store, index, in.Proposal)
	if err != nil {
		return wire.Amended{}, err
	}
	take, err := r.unstaged(ctx, in, p)
	if err != nil {
		return wire.Amended{}, err
	}
	replaced, err := r.comesOff(ctx, in, was)
	if err != nil {
		return wire.Amended{}, err
	}
	fit, instead := listing.Fits(p, was, take, replaced)
	left := listing.LeftOf(p, in.Take, in.Replaced, fit, instead)
	told := index.Warnings
	if n := len(index.Amended); n > 0 && index.Amended[n-1].Proposal == in.Proposal {
		told = told[:len(told)-len(index.Amended[n-1].Warnings)] // an earlier try, of which the reply was lost
	}
	p = listing.Settled(p, was, instead, told)
	if len(fit)+len(instead) == 0 && len(p.Warnings) == 0 {
		return wire.Amended{Left: left}, nil
	}
	var taken []credential.Credential
	for _, i := range fit {
		taken = append(taken, p.Items[i].Now)
	}
	if err := tasks.KeepStolen(ctx, r.Store, taken); err != nil {
		return wire.Amended{}, classify(errVault, err)
	}
	for _, w := range was {
		if !slices.Contains(instead, w.Ref) {
			continue
		}
		// On no roll, nobody would bring what is staged to its end.
		if err := r.Store.Withdraw(ctx, w.ID, in.Campaign); err != nil {
			return wire.Amended{}, classify(errVault, err)
		}
	}
	if p.Staged, err = r.stagedOf(ctx, in.Campaign, index.Snapshot, p.Read); err != nil {
		return wire.Amended{}, err
	}
	a, err := r.Store.Amend(ctx, in.Campaign, p, fit, instead, in.Wave)
	if err != nil {
		return wire.Amended{}, classify(errVault, err)
	}
	return wire.Amended{Waves: a.Waves, Pages: a.Pages, Changed: a.Changed, Added: a.Added, Replaced: a.Replaced, Logins: a.Logins, Left: left, Proposal: p.ID, Warnings: len(a.Warnings), Incomplete: a.Incomplete}, nil
}

// unstaged are the items asked for of which this campaign has staged nothing:
// what is staged knows the paths by which it was listed.
func (r *Rotation) unstaged(ctx context.Context, in wire.AmendInput, p ownmount.Proposal) (take []int, err error) {
	for _, i := range in.Take {
		staged, found, err := r.Store.ReadStaged(ctx, p.Items[i].Now.ID)
		if err != nil {
			return nil, classify(errVault, err)
		}
		if !found || staged.Freed || staged.Campaign != in.Campaign {
			take = append(take, i)
		}
	}
	return take, nil
}

// comesOff are the places asked for of which nothing that is staged may be in
// force: neither a value of this campaign that was sent, nor one that it took
// over. That one would be on no roll, and lie nowhere else.
func (r *Rotation) comesOff(ctx context.Context, in wire.AmendInput, was []listing.Was) (off credential.Refs, err error) {
	for _, w := range was {
		if !slices.Contains(in.Replaced, w.Ref) {
			continue
		}
		staged, found, err := r.Store.ReadStaged(ctx, w.ID)
		if err != nil {
			return nil, classify(errVault, err)
		}
		if !found || !staged.HoldsOthers() && staged.Late.IsZero() {
			off = append(off, w.Ref)
		}
	}
	return off, nil
}

// stagedOf are those of places on the roll of which this campaign has staged a
// value.
func (r *Rotation) stagedOf(ctx context.Context, campaign, snapshot string, refs credential.Refs) (out credential.Refs, err error) {
	all, err := r.Store.ReadRefs(ctx, campaign, snapshot, refs)
	if err != nil {
		return nil, classify(errVault, err)
	}
	for i, c := range all {
		staged, found, err := r.Store.ReadStaged(ctx, c.ID)
		if err != nil {
			return nil, classify(errVault, err)
		}
		if found && !staged.Freed && staged.Campaign == campaign {
			out = append(out, refs[i])
		}
	}
	return out, nil
}

// rollAt is rollNow as it was before a proposal became part of the roll.
func rollAt(ctx context.Context, store *ownmount.Store, index ownmount.RollIndex, proposal string) ([]listing.Was, error) {
	before := index
	before.Moved = nil
	for _, a := range index.Amended {
		if a.Proposal == proposal {
			before.Pages = index.Pages - a.Pages // it is the last: one at a time
			break
		}
		before.Moved = append(before.Moved, a.Moved...)
	}
	return rollNow(ctx, store, before)
}

// Untouched are those of places on a roll that the ledger knows as open, and of
// which no new value was ever announced.
func (l *Ledger) Untouched(ctx context.Context, in wire.UntouchedInput) (credential.Refs, error) {
	ctx, still := beat(ctx)
	defer still()
	all, err := l.Store.ReadRefs(ctx, in.Campaign, in.Snapshot, in.Refs)
	if err != nil {
		return nil, classify(errVault, err)
	}
	state, err := l.stateNow(ctx, in.Campaign)
	if err != nil {
		return nil, err
	}
	var out credential.Refs
	for i, c := range all {
		if s := state.Credential(c.ID); s != nil && s.Untouched() {
			out = append(out, in.Refs[i])
		}
	}
	return out, nil
}

// RecordTakenUp says which credentials are on the roll as they were listed
// again, which are new, which others took the place of, and of what the listing
// warned.
func (l *Ledger) RecordTakenUp(ctx context.Context, in wire.TakenUpInput) error {
	ctx, still := beat(ctx)
	defer still()
	index, err := l.Store.ReadIndex(ctx, in.Campaign)
	if err != nil {
		return classify(errVault, err)
	}
	var amended ownmount.Amended
	for _, a := range index.Amended {
		if a.Proposal == in.Amended.Proposal {
			amended = a
		}
	}
	var entries []ledger.Entry
	for _, part := range []struct {
		event ledger.Event
		refs  credential.Refs
	}{{ledger.Replaced, in.Amended.Replaced}, {ledger.TakenUp, in.Amended.Changed}, {ledger.Added, in.Amended.Added}} {
		cs, err := l.Store.ReadRefs(ctx, in.Campaign, in.Snapshot, part.refs)
		if err != nil {
			return classify(errVault, err)
		}
		var found []credential.Finding
		for i, c := range cs {
			if part.event != ledger.Replaced {
				on, err := l.Store.ReadFindings(ctx, in.Campaign, in.Snapshot, part.refs[i].Page)
				if err != nil {
					return classify(errVault, err)
				}
				found = on[c.ID]
			}
			more := record.TakenUp(in, part.event, part.refs[i], c, found, time.Now().UTC())
			if x := slices.IndexFunc(amended.Excluded, func(x credential.Exclusion) bool { return x.ID == c.ID }); x >= 0 && part.event == ledger.Replaced {
				more[0].Detail = amended.Excluded[x].Reason
			}
			entries = append(entries, more...)
		}
	}
	if in.Amended.Warnings > 0 {
		entries = append(entries, record.FoundAgain(in, amended.Warnings, time.Now().UTC())...)
	}
	if len(entries) == 0 {
		return nil
	}
	return l.append(ctx, in.Campaign, entries)
}
