package rotation

import (
	"context"
	"fmt"
	"slices"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// What kept an account from being rotated when it was listed is looked at again
// with the read that precedes Set, because an entry can be changed in between:
// another system is asked about the password by then, or the entry keeps a
// second copy that a reset leaves as it is.

// mayBeSet says why the account is left as it is, or nothing: by its entry, its
// secrets in Vault, and what Vault does with them.
func (j *job) mayBeSet(ctx context.Context) error {
	if stop := j.hindered(ctx, j.c, &j.account); stop != nil {
		return stop
	}
	if len(j.accepted) == 0 && !j.newRight {
		if stop := secretless(j.c, j.account, j.writeServer()); stop != nil {
			return stop
		}
	}
	if stop := j.asSecrets(j.c, j.paths, j.lives, j.untouched); stop != nil {
		return j.keepUnsent(ctx, stop) // which may be so for long, and costs no wrong login then
	}
	if err := j.fit(); err != nil {
		return j.keepUnsent(ctx, err)
	}
	return j.stays(ctx)
}

// hindered is why nothing is set for an account as it is now, or nil. What a
// person accepted is taken out of the account.
func (r *Rotator) hindered(ctx context.Context, c credential.Credential, a *kind.Account) *protocol.Stop {
	hindered := slices.Clone(a.Hindered)
	if r.Hindering != nil {
		besides, err := r.Hindering(ctx)
		if err != nil {
			return protocol.AsStop(err)
		}
		hindered = append(hindered, besides[c.ID]...)
	}
	a.Hindered = slices.DeleteFunc(hindered, func(p credential.Problem) bool { return slices.Contains(c.Accepted, p) })
	if len(a.Hindered) == 0 {
		return nil
	}
	c.Problem = a.Hindered[0]
	stop := ProblemStop(c)
	stop.Server = r.writeServer()
	if c.Problem != credential.ForcedChange { // the listing does not look for it
		stop.Detail = "it was not so when it was listed: " + stop.Detail
	}
	return stop
}

// secretless is why nothing is set for an account that may have no secret at
// all, or nil: it would be given a login that nobody asked for. It is asked
// where the account accepts nothing that Vault holds, which would show that it
// has one.
func secretless(c credential.Credential, a kind.Account, server string) *protocol.Stop {
	if !a.SecretHidden || slices.Contains(c.Accepted, credential.PasswordHidden) {
		return nil
	}
	c.Problem = credential.PasswordHidden
	stop := ProblemStop(c)
	stop.Server = server
	return stop
}

// untouched reports whether nothing will be written to a path: it takes no
// part, or has the staged value.
func (j *job) untouched(i int) bool {
	return j.parts[i] == apart || j.lives[i].Value.Equal(j.staged.Secret)
}

// asSecrets is why nothing is set for what the account's secrets in Vault are
// by now, or nil. untouched tells which of them get no new value.
func (r *Rotator) asSecrets(c credential.Credential, paths []credential.Path, lives []vault.Live, untouched func(int) bool) *protocol.Stop {
	if stop := r.pointing(c, lives, untouched); stop != nil {
		return stop
	}
	if stop := r.leading(c, paths, lives, untouched); stop != nil {
		return stop
	}
	return copied(c, paths, lives)
}

// pointing is why nothing is set where a secret sends whoever reads it to the
// compromised device by now, or nil: with it would go the new value.
func (r *Rotator) pointing(c credential.Credential, lives []vault.Live, untouched func(int) bool) *protocol.Stop {
	if slices.Contains(c.Accepted, credential.PointsAtDevice) {
		return nil
	}
	for i, live := range lives {
		if field, _ := live.PointsAt(r.Device); field != "" && !untouched(i) {
			return &protocol.Stop{Reason: protocol.ReasonPointsAtDevice, Detail: fmt.Sprintf("it was not so when it was listed: a field of the secret at path %d of this credential sends whoever reads it to an address of a compromised device; nothing was changed: list again, whose finding names the field", i+1)}
		}
	}
	return nil
}

// leading is why nothing is set where a secret sends whoever reads it to
// another host than when it was listed, or nil: with it would go the new value.
func (r *Rotator) leading(c credential.Credential, paths []credential.Path, lives []vault.Live, untouched func(int) bool) *protocol.Stop {
	for i, live := range lives {
		if r.ledSince(c, paths[i], live) && !untouched(i) {
			return &protocol.Stop{Reason: protocol.ReasonLedElsewhere, Detail: fmt.Sprintf("the secret at path %d of this credential sends whoever reads it to another host than when it was listed, and would take the new value there; nothing was changed: see who wrote it, and put back what is not right: the next pass goes on; if it is right, accept the host, and list again (rollcall relist) or run again after this campaign", i+1)}
		}
	}
	return nil
}

// ledSince reports whether a path of the roll leads to another host than when
// it was listed.
func (r *Rotator) ledSince(c credential.Credential, p credential.Path, live vault.Live) bool {
	listed := c.Leads[p.String()]
	return c.LeadsKnown && slices.Contains(c.Paths, p) && listed != credential.LeadsUnseen && len(live.Keys) > 0 && !live.Leads().But(c.LeadsBut).Same(listed, r.LeadsKey)
}

// copied is why nothing is set where another field of a secret holds the same
// value by now, or nil: the listing may be hours old, and what reads the copy
// would be cut off.
func copied(c credential.Credential, paths []credential.Path, lives []vault.Live) *protocol.Stop {
	if slices.Contains(c.Accepted, credential.CopyBeside) {
		return nil
	}
	for i, live := range lives {
		for _, field := range live.Also {
			at := credential.Path{Mount: paths[i].Mount, Path: paths[i].Path, Field: field}
			if !slices.Contains(paths, at) && !slices.Contains(c.Beside, at) {
				return &protocol.Stop{Reason: protocol.ReasonCopyBeside, Detail: fmt.Sprintf("it was not so when it was listed: the secret at path %d of this credential holds the same value in another field too, and what reads it there would be cut off; nothing was changed: list again, whose finding names the field", i+1)}
			}
		}
	}
	return nil
}

// fit holds the staged value against what surrounds it at each path that takes
// part, and against its doors: found out after Set, consumers would be cut off.
func (j *job) fit() error {
	if stop := j.notCarried(j.c, j.staged.Secret); stop != nil {
		return stop
	}
	for i, p := range j.paths {
		if j.parts[i] == apart || j.lives[i].Value.Equal(j.staged.Secret) || overDeleted(j.c, p, j.lives[i]) {
			continue
		}
		if err := j.lives[i].Takes(p.Field, j.staged.Secret); err != nil {
			return &protocol.Stop{Reason: protocol.ReasonNotBare, Detail: fmt.Sprintf("what surrounds the secret at path %d of this credential cannot hold the new value; nothing was changed: leave the symbols that it has no way to write out of the password policy (password.symbols), or give the secret a field of its own", i+1)}
		}
	}
	return nil
}

// keepUnsent notes of a value that cannot be set that no server has it, if that
// is so: the next pass may put another in its place. Whoever has sent it since
// this one looked has written the entry first (noteSent), or was the very first
// and says nothing else: check-and-set tells.
func (j *job) keepUnsent(ctx context.Context, why error) error {
	if !j.unsent || j.staged.Unsent {
		return why
	}
	entry := j.staged
	entry.Unsent = true
	if err := j.replaceStaged(ctx, entry); err != nil {
		return err
	}
	return why
}

// listedTTL is how long the settings of a secret are taken to be as the listing
// saw them. A campaign that takes longer asks once more for each path; those of
// a mount are asked for anyway.
const listedTTL = 10 * time.Minute

// stays keeps a credential open, before Set, of which Vault would delete the
// new value by itself: it may be the only copy there is once the old one is
// dead.
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
	if listed && age(j.Listed, j.Now()) < listedTTL && age(j.Gate.SettingsMoved(), j.Now()) >= listedTTL {
		return j.Store.MountKeeping(ctx, p)
	}
	return j.Store.Keeping(ctx, p)
}

func deletesStop(i int, k vault.Keeping) *protocol.Stop {
	return &protocol.Stop{Reason: protocol.ReasonDeletesItself, Detail: fmt.Sprintf("Vault would delete the new value at path %d of this credential by itself (%s); nothing was changed: set that to 0, or exclude the path if it is not the account's", i+1, k.Setting())}
}
