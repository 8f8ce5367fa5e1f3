package activities

import (
	"cmp"
	"context"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/record"
	"rollcall/internal/rotation/recheck"
	"rollcall/internal/tasks"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// Proved are the credentials of a batch that the ledger calls dead, with the
// mark that their evidence holds of the write server, and the versions that the
// outcome says were activated. What was listed again is looked at where it is
// by now alone.
func (l *Ledger) Proved(ctx context.Context, b wire.Batch) ([]wire.ProvedItem, error) {
	ctx, still := beat(ctx)
	defer still()
	page, err := l.page(ctx, b)
	if err != nil {
		return nil, err
	}
	index, err := l.Store.ReadIndex(ctx, b.Campaign)
	if err != nil {
		return nil, classify(errVault, err)
	}
	l.folding.Lock()
	defer l.folding.Unlock()
	state, err := l.state(ctx, b.Campaign)
	if err != nil {
		return nil, err
	}
	read, err := record.ReadBefore(index, state, func(a ownmount.Amended) ([]credential.Credential, error) {
		return l.Store.ReadRefs(ctx, b.Campaign, index.Snapshot, a.Logins)
	})
	if err != nil {
		return nil, classify(errVault, err)
	}
	return record.Proved(b, page, state, index.Counts, read), nil
}

// proved is what the look at the end goes by.
func proved(it wire.ProvedItem, c credential.Credential) recheck.Proved {
	marks := map[string]string{}
	for server, mark := range it.Marks {
		marks[server] = cmp.Or(mark, it.Mark)
	}
	return recheck.Proved{Credential: c, Mark: it.Mark, Marks: marks, To: it.To, Written: it.Written}
}

const perhapsRead = "its stolen value is proved dead, and its new one was made before a login to Vault was dead that was found while the campaign ran and could read where that goes, or of which that is not known: whoever stole that login may have the new value. Run again once the campaign has ended, which sets another one"

// Recheck looks at dead credentials once more, but for those of which the new
// value may have been read: they are open again. It changes nothing.
func (r *Rotation) Recheck(ctx context.Context, in wire.RecheckInput) (wire.Rechecked, error) {
	ctx, still := beat(ctx)
	defer still()
	var out wire.Rechecked
	switch stop := r.superseded(ctx, in.Batch.Campaign); {
	case stop == nil:
	case stop.Reason == protocol.ReasonSuperseded:
		return out, nil // a later campaign of the device may be at them
	default:
		return out, stop // it is not known, and nobody has looked
	}
	page, err := r.page(ctx, in.Batch)
	if err != nil {
		return out, err
	}
	look := r.recheckAtServers
	if slices.ContainsFunc(in.Items, func(it wire.ProvedItem) bool { return page[it.Index].Task != nil }) {
		look = r.recheckAtDoors // waves of people hold nothing else
	}
	out, err = look(ctx, in, page)
	if err != nil {
		return out, err
	}
	var again credential.Refs
	for _, it := range out.Reopened {
		again = append(again, credential.Ref{Page: in.Batch.Span.Page, Index: it.Index})
	}
	// The ledger gets what was found whether or not Vault takes the note for
	// the next listing, which then finds the account changed.
	if err := r.Store.NoteReopened(ctx, in.Batch.Campaign, in.Batch.Snapshot, again); err != nil {
		activity.GetLogger(ctx).Error("what is open again could not be noted beside the roll", "credentials", len(again), "error", err)
	}
	return out, nil
}

// recheckAtDoors looks at what people changed.
func (r *Rotation) recheckAtDoors(ctx context.Context, in wire.RecheckInput, page []credential.Credential) (out wire.Rechecked, err error) {
	spec, err := r.listedSpec(ctx, in.Batch.Campaign) // which names doors by their addresses
	if err != nil {
		return out, err
	}
	device, err := r.deviceHosts(ctx, in.Batch.Campaign)
	if err != nil {
		return out, err
	}
	a := tasks.Asking{Store: r.Store, DoorAsker: r.doorAsker(spec, in.Batch.Campaign, device).Counting(r.Store), Stopped: func() bool { return notBegun(ctx, &breaker{}) != nil }}
	a.Until = time.Now().Add(doorsAtTheEnd)
	cs := make([]credential.Credential, 0, len(in.Items))
	for _, it := range in.Items {
		cs = append(cs, page[it.Index])
	}
	var unwritten []int
	for i, looked := range a.LookAgain(ctx, cs, in.Batch.DoorsLeftOut) {
		at := in.Items[i].Index
		switch {
		case looked.Stop != nil:
			out.Reopened = append(out.Reopened, wire.OpenItem{Index: at, Step: protocol.Outcome, Reason: looked.Stop.Reason, Server: looked.Stop.Server})
			out.Tell(at, looked.Stop.Detail)
		case looked.Unseen:
			out.Unseen = append(out.Unseen, at)
		case looked.NotWritten:
			unwritten = append(unwritten, at)
		}
	}
	if len(unwritten) > 0 {
		out.Told = map[credential.FindingCode][]int{credential.FindingNotAskedAgain: unwritten}
	}
	return out, nil
}

// doorsAtTheEnd is how long doors are asked once more; what has not had its
// turn then is unseen.
const doorsAtTheEnd = 30 * time.Minute

// recheckAtServers looks at what authorities know of.
func (r *Rotation) recheckAtServers(ctx context.Context, in wire.RecheckInput, page []credential.Credential) (out wire.Rechecked, err error) {
	rot, _, err := r.rotator(ctx, in.Batch)
	if err != nil {
		return out, err
	}
	items, all := make([]wire.ProvedItem, 0, len(in.Items)), make([]recheck.Proved, 0, len(in.Items))
	for _, it := range in.Items {
		if it.Read {
			out.Reopened = append(out.Reopened, wire.OpenItem{Index: it.Index, Step: protocol.Outcome, Reason: protocol.ReasonPerhapsRead})
			out.Tell(it.Index, perhapsRead)
			continue
		}
		items = append(items, it)
		all = append(all, proved(it, page[it.Index]))
	}
	for i, looked := range rot.Recheck(ctx, all) {
		switch { // what is open again is no longer called dead
		case looked.Stop != nil:
		case looked.Unseen:
			out.Unseen = append(out.Unseen, items[i].Index)
		case looked.ShownLess:
			out.Missed++
		}
		switch {
		case looked.Stop != nil:
			out.Reopened = append(out.Reopened, wire.OpenItem{Index: items[i].Index, Step: protocol.Outcome, Reason: looked.Stop.Reason, Server: looked.Stop.Server})
			out.Tell(items[i].Index, looked.Stop.Detail)
		case looked.Finding != "":
			if out.Told == nil {
				out.Told = map[credential.FindingCode][]int{}
			}
			out.Told[looked.Finding] = append(out.Told[looked.Finding], items[i].Index)
		}
	}
	return out, nil
}

// RecordCleaned says which dead credentials are open again, because what their
// consumers get is not the new value any more.
func (l *Ledger) RecordCleaned(ctx context.Context, in wire.CleanedInput) error {
	ctx, still := beat(ctx)
	defer still()
	page, err := l.page(ctx, in.Batch)
	if err != nil {
		return err
	}
	return l.append(ctx, in.Batch.Campaign, record.Cleaned(in, page, time.Now().UTC()))
}

// RecordRechecked says which dead credentials are open again, and what else was
// found.
func (l *Ledger) RecordRechecked(ctx context.Context, in wire.RecheckedInput) error {
	ctx, still := beat(ctx)
	defer still()
	page, err := l.page(ctx, in.Batch)
	if err != nil {
		return err
	}
	return l.append(ctx, in.Batch.Campaign, record.Rechecked(in, page, time.Now().UTC()))
}
