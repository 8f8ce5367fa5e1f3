package rotation

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// A path that an earlier campaign activated is the account's for as long as it holds what Rollcall
// put there: then the account need not accept it, for somebody may have set another password since.
// Once somebody wrote the path it may have been given to another account, and the account's own
// answer decides as for any other path.

// activatedBefore decides on a path that the account does not accept as it stands, by what
// earlier campaigns did there.
func (j *job) activatedBefore(ctx context.Context, p credential.Path, live vault.Live) (part, vault.Since, error) {
	deleted := overDeleted(j.c, p, live)
	switch {
	case j.staged.Places[p.String()] == vault.PlaceApart && j.inherited(p, live):
		return kept, "", nil
	case j.staged.Places[p.String()] == vault.PlaceApart, live.Problem != "" && !deleted:
		return apart, "", nil // decided by an earlier look, or nothing can be written there
	}
	since, err := j.since(ctx, p, live)
	if err != nil {
		return apart, "", err
	}
	switch {
	case since == vault.AsActivated, j.putThere(p, live, since):
		return kept, since, nil
	case since == vault.NotSaid && deleted:
		return kept, since, nil // nobody reads it, and the version that was deleted stays
	case (since == vault.NotActivated || since == vault.NotSaid) && j.inherited(p, live):
		return kept, since, nil
	}
	return apart, since, nil
}

// since says what became of a path since an earlier campaign activated it. It is asked once for
// what the path holds, and only where something is odd.
func (j *job) since(ctx context.Context, p credential.Path, live vault.Live) (vault.Since, error) {
	at := vault.Placed{Path: p, Version: live.Version, Written: live.Written}
	if since, known := j.sinces[at]; known {
		return since, nil
	}
	since, err := j.Store.SinceActivated(ctx, j.c.ID, p, live)
	if err == nil {
		if j.sinces == nil {
			j.sinces = map[vault.Placed]vault.Since{}
		}
		j.sinces[at] = since
	}
	return since, err
}

// putThere reports whether a path holds what an ended campaign had staged for this credential: it
// died after it had activated it and before it could note so.
func (j *job) putThere(p credential.Path, live vault.Live, since vault.Since) bool {
	for key, value := range j.staged.Old {
		if _, knew := j.staged.Old[key+beforeIt+p.String()]; isHeld(key) && value.Equal(live.Value) && (knew || since != vault.NotActivated) {
			return true
		}
	}
	return false
}

// inherited reports whether an ended campaign knew the path for the account's, where
// no login may be spent on the value that it had set: the path holds what it held then.
func (j *job) inherited(p credential.Path, live vault.Live) bool {
	for key, value := range j.staged.Old {
		if !isHeld(key) || j.wasTried(value) || j.staged.Places[key] == vault.PlaceApart {
			continue
		}
		if before, held := j.staged.Old[key+beforeIt+p.String()]; held && before.Equal(live.Value) {
			return j.inForce.IsZero()
		}
	}
	return false
}

// placesSeen says which paths are left as they are. Numbers, not names: findings
// travel through Temporal. asked: the account was asked in this look which old value is in force.
func (j *job) placesSeen(ctx context.Context, asked bool) (out []credential.Finding, err error) {
	var left, before, stale []string
	why := ""
	for i, p := range j.paths {
		if j.parts[i] != apart {
			continue
		}
		since, err := j.since(ctx, p, j.lives[i])
		if err != nil {
			return nil, err
		}
		n := fmt.Sprint(i + 1)
		if left = append(left, n); since == vault.NotActivated {
			stale = append(stale, n)
			continue
		}
		if before = append(before, n); why == "" {
			why = earlierPath
		}
		if since == vault.WrittenSince || since == vault.Anothers {
			why = earlierPath + ", and somebody has written it since: it may have been given to another account"
		}
	}
	refused := func(which []string) {
		detail := j.numbered(which)
		if why != "" {
			detail += "; " + why
		}
		out = append(out, credential.Finding{Code: credential.FindingPathRefused, Detail: detail})
	}
	switch ours := j.onlyOurs(); {
	case len(left) == 0:
	case usesSpare(j.c, j.staged) || len(j.paths) > len(j.c.Paths):
		refused(left)
		out = append(out, credential.Finding{Code: credential.FindingSparePath})
	case ours > 0:
		refused(left)
		out = append(out, credential.Finding{Code: credential.FindingSparePath, Detail: fmt.Sprintf("path %d", ours)})
	default:
		// Another path had the value in force. Where Rollcall itself had put one at this path, who
		// reads it may be cut off, so a person is asked.
		if len(before) > 0 {
			refused(before)
		}
		if len(stale) > 0 {
			out = append(out, credential.Finding{Code: credential.FindingStalePath, Detail: j.numbered(stale)})
		}
	}
	if asked && slices.Contains(j.parts[:len(j.c.Paths)], kept) && len(j.c.Confirmed) > 0 && j.inForce.IsZero() {
		out = append(out, credential.Finding{Code: credential.FindingConfirmed})
	}
	return out, nil
}

// earlierPath begins what is said of a path that Rollcall itself had written before.
const earlierPath = "an earlier campaign put a value of this credential there"

// numbered names paths by their numbers.
func (j *job) numbered(which []string) string {
	return fmt.Sprintf("path %s of %d", strings.Join(which, ", "), len(j.c.Paths))
}
