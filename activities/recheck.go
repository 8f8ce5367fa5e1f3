package activities

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/rotation"
	"rollcall/internal/wire"
)

// Proved are the credentials of a batch that the ledger calls dead, with the
// mark that their evidence holds of the write server, and the versions that the
// outcome says were activated. What has no mark cannot be looked at again,
// unless it needs none.
func (l *Ledger) Proved(ctx context.Context, b wire.Batch) ([]wire.ProvedItem, error) {
	defer beat(ctx)()
	page, err := l.page(ctx, b)
	if err != nil {
		return nil, err
	}
	state, err := l.state(ctx, b.Campaign)
	if err != nil {
		return nil, classify(errLedger, err)
	}
	var out []wire.ProvedItem
	for i := b.Span.From; i < b.Span.To; i++ {
		cred := state.Credential(page[i].ID)
		if cred == nil || cred.Outcome != ledger.Dead || len(cred.Evidence) == 0 || cred.Evidence[0].Changed == "" && !page[i].Kind.Traits().NoMark {
			continue
		}
		out = append(out, provedItem(i, page[i], cred))
	}
	return out, nil
}

func provedItem(i int, c credential.Credential, cred *ledger.CredentialState) wire.ProvedItem {
	it := wire.ProvedItem{Index: i, Mark: cred.Evidence[0].Changed}
	for _, ev := range cred.Evidence[1:] {
		if ev.Changed == "" {
			continue
		}
		if it.Marks == nil {
			it.Marks = map[string]string{}
		}
		if it.Marks[ev.Server] = ev.Changed; ev.Changed == it.Mark {
			it.Marks[ev.Server] = ""
		}
	}
	for _, p := range c.Places() {
		it.To = append(it.To, cred.To[p.String()])
		if cred.Written != nil {
			it.Written = append(it.Written, cred.Written[p.String()])
		}
	}
	return it
}

// proved is what the look at the end goes by.
func proved(it wire.ProvedItem, c credential.Credential) rotation.Proved {
	marks := map[string]string{}
	for server, mark := range it.Marks {
		marks[server] = cmp.Or(mark, it.Mark)
	}
	return rotation.Proved{Credential: c, Mark: it.Mark, Marks: marks, To: it.To, Written: it.Written}
}

// stateTTL is how long the state of a ledger is taken to be so, for one batch
// after another.
const stateTTL = 30 * time.Second

// folded is the state of a campaign's ledger, and when it was read.
type folded struct {
	campaign string
	state    *ledger.State
	at       time.Time
}

func (l *Ledger) state(ctx context.Context, campaign string) (*ledger.State, error) {
	l.mu.Lock()
	have := l.last
	l.mu.Unlock()
	if have.campaign == campaign && time.Since(have.at) < stateTTL {
		return have.state, nil
	}
	reader, err := ledger.OpenReader(filepath.Join(l.Dir, campaign))
	if err != nil {
		return nil, err
	}
	state, err := reader.State(ctx)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = folded{campaign, state, time.Now()}
	return state, nil
}

// Recheck looks at dead credentials once more. It changes nothing.
func (r *Rotation) Recheck(ctx context.Context, in wire.RecheckInput) (wire.Rechecked, error) {
	defer beat(ctx)()
	var out wire.Rechecked
	if r.superseded(ctx, in.Batch.Campaign) != nil {
		return out, nil // a later campaign of the device may be at them
	}
	rot, page, _, err := r.open(ctx, in.Batch)
	if err != nil {
		return out, err
	}
	all := make([]rotation.Proved, 0, len(in.Items))
	for _, it := range in.Items {
		all = append(all, proved(it, page[it.Index]))
	}
	for i, looked := range rot.Recheck(ctx, all) {
		if looked.Missed {
			out.Missed++
		}
		switch {
		case looked.Stop != nil:
			out.Reopened = append(out.Reopened, wire.OpenItem{Index: in.Items[i].Index, Step: protocol.Outcome, Reason: looked.Stop.Reason, Server: looked.Stop.Server})
			out.Tell(in.Items[i].Index, looked.Stop.Detail)
		case looked.Finding != "":
			if out.Told == nil {
				out.Told = map[credential.FindingCode][]int{}
			}
			out.Told[looked.Finding] = append(out.Told[looked.Finding], in.Items[i].Index)
		}
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

// RecordCleaned says which dead credentials are open again, because what their
// consumers get is not the new value any more.
func (l *Ledger) RecordCleaned(ctx context.Context, in wire.CleanedInput) error {
	defer beat(ctx)()
	page, err := l.page(ctx, in.Batch)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	var entries []ledger.Entry
	for _, it := range in.Result.Reopened {
		e := ledger.About(in.Batch.Campaign, page[it.Index], ledger.Reopened, string(it.Reason), now)
		e.Step, e.Reason, e.Detail = it.Step, it.Reason, in.Result.Detail
		entries = append(entries, e)
	}
	return l.append(ctx, in.Batch.Campaign, entries)
}

// RecordRechecked says which dead credentials are open again, and what else was
// found.
func (l *Ledger) RecordRechecked(ctx context.Context, in wire.RecheckedInput) error {
	defer beat(ctx)()
	page, err := l.page(ctx, in.Batch)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	campaign := in.Batch.Campaign
	var entries []ledger.Entry
	for _, it := range in.Result.Reopened {
		c := page[it.Index]
		detail := cmp.Or(in.Result.Details[it.Index], in.Result.Detail)
		e := ledger.About(campaign, c, ledger.Reopened, "", now)
		e.Step, e.Reason, e.Server, e.Detail = it.Step, it.Reason, it.Server, detail
		entries = append(entries, found(campaign, c, 0, credential.Finding{Code: findingOf(it.Reason), Detail: detail}, now), e)
	}
	for _, code := range slices.Sorted(maps.Keys(in.Result.Told)) {
		for _, i := range in.Result.Told[code] {
			entries = append(entries, found(campaign, page[i], 0, credential.Finding{Code: code}, now))
		}
	}
	for _, i := range in.Result.Locked {
		entries = append(entries, found(campaign, page[i], 0, credential.Finding{Code: credential.FindingLockedSince}, now))
	}
	if in.Result.Missed > 0 {
		entries = append(entries, ledger.Entry{
			ID: ledger.EntryID(campaign, "", fmt.Sprintf("%s.%d", credential.FindingNotLookedAgain, in.Number), ledger.EventFinding), At: now, Campaign: campaign,
			Event: ledger.EventFinding, Finding: credential.FindingNotLookedAgain,
			Detail: fmt.Sprintf("%d dead credentials of %s were not looked at again at the end of the campaign", in.Result.Missed, in.Batch.Authority),
		})
	}
	return l.append(ctx, campaign, entries)
}

// findingOf is what an investigator is to look at where a credential is open
// again.
func findingOf(r protocol.Reason) credential.FindingCode {
	if r == protocol.ReasonChangedSince {
		return credential.FindingChangedAfter
	}
	return credential.FindingCode(r)
}
