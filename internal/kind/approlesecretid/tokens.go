package approlesecretid

import (
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"rollcall/internal/protocol"
)

// tokenLook finds the tokens of a role that the secret-id with the mark did not mint. Vault
// has no list of them, so it looks every token up by its accessor, each once: what a
// token is of never changes.
type tokenLook struct {
	au   *Authority
	role role
	mark string

	mu    sync.Mutex
	seen  map[string]bool // accessors that were looked up and are not to be revoked
	found []string        // accessors to revoke
}

// pass looks at the tokens that are new since the pass before, and again at those that were
// found: an answer to a revocation proves nothing.
func (l *tokenLook) pass(ctx context.Context) error {
	got, err := l.au.api.Logical().ListWithContext(ctx, "auth/token/accessors")
	if err != nil {
		return l.au.fail("list token accessors", err)
	}
	l.found = nil
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(lookupsAtOnce)
	for _, accessor := range keys(got) {
		if l.seen[accessor] {
			continue
		}
		g.Go(func() error {
			token, err := l.au.token(ctx, accessor)
			if err != nil {
				return err
			}
			meta := map[string]any{}
			if token != nil {
				meta, _ = token.Data["meta"].(map[string]any)
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			if !mintedBy(token, l.role) || l.mark != "" && meta[markKey] == l.mark {
				l.seen[accessor] = true
			} else {
				l.found = append(l.found, accessor)
			}
			return nil
		})
	}
	err = g.Wait()
	slices.Sort(l.found)
	return err
}

// revokeAll revokes what the pass before found, until a pass finds nothing: a login that was
// on its way while the secret-ids were destroyed can still mint a token.
func (l *tokenLook) revokeAll(ctx context.Context) (int, error) {
	revoked := map[string]bool{}
	for range passesMost {
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(lookupsAtOnce)
		for _, accessor := range l.found {
			revoked[accessor] = true
			g.Go(func() error {
				if err := l.au.api.Auth().Token().RevokeAccessorWithContext(gctx, accessor); err != nil && !vanished(err) {
					return l.au.fail("revoke a token", err)
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			return 0, err
		}
		if err := l.pass(ctx); err != nil || len(l.found) == 0 {
			return len(revoked), err
		}
	}
	return len(revoked), l.au.stop(protocol.ReasonConflict, "tokens of the role keep appearing although its old secret-ids are destroyed; who mints them? The new secret-id waits in staging and no consumer has it")
}
