package inventory

import (
	"context"
	"fmt"
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// addActivated adds the paths at which Rollcall itself put values of the
// accounts that were found, in campaigns of whichever device: several devices
// may know one account, each by a path of its own, and a new value must get to
// all of them. It is no evidence that ties an account to this device, and adds
// none to the roll.
func (l *lister) addActivated(ctx context.Context, known accounts) error {
	type first struct {
		at      int // of l.candidates
		account *Account
	}
	found := map[string]first{}
	var ids []string
	has := map[string][]credential.Path{}
	for i := range l.candidates {
		c := &l.candidates[i]
		a := c.Found
		if several := known[refTo(l.c, c.Authority, c.Account)]; a == nil && c.Account != "" && len(several) == 1 {
			a = &several[0]
		}
		if a == nil {
			continue
		}
		id := c.Authority + "/" + a.Subject
		if _, twice := found[id]; !twice {
			ids = append(ids, id)
			found[id] = first{i, a}
		}
		if c.Path != nil && !c.AnyField {
			has[id] = append(has[id], *c.Path)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	placed, err := l.vault.ActivatedPlaces(ctx, ids)
	if vault.IsDenied(err) {
		return nil // doctor names the right, and no campaign begins without it
	}
	if err != nil {
		return fmt.Errorf("where earlier campaigns put values: %w; the listing was given up and nothing was changed", err)
	}
	// A campaign of a version before may have noted them by their first
	// segment.
	for id, at := range placed {
		var cut []credential.Path
		for _, p := range at {
			if p, err = l.cut(ctx, p); err != nil {
				return err
			}
			if !slices.Contains(cut, p) {
				cut = append(cut, p)
			}
		}
		placed[id] = cut
	}
	l.placed = placed
	staged, err := l.leftPaths(ctx)
	if err != nil {
		return err
	}
	earlier := func(id string, p credential.Path) Candidate {
		of := l.candidates[found[id].at]
		return Candidate{Kind: of.Kind, Authority: of.Authority, Account: of.Account, Found: found[id].account, Earlier: true, Path: &p,
			Reason: credential.Reason{Source: "rollcall", Type: "earlier", Detail: "an earlier campaign put its value here"}}
	}
	for _, id := range ids {
		if l.candidates[found[id].at].Kind.Traits().HandsOver {
			continue // a hand-over is for the owner, and adds no path that anything reads
		}
		for _, p := range slices.Concat(placed[id], staged[id]) {
			if slices.Contains(has[id], p) {
				continue
			}
			has[id] = append(has[id], p)
			// Where nothing is any more there is nothing to keep current. Where
			// something else is than a bare value in that field, somebody has
			// changed the form, and consumers read it.
			live, err := l.vault.ReadLive(ctx, p, 0)
			if err == nil && !live.Found && (live.Problem == "" || live.Problem == credential.DeletedVersion) {
				continue
			}
			if problem := placeProblem(err); problem != "" && slices.Contains(placed[id], p) {
				// Its mount was moved or made anew, and with it what consumers
				// read: the look says so, and keeps the account open until a
				// person says where that is now, or leaves the path out.
				l.add(earlier(id, p))
				continue
			} else if problem != "" {
				l.warn(credential.FindingPlace, "an earlier campaign put a value at %s, which cannot be kept current (%s): %v", p, problem, err)
				continue
			}
			if err != nil && !vault.IsDenied(err) {
				return fmt.Errorf("looking at %s, where an earlier campaign put a value: %w; the listing was given up and nothing was changed", p, err)
			}
			c := earlier(id, p)
			if err == nil && slices.Contains(placed[id], p) {
				if c.Since, err = l.vault.SinceActivated(ctx, id, p, live); err != nil {
					return fmt.Errorf("looking at %s, where an earlier campaign put a value: %w; the listing was given up and nothing was changed", p, err)
				}
			}
			if c.Since == ownmount.WrittenSince || c.Since == ownmount.AsActivated && live.Found {
				if l.recorded == nil {
					l.recorded = map[string]map[credential.Path]ownmount.Since{}
				}
				if l.recorded[id] == nil {
					l.recorded[id] = map[credential.Path]ownmount.Since{}
				}
				l.recorded[id][p] = c.Since
			}
			if c.Since == ownmount.Anothers {
				l.warn(credential.FindingPlace, "an earlier campaign put a value of %s at %s, and a later one put another account's there: it is that one's, and nothing of the first is written there", c.Found.Name, p)
				continue
			}
			if !slices.Contains(placed[id], p) {
				c.Earlier, c.Left = false, true // it is the account's only if what the ended campaign staged is in force
			}
			l.add(c)
		}
	}
	return nil
}

// leftPaths are the paths that staged values were meant for which ended
// campaigns left, by credential id: once the value is in force, what is there
// logs in no more.
func (l *lister) leftPaths(ctx context.Context) (map[string][]credential.Path, error) {
	out := map[string][]credential.Path{}
	for _, left := range l.past.leftovers {
		for _, text := range left.Paths {
			p, err := credential.ParsePath(text)
			if err == nil {
				p, err = l.cut(ctx, p)
			}
			if err != nil {
				return nil, err
			}
			out[left.ID] = append(out[left.ID], p)
		}
	}
	return out, nil
}
