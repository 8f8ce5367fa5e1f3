package activities

import (
	"context"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/kind/registry"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// noteDead notes beside the roll what is dead and done with: the next listing of the device
// keeps on its roll what is not, whether or not anything names it. What was proved without a
// server that a person left out is not done with, nor what lies at Rollcall's own path alone.
func (r *Rotation) noteDead(ctx context.Context, in CleanInput, page []credential.Credential, cleaned Cleaned) error {
	if len(in.Batch.LeftOut) > 0 {
		return nil
	}
	var dead credential.Refs
	for _, it := range in.Items {
		if slices.ContainsFunc(cleaned.Reopened, func(o OpenItem) bool { return o.Index == it.Index }) {
			continue
		}
		delivered := false
		for i, to := range it.To {
			delivered = delivered || to > 0 && i < len(page[it.Index].Paths)
		}
		if delivered {
			dead = append(dead, credential.Ref{Page: in.Batch.Span.Page, Index: it.Index})
		}
	}
	return r.Store.NoteDead(ctx, in.Batch.Campaign, in.Batch.Snapshot, dead)
}

// listingVault is the Vault that a listing sees: with it goes what a directory shows of accounts
// that have a staged value.
type listingVault struct {
	*vault.Store
	kinds *registry.Registry
	spec  *config.Campaign
}

// Leftovers leaves out the staged values of accounts that are as they were before: a
// campaign that was ended in between has staged many that no server ever saw.
func (v listingVault) Leftovers(ctx context.Context, device, campaign string, formerly ...string) ([]vault.Leftover, error) {
	all, err := v.Store.Leftovers(ctx, device, campaign, formerly...)
	var out []vault.Leftover
	for _, l := range all {
		if !v.untouched(ctx, l) {
			out = append(out, l)
		}
	}
	return out, err
}

// untouched is true only where the account itself shows it. In doubt the value is in force.
func (v listingVault) untouched(ctx context.Context, l vault.Leftover) bool {
	authority, subject, _ := strings.Cut(l.ID, "/")
	k := v.spec.KindOf(authority)
	if l.Before == "" || k == "" {
		return false
	}
	a, err := v.kinds.Authority(v.spec, authority, k)
	if err != nil {
		return false
	}
	now, err := a.Account(ctx, a.Servers()[0], credential.Credential{ID: l.ID, Kind: k, Authority: authority, Subject: subject})
	return err == nil && now.State != protocol.Gone && now.Changed != "" && protocol.Compare(l.Before, now.Changed) == protocol.Unchanged
}
