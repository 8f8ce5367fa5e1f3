package rotation

import (
	"context"
	"fmt"
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// Clean destroys the versions that the proof made worthless and frees the
// credential. The caller has the outcome in the ledger. Repeating it does no
// harm: what is staged no more, or by somebody else, was cleaned.
//
// The staged value is the one copy that nobody else can write over, so it stays
// as long as a path does not give its readers that value: then lost says which
// state was left, and the credential is open again.
func (r *Rotator) Clean(ctx context.Context, c credential.Credential, d wire.Dead) (lost *protocol.Stop, err error) {
	if c.Kind.OnlyEnds() {
		return nil, nil // nothing of it was staged or written
	}
	paths := slices.Clone(c.Paths)
	if c.Spare != nil && len(d.To) > len(paths) {
		paths = append(paths, *c.Spare)
	}
	if len(d.To) != len(paths) || len(d.Written) != len(paths) || len(d.Doomed) != len(paths) {
		return nil, fmt.Errorf("clean %s: activated versions: %d, paths: %d", c.ID, len(d.To), len(paths))
	}
	var staged ownmount.Staged
	look := func() (ours bool, err error) {
		var found bool
		staged, found, err = r.Store.ReadStaged(ctx, c.ID)
		return err == nil && found && staged.OwnedBy(r.Campaign, d.Attempt), err
	}
	if r.Again {
		if ours, err := look(); err != nil || !ours {
			return nil, err
		}
	}
	for i, p := range paths {
		if d.To[i] == 0 {
			continue // it took no part
		}
		current, err := r.Store.Destroy(ctx, p, d.Doomed[i], d.To[i], d.Written[i])
		if err != nil {
			return nil, err
		}
		if current {
			continue
		}
		if ours, err := look(); err != nil || !ours {
			return nil, err
		}
		// Another field of the secret may have been written since, with ours as
		// it was.
		live, err := r.read(ctx, c, p, 0)
		if err != nil {
			return nil, err
		}
		if !live.Value.Equal(staged.Secret) && lost == nil {
			lost = &protocol.Stop{Reason: protocol.ReasonWrittenOver, Detail: "the stolen value is dead, and after that the secret where its consumers read the new one was written over, deleted or made anew: consumers get something else there; the value in force is kept in Rollcall's staging"}
		}
	}
	if lost != nil {
		return lost, nil
	}
	if !r.Again && r.StillOpen != nil && r.StillOpen(ctx) && r.Cache.takeProved(r.Campaign, c.ID, d.Attempt, r.Now()) {
		return nil, r.Store.Release(ctx, c.ID)
	}
	if err := r.Store.Unstage(ctx, c.ID, r.Campaign, d.Attempt); err != nil && !vault.IsCASMismatch(err) {
		return nil, err
	}
	return nil, nil
}
