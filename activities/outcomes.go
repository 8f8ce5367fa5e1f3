package activities

import (
	"context"
	"errors"
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/wire"
)

// noteDead notes beside the roll what is dead and done with: the next listing
// of the device keeps on its roll what is not, whether or not anything names
// it. What was proved without a server or door that a person left out is not
// done with, nor what lies at Rollcall's own path alone: these are noted apart,
// for whoever counts the dead.
func (r *Rotation) noteDead(ctx context.Context, in wire.CleanInput, page []credential.Credential, cleaned wire.Cleaned) error {
	var dead, aside, some, servers credential.Refs
	for _, it := range in.Items {
		if slices.ContainsFunc(cleaned.Reopened, func(o wire.OpenItem) bool { return o.Index == it.Index }) {
			continue
		}
		at := credential.Ref{Page: in.Batch.Span.Page, Index: it.Index}
		if _, without := page[it.Index].WithoutDoors(in.Batch.DoorsLeftOut); len(without) > 0 {
			some = append(some, at)
			continue
		}
		if len(in.Batch.LeftOut) > 0 {
			servers = append(servers, at)
			continue
		}
		delivered := page[it.Index].Kind.OnlyEnds()
		for i, to := range it.To {
			delivered = delivered || to > 0 && i < len(page[it.Index].Paths)
		}
		if delivered {
			dead = append(dead, at)
		} else {
			aside = append(aside, at)
		}
	}
	b := in.Batch
	return errors.Join(r.Store.NoteDead(ctx, b.Campaign, b.Snapshot, dead), r.Store.NoteAside(ctx, b.Campaign, b.Snapshot, aside),
		r.Store.NoteOnSome(ctx, b.Campaign, b.Snapshot, some), r.Store.NoteWithoutServers(ctx, b.Campaign, b.Snapshot, servers))
}
