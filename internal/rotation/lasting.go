package rotation

import (
	"context"
	"fmt"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// listedHolds is how long the settings of a secret are taken to be as the listing saw them. A
// campaign that takes longer asks once more for each path; those of a mount are asked for anyway.
const listedHolds = 10 * time.Minute

// stays keeps a credential open, before Set, of which Vault would delete the new value by itself: it
// may be the only copy there is once the old one is dead.
func (j *job) stays(ctx context.Context) error {
	for i, p := range j.paths {
		if j.parts[i] == apart || j.lives[i].Value.Equal(j.staged.Secret) {
			continue
		}
		k, err := j.keeping(ctx, p, i < len(j.c.Paths))
		if err != nil {
			return err
		}
		if k.Deletes() || j.lives[i].Ends && j.lives[i].Problem == "" && len(k.Unseen) > 0 {
			return deletesStop(i, k)
		}
	}
	return nil
}

func (j *job) keeping(ctx context.Context, p credential.Path, listed bool) (vault.Keeping, error) {
	if listed && age(j.Listed, j.Now()) < listedHolds {
		return j.Store.MountKeeping(ctx, p)
	}
	return j.Store.Keeping(ctx, p)
}

func deletesStop(i int, k vault.Keeping) *protocol.Stop {
	return &protocol.Stop{Reason: protocol.ReasonDeletesItself, Detail: fmt.Sprintf("Vault would delete the new value at path %d of this credential by itself (%s); nothing was changed: set that to 0, or exclude the path if it is not the account's", i+1, k.Setting())}
}

// spareKeeps keeps a credential open where writing Rollcall's own path would be the end of a value that
// nobody saw to be the account's.
func (j *job) spareKeeps(ctx context.Context, how part, live vault.Live) error {
	if how != kept || live.Version == 0 || !live.Found || live.Value.Equal(j.staged.Secret) {
		return nil
	}
	k, err := j.Store.Keeping(ctx, *j.c.Spare)
	if err != nil || k.KeepsOlder() {
		return err
	}
	return &protocol.Stop{Reason: protocol.ReasonUnproved, Detail: "none of its paths holds what the account accepts, and Vault keeps a single version of the secret at Rollcall's own path, where an earlier value lies (max_versions); nothing was changed: set max_versions of that secret or its mount to 2 or more, or to 0"}
}

// lasting keeps a credential open whose new value Vault will delete by itself: the
// staged one may be all that is left then.
func (j *job) lasting() error {
	for i, live := range j.lives {
		if j.parts[i] != apart && live.Ends {
			j.out.Proof = ""
			return &protocol.Stop{Reason: protocol.ReasonDeletesItself, Detail: fmt.Sprintf("the old value is dead, and Vault will delete the new one at path %d of this credential by itself (delete_version_after); it is also in staging: set that to 0 on the secret and its mount, and the next campaign writes it again", i+1)}
		}
	}
	return nil
}
