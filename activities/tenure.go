package activities

import (
	"cmp"
	"context"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// TakeOver ends what earlier campaigns of the device left open, once the roll
// of this one and its record are in order: those that give no sign of life any
// more, and those that live if a person asked for it. It names them.
func (r *Rotation) TakeOver(ctx context.Context, campaign string) ([]string, error) {
	if _, err := r.Store.Supersede(ctx, campaign); err != nil {
		return nil, classify(errVault, err)
	}
	own, _, err := r.Store.LookAt(ctx, campaign)
	if err != nil {
		return nil, classify(errVault, err)
	}
	// An earlier try may have ended them, and its answer been lost.
	ended, err := r.Store.SupersededBy(ctx, own.Device, campaign)
	if err == nil {
		err = r.takeBackLeftOut(ctx, campaign)
	}
	return ended, classify(errVault, err)
}

// takeBackLeftOut takes from people what was handed over of tasks that the
// campaign leaves out; the listing has said so. The values stay staged: they
// may be in force at one end.
func (r *Rotation) takeBackLeftOut(ctx context.Context, campaign string) error {
	left, err := r.Store.ReadExcluded(ctx, campaign)
	for _, x := range left {
		if err == nil && strings.HasPrefix(x.ID, credential.PersonAuthority+"/") {
			_, err = r.Store.KeepCards(ctx, campaign, x.ID)
		}
	}
	if vault.IsNotFound(err) {
		return nil // nothing was listed
	}
	return err
}

// SignOfLife says in Vault, for as long as the campaign runs, that it does: who
// starts another one is told. It ends with the campaign, or with its worker,
// and another one goes on. It gives the campaign that took over, if one did;
// empty where the campaign came to its own end.
func (r *Rotation) SignOfLife(ctx context.Context, campaign string) (by string, err error) {
	tick := time.NewTicker(ownmount.SeenEvery)
	defer tick.Stop()
	for {
		// Vault may be away; then it is said again at the next turn.
		if ended, err := r.Store.SignOfLife(ctx, campaign); err == nil && ended {
			if rec, found, err := r.Store.LookAt(ctx, campaign); err == nil {
				if found && rec.Superseded {
					by = cmp.Or(rec.By, "a later one")
				}
				return by, nil
			}
		}
		activity.RecordHeartbeat(ctx)
		select {
		case <-tick.C:
		case <-activity.GetWorkerStopChannel(ctx):
			return "", temporal.NewApplicationError("its worker stops", wire.BrokenOff)
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}
