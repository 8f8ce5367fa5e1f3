package rotation

import (
	"context"
	"fmt"
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// What kept an account from being rotated when it was listed is looked at again with the read
// that precedes Set, because an entry can be changed in between: another system is asked about
// the password by then, or the entry keeps a second copy that a reset leaves as it is.

// hindered is why nothing is set for an account as it is now, or nil. What a person accepted
// is taken out of the account.
func (r *Rotator) hindered(c credential.Credential, a *kind.Account) *protocol.Stop {
	a.Hindered = slices.DeleteFunc(slices.Clone(a.Hindered), func(p credential.Problem) bool { return slices.Contains(c.Accepted, p) })
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

// mayStage keeps a value from being staged for such an account, unless one is staged already:
// that may be in force, and is then activated and proved.
func (r *Rotator) mayStage(ctx context.Context, c credential.Credential, stop *protocol.Stop) error {
	if stop == nil {
		return nil
	}
	_, found, err := r.Store.ReadStaged(ctx, c.ID)
	if err != nil || found {
		return err
	}
	return stop
}

// copied is why nothing is set where another field of a secret holds the same value by now, or nil: the
// listing may be hours old, and what reads the copy would be cut off.
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

// secondPassword is why an old value that is accepted beside the new one is not the entry's
// affair, or nil if another reset may end it: the entry keeps one password. Where that is not
// shown, one reset to another value has to show it.
func (j *job) secondPassword(ctx context.Context, server string) error {
	k, ok := kind.As[kind.Keeper](j.Authority)
	if !ok {
		return nil
	}
	n, err := k.Keeps(ctx, server, j.account)
	if err != nil || n > 1 || n == 0 && (server != j.writeServer() || j.staged.Outlived == 0) {
		return err
	}
	return &protocol.Stop{Reason: protocol.ReasonSecondPassword, Server: server,
		Detail: "the new value was set and is accepted, and so is the stolen one, which the account's entry does not hold any more: it is kept somewhere else, and no reset reaches it; in OpenLDAP that is the rootpw (olcRootPW) of a rootdn with the account's name, elsewhere another system that the server asks; change it there, on every server"}
}
