package inventory

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// Looks that depend on nothing else of a listing are begun early and go on
// beside the rest. Whoever needs what they saw waits for it.

func newLister(ctx context.Context, c *config.Campaign, at Authorities, v Vault) *lister {
	l := &lister{c: c, dirs: at.Directories, systems: at.Systems, tokens: at.Tokens, kept: at.Kept, onRead: at.Saw, offers: at.Asks, running: at.Running, leadsKey: at.LeadsKey, contained: at.Contained, vault: v, elsewhere: map[string]map[string]bool{}, hints: map[reference]string{}, keepings: newKeepings(), doorUses: doorUses{}}
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

// keepings are what Vault does with the versions of secrets, which may still be
// asked. Nearly all secrets have the settings of their mount: those that are
// alike are kept once.
type keepings struct {
	mu    sync.Mutex
	under map[secretPath]*keepingAhead
	are   map[secretPath]*vault.Keeping
	alike interned[vault.Keeping]
}

// keepingAhead is being asked, or was in vain.
type keepingAhead struct {
	done chan struct{}
	err  error
}

func newKeepings() *keepings {
	return &keepings{under: map[secretPath]*keepingAhead{}, are: map[secretPath]*vault.Keeping{}, alike: interned[vault.Keeping]{}}
}

// of is what is known of a secret: the answer, or who asks; neither where
// nobody did.
func (k *keepings) of(at secretPath) (*vault.Keeping, *keepingAhead) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.are[at], k.under[at]
}

// begin is false where somebody has begun before.
func (k *keepings) begin(at secretPath) (*keepingAhead, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.are[at] != nil || k.under[at] != nil {
		return nil, false
	}
	k.under[at] = &keepingAhead{done: make(chan struct{})}
	return k.under[at], true
}

// end takes the answer in.
func (k *keepings) end(at secretPath, ahead *keepingAhead, is vault.Keeping, err error) {
	defer close(ahead.done)
	k.mu.Lock()
	defer k.mu.Unlock()
	if ahead.err = err; err != nil {
		return // whoever needs it is told
	}
	k.are[at] = k.alike.one(is)
	delete(k.under, at)
}

// askKeeping begins to ask it about the secret of a path that an account has.
func (l *lister) askKeeping(c Candidate) {
	if c.Account == "" {
		return
	}
	p := *c.Path
	ahead, mine := l.keepings.begin(secretPathOf(p))
	if !mine {
		return
	}
	l.settings.Go(func() error {
		is, err := l.vault.Keeping(l.ctx, p)
		l.noteOlder(p, is)
		l.keepings.end(secretPathOf(p), ahead, is, err)
		return nil
	})
}

// keeping is what Vault does with the versions at a path.
func (l *lister) keeping(ctx context.Context, p credential.Path) (vault.Keeping, error) {
	known, ahead := l.keepings.of(secretPathOf(p))
	switch {
	case known != nil:
		return *known, nil
	case ahead == nil:
		is, err := l.vault.Keeping(ctx, p)
		l.noteOlder(p, is)
		return is, err
	}
	select {
	case <-ahead.done:
		if ahead.err != nil {
			return vault.Keeping{}, ahead.err
		}
		known, _ = l.keepings.of(secretPathOf(p))
		return *known, nil
	case <-ctx.Done():
		return vault.Keeping{}, fmt.Errorf("asking for the settings of %s: %w", p, ctx.Err())
	}
}
