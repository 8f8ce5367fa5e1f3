package rotation

import (
	"context"
	"fmt"
	"slices"

	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// odd keeps a credential open, before Set, of which a path holds what looks
// like more than a bare secret and what the account does not accept as it
// stands: what reads it there takes a part of it, and would be cut off. Where
// the value in force is known, only a path that shows it counts; where it is
// not, a refused one counts only if no other place of the account is known: it
// is stale then.
func (j *job) odd(ctx context.Context) error {
	for i, p := range j.paths {
		live := j.lives[i]
		ours := live.Owner != "" && live.Owner == j.c.Subject
		switch {
		case live.More == "" || ours || j.c.HandsOver() || j.staged.Places[p.String()] == ownmount.PlaceKept:
		case live.Value.Equal(j.staged.Secret) || tookOf(live.Value, j.accepted):
		case slices.ContainsFunc(j.accepted, live.Shows), len(j.accepted) == 0 && (j.rationed || j.parts[i] != apart || !j.livesElsewhere()):
			since, err := j.since(ctx, p, live)
			if err != nil {
				return err
			}
			if since != ownmount.AsActivated {
				return oddStop(i, live, j.otherLeft(live))
			}
		}
	}
	return nil
}

// livesElsewhere reports whether a path takes part that holds something: an
// empty one that somebody named is read by nobody yet.
func (j *job) livesElsewhere() bool {
	for i := range j.paths {
		if j.parts[i] != apart && j.lives[i].Found {
			return true
		}
	}
	return false
}

func oddStop(i int, live vault.Live, left bool) *protocol.Stop {
	if left {
		return &protocol.Stop{Reason: protocol.ReasonNotBare, Detail: fmt.Sprintf("what path %d of this credential holds may be read in two ways, and one more wrong login could lock the account, so which it is was not asked; nothing was changed: raise the threshold for the time of the campaign, or give the secret a field of its own", i+1)}
	}
	if !live.Other.IsZero() {
		return &protocol.Stop{Reason: protocol.ReasonNotBare, Detail: fmt.Sprintf("what path %d of this credential holds may be a password as it stands, or hold one, and the account accepts neither: it may be stale, or a part of it in another form is the password; nothing was changed: find out what reads it there, and give the secret a field of its own, or exclude the path if it is not the account's", i+1)}
	}
	if live.Within != "" {
		return &protocol.Stop{Reason: protocol.ReasonNotBare, Detail: fmt.Sprintf("the account does not accept what stands within %s at path %d of this credential: it may be stale, or all of the field is the password, or a part of it in another form; nothing was changed: find out what reads it there, and give the secret a field of its own, or exclude the path if it is not the account's", live.Within, i+1)}
	}
	return &protocol.Stop{Reason: protocol.ReasonNotBare, Detail: fmt.Sprintf("the account does not accept as it stands what path %d of this credential holds, and that looks like more than a bare secret (%s): what reads it there may take a part of it; nothing was changed: give the secret a field of its own, or exclude the path if it is not the account's", i+1, live.More)}
}
