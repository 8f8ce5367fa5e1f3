package inventory

import (
	"context"
	"fmt"
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/paste"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// behind finds, before anybody is asked, the paths that an account will refuse
// because of what Rollcall itself has set: an earlier campaign put a value at
// one place, which holds it still, and another path holds another value. The
// run leaves that path as it is, and so does the plan.
func (k *pathsLook) behind(ctx context.Context) error {
	c := k.c
	if c.Task != nil || c.HandsOver() || c.Problem != "" || len(c.Paths) < 2 || len(k.placed[c.ID]) == 0 {
		return nil
	}
	var put []vault.Live
	var at []credential.Path
	for _, p := range c.Paths {
		if !slices.Contains(k.placed[c.ID], p) {
			continue
		}
		live, err := k.readOr(ctx, p)
		if err != nil || !live.Found {
			return err // what is not shown, or gone, is no measure
		}
		since, err := k.vault.SinceActivated(ctx, c.ID, p, live)
		if err != nil {
			return fmt.Errorf("what became of %s since an earlier campaign: %w; the listing was given up and nothing was changed", p, err)
		}
		if since != ownmount.AsActivated {
			return nil // somebody has changed it since, so the account may have another
		}
		put, at = append(put, live), append(at, p)
	}
	if len(put) == 0 {
		return nil
	}
	for _, p := range c.Paths {
		if slices.Contains(at, p) || slices.Contains(c.Confirmed, p) {
			continue
		}
		live, err := k.readOr(ctx, p)
		if err != nil {
			return err
		}
		if !live.Found || slices.ContainsFunc(put, func(has vault.Live) bool { return live.Shows(has.Value) || has.Shows(live.Value) }) {
			continue
		}
		c.Behind = append(c.Behind, p)
		k.find(credential.FindingPlace, "%s: it holds another value than %s, where an earlier campaign of Rollcall put what the account has since: the account refuses it, so the path stays as it is, and what reads it is cut off already. "+
			"If it is the account's, copy there what %s holds, or say so (%s); if not, leave it out (%s)", p, at[0], at[0], paste.Entry("confirm", "account", c.Name, "path", p.String()), paste.Entry("exclude", "path", p.String()))
	}
	return nil
}

// readOr reads a path; nothing is found where that is not shown.
func (k *pathsLook) readOr(ctx context.Context, p credential.Path) (vault.Live, error) {
	live, err := k.vault.ReadLive(ctx, p, 0)
	if placeProblem(err) != "" || vault.IsDenied(err) {
		return vault.Live{}, nil
	}
	if err != nil {
		return live, fmt.Errorf("looking at %s: %w; the listing was given up and nothing was changed", p, err)
	}
	return live.Of(k.c.Users), nil
}
