package rotation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// takeOver makes sure that a staging entry is this campaign's. The entry of a
// campaign that has ended is taken over: its value may be the only one that
// still logs in, so it is kept, and consumers may have read it since, so it
// must die with the rest. base and old are what the live paths hold now.
func (r *Rotator) takeOver(ctx context.Context, c credential.Credential, staged ownmount.Staged, before string, base map[string]int, old map[string]credential.Secret, lives []vault.Live) (ownmount.Staged, error) {
	if staged.Freed {
		return r.afterFreed(ctx, c, staged, before, base, old, lives)
	}
	if staged.Campaign == r.Campaign {
		return staged, nil
	}
	closed, until, err := r.Store.CampaignReleased(ctx, staged.Campaign)
	if err != nil {
		return ownmount.Staged{}, err
	}
	if !closed {
		return ownmount.Staged{}, &protocol.Stop{Reason: protocol.ReasonOtherOwner,
			Detail: fmt.Sprintf("campaign %s is rotating it; let it finish or abort it; a superseded one lets go when its workers have finished what they hold, and after %s at the latest; one that ended while what a killed process had sent might still arrive lets go %s later", staged.Campaign, ownmount.SupersededGrace, ownmount.LateFor),
			Until:  until}
	}
	if stop := r.mayReplace(staged); stop != nil {
		return ownmount.Staged{}, stop
	}
	if err := r.activatedElsewhere(ctx, c, staged); err != nil {
		return ownmount.Staged{}, err
	}
	if r.Unlisted != nil {
		if stop := r.Unlisted(ctx, c, staged); stop != nil {
			return ownmount.Staged{}, stop
		}
	}
	value, err := r.newValue(ctx, c, c.Paths, lives)
	if err != nil {
		return ownmount.Staged{}, err
	}
	old = maps.Clone(old)
	asRead(c, staged, lives, old)
	held := takenOver + strconv.Itoa(staged.Attempt)
	var refused map[string]string
	for place, value := range staged.Old {
		if staged.Places[place] == ownmount.PlaceApart {
			if !isHeld(place) {
				continue // it took no part, so whose value it held is not known
			}
			if refused == nil {
				refused = map[string]string{}
			}
			refused[place] = ownmount.PlaceApart // not in force; it dies with the rest
		}
		if !strings.HasPrefix(place, takenOver) {
			// Stolen before the ended campaign began, and not proved dead by
			// it.
			place = held + beforeIt + place
		}
		old[place] = value
	}
	if !staged.Unsent { // what no server has seen is nowhere in force
		old[held] = staged.Secret
	}
	return r.Store.Restage(ctx, c.ID, ownmount.Staged{
		Secret: value, Campaign: r.Campaign, Attempt: staged.Attempt + 1, Base: base, Old: old, Places: refused,
		Unsent: true, Before: before, CreatedAt: r.Now().UTC(), Version: staged.Version,
	})
}

// afterFreed stages where the last rotation is over, and a reset of it could
// still have come for a while.
func (r *Rotator) afterFreed(ctx context.Context, c credential.Credential, freed ownmount.Staged, before string, base map[string]int, old map[string]credential.Secret, lives []vault.Live) (ownmount.Staged, error) {
	if stop := r.mayReplace(freed); stop != nil {
		return ownmount.Staged{}, stop
	}
	value, err := r.newValue(ctx, c, c.Paths, lives)
	if err != nil {
		return ownmount.Staged{}, err
	}
	return r.Store.Restage(ctx, c.ID, ownmount.Staged{
		Secret: value, Campaign: r.Campaign, Attempt: freed.Attempt + 1, Base: base, Old: old,
		Unsent: true, Before: before, CreatedAt: r.Now().UTC(), Version: freed.Version,
	})
}

// takenOver begins the keys in Staged.Old of values that ended campaigns had
// staged. No path looks like it.
const takenOver = ownmount.TakenOver

// activatedAt is the error of a credential whose value an ended campaign has
// activated at paths that this roll has not: their consumers would be cut off.
type activatedAt struct {
	*protocol.Stop
	paths []ownmount.Placed
}

func (e *activatedAt) Unwrap() error { return e.Stop }

// activatedElsewhere looks for such paths. Where a campaign put values it notes
// at the end of each batch; one that gave up before that has left what it
// staged, and the paths that it knew.
func (r *Rotator) activatedElsewhere(ctx context.Context, c credential.Credential, staged ownmount.Staged) error {
	if c.HandsOver() {
		return nil // nobody reads it there by himself
	}
	var found []ownmount.Placed
	for _, place := range slices.Sorted(maps.Keys(staged.Base)) {
		p, err := credential.ParsePath(place)
		if err != nil || slices.Contains(c.Paths, p) || c.Spare != nil && p == *c.Spare || staged.Places[place] == ownmount.PlaceApart {
			continue
		}
		live, err := r.read(ctx, c, p, 0)
		if err != nil {
			return err
		}
		if live.Found && live.Value.Equal(staged.Secret) {
			found = append(found, ownmount.Placed{Path: p, Version: live.Version, Written: live.Written})
		}
	}
	if len(found) == 0 {
		return nil
	}
	return &activatedAt{&protocol.Stop{Reason: protocol.ReasonMorePaths, Detail: "a campaign that ended has put its value at a path that this roll has not; " +
		"nothing was changed, and the next campaign lists that path too"}, found}
}
