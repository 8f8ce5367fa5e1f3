package activities

import (
	"context"
	"fmt"
	"slices"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/wire"
)

const seenDetail = "an account of the roll may read what each account there is set to, this new value or its hash too, and whoever stole it may be logged in as it still: a reset ends no ticket and no connection; nothing was changed: its old value is good until that account has lost the right, or a person accepts it by name (rollcall accept-open). Take the right away first (the finding may-read-passwords says which), and this goes on by itself; give it back to another account"

// seenBy are the authorities of a batch, one at most, of which an account of
// the roll may read what the others are set to, and itself. Whether it is dead
// says nothing of that: what was logged in with its old password reads on. So
// the right is looked at anew, in one search for a batch, and where it is not
// shown it is there.
func (r *Rotation) seenBy(ctx context.Context, spec *config.Campaign, b wire.Batch, cs, logins []credential.Credential) (map[string]bool, error) {
	readers, err := r.listedAt(ctx, b, b.Readers)
	if err != nil {
		return nil, err
	}
	// A campaign that began with workers of before names them among its logins
	// alone.
	var here []credential.Credential
	for _, c := range append(readers, logins...) {
		if c.ReadsOthers && c.Authority == b.Authority {
			here = append(here, c)
		}
	}
	if len(here) == 0 {
		return nil, nil
	}
	authority, err := r.Kinds.Authority(spec, b.Authority, b.Kind)
	if err != nil {
		return nil, classify(errSpec, err)
	}
	asks, ok := kind.As[kind.Readable](authority)
	if !ok {
		return map[string]bool{b.Authority: true}, nil
	}
	still, err := asks.StillRead(ctx, here, cs)
	return map[string]bool{b.Authority: err != nil || slices.ContainsFunc(here, func(c credential.Credential) bool { return still[c.ID] })}, nil
}

// listedAt are the credentials at some places of the roll.
func (r *Rotation) listedAt(ctx context.Context, b wire.Batch, refs credential.Refs) (out []credential.Credential, err error) {
	for _, ref := range refs {
		page, err := r.Store.ReadPage(ctx, b.Campaign, b.Snapshot, ref.Page)
		if err != nil {
			return nil, classify(errVault, err)
		}
		if ref.Index >= len(page) {
			return nil, classify(errSpec, fmt.Errorf("campaign %s: page %d of the roll has no credential %d", b.Campaign, ref.Page, ref.Index))
		}
		out = append(out, page[ref.Index])
	}
	return out, nil
}
