package rotation

import (
	"context"

	"rollcall/internal/credential"
	"rollcall/internal/rotation/recheck"
	"rollcall/internal/rotation/steady"
	"rollcall/internal/wire"
)

// Steady looks once more at each server on which a batch was proved. cs and out
// belong together. What it finds keeps credentials open.
func (r *Rotator) Steady(ctx context.Context, cs []credential.Credential, out []Applied) {
	each := make([]*wire.Applied, 0, len(out))
	for i := range out {
		each = append(each, &out[i].Applied)
	}
	asked, _ := r.asked()
	steady.Look{Authority: r.Authority, Campaign: r.Campaign, Servers: asked, Doubts: r.Doubts}.At(ctx, cs, each)
}

// Recheck looks once more, at the end of a campaign, at what was proved dead.
func (r *Rotator) Recheck(ctx context.Context, all []recheck.Proved) []recheck.Looked {
	return recheck.Look{Store: r.Store, Authority: r.Authority, LeftOut: r.LeftOut}.At(ctx, all)
}
