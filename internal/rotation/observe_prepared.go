package rotation

import (
	"context"
	"fmt"
	"slices"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// The listing reads what each path of the roll holds, and Prepare would read it
// again moments later. What somebody changes in between is met all the same:
// Apply offers the value before it sets a new one, and where the account
// refuses it the paths are read again; and Activate compares the version that
// it writes over.

// readPrepared reads a path for Prepare. listed is when the listing read it, if
// that is taken for it.
func (r *Rotator) readPrepared(ctx context.Context, c credential.Credential, p credential.Path) (live vault.Live, listed time.Time, err error) {
	if got, ok := r.Cache.takeListed(r.Campaign, p, r.Now()); ok && r.Pass <= 1 {
		return got.live.Of(c.Users), got.read, nil
	}
	live, err = r.read(ctx, c, p, 0)
	return live, time.Time{}, err
}

// stillAsListed reads the paths again where the account did not accept what the
// listing read of one: if somebody has written that since, he may have written
// the value in force, and whose the path is must not be judged without it.
func (j *job) stillAsListed(ctx context.Context) error {
	if !j.listed || !slices.ContainsFunc(j.lives, func(l vault.Live) bool { return !tookOf(l.Value, j.accepted) }) {
		return nil
	}
	for i, p := range j.paths {
		now, err := j.read(ctx, j.c, p, 0)
		if err != nil {
			return err
		}
		if was := j.lives[i]; (now.Version != was.Version || !now.Written.Equal(was.Written)) && !onlyBesides(was, now) {
			return &protocol.Stop{Reason: protocol.ReasonInterrupted, Detail: fmt.Sprintf("somebody wrote path %d of this credential after it was listed; nothing was set, and the next pass reads it", i+1)}
		}
	}
	return nil
}

// onlyBesides reports whether a later version of a secret holds in the field
// what the listing read there: another field of it was written, most likely for
// an account that was rotated just now.
func onlyBesides(was, now vault.Live) bool {
	return now.Version > was.Version && was.Found && now.Found && now.Value.Equal(was.Value) && now.Problem == was.Problem
}

// olds are the values that the paths held when they were read, and what of
// other accounts' opens this one.
func (p prepared) olds(paths []credential.Path, alike []credential.PathVersion) []credential.Secret {
	var out []credential.Secret
	for _, path := range paths {
		out = append(out, p.staged.Old[path.String()])
	}
	for _, at := range alike {
		out = append(out, p.staged.Old[at.String()])
	}
	return out
}

// fromPrepare takes over what Prepare saw a moment ago in this process, if it
// is there.
func (j *job) fromPrepare(fresh bool) bool {
	if !fresh {
		j.Cache.forget(j.Campaign, j.c.ID)
		return false
	}
	p, ok := j.Cache.take(j.Campaign, j.c.ID, j.intended, j.Now())
	if !ok {
		return false
	}
	j.staged, j.lives, j.account, j.cached, j.listed = p.staged, slices.Clone(p.lives), p.account, true, p.listed
	j.entryAt = p.stagedAt
	j.paths, j.accepted = j.c.Paths, nil
	j.out.Attempt, j.out.From = p.staged.Attempt, versions(j.paths, p.staged.Base)
	j.recordedPlaces()
	for _, old := range p.olds(j.c.Paths, j.c.Alike) {
		j.addOld(old)
	}
	j.addOthers()
	j.oddLast()
	return true
}
