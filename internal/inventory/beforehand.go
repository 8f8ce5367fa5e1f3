package inventory

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// Looks that depend on nothing else of a listing are begun early and go on
// beside the rest. Whoever needs what they saw waits for it.

func newLister(ctx context.Context, c *config.Campaign, at Authorities, v Vault) *lister {
	l := &lister{c: c, dirs: at.Directories, systems: at.Systems, tokens: at.Tokens, kept: at.Kept, onRead: at.Saw, offers: at.Asks, running: at.Running, leadsKey: at.LeadsKey, contained: at.Contained, vault: v, elsewhere: map[string]map[string]bool{}, hints: map[reference]string{}, held: map[credential.Path]held{}, keepings: map[secretPath]*keepingAhead{}, doorUses: doorUses{}}
	l.settings.SetLimit(asksAtOnce)
	l.ctx, l.stop = context.WithCancel(ctx)
	return l
}

// end leaves nothing that was begun beside the rest.
func (l *lister) end() {
	l.stop()
	for _, g := range []*errgroup.Group{&l.reads, &l.beside, &l.settings} {
		_ = g.Wait()
	}
}

// asksAtOnce bounds what is asked beside the rest for one purpose.
const asksAtOnce = looksAtOnce

// warmTokens looks at the tokens of Vault, of which there may be very many. The
// look that follows asks about new ones alone, and says what is wrong.
func (l *lister) warmTokens() {
	if l.tokens != nil {
		l.tokens.Anew()
		l.beside.Go(func() error {
			_ = l.tokens.Warm(l.ctx)
			return nil
		})
	}
}

// keepingAhead is what Vault does with the versions of one secret, which may
// still be asked.
type keepingAhead struct {
	done chan struct{}
	is   vault.Keeping
	err  error
}

// askKeeping begins to ask it about the secret of a path that an account has.
func (l *lister) askKeeping(c Candidate) {
	if c.Account == "" || l.keepings[secretPathOf(*c.Path)] != nil {
		return
	}
	k, p := &keepingAhead{done: make(chan struct{})}, *c.Path
	l.keepings[secretPathOf(p)] = k
	l.settings.Go(func() error {
		defer close(k.done)
		k.is, k.err = l.vault.Keeping(l.ctx, p)
		l.noteOlder(p, k.is)
		return nil
	})
}

// keeping is what Vault does with the versions at a path.
func (l *lister) keeping(ctx context.Context, p credential.Path) (vault.Keeping, error) {
	k := l.keepings[secretPathOf(p)]
	if k == nil {
		is, err := l.vault.Keeping(ctx, p)
		l.noteOlder(p, is)
		return is, err
	}
	select {
	case <-k.done:
		return k.is, k.err
	case <-ctx.Done():
		return vault.Keeping{}, fmt.Errorf("asking for the settings of %s: %w", p, ctx.Err())
	}
}
