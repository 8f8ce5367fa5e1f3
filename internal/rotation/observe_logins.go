package rotation

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
)

// observeLogins asks the write server which value is in force, and decides by
// it which paths take part.
func (j *job) observeLogins(ctx context.Context, fresh bool) (protocol.Facts, error) {
	f, err := j.offerAll(ctx, fresh)
	j.takeAcceptedReadings()
	if err == nil {
		err = j.stillHad(ctx)
	}
	if err == nil {
		err = j.stillAsListed(ctx)
	}
	switch f.NewBinds {
	case protocol.Accepted, protocol.MustChange, protocol.PasswordExpired:
		if err == nil {
			err = j.stillStaged(ctx)
		}
	}
	if err != nil || f.Activated || f.NewBinds != protocol.NotAsked && f.NewBinds != protocol.Refused {
		return f, err
	}
	if left := j.undecided(); f.OldSpared && len(left) > 0 {
		return f, j.spared(ctx, f.Fresh, left)
	}
	f.Unproved, err = j.decidePlaces(ctx)
	return f, err
}

// offerAll offers the staged value first on every try but the first: if it is
// in force, nothing else matters.
func (j *job) offerAll(ctx context.Context, fresh bool) (protocol.Facts, error) {
	f := protocol.Facts{
		OldKnown: len(j.olds) > 0, Activated: j.activated(), RetiredBefore: j.retiredBefore(),
		PolicyRefused: j.staged.PolicyRefused, Reverted: protocol.Reverted(j.staged.Before, j.account.Changed),
	}
	// An attempt that replaced this one may have been quicker.
	f.Fresh = (fresh || j.staged.Unsent) && !f.Activated
	j.refused = j.refused || j.unsent // a look before this one did not come to send it
	j.unsent = f.Fresh
	j.keepTaken() // of the look before this one
	j.tried, j.wrong, j.believed, j.taken, j.lacked = nil, 0, false, false, false
	switch {
	case f.Fresh:
		j.unsentAt = j.account.Changed
	case j.sentNot(), j.refusedBefore():
		f.NewBinds, j.taken = protocol.Refused, true
	default:
		reply, err := j.Authority.Try(ctx, j.writeServer(), j.account, j.staged.Secret)
		if err != nil {
			return f, err
		}
		f.NewBinds = reply
		j.newRefused(reply)
		if j.newRight = reply == protocol.Accepted || reply == protocol.PasswordExpired; reply != protocol.Refused {
			return f, nil
		}
		j.wrong++
	}
	if f.Activated {
		return f, nil
	}
	if len(j.before) == 0 {
		j.before = map[string]string{j.writeServer(): j.account.Changed}
	}
	var err error
	switch {
	case j.staged.Asked:
		f.OldBinds, f.OldSpared = protocol.Refused, j.staged.Changed == ""
	case j.staged.Outlived > 0:
		f.OldSpared = true
	default:
		f.OldBinds, f.OldSpared, err = j.offerOlds(ctx)
	}
	return f, err
}

// offerOlds offers the old values until one is not refused, and then those that
// may show of more paths whose they are. spared says that some were left out,
// for the wrong logins that this look has cost already.
func (j *job) offerOlds(ctx context.Context) (last protocol.Reply, spared bool, err error) {
	for i, old := range j.olds {
		if j.apartOnly(old) || j.firstRefused(old) {
			last = protocol.Refused // by an earlier look
			continue
		}
		if j.lacks(ctx, old) {
			last, j.tried = protocol.Refused, append(j.tried, old)
			continue
		}
		if j.wrong >= j.spare() {
			if len(j.tried) == 0 {
				j.ration() // those of others, and that of the staged value, have left none
			}
			return last, true, nil
		}
		reply, err := j.offer(ctx, j.writeServer(), old)
		if err != nil {
			return last, false, err
		}
		if reply != protocol.Refused {
			// Or it was in force until just now, which says as well whose the
			// path is.
			j.accepted = append(j.accepted, old)
		}
		if reply == protocol.Accepted && j.changedSince(old) {
			// It is accepted, and another one is in force.
			reply = protocol.Refused
		}
		if last = reply; reply != protocol.Refused {
			// The one in force is offered first from here on, which is what
			// a server that wants the old value with a reset needs.
			j.olds[0], j.olds[i] = j.olds[i], j.olds[0]
			if j.dropVariants(old); !reply.Right() {
				return last, false, nil
			}
			return j.offerRest(ctx, reply)
		}
		j.wrong++
		j.tried = append(j.tried, old)
	}
	return last, false, nil
}

// offer is one login with a value of which only one thing matters: whether it
// is the right one. A refusal is believed after a look at the account, as in
// Try.
func (j *job) offer(ctx context.Context, server string, value credential.Secret) (protocol.Reply, error) {
	reply, err := j.Authority.Offer(ctx, server, j.account, value)
	if err != nil || reply != protocol.Refused {
		return reply, err
	}
	if server == j.writeServer() && value.Equal(j.staged.Secret) {
		j.newRefused(reply) // the look at the account may have no answer
	}
	account, err := j.Authority.Account(ctx, server, j.c)
	switch {
	case err != nil:
		return "", err
	case account.State != protocol.Accepted:
		return account.State, nil
	}
	if server == j.writeServer() && j.unsent {
		j.unsentAt = account.Changed // a wrong login may have moved it
	}
	return protocol.Refused, j.named(account, server)
}

// maxWrongLogins is how many wrong logins in a row a look may cost where the
// policy is not known: directories that lock accounts rarely do it before the
// third.
const maxWrongLogins = 2

// spare is how many wrong logins in a row this look may cost before Set: the
// account is not to be locked by them, with those that others made.
func (j *job) spare() int {
	if j.account.Locks == 0 {
		return maxWrongLogins
	}
	return max(0, min(maxWrongLogins, j.account.Locks-1-j.account.Failed))
}

// unseenPolicy is what to do besides where nobody knows what locks an account.
func unseenPolicy(a kind.Account) string {
	switch {
	case a.LocksGuessed:
		return "; which policy is the account's is not shown, and the strictest there is counts: let bind.dn read which one is, or name the default one of an OpenLDAP directory in the campaign file (default_policy; doctor says more)"
	case !a.LocksHidden:
		return ""
	}
	return "; which policy locks it is not shown, and is taken for a strict one: let bind.dn read it (doctor says where)"
}

// sentNot reports that the account is as it was when the value was staged, so
// that the value is not in force. It is asked only where a wrong login more
// would be too many: then an old value would not be offered for it.
func (j *job) sentNot() bool {
	left := 0
	for _, old := range j.olds {
		if !j.apartOnly(old) && !j.firstRefused(old) {
			left++
		}
	}
	return (j.spare() < maxWrongLogins || left > j.spare()-1) && asBefore(j.staged, j.account)
}

// ration leaves out the old values of an account that one more wrong login
// could lock: their refusal afterwards proves nothing then.
func (j *job) ration() {
	j.rationed = true
	j.note(credential.FindingRationed)
}

// apartOnly reports whether a value is held by nothing but paths that an
// earlier look found not to be the account's.
func (j *job) apartOnly(value credential.Secret) bool {
	some := false
	for i, p := range j.paths {
		if standsFor(j.lives[i].Value, value) || standsFor(j.staged.Old[p.String()], value) || j.lives[i].Other.Equal(value) {
			if j.staged.Places[p.String()] != ownmount.PlaceApart {
				return false
			}
			some = true
		}
	}
	for key, held := range j.staged.Old {
		if isHeld(key) && held.Equal(value) {
			if !outOfForce(j.staged.Places[key]) {
				return false
			}
			some = true
		}
	}
	return some
}

// clocksApart is how far the clocks of Vault and of an authority may differ,
// and how long somebody may take to set a value whose place in Vault he wrote
// first.
const clocksApart = 5 * time.Minute

// changedSince reports whether the secret was changed after Vault was given
// old, at an authority that accepts the value before the one in force for a
// while: a good login with old then does not show that it is the one in force.
func (j *job) changedSince(old credential.Secret) bool {
	earlier := false
	for _, live := range j.lives {
		if !standsFor(live.Value, old) && !live.Other.Equal(old) {
			continue
		}
		if !j.account.Since.After(live.Written.Add(clocksApart)) {
			return false
		}
		earlier = true
	}
	return earlier
}

// stillStaged looks, once the staged value was seen to be in force, whether the
// entry is the one that was read before: a twin that set it since wrote down
// first which paths take part.
func (j *job) stillStaged(ctx context.Context) error {
	now, found, err := j.Store.ReadStaged(ctx, j.c.ID)
	if err == nil && !j.sameEntry(now, found) {
		err = errTwin
	}
	return err
}

// undecided are the numbers of the paths of which not all that they may hold
// was offered, because more wrong logins could lock the account: one may be the
// account's.
func (j *job) undecided() (out []string) {
	if j.tried == nil && j.accepted == nil {
		return nil
	}
	for i, p := range j.paths {
		live := j.lives[i]
		asked := j.staged.Places[p.String()] != "" || j.accepted != nil && !j.unknown(p, live)
		if !live.Value.IsZero() && !asked && (!j.valueTried(p, live) || j.otherLeft(live) || j.mayBeHandedDown(p, live)) {
			out = append(out, strconv.Itoa(i+1))
		}
	}
	return out
}

// wasTried reports whether the account refused in this look what a value
// likeliest stands for.
func (j *job) wasTried(value credential.Secret) bool {
	return slices.ContainsFunc(variants(value), func(v credential.Secret) bool { return slices.ContainsFunc(j.tried, v.Equal) })
}

// spared ends a look that may cost no more wrong logins and has not found out
// which path is the account's. What was refused is written down and not offered
// again. A try that is the first one has nothing to gain from another, unless
// ended campaigns left more values than one look may offer: where the policy
// says how many are safe the next pass goes on, else the next campaign does.
func (j *job) spared(ctx context.Context, first bool, paths []string) error {
	if j.tried == nil {
		return j.nearLock(paths)
	}
	places := maps.Clone(j.staged.Places)
	if places == nil {
		places = map[string]string{}
	}
	for i, p := range j.paths {
		switch live := j.lives[i]; {
		case live.Value.IsZero() || !j.valueTried(p, live) || j.mayBeHandedDown(p, live) || j.staged.Places[p.String()] == ownmount.PlaceSeen || tookOf(live.Value, j.accepted):
		case j.otherLeft(live):
			places[p.String()+firstRefused] = ownmount.PlaceApart // the other one is offered next
		default:
			places[p.String()] = ownmount.PlaceApart
		}
	}
	for key, value := range j.staged.Old {
		if isHeld(key) && j.wasTried(value) {
			places[key] = ownmount.PlaceApart // refused, and not offered again before Set
		}
	}
	left := &protocol.Stop{Reason: protocol.ReasonUnproved, Server: j.writeServer(), Detail: "the account refused the values of several of its paths, or one of two readings of a value, or what several campaigns before had set, and more wrong logins could lock it, so whose " + j.numbered(paths) + " is was not asked; nothing was changed: find out which path holds its password, and exclude or confirm the others, or raise the threshold for the time of the campaign" + unseenPolicy(j.account)}
	if first && !j.staged.Unsent || maps.Equal(places, j.staged.Places) {
		return left
	}
	marked := j.staged
	marked.Places = places
	if err := j.replaceStaged(ctx, marked); err != nil {
		return err
	}
	if first && (j.account.Locks == 0 || j.account.LocksHidden) { // which may not be known
		left.Detail += "; another campaign offers the values that are left"
		return left
	}
	return &protocol.Stop{Reason: protocol.ReasonInterrupted, Server: j.writeServer(), Detail: "more wrong logins in a row could lock the account; the next pass offers the values that are left"}
}
