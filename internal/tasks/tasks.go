// Package tasks hands over to people what only they can change, and weighs what
// they say of it (docs/protocol.md, "What only people can change").
package tasks

import (
	"context"
	"fmt"
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/people"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// Of are the credentials that in refers to, in their order.
func Of(ctx context.Context, store *ownmount.Store, in wire.Tasks) ([]credential.Credential, error) {
	out, err := store.ReadRefs(ctx, in.Campaign, in.Snapshot, in.Refs)
	for i, c := range out {
		if c.Task == nil {
			return nil, &ownmount.NotOnRoll{Campaign: in.Campaign, Page: in.Refs[i].Page, What: fmt.Sprintf("no task %d", in.Refs[i].Index)}
		}
	}
	return out, err
}

// RollOf is what makes the word of a person count for nothing in a
// campaign.
func RollOf(ctx context.Context, store *ownmount.Store, campaign string) (people.Roll, error) {
	index, err := store.ReadIndex(ctx, campaign)
	if err != nil {
		return people.Roll{}, err
	}
	out := people.NewRoll(index.PeoplesOwn)
	for n := range index.Pages {
		page, err := store.ReadPage(ctx, campaign, index.Snapshot, n)
		if err != nil {
			return people.Roll{}, err
		}
		out.Take(page, nil)
	}
	excluded, err := store.ReadExcluded(ctx, campaign)
	if err != nil {
		return people.Roll{}, err
	}
	return out.Take(nil, excluded), nil
}

// Close takes back what was handed over of tasks that are dead, and notes
// beside the roll what is done with: not what is dead without a door that a
// person left out.
func Close(ctx context.Context, store *ownmount.Store, in wire.Tasks, cs []credential.Credential) error {
	var done, some credential.Refs
	for i, c := range cs {
		if _, without := c.WithoutDoors(in.DoorsLeftOut); len(without) == 0 {
			done = append(done, in.Refs[i])
		} else {
			some = append(some, in.Refs[i])
		}
	}
	if err := store.NoteDead(ctx, in.Campaign, in.Snapshot, done); err != nil {
		return err
	}
	if err := store.NoteOnSome(ctx, in.Campaign, in.Snapshot, some); err != nil {
		return err
	}
	for i, c := range cs {
		if _, err := store.KeepCards(ctx, in.Campaign, c.ID); err != nil {
			return err
		}
		if slices.Contains(done, in.Refs[i]) && c.Task.At != nil {
			if err := store.DropStolen(ctx, c.ID); err != nil {
				return err
			}
		}
		if err := unstageDead(ctx, store, in.Campaign, c); err != nil {
			return err
		}
	}
	return nil
}

// unstageDead deletes what is staged of a task that is dead, also where an
// ended campaign staged it and this one asked for no value any more.
func unstageDead(ctx context.Context, store *ownmount.Store, campaign string, c credential.Credential) error {
	staged, found, err := store.ReadStaged(ctx, c.ID)
	if err != nil || !found {
		return err
	}
	if staged.Campaign != campaign {
		released, _, err := store.CampaignReleased(ctx, staged.Campaign)
		if err != nil || !released {
			return err
		}
	}
	if err := store.Unstage(ctx, c.ID, staged.Campaign, 0); !vault.IsCASMismatch(err) {
		return err
	}
	return nil // somebody has begun
}
