package rotation

import (
	"context"
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
)

// Proved is a dead credential, the write server's change mark after its proof, and the
// versions that were activated (see Applied.To).
type Proved struct {
	Credential credential.Credential
	Mark       string
	To         []int
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
	// Touched by a login, most likely. What was proved must still be in force.
	return r.stillInForce(ctx, p, now)
}

// stillInForce offers the value that was proved, once. Only the versions that were
// activated hold it. At a path that took no part, and in every later version, lies what
// others wrote: who can write there writes what he sets the account to.
func (r *Rotator) stillInForce(ctx context.Context, p Proved, now kind.Account) Looked {
	paths := slices.Clone(p.Credential.Paths)
	if p.Credential.Spare != nil {
		paths = append(paths, *p.Credential.Spare)
	}
	failed := false
	for i, path := range paths[:min(len(paths), len(p.To))] {
		if p.To[i] == 0 {
			continue
		}
		live, err := r.Store.ReadLive(ctx, path, p.To[i])
		if err != nil || !live.Found {
			failed = failed || err != nil
			continue
		}
		switch answer, err := r.Authority.Offer(ctx, r.writeServer(), now, live.Value); {
		case err != nil, answer == protocol.Unreachable:
			return Looked{Missed: true}
		case answer == protocol.Accepted:
			return Looked{}
		case answer == protocol.Locked:
			return Looked{Locked: true}
		}
		return changedSince(r.writeServer())
	}
	if failed {
		return Looked{Missed: true}
	}
	// Who can write there can bring that about, so it must not pass for unchanged.
	return openAgain(r.writeServer(), "proved dead, and its entry was changed after that and before the end of the campaign: by a login, or by somebody who set its password. The value that was proved is not in Vault any more, at any path that took part, so which it was could not be tried: find out who deleted it")
}

func changedSince(server string) Looked {
	return openAgain(server, "proved dead, and its password was changed after that and before the end of the campaign: by its owner, an administrator, or who kept a connection that was logged in before")
}

func openAgain(server, detail string) Looked {
	return Looked{Stop: &protocol.Stop{Reason: protocol.ReasonChangedSince, Server: server, Detail: detail}}
}
