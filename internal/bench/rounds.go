package main

import (
	"cmp"
	"context"
)

// turn is who runs a campaign in a round.
type turn struct {
	ours, other *campaign // other: nil without another version
}

// campaigns prepares those of all rounds.
func (g *ground) campaigns(ctx context.Context, rounds int, program, other string) ([]turn, error) {
	out := make([]turn, rounds)
	for i := range out {
		var err error
		if out[i].ours, err = newCampaign(ctx, g, g.corp(), program, groupCampaign(i)); err != nil {
			return nil, err
		}
		if other == "" {
			continue
		}
		if out[i].other, err = newCampaign(ctx, g, g.corp(), other, groupOther(i)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// round runs each of the ways once.
func (g *ground) round(ctx context.Context, i, workers int, t turn, say func(string, ...any)) (r Round, err error) {
	say("round %d: Vault's LDAP engine with 8 callers", i+1)
	if r.Engine, err = g.engine(ctx, groupEngine8(i), 8); err != nil {
		return r, err
	}
	say("round %d: the bare loop with %d workers", i+1, workers)
	if r.Bare, err = g.bare(ctx, groupBare(i), workers); err != nil {
		return r, err
	}
	ours := func() (err error) {
		say("round %d: the campaign", i+1)
		r.Campaign, err = t.ours.run(ctx)
		return err
	}
	others := func() (err error) {
		if t.other == nil {
			return nil
		}
		say("round %d: the campaign of the other version", i+1)
		r.Other, err = t.other.run(ctx)
		return err
	}
	// Whoever comes second finds more in Vault.
	if i%2 == 0 {
		return r, cmp.Or(ours(), others())
	}
	return r, cmp.Or(others(), ours())
}
