package activities

import (
	"context"

	"rollcall/internal/credential"
	"rollcall/internal/reach"
	"rollcall/internal/wire"
)

// reachOf is what the open logins of the roll could read of the places of cs;
// nil where there is nothing to ask.
func (r *Rotation) reachOf(ctx context.Context, b wire.Batch, cs []credential.Credential, begun bool) (*reach.Reach, error) {
	if len(b.Logins) == 0 && len(b.Readers) == 0 {
		return nil, nil
	}
	spec, err := r.listedSpec(ctx, b.Campaign)
	if err != nil {
		return nil, err
	}
	of := reach.Batch{Spec: spec, Campaign: b.Campaign, Authority: b.Authority, Kind: b.Kind}
	if of.Logins, err = r.Store.ReadRefs(ctx, b.Campaign, b.Snapshot, b.Logins); err != nil {
		return nil, classify(errVault, err)
	}
	if of.Readers, err = r.Store.ReadRefs(ctx, b.Campaign, b.Snapshot, b.Readers); err != nil {
		return nil, classify(errVault, err)
	}
	within, err := r.logins.Of(ctx, of, cs, begun)
	return within, classify(errSpec, err)
}

// LookForTokens looks once more, when everything has been set, for tokens that
// were made since the listing and may read it.
func (r *Rotation) LookForTokens(ctx context.Context, campaign string) (wire.NewReaders, error) {
	defer beat(ctx)()
	index, err := r.Store.ReadIndex(ctx, campaign)
	if err != nil || index.NewestToken == 0 {
		return wire.NewReaders{}, classify(errVault, err)
	}
	spec, err := r.listedSpec(ctx, campaign)
	if err != nil {
		return wire.NewReaders{}, err
	}
	detail, err := r.logins.Tell(ctx, spec, campaign, index)
	return wire.NewReaders{Detail: detail}, classify(errVault, err)
}

// applicable are the credentials that Apply is asked for.
func applicable(page []credential.Credential, items []wire.ApplyItem) []credential.Credential {
	var out []credential.Credential
	for _, it := range items {
		out = append(out, page[it.Index])
	}
	return out
}
