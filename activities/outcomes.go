package activities

import (
	"context"
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/wire"
)

// noteDead notes beside the roll what is dead and done with: the next listing
// of the device keeps on its roll what is not, whether or not anything names
// it. What was proved without a server or door that a person left out is not
// done with, nor what lies at Rollcall's own path alone.
func (r *Rotation) noteDead(ctx context.Context, in wire.CleanInput, page []credential.Credential, cleaned wire.Cleaned) error {
	if len(in.Batch.LeftOut) > 0 {
		return nil
	}
	var dead credential.Refs
	for _, it := range in.Items {
		if slices.ContainsFunc(cleaned.Reopened, func(o wire.OpenItem) bool { return o.Index == it.Index }) {
			continue
		}
		if _, without := page[it.Index].WithoutDoors(in.Batch.DoorsLeftOut); len(without) > 0 {
			continue
		}
		delivered := page[it.Index].Kind.OnlyEnds()
		for i, to := range it.To {
			delivered = delivered || to > 0 && i < len(page[it.Index].Paths)
		}
		if delivered {
			dead = append(dead, credential.Ref{Page: in.Batch.Span.Page, Index: it.Index})
		}
	}
	return r.Store.NoteDead(ctx, in.Batch.Campaign, in.Batch.Snapshot, dead)
}
