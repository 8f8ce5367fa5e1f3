package activities

import (
	"context"
	"slices"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door/flush"
	"rollcall/internal/rotation"
	"rollcall/internal/wire"
)

// What is noted of flushes: one is about to be run, and what came of it.
const (
	noteFlush   = "flush"
	noteFlushed = "flushed"
)

// flushOnce has a door flushed for a credential, and says what came of it; nil
// where there is nothing to run, or it was begun before: toldFlushes has that.
func (r *Rotation) flushOnce(ctx context.Context, spec *config.Campaign, campaign string, device []string, c credential.Credential, as credential.DoorLogin) *credential.Finding {
	s, ok := spec.Doors[as.Door]
	if !ok || s.Flush == nil {
		return nil
	}
	// Noted before it is run, so that it is run once at most: a worker that
	// dies in between has run it or not, and nobody knows.
	first, err := r.Store.NoteOnce(ctx, campaign, noteFlush, as.Door, c.ID)
	if err != nil {
		return &credential.Finding{Code: credential.FindingFlushFailed, Detail: "door " + as.Door + ": its flush was not run, for Vault did not take the note that it is run once"}
	}
	if !first {
		return nil
	}
	said, done := flush.Run(ctx, s, device, flush.Names{Door: as.Door, Login: as.Login, Device: spec.Device, Campaign: campaign})
	f := credential.Finding{Code: credential.FindingFlushed, Detail: "door " + as.Door + ": its flush " + said}
	if !done {
		f.Code = credential.FindingFlushFailed
	}
	if _, err := r.Store.NoteOnceSaying(ctx, campaign, noteFlushed, as.Door, c.ID, f); err != nil {
		_, _ = r.Store.NoteOnceSaying(ctx, campaign, noteFlushed, as.Door, c.ID, f)
	}
	return &f
}

// toldFlushes are what came of all flushes of a campaign that were begun for
// some credentials, by their IDs. Who ran one may have been killed before his
// result was heard, and a door that was flushed gives no cause to run it again:
// so it is told whenever the credential's doors are seen to, and the ledger
// keeps it once. retried: a try at the credential before this one was killed.
func (r *Rotation) toldFlushes(ctx context.Context, spec *config.Campaign, campaign string, cs []credential.Credential, retried func(id string) bool) map[string][]credential.Finding {
	flushed := func(as credential.DoorLogin) bool { return spec.Doors[as.Door].Flush != nil }
	mine := map[string]bool{}
	for _, c := range cs {
		if slices.ContainsFunc(c.Doors, flushed) {
			mine[c.ID] = true
		}
	}
	if len(mine) == 0 {
		return nil
	}
	// What is not read here is told by the next pass.
	noted, _ := r.Store.NotedOnce(ctx, campaign)
	out := map[string][]credential.Finding{}
	for _, o := range noted {
		if o.What != noteFlush || !mine[o.ID] {
			continue
		}
		if f := r.cameOfFlush(ctx, campaign, o.Where, o.ID, retried(o.ID)); f != nil {
			out[o.ID] = append(out[o.ID], *f)
		}
	}
	return out
}

// cameOfFlush is what came of a flush that was begun. Of one that never said
// so, because its worker died, that is told: it was run or not.
func (r *Rotation) cameOfFlush(ctx context.Context, campaign, door, id string, retried bool) *credential.Finding {
	var f credential.Finding
	said, err := r.Store.NotedSaid(ctx, campaign, noteFlushed, door, id, &f)
	if said {
		return &f
	}
	if err != nil {
		return nil
	}
	if _, done, err := r.Store.NotedAt(ctx, campaign, noteFlushed, door, id); done || err != nil {
		return nil // an earlier version noted that it was run, and told it
	}
	begun, noted, err := r.Store.NotedAt(ctx, campaign, noteFlush, door, id)
	if err != nil || !noted || !retried && time.Since(begun) < 2*flush.Longest {
		return nil // it may be running
	}
	return &credential.Finding{Code: credential.FindingFlushFailed, Detail: "door " + door + ": its flush was begun, and its worker stopped before it said what came of it: it may have been run or not, and is not run again"}
}

// flushedAt is when a flush was noted to have done what it is for; zero: none
// was, or that cannot be read.
func (r *Rotation) flushedAt(ctx context.Context, campaign, door, id string) time.Time {
	var f credential.Finding
	if said, err := r.Store.NotedSaid(ctx, campaign, noteFlushed, door, id, &f); err != nil || !said || f.Code != credential.FindingFlushed {
		return time.Time{}
	}
	at, _, err := r.Store.NotedAt(ctx, campaign, noteFlushed, door, id)
	if err != nil {
		return time.Time{}
	}
	return at
}

// tellFlushes adds to the results of a batch what came of its flushes.
func (r *Rotation) tellFlushes(ctx context.Context, in wire.ApplyInput, rot *rotation.Rotator, cs []credential.Credential, out []wire.AppliedItem) []wire.AppliedItem {
	if in.Doors == wire.DoorsLater && !rot.Retried && len(rot.Unheard) == 0 || !slices.ContainsFunc(cs, func(c credential.Credential) bool { return len(c.Doors) > 0 }) {
		return out
	}
	spec, err := r.listedSpec(ctx, in.Batch.Campaign)
	if err != nil {
		return out
	}
	ctx, still := beat(ctx)
	defer still()
	told := r.toldFlushes(ctx, spec, in.Batch.Campaign, cs, func(id string) bool { return rot.Retried || rot.Unheard[id] })
	for i := range out {
		out[i].Findings = withAlso(out[i].Findings, told[cs[i].ID])
	}
	return out
}

func withAlso(have, more []credential.Finding) []credential.Finding {
	for _, f := range more {
		if !slices.Contains(have, f) {
			have = append(have, f)
		}
	}
	return have
}
