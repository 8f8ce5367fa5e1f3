package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/inventory"
	"rollcall/internal/kind/registry"
	"rollcall/internal/protocol"
	"rollcall/internal/rotation"
	"rollcall/internal/vault"
)

// Rotation serves the rotation queue: listing and the steps that touch
// authorities and Vault. It cannot write the ledger.
type Rotation struct {
	Store *vault.Store
	Kinds *registry.Registry

	specs sync.Map // campaign -> *config.Campaign: a stored specification never changes
}

// List makes the roll of a campaign and stores it in Vault, or returns the one
// that is stored: a campaign has one roll, whatever is retried.
func (r *Rotation) List(ctx context.Context, in ListInput) (Roll, error) {
	defer beat(ctx)()
	spec, err := r.spec(ctx, in.Campaign)
	if err != nil {
		return Roll{}, err
	}
	index, err := r.Store.ReadIndex(ctx, in.Campaign)
	if err != nil && !vault.IsNotFound(err) {
		return Roll{}, classify(errVault, err)
	}
	if err != nil {
		roll, _, err := ListRoll(ctx, r.Store, r.Kinds, spec, in.Campaign, nil)
		if err != nil {
			return Roll{}, classifyListing(err)
		}
		// A right that is missing must show before anything is set: found midway,
		// it would leave consumers with a value that no longer works.
		if err := r.Store.RequireRights(ctx, vault.WorkerPolicy, spec, roll.Credentials); err != nil {
			return Roll{}, classifyListing(err)
		}
		if index, err = r.Store.WriteRoll(ctx, roll); err != nil {
			return Roll{}, classify(errVault, err)
		}
	}
	return Roll{
		Campaign: in.Campaign, Snapshot: index.Snapshot, Device: spec.Device, Pages: index.Pages,
		Listed: index.Listed, Excluded: index.Excluded, Waves: index.Waves, Exposure: exposure(spec),
	}, nil
}

// ListRoll lists from the sources of spec and changes nothing. It is what the
// activity and the command line share.
func ListRoll(ctx context.Context, store *vault.Store, kinds *registry.Registry, spec *config.Campaign, campaign string, progress func(int)) (*credential.Roll, []inventory.Warning, error) {
	dirs := map[string]inventory.Directory{}
	for name := range spec.Directories {
		d, err := kinds.Directory(spec, name)
		if err != nil {
			return nil, nil, err
		}
		dirs[name] = d
	}
	return inventory.List(ctx, spec, dirs, store, campaign, time.Now().UTC(), progress)
}

// Prepare checks and stages the credentials of a batch.
func (r *Rotation) Prepare(ctx context.Context, in PrepareInput) ([]PreparedItem, error) {
	page, err := r.page(ctx, in.Batch)
	if err != nil {
		return nil, err
	}
	out := make([]PreparedItem, len(in.Items))
	if hopeless(page, in.Items, out) {
		return out, nil
	}
	rot, err := r.rotator(ctx, in.Batch)
	if err != nil {
		return nil, err
	}
	each(ctx, len(in.Items), in.Batch.Concurrency, func(ctx context.Context, i int) *protocol.Stop {
		out[i] = PreparedItem{Index: in.Items[i], Prepared: rot.Prepare(ctx, page[in.Items[i]])}
		return out[i].Stop
	}, func(i int, why *protocol.Stop) {
		out[i] = PreparedItem{Index: in.Items[i], Prepared: rotation.Prepared{Step: protocol.Precheck, Stop: why}}
	})
	return out, nil
}

// Apply carries staged credentials of a batch to the proof that the old values
// are dead. Only the first attempt may believe that a staged value is fresh.
func (r *Rotation) Apply(ctx context.Context, in ApplyInput) ([]AppliedItem, error) {
	rot, page, err := r.open(ctx, in.Batch)
	if err != nil {
		return nil, err
	}
	first := firstAttempt(ctx)
	out := make([]AppliedItem, len(in.Items))
	each(ctx, len(in.Items), in.Batch.Concurrency, func(ctx context.Context, i int) *protocol.Stop {
		it := in.Items[i]
		out[i] = AppliedItem{Index: it.Index, Applied: rot.Apply(ctx, page[it.Index], it.Attempt, it.Fresh && first)}
		return out[i].Stop
	}, func(i int, why *protocol.Stop) {
		// Not begun in this attempt, but perhaps in an earlier one: Set says so to an abort.
		step := protocol.Intent
		if !first {
			step = protocol.Set
		}
		out[i] = AppliedItem{Index: in.Items[i].Index, Applied: rotation.Applied{Step: step, Stop: why}}
	})
	return out, nil
}

// Clean destroys the old versions of dead credentials and frees them.
func (r *Rotation) Clean(ctx context.Context, in CleanInput) error {
	rot, page, err := r.open(ctx, in.Batch)
	if err != nil {
		return err
	}
	errs := make([]error, len(in.Items))
	each(ctx, len(in.Items), in.Batch.Concurrency, func(ctx context.Context, i int) *protocol.Stop {
		errs[i] = rot.Clean(ctx, page[in.Items[i].Index], in.Items[i].To)
		return nil
	}, func(i int, why *protocol.Stop) { errs[i] = why })
	for _, err := range errs {
		if err != nil {
			return classify(errVault, err)
		}
	}
	return nil
}

// CloseCampaign ends the campaign's hold on what it staged.
func (r *Rotation) CloseCampaign(ctx context.Context, campaign string) error {
	return classify(errVault, r.Store.CloseCampaign(ctx, campaign))
}

// OpenScheduled gives a new campaign the specification of its schedule.
func (r *Rotation) OpenScheduled(ctx context.Context, in ScheduledInput) error {
	spec, err := r.Store.LoadSpec(ctx, vault.ScheduleSpec(in.Schedule))
	if err != nil {
		return classify(errVault, err)
	}
	return classify(errVault, Open(ctx, r.Store, in.Campaign, in.Device, spec))
}

// Open makes a campaign known to Vault with its specification. Repeating it
// does no harm. The workflow is started after it.
func Open(ctx context.Context, store *vault.Store, campaign, device string, spec []byte) error {
	if err := store.OpenCampaign(ctx, campaign, device); err != nil {
		return err
	}
	if err := store.SaveSpec(ctx, vault.CampaignSpec(campaign), spec); err != nil && !vault.AsCAS(err) {
		return err
	}
	return nil
}

func (r *Rotation) spec(ctx context.Context, campaign string) (*config.Campaign, error) {
	if known, ok := r.specs.Load(campaign); ok {
		return known.(*config.Campaign), nil
	}
	data, err := r.Store.LoadSpec(ctx, vault.CampaignSpec(campaign))
	if err != nil {
		return nil, classify(errVault, err)
	}
	spec := &config.Campaign{}
	if err := json.Unmarshal(data, spec); err != nil {
		return nil, classify(errSpec, fmt.Errorf("campaign %s: the specification in Vault is unreadable: %w", campaign, err))
	}
	r.specs.Store(campaign, spec)
	return spec, nil
}

func (r *Rotation) open(ctx context.Context, b Batch) (*rotation.Rotator, []credential.Credential, error) {
	page, err := r.page(ctx, b)
	if err != nil {
		return nil, nil, err
	}
	rot, err := r.rotator(ctx, b)
	return rot, page, err
}

func (r *Rotation) page(ctx context.Context, b Batch) ([]credential.Credential, error) {
	page, err := r.Store.ReadPage(ctx, b.Campaign, b.Snapshot, b.Span.Page)
	if err == nil && b.Span.To > len(page) {
		return nil, classify(errSpec, fmt.Errorf("campaign %s: page %d of the roll has %d credentials, not %d", b.Campaign, b.Span.Page, len(page), b.Span.To))
	}
	return page, classify(errVault, err)
}

func (r *Rotation) rotator(ctx context.Context, b Batch) (*rotation.Rotator, error) {
	spec, err := r.spec(ctx, b.Campaign)
	if err != nil {
		return nil, err
	}
	authority, err := r.Kinds.Authority(spec, b.Authority, b.Kind)
	if err != nil {
		return nil, classify(errSpec, err)
	}
	return &rotation.Rotator{Store: r.Store, Authority: authority, Campaign: b.Campaign, Now: time.Now}, nil
}

// hopeless answers a batch in which nothing can be rotated as it is listed.
// Such credentials may name an authority that does not exist.
func hopeless(page []credential.Credential, items []int, out []PreparedItem) bool {
	for i, index := range items {
		stop := rotation.ProblemStop(page[index])
		if stop == nil {
			return false
		}
		out[i] = PreparedItem{Index: index, Prepared: rotation.Prepared{Step: protocol.Precheck, Stop: stop}}
	}
	return true
}
