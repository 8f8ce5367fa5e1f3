package inventory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// readNamed reads what lies where rows of manifests and the campaign file name
// a path, before anybody is found for it: what else the secret holds, and whose
// it says that is, is asked about as of secrets that a source lists. What
// cannot be read the look says (look.go).
func (l *lister) readNamed(ctx context.Context) error {
	for _, c := range l.c.Confirm {
		p := c.Path
		l.besideConfirmed = append(l.besideConfirmed, Candidate{Path: &p})
	}
	g, gctx := errgroup.WithContext(ctx)
	next := make(chan *Candidate)
	for range looksAtOnce {
		g.Go(func() error {
			for c := range next {
				if err := l.readAt(gctx, c); err != nil {
					return err
				}
			}
			return nil
		})
	}
	read := func(c *Candidate) {
		select {
		case next <- c:
		case <-gctx.Done():
		}
	}
	ours := func(p credential.Path) bool { return p.Mount == l.c.Vault.Mount }
	for i := range l.candidates {
		c := &l.candidates[i]
		if c.Path != nil && config.TraitsOfSource(c.Reason.Type).Rows && *c.Path != masked(c.Reason) && !ours(*c.Path) {
			read(c)
		}
	}
	for i := range l.besideConfirmed {
		if !ours(*l.besideConfirmed[i].Path) {
			read(&l.besideConfirmed[i])
		}
	}
	close(next)
	if err := g.Wait(); err != nil {
		return err
	}
	l.besideConfirmed = slices.DeleteFunc(l.besideConfirmed, func(c Candidate) bool { return c.Fields == nil })
	return nil
}

// readAt reads what lies at a candidate's path, as of a secret that a source
// lists.
func (l *lister) readAt(ctx context.Context, c *Candidate) error {
	asked := time.Now()
	live, err := l.vault.ReadLive(ctx, *c.Path, 0)
	switch {
	case placeProblem(err) != "" || vault.IsDenied(err):
		return nil
	case err != nil:
		return fmt.Errorf("looking at %s: %w; the listing was given up and nothing was changed", c.Path, err)
	case live.Version == 0:
		return nil
	}
	h := l.heldOf(live)
	l.saw(*c.Path, live, asked)
	c.Users, c.Settings, c.Fields = live.Users(), live.Settings(), live.Keys
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held.put(*c.Path, h)
	return nil
}
