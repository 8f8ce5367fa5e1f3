package activities

import (
	"context"
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/record"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// nameEarlier adds to findings that accuse somebody which earlier campaign had
// the credential.
func (r *Rotation) nameEarlier(ctx context.Context, campaign string, page []credential.Credential, out []wire.AppliedItem) {
	if !slices.ContainsFunc(out, func(it wire.AppliedItem) bool { return slices.ContainsFunc(it.Findings, record.Accuses) }) {
		return
	}
	ctx, still := beat(ctx)
	defer still()
	earlier, err := r.earlierRolls(ctx, campaign)
	for _, it := range out {
		c := page[it.Index]
		var was *ownmount.Earlier
		if rec, had := earlier[c.ID]; had {
			was = &rec
		}
		for i, f := range it.Findings {
			it.Findings[i] = record.NameEarlier(f, c, was, err == nil)
		}
	}
}

// earlierRolls reads them once for a campaign.
func (r *Rotation) earlierRolls(ctx context.Context, campaign string) (map[string]ownmount.Earlier, error) {
	if have, ok := r.earlier.Load(campaign); ok {
		return have.(map[string]ownmount.Earlier), nil
	}
	read, err := r.Store.EarlierRolls(ctx, campaign)
	if err == nil {
		r.earlier.Store(campaign, read)
	}
	return read, err
}
