package rotation

import (
	"context"
	"fmt"
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// anothers keeps a credential open, before Set, of which a path would be
// written that names another account, or that somebody has written since an
// earlier campaign did: accounts that were made in a batch share their first
// password, so that a good login with what the path holds does not show whose
// it is, and it may be the other one's only copy. What Rollcall itself put
// there, or a person confirmed as it is, is the account's.
func (j *job) anothers(ctx context.Context) error {
	for i, p := range j.paths {
		live := j.lives[i]
		if j.parts[i] == apart || !slices.Contains(j.c.Doubted, p) || !live.Found || live.Value.Equal(j.staged.Secret) || j.putBefore(p, live) {
			continue
		}
		since, err := j.since(ctx, p, live)
		if err != nil || since == ownmount.AsActivated {
			if err != nil {
				return err
			}
			continue
		}
		confirmed, err := j.confirmed(ctx, p, live, since)
		if err != nil {
			return err
		}
		if !confirmed {
			return j.keepUnsent(ctx, &protocol.Stop{Reason: protocol.ReasonSharedPath, Detail: anothersPath(i)}) // so that the path may be excluded
		}
	}
	return nil
}

// putBefore reports whether a path holds what an earlier attempt of this
// campaign put there (nextPlaces), which may not be noted: its process was
// killed, or Vault's answer was lost.
func (j *job) putBefore(p credential.Path, live vault.Live) bool {
	at := p.String()
	return j.staged.Attempt > 1 && j.staged.Places[at] == ownmount.PlaceKept && live.Version > 0 &&
		j.staged.Base[at] == live.Version && slices.Contains(j.staged.Doomed[at], live.Version)
}

func anothersPath(i int) string {
	return fmt.Sprintf("the account accepts what path %d of this credential holds, and another account may have the same password (a first one that several were given): the secret there names another one, or somebody has written it since an earlier campaign did, and written over, it could be lost; nothing was changed: find out whose the path is, and correct the row or the custom_metadata, exclude the path, or confirm account and path by name (a listing that is made now has the line)", i+1)
}
