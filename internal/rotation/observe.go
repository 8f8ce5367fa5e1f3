package rotation

import (
	"context"
	"maps"
	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"slices"
	"time"
)

// wrongMost is how many wrong logins in a row a look may cost where the policy is not
// known: directories that lock accounts rarely do it before the third.
const wrongMost = 2

// spare is how many wrong logins in a row this look may cost before Set: the account is not
// to be locked by them, with those that others made.
func (j *job) spare() int {
	if j.account.Locks == 0 {
		return wrongMost
	}
	return max(0, min(wrongMost, j.account.Locks-1-j.account.Failed))
}

// sentNot reports that the account is as it was when the value was staged, so that the value
// is not in force. It is asked only where a wrong login more would be too many.
func (j *job) sentNot() bool {
	return j.spare() < wrongMost && j.staged.Before != "" && protocol.Compare(j.staged.Before, j.account.Changed) == protocol.Unchanged
}

// ration leaves out the old values of an account that one more wrong login could lock: their
// refusal afterwards proves nothing then.
func (j *job) ration() {
	j.rationed = true
	j.note(credential.FindingRationed)
}

func (j *job) observeVault(ctx context.Context) error {
	staged, ok, err := j.Store.ReadStaged(ctx, j.c.ID)
	if err != nil {
		return err
	}
	if !ok || staged.Campaign != j.Campaign {
		return &protocol.Stop{Reason: protocol.ReasonInterrupted, Detail: "nothing is staged for this campaign; the next pass stages it"}
	}
	if staged.Attempt != j.intended {
		return restaged(staged.Attempt)
	}
	j.staged, j.out.Attempt, j.out.From = staged, staged.Attempt, versions(j.c, staged.Base)
	j.lives, j.olds, j.handed = nil, nil, false
	for _, p := range j.c.Paths {
		live, err := j.Store.ReadLive(ctx, p, 0)
		if err != nil {
			return err
		}
		j.lives = append(j.lives, live)
		j.addOld(staged.Old[p.String()])
	}
	// What somebody wrote to a path since could be read there, and what an ended
	// campaign had staged may be in force: both die with the rest.
	for i, live := range j.lives {
		if live.Version != staged.Base[j.c.Paths[i].String()] {
			j.addOld(live.Value)
		}
	}
	for _, place := range slices.Sorted(maps.Keys(staged.Old)) {
		j.addOld(staged.Old[place])
	}
	return nil
}

// inHand takes over what Prepare saw a moment ago in this process, if it is there.
func (j *job) inHand(fresh bool) bool {
	if !fresh {
		j.Hand.forget(j.Campaign, j.c.ID)
		return false
	}
	p, ok := j.Hand.take(j.Campaign, j.c.ID, j.intended, j.Now())
	if !ok {
		return false
	}
	j.staged, j.lives, j.account, j.handed = p.staged, p.lives, p.account, true
	j.out.Attempt, j.out.From = p.staged.Attempt, versions(j.c, p.staged.Base)
	for _, old := range p.olds(j.c.Paths) {
		j.addOld(old)
	}
	return true
}

// offer is one login with a value of which only one thing matters: whether it is
// the right one. A refusal is believed after a look at the account, as in Try.
func (j *job) offer(ctx context.Context, server string, value credential.Secret) (protocol.Answer, error) {
	answer, err := j.Authority.Offer(ctx, server, j.account, value)
	if err != nil || answer != protocol.Refused {
		return answer, err
	}
	account, err := j.Authority.Account(ctx, server, j.c)
	switch {
	case err != nil:
		return "", err
	case account.State != protocol.Accepted:
		return account.State, nil
	}
	return protocol.Refused, j.named(account, server)
}

// addOld adds what a value from Vault may stand for to what has to die.
func (j *job) addOld(value credential.Secret) {
	for _, old := range variants(value) {
		if !old.IsZero() && !old.Equal(j.staged.Secret) && !slices.ContainsFunc(j.olds, old.Equal) {
			j.olds = append(j.olds, old)
		}
	}
}

func (j *job) observeAccount(ctx context.Context) error {
	account, err := j.Authority.Account(ctx, j.writeServer(), j.c)
	if err != nil {
		return err
	}
	if account.State != protocol.Accepted {
		return protocol.StopFor(account.State, j.writeServer())
	}
	j.account = account
	return nil
}

// observeLogins asks the write server which value is in force. The staged value is asked
// first on every try but the first: if it is in force, nothing else matters.
func (j *job) observeLogins(ctx context.Context, fresh bool) (protocol.Facts, error) {
	f := protocol.Facts{
		Staged: protocol.Ours, OldKnown: len(j.olds) > 0,
		Activated: j.activated(), RetiredBefore: j.retiredBefore(), PolicyRefused: j.staged.PolicyRefused,
		Reverted: protocol.Reverted(j.staged.Before, j.account.Changed),
	}
	// An attempt that replaced this one may have been quicker.
	f.Fresh = (fresh || j.staged.Unsent) && !f.Activated
	j.unsent = f.Fresh
	wrong := 0
	switch {
	case f.Fresh:
	case j.sentNot():
		f.NewBinds = protocol.Refused
	default:
		answer, err := j.Authority.Try(ctx, j.writeServer(), j.account, j.staged.Secret)
		if err != nil {
			return f, err
		}
		f.NewBinds = answer
		if j.newRight = answer == protocol.Accepted || answer == protocol.PasswordExpired; answer != protocol.Refused {
			return f, nil
		}
		wrong++
	}
	if f.Activated {
		return f, nil
	}
	if len(j.before) == 0 {
		j.before = map[string]string{j.writeServer(): j.account.Changed}
	}
	if j.staged.Asked {
		f.OldBinds, f.OldSpared = protocol.Refused, j.staged.Changed == ""
		return f, nil
	}
	if j.staged.Outlived > 0 {
		f.OldSpared = true
		return f, nil
	}
	for i, old := range j.olds {
		if wrong >= j.spare() {
			if f.OldSpared = true; wrong == 0 {
				j.ration()
			}
			break
		}
		answer, err := j.offer(ctx, j.writeServer(), old)
		if err != nil {
			return f, err
		}
		if answer == protocol.Accepted && j.changedSince(old) {
			// It is accepted, and another one is in force.
			answer = protocol.Refused
		}
		f.OldBinds = answer
		if answer != protocol.Refused {
			// The one in force is offered first from here on, which is what
			// a server that wants the old value with a reset needs.
			j.olds[0], j.olds[i] = j.olds[i], j.olds[0]
			j.settleVariant(old)
			j.noteStale(old)
			break
		}
		wrong++
	}
	return f, nil
}

// clocksApart is how far the clocks of Vault and of an authority may differ, and how
// long somebody may take to set a value whose place in Vault he wrote first.
const clocksApart = 5 * time.Minute

// changedSince reports whether the secret was changed after Vault was given
// old, at an authority that accepts the value before the one in force for a while: a good
// login with old then does not show that it is the one in force.
func (j *job) changedSince(old credential.Secret) bool {
	earlier := false
	for _, live := range j.lives {
		if !standsFor(live.Value, old) {
			continue
		}
		if !j.account.Since.After(live.Written.Add(clocksApart)) {
			return false
		}
		earlier = true
	}
	return earlier
}

func (j *job) activated() bool {
	for _, l := range j.lives {
		if !l.Value.Equal(j.staged.Secret) {
			return false
		}
	}
	return len(j.lives) > 0
}

// noteStale records that a path holds another value than the one in force.
func (j *job) noteStale(inForce credential.Secret) {
	for _, live := range j.lives {
		if live.Found && !standsFor(live.Value, inForce) && !live.Value.Equal(j.staged.Secret) {
			j.note(credential.FindingStalePath)
		}
	}
}
