package inventory

import (
	"context"
	"slices"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/minted"
)

// NewToken is a token of Vault that was made after a listing, that no login of
// the roll made, that nobody has accepted, and that may read new values.
type NewToken struct {
	Accessor string
	// Device: it names the device.
	Device bool
	// Reads are the credentials whose new values one that names the device may
	// read.
	Reads []string
}

// TokensSince looks for tokens that were made since the listing whose newest
// token is that. A login of the roll that is not dead yet may make tokens that
// outlive it, and nobody saw those at the listing. roll is what is asked about:
// the credentials that are to be set, and all logins to Vault. other is whether
// there is any token that is not Rollcall's or the roll's.
func TokensSince(ctx context.Context, c *config.Campaign, v Vault, tokens *minted.Tokens, roll *credential.Roll, newest int64) (found []NewToken, other bool, err error) {
	r := (&lister{c: c, vault: v, tokens: tokens}).newReaders(roll)
	if r == nil {
		return nil, false, nil
	}
	r.since = newest
	groups, err := r.otherTokens(ctx, roll)
	if err != nil || len(groups) == 0 {
		return nil, false, err
	}
	if err := r.ask(ctx, groups); err != nil {
		return nil, true, err
	}
	for _, g := range groups {
		if len(g.paths) == 0 && g.rises == "" {
			continue
		}
		_, accepted := r.l.policiesAccepted(g.by)
		for _, t := range g.tokens {
			device := t.device != "" && !(t.byPolicy && accepted)
			if _, ok := r.l.acceptedPlace(byAccessor + t.accessor); ok || t.accepted != "" || accepted && !device {
				continue
			}
			n := NewToken{Accessor: t.accessor, Device: device}
			if device {
				if n.Reads, err = r.whose(ctx, g, t); err != nil {
					return nil, true, err
				}
			}
			found = append(found, n)
		}
	}
	return found, true, nil
}

// whose are the credentials whose new values a token may read.
func (r *readers) whose(ctx context.Context, g *sameRights, t liveToken) (ids []string, err error) {
	got, err := r.reaches(ctx, g, t)
	for _, p := range got.paths {
		for _, at := range r.of(p) {
			ids = append(ids, at.id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), err
}
