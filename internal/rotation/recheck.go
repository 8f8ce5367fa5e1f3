package rotation

import (
	"context"
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
)

// Proved is a dead credential and the write server's change mark after its proof.
type Proved struct {
	Credential credential.Credential
	Mark       string
}

// Looked is what a later look at a dead credential found. The zero value: nothing.
type Looked struct {
	Stop   *protocol.Stop // it is open again
	Locked bool           // it is dead, and nobody gets in
	Missed bool           // it could not be looked at
}

// Recheck looks at dead credentials once more, many in one call, at the end of the campaign:
// a proof says how an account was then. Who kept a connection that was logged in before the
// reset can set a password of his own long after it.
func (r *Rotator) Recheck(ctx context.Context, all []Proved) []Looked {
	out := make([]Looked, len(all))
	many, ok := r.Authority.(kind.Many)
	if !ok {
		return out
	}
	cs := make([]credential.Credential, 0, len(all))
	for _, p := range all {
		cs = append(cs, p.Credential)
	}
	accounts := many.Accounts(ctx, r.writeServer(), cs)
	for i, p := range all {
		now, found := accounts[p.Credential.ID]
		out[i] = r.recheck(ctx, p, now, found)
	}
	return out
}

func (r *Rotator) recheck(ctx context.Context, p Proved, now kind.Account, found bool) Looked {
	var err error
	if !found {
		if now, err = r.Authority.Account(ctx, r.writeServer(), p.Credential); err != nil {
			return Looked{Missed: true}
		}
	}
	difference := protocol.Compare(p.Mark, now.Changed)
	switch {
	case now.State == protocol.Gone:
		return Looked{} // it accepts nothing
	case difference == protocol.Changed:
		return changedSince(r.writeServer())
	case now.State != protocol.Accepted:
		return Looked{Locked: now.State == protocol.Locked}
	case difference == protocol.Unchanged && !now.ByItself:
		return Looked{}
	}
	// Touched by a login, most likely. What consumers read must still be in force.
	return r.stillInForce(ctx, p.Credential, now)
}

// wrongAtLook is how many values the look at the end may offer in vain.
const wrongAtLook = 2

// stillInForce offers what is at the credential's paths, and then what is at Rollcall's own: a path
// that the account refused before the rotation was left as it was.
func (r *Rotator) stillInForce(ctx context.Context, c credential.Credential, now kind.Account) Looked {
	paths := slices.Clone(c.Paths)
	if c.Spare != nil {
		paths = append(paths, *c.Spare)
	}
	var refused []credential.Secret
	for _, p := range paths {
		live, err := r.Store.ReadLive(ctx, p, 0)
		switch {
		case err != nil:
			return Looked{Missed: true}
		case live.Value.IsZero(), slices.ContainsFunc(refused, live.Value.Equal):
			continue
		case len(refused) == wrongAtLook:
			return Looked{Missed: true} // another wrong one might lock it
		}
		switch answer, err := r.Authority.Offer(ctx, r.writeServer(), now, live.Value); {
		case err != nil, answer == protocol.Unreachable:
			return Looked{Missed: true}
		case answer == protocol.Accepted:
			return Looked{}
		case answer == protocol.Locked:
			return Looked{Locked: true}
		}
		refused = append(refused, live.Value)
	}
	if len(refused) == 0 {
		return Looked{Missed: true}
	}
	return changedSince(r.writeServer())
}

func changedSince(server string) Looked {
	return Looked{Stop: &protocol.Stop{Reason: protocol.ReasonChangedSince, Server: server,
		Detail: "proved dead, and its password was changed after that and before the end of the campaign: by its owner, an administrator, or who kept a connection that was logged in before"}}
}
