package inventory

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// HoldsValue reports whether a text of a person holds, as a word of its own, a
// value of a running campaign's roll: one that is in force in Vault, the stolen
// one that its staging keeps, or a new one. Where the login may not read, it
// cannot tell.
func HoldsValue(ctx context.Context, store *ownmount.Store, campaign, text string) (bool, error) {
	index, err := store.ReadIndex(ctx, campaign)
	if err != nil {
		if vault.IsNotFound(err) { // it is still listing
			err = nil
		}
		return false, err
	}
	var all []credential.Credential
	for n := range index.Pages {
		page, err := store.ReadPage(ctx, campaign, index.Snapshot, n)
		if err != nil {
			return false, err
		}
		all = append(all, page...)
	}
	return HoldsValueOf(ctx, store, all, text)
}

// HoldsValueOf is HoldsValue for credentials, whether or not a roll has them.
func HoldsValueOf(ctx context.Context, store *ownmount.Store, all []credential.Credential, text string) (bool, error) {
	if len(text) < shortest {
		return false, nil
	}
	w := &prose{texts: []written{{"", text}}}
	w.index()
	var blind atomic.Bool // of what is staged; what is in force each path's policy decides
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(looksAtOnce)
	for _, c := range all {
		g.Go(func() error {
			for _, p := range c.Paths {
				live, err := store.ReadLive(gctx, p, 0)
				if err != nil && !unreadable(err) {
					return err
				}
				w.see(live.Value)
			}
			if blind.Load() {
				return nil
			}
			staged, _, err := store.ReadStaged(gctx, c.ID)
			switch {
			case vault.IsDenied(err):
				blind.Store(true)
			case err != nil:
				return err
			}
			w.see(staged.Secret)
			for _, old := range staged.Old {
				w.see(old)
			}
			return nil
		})
	}
	err := g.Wait()
	return len(w.hit) > 0, err
}

// unreadable: nothing is shown there, to this login or to anybody.
func unreadable(err error) bool { return placeProblem(err) != "" || vault.IsDenied(err) }
