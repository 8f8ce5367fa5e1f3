package activities

import (
	"context"
	"slices"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// noteActivated keeps where this batch put new values, before any of its
// credentials is freed: another device may know the same account by another
// path, and whoever rotates it next must keep this one current. What Vault did
// not take stays open.
func (r *Rotation) noteActivated(ctx context.Context, page []credential.Credential, out []wire.AppliedItem) {
	placed := map[string][]ownmount.Placed{}
	for _, a := range out {
		c := page[a.Index]
		for i, p := range c.Places() {
			if i < min(len(a.To), len(a.Written)) && a.To[i] > 0 {
				at := ownmount.Placed{Path: p, Version: a.To[i], Written: a.Written[i]}
				if i < len(a.Over) {
					at.Over = a.Over[i]
				}
				placed[c.ID] = append(placed[c.ID], at)
			}
		}
	}
	if len(placed) == 0 {
		return
	}
	// What was activated is noted, also when the batch was told to stop.
	ctx, still := beat(ctx)
	defer still()
	steady, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer cancel()
	err := r.Store.RecordActivated(steady, placed)
	for i := range out {
		if a := &out[i]; err != nil && a.Dead() {
			a.Proof, a.Stop = "", vault.StopOf(err)
		}
	}
}

// noteElsewhere keeps where ended campaigns put values that gave up before they
// could note it. It fails as a whole, so that it is tried again: the credential
// is told to come back with the next roll.
func (r *Rotation) noteElsewhere(ctx context.Context, page []credential.Credential, out []wire.PreparedItem, elsewhere [][]ownmount.Placed) error {
	placed := map[string][]ownmount.Placed{}
	for i, p := range out {
		if len(elsewhere[i]) > 0 {
			placed[page[p.Index].ID] = elsewhere[i]
		}
	}
	if len(placed) == 0 {
		return nil
	}
	return classify(errVault, r.Store.RecordActivated(ctx, placed))
}

// stopElsewhere keeps open what another campaign has activated at a path that
// is not on this roll, since this campaign began: consumers read it there, and
// a value that this one sets would never get to them. It is called when all are
// staged, so the other one is done.
func (r *Rotation) stopElsewhere(ctx context.Context, campaign string, page []credential.Credential, out []wire.PreparedItem) {
	var ids []string
	for _, p := range out {
		if p.Stop == nil && !page[p.Index].HandsOver() {
			ids = append(ids, page[p.Index].ID)
		}
	}
	if len(ids) == 0 {
		return
	}
	began, err := r.began(ctx, campaign)
	var placed map[string][]credential.Path
	if err == nil {
		placed, err = r.Store.ActivatedSince(ctx, began, ids)
	}
	for i, p := range out {
		c := page[p.Index]
		if p.Stop != nil || c.HandsOver() {
			continue
		}
		if err != nil {
			out[i].Step, out[i].Stop = protocol.Stage, vault.StopOf(err)
			continue
		}
		if slices.ContainsFunc(placed[c.ID], func(at credential.Path) bool { return !slices.Contains(c.Places(), at) }) {
			out[i].Step, out[i].Stop = protocol.Stage, r.leaveElsewhere(ctx, campaign, c, p)
		}
	}
}

func (r *Rotation) leaveElsewhere(ctx context.Context, campaign string, c credential.Credential, p wire.PreparedItem) *protocol.Stop {
	if p.Fresh {
		// Nobody has seen that value. Left there it would be in the next
		// campaign's way.
		if err := r.Store.Unstage(ctx, c.ID, campaign, p.Attempt); err != nil && !vault.IsCASMismatch(err) {
			return vault.StopOf(err)
		}
	}
	return &protocol.Stop{Reason: protocol.ReasonMorePaths, Detail: "another campaign rotated it while this one ran, for a path that this roll has not; nothing was changed, and its consumers read the value of that campaign"}
}

// unlisted keeps open what another device's campaign left staged when it ended
// after this one had begun: the listing saw it at work and looked no further.
// Its paths are on the next roll.
func (r *Rotation) unlisted(campaign, device string) func(context.Context, credential.Credential, ownmount.Staged) *protocol.Stop {
	return func(ctx context.Context, c credential.Credential, left ownmount.Staged) *protocol.Stop {
		if c.HandsOver() || !left.MayBeInForce() {
			return nil
		}
		began, err := r.began(ctx, campaign)
		if err != nil {
			return vault.StopOf(err)
		}
		_, owner, err := r.Store.CampaignWasClosed(ctx, left.Campaign)
		if err != nil {
			return vault.StopOf(err)
		}
		if config.SameDevice(owner.Device, device) || owner.Seen.Before(began) {
			return nil // then they were listed
		}
		for _, text := range left.MeantFor() {
			has := func(p credential.Path) bool { return p.String() == text }
			p, err := credential.ParsePath(text)
			if err != nil || slices.ContainsFunc(c.Places(), has) {
				continue
			}
			at, err := r.Store.Cut(ctx, p.Mount+"/"+p.Path)
			if err != nil {
				return vault.StopOf(err)
			}
			live, err := r.Store.ReadLive(ctx, credential.Path{Mount: at.Mount, Path: at.Path, Field: p.Field}, 0)
			if err != nil {
				return vault.StopOf(err)
			}
			if live.Found {
				return &protocol.Stop{Reason: protocol.ReasonMorePaths, Detail: "another campaign ended while this one ran and left a new value staged, for a path that this roll has not; nothing was changed: the next campaign lists that path and goes on with it"}
			}
		}
		return nil
	}
}

// began is when a campaign was opened, by Vault's clock.
func (r *Rotation) began(ctx context.Context, campaign string) (time.Time, error) {
	if at, ok := r.opened.Load(campaign); ok {
		return at.(time.Time), nil
	}
	_, rec, err := r.Store.CampaignWasClosed(ctx, campaign)
	if err == nil {
		r.opened.Store(campaign, rec.OpenedAt)
	}
	return rec.OpenedAt, err
}
