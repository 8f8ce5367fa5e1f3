package ownmount

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// Leftover is a new value that a campaign left in staging, and that may be in
// force. It is without the value.
type Leftover struct {
	ID       string
	Campaign string // that staged it; empty where our login may not read what is staged
	Device   string // of that campaign; empty where it is not known

	// Before is the account's change mark when it was staged: an account that
	// is as it was then has another value in force. Empty where that tells
	// nothing.
	Before string

	// Listed is the credential as the roll of that campaign has it; nil where
	// there is none.
	Listed *credential.Credential

	// Paths are the live paths, mount/path#field, that it was meant for.
	Paths []string
}

// Keys in Staged.Old that are no paths: TakenOver begins those of values that
// ended campaigns had staged, and BeforeIt joins such a key and a path that
// took part then.
const (
	TakenOver = "taken over, attempt "
	BeforeIt  = ", before it at "
)

// Leftovers are the staged values that may be in force and that no running
// campaign of another device has in hand. campaign is the caller's own.
func (s *Store) Leftovers(ctx context.Context, device, campaign string, formerly ...string) ([]Leftover, error) {
	ids, err := s.ListStaged(ctx)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	records, err := s.Campaigns(ctx, "")
	if err != nil {
		return nil, err
	}
	by := map[string]CampaignRecord{}
	othersRun := false
	for _, r := range records {
		by[r.Campaign] = r
		othersRun = othersRun || !config.SameDevice(r.Device, device) && r.ClosedAt.IsZero()
	}
	slices.Sort(ids)
	all := make([]*Leftover, len(ids))
	var mu sync.Mutex
	asked := map[string][]string{} // ids whose roll is to be read, by campaign
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(readsAtOnce)
	for i, id := range ids {
		g.Go(func() error {
			st, found, err := s.ReadStaged(gctx, id)
			switch {
			case vault.IsDenied(err):
				// Who may not read it cannot tell what a running campaign has
				// in hand.
				if !othersRun {
					all[i] = &Leftover{ID: id}
				}
				return nil
			case err != nil:
				return err
			case !found || !st.MayBeInForce() || st.Campaign == campaign:
				return nil
			}
			owner, known := by[st.Campaign]
			if known && !config.SameDevice(owner.Device, device) && owner.ClosedAt.IsZero() {
				return nil
			}
			l := &Leftover{ID: id, Campaign: st.Campaign, Device: owner.Device, Before: st.Before, Paths: st.MeantFor()}
			if st.HoldsOthers() {
				l.Before = "" // what an earlier campaign had set was in force by then
			}
			all[i] = l
			mu.Lock()
			defer mu.Unlock()
			asked[st.Campaign] = append(asked[st.Campaign], id)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for campaign, ids := range asked {
		listed, err := s.listedBy(ctx, campaign, ids)
		if err != nil {
			return nil, err
		}
		for _, l := range all {
			if c, ok := listed[idOf(l)]; ok && l.Campaign == campaign {
				l.Listed = &c
			}
		}
	}
	var out []Leftover
	for _, l := range all {
		if l != nil {
			out = append(out, *l)
		}
	}
	return out, nil
}

func idOf(l *Leftover) string {
	if l == nil {
		return ""
	}
	return l.ID
}

// listedBy are those of ids that the roll of a campaign has.
func (s *Store) listedBy(ctx context.Context, campaign string, ids []string) (map[string]credential.Credential, error) {
	idx, found, err := s.readIndex(ctx, campaign)
	if err != nil || !found {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	out := map[string]credential.Credential{}
	for n := range idx.Pages {
		page, err := s.ReadPage(ctx, campaign, idx.Snapshot, n)
		if err != nil {
			return nil, err
		}
		for _, c := range page {
			if wanted[c.ID] {
				out[c.ID] = c
			}
		}
	}
	return out, nil
}

// MayBeInForce reports whether a server may have the value, or one that an
// ended campaign had staged before it.
func (st Staged) MayBeInForce() bool { return !st.Unsent || st.HoldsOthers() }

// HoldsOthers reports whether the entry has a value that an ended campaign had
// staged, and that a server may have.
func (st Staged) HoldsOthers() bool {
	return slices.ContainsFunc(slices.Collect(maps.Keys(st.Old)), func(key string) bool {
		return strings.HasPrefix(key, TakenOver) && !strings.Contains(key, BeforeIt)
	})
}

// Withdraw takes back what a campaign staged, of which it knows that it was
// never announced, so that no server has it. It is marked as never sent before
// it is deleted: a twin that would still send it fails, and where the delete
// does, it is in nobody's way. Nothing staged is no error, nor is what another
// campaign has.
func (s *Store) Withdraw(ctx context.Context, id, campaign string) error {
	st, found, err := s.ReadStaged(ctx, id)
	if err != nil || !found || st.Campaign != campaign {
		return err
	}
	if !st.Unsent {
		st.Unsent = true
		if st, err = s.Restage(ctx, id, st); err != nil {
			return err
		}
	}
	return s.Unstage(ctx, id, campaign, st.Attempt)
}

// MeantFor are the live paths of the entry, and of those that it took over,
// which were not found to be another account's.
func (st Staged) MeantFor() []string {
	var out []string
	for p := range st.Base {
		if st.Places[p] != PlaceApart {
			out = append(out, p)
		}
	}
	for key := range st.Old {
		if _, p, ok := strings.Cut(key, BeforeIt); ok && strings.HasPrefix(key, TakenOver) {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
