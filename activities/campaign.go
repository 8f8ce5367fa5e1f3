package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"rollcall/config"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// openTTL is how long a campaign that was seen to be open is taken to be so.
const openTTL = 10 * time.Second

// superseded says why nothing more is begun for a campaign that was closed: a
// later one may be at its credentials, and what both set would undo each other.
func (r *Rotation) superseded(ctx context.Context, campaign string) *protocol.Stop {
	// By the wall clock: the other one stands still while a machine is
	// suspended, and meanwhile another campaign may have taken over.
	now := time.Now().Round(0)
	if at, ok := r.goOn.Load(campaign); ok && now.Sub(at.(time.Time)).Abs() < openTTL {
		return nil
	}
	ended, by, err := r.Store.CampaignWasClosed(ctx, campaign)
	if err != nil {
		return vault.StopOf(err)
	}
	if ended {
		why := "the campaign was closed by a failure"
		if by.Superseded {
			why = (&ownmount.ClosedMeanwhile{CampaignRecord: by}).Error()
		}
		return &protocol.Stop{Reason: protocol.ReasonSuperseded, Detail: why + "; nothing was changed by this pass"}
	}
	r.goOn.Store(campaign, now)
	return nil
}

// CloseCampaign ends the campaign's hold on what it staged, and notes how it
// ended; workflows of before do not say. unheard: a reset that it sent may
// still arrive, and no staging entry says so.
func (r *Rotation) CloseCampaign(ctx context.Context, campaign string, unheard bool, as wire.Ending) error {
	return classify(errVault, r.Store.CloseAs(ctx, campaign, unheard, ownmount.Ending{How: string(as.How), By: as.By}))
}

// OpenScheduled gives a new campaign the specification of its schedule.
func (r *Rotation) OpenScheduled(ctx context.Context, in wire.ScheduledInput) error {
	spec, err := r.Store.LoadSpec(ctx, ownmount.ScheduleSpec(in.Schedule))
	if err != nil {
		return classify(errVault, err)
	}
	others, err := r.Store.Others(ctx, in.Device, in.Campaign)
	if err != nil {
		return classify(errVault, err)
	}
	for _, o := range others {
		if o.Lives() {
			return classify(errVault, &ownmount.Lives{Running: o})
		}
	}
	if spec, err = withoutOverride(spec); err != nil {
		return classify(errSpec, fmt.Errorf("schedule %s: its specification in Vault is unreadable: %w; delete it and create it again", in.Schedule, err))
	}
	rec := ownmount.CampaignRecord{Campaign: in.Campaign, Device: in.Device, Actor: in.Actor, Starter: activity.GetInfo(ctx).WorkflowExecution.RunID}
	return classify(errVault, Open(ctx, r.Store, rec, spec))
}

// Open makes a campaign known to Vault with its specification. Repeating it
// does no harm. The workflow is started after it.
func Open(ctx context.Context, store *ownmount.Store, rec ownmount.CampaignRecord, spec []byte) error {
	var c config.Campaign
	if err := json.Unmarshal(spec, &c); err == nil { // else its listing says that it cannot be read
		rec.Told, rec.Incident = string(c.Told()), c.Incident
	}
	if err := store.OpenCampaign(ctx, rec); err != nil {
		return err
	}
	if err := store.SaveSpec(ctx, ownmount.CampaignSpec(rec.Campaign), spec); err != nil && !vault.IsCASMismatch(err) {
		return err
	}
	return nil
}
