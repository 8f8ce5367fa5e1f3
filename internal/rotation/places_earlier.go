package rotation

import (
	"context"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// A path that an earlier campaign activated is the account's for as long as it
// holds what Rollcall put there: then the account need not accept it, for
// somebody may have set another password since. Once somebody wrote the path it
// may have been given to another account, and the account's own answer decides
// as for any other path. So it is with a path that a person confirmed: what he
// looked at is gone then, and he is asked again.

// activatedBefore decides on a path that the account does not accept as it
// stands, by what earlier campaigns did there.
func (j *job) activatedBefore(ctx context.Context, p credential.Path, live vault.Live) (part, ownmount.Since, error) {
	deleted := overDeleted(j.c, p, live)
	switch {
	case j.staged.Places[p.String()] == ownmount.PlaceApart && j.inherited(p, live):
		return kept, "", nil
	case j.staged.Places[p.String()] == ownmount.PlaceApart, live.Problem != "" && !deleted:
		return apart, "", nil // decided by an earlier look, or nothing can be written there
	}
	since, err := j.since(ctx, p, live)
	if err != nil {
		return apart, "", err
	}
	confirmed, err := j.confirmed(ctx, p, live, since)
	if err != nil {
		return apart, "", err
	}
	switch {
	case since == ownmount.AsActivated, j.putThere(p, live, since), confirmed:
		return kept, since, nil
	case since == ownmount.NotSaid && deleted:
		return kept, since, nil // nobody reads it, and the version that was deleted stays
	case (since == ownmount.NotActivated || since == ownmount.NotSaid) && j.inherited(p, live):
		return kept, since, nil
	}
	return apart, since, nil
}

// confirmed reports whether a person's word that the path is the account's is
// about what it holds now.
func (j *job) confirmed(ctx context.Context, p credential.Path, live vault.Live, since ownmount.Since) (bool, error) {
	confirmed := j.c.ConfirmedNow(p, live.Version, live.Written, since == ownmount.NotActivated)
	if at, written := j.c.ConfirmedAt[p.String()], j.c.ConfirmedWritten[p.String()]; !confirmed && at > 0 && !written.IsZero() {
		// He looked at the value: another field of the secret may be new since.
		return j.Store.HeldSince(ctx, ownmount.Placed{Path: p, Version: at, Written: written}, live)
	}
	return confirmed, nil
}

// since says what became of a path since an earlier campaign activated it. It
// is asked once for what the path holds, and only where something is odd.
func (j *job) since(ctx context.Context, p credential.Path, live vault.Live) (ownmount.Since, error) {
	at := ownmount.Placed{Path: p, Version: live.Version, Written: live.Written}
	if since, known := j.sinces[at]; known {
		return since, nil
	}
	since, err := j.Store.SinceActivated(ctx, j.c.ID, p, live)
	if err == nil {
		if j.sinces == nil {
			j.sinces = map[ownmount.Placed]ownmount.Since{}
		}
		j.sinces[at] = since
	}
	return since, err
}

// putThere reports whether a path holds what an ended campaign had staged for
// this credential: it died after it had activated it and before it could note
// so.
func (j *job) putThere(p credential.Path, live vault.Live, since ownmount.Since) bool {
	for key, value := range j.staged.Old {
		if _, knew := j.staged.Old[key+beforeIt+p.String()]; isHeld(key) && value.Equal(live.Value) && (knew || since != ownmount.NotActivated) {
			return true
		}
	}
	return false
}

// mayBeHandedDown reports whether a value that was not offered in this look
// would show, if it is in force, that the path is the account's (handedDown).
func (j *job) mayBeHandedDown(p credential.Path, live vault.Live) bool {
	if len(j.accepted) > 0 || j.inherited(p, live) {
		return false
	}
	for key, value := range j.staged.Old {
		if isHeld(key) && !j.wasTried(value) && !outOfForce(j.staged.Places[key]) {
			if before, held := j.staged.Old[key+beforeIt+p.String()]; held && before.Equal(live.Value) {
				return true
			}
		}
	}
	return false
}

// inherited reports whether an ended campaign knew the path for the account's,
// where no login may be spent on the value that it had set: the path holds what
// it held then. That no login may be spent says nothing by itself: the campaign
// has written down, before Set, that the path takes part (takeOver).
func (j *job) inherited(p credential.Path, live vault.Live) bool {
	for key, value := range j.staged.Old {
		if !isHeld(key) || j.wasTried(value) || outOfForce(j.staged.Places[key]) || j.staged.Places[key+beforeIt+p.String()] != ownmount.PlaceKept {
			continue
		}
		if before, held := j.staged.Old[key+beforeIt+p.String()]; held && before.Equal(live.Value) {
			return len(j.accepted) == 0
		}
	}
	return false
}
