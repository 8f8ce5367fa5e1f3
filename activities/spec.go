package activities

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"rollcall/config"
	"rollcall/internal/ledger"
	"rollcall/internal/listing"
	"rollcall/internal/vault/ownmount"
)

// listedSpec is the campaign file with the servers and doors that were found
// when the roll was listed, and with what a later listing of it took up.
func (r *Rotation) listedSpec(ctx context.Context, campaign string) (*config.Campaign, error) {
	known, ok := r.specs.Load(campaign)
	index, err := r.Store.ReadIndex(ctx, campaign)
	switch {
	case err != nil && ok: // each credential says by itself that Vault is away
		return known.(specOf).spec, nil
	case err != nil:
		return nil, classify(errVault, err)
	case ok && known.(specOf).key == index.LatestSpec():
		return known.(specOf).spec, nil
	}
	spec, err := r.spec(ctx, campaign)
	if err != nil {
		return nil, err
	}
	if len(index.Amended) > 0 {
		now, _, err := r.loadSpec(ctx, campaign, index.LatestSpec())
		if err != nil {
			return nil, err
		}
		spec = listing.AgainSpec(spec, now)
	}
	spec = listing.AtAddresses(listing.Servers{Servers: index.Servers, Addresses: index.Addresses}.Of(spec), index.Doors)
	spec = listing.Shut(spec, index.Unfit)
	r.specs.Store(campaign, specOf{index.LatestSpec(), spec})
	return spec, nil
}

// specOf is what a campaign file came to, and which one that was.
type specOf struct {
	key  ownmount.SpecKey
	spec *config.Campaign
}

// spec is the campaign file as it was given.
func (r *Rotation) spec(ctx context.Context, campaign string) (*config.Campaign, error) {
	spec, _, err := r.namedSpec(ctx, campaign)
	return spec, err
}

// namedSpec is spec with what tells it from another one.
func (r *Rotation) namedSpec(ctx context.Context, campaign string) (*config.Campaign, *ledger.Specification, error) {
	spec, data, err := r.loadSpec(ctx, campaign, ownmount.CampaignSpec(campaign))
	if err != nil {
		return nil, nil, err
	}
	return spec, &ledger.Specification{SHA256: fmt.Sprintf("%x", sha256.Sum256(data)), FileSHA256: spec.FileSHA256}, nil
}

func (r *Rotation) loadSpec(ctx context.Context, campaign string, key ownmount.SpecKey) (*config.Campaign, []byte, error) {
	data, err := r.Store.LoadSpec(ctx, key)
	if err != nil {
		return nil, nil, classify(errVault, err)
	}
	spec := &config.Campaign{}
	if err := json.Unmarshal(data, spec); err != nil {
		return nil, nil, classify(errSpec, fmt.Errorf("campaign %s: the specification in Vault is unreadable: %w", campaign, err))
	}
	return spec, data, nil
}

// withoutOverride is the specification of a schedule without a person's word
// that a campaign may run although the device is not contained, or with doors
// that are other ones: that was said of one day, and builds before kept it for
// every run to come.
func withoutOverride(spec []byte) ([]byte, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(spec, &fields); err != nil {
		return nil, err
	}
	had := len(fields)
	for _, word := range []string{"override", "unfit_doors"} {
		delete(fields, word)
	}
	if len(fields) == had {
		return spec, nil
	}
	return json.Marshal(fields)
}
