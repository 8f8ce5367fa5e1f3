package rotation

import (
	"context"
	"slices"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// An account may accept several values at once (an entry with two values of
// userPassword, an AppRole with two secret-ids), each at a path of its own. So
// what the other paths hold is offered too once one was accepted, for after Set
// the account refuses them all. Each wrong login is followed by a good one,
// which ends the count.

// offerRest offers, once a value was accepted, what those paths hold that would
// be left as they are. last is the reply that the look goes by: that of good,
// or one that tells nothing of a value. spared says that some were left out,
// for one more wrong login could lock the account.
func (j *job) offerRest(ctx context.Context, good protocol.Reply) (last protocol.Reply, spared bool, err error) {
	first := j.olds[0]
	for _, old := range slices.Clone(j.olds) {
		if !j.mayShowAPath(old) {
			continue
		}
		if j.lacks(ctx, old) {
			j.tried = append(j.tried, old)
			continue
		}
		if j.wrong >= j.spare() && good == protocol.Accepted {
			if err := j.recount(ctx); err != nil {
				return good, false, err
			}
		}
		if j.wrong >= j.spare() {
			return good, true, nil
		}
		if err := j.keepUnsent(ctx, nil); err != nil {
			return good, false, err // a wrong login may move the mark by which a next look would know that
		}
		reply, err := j.offer(ctx, j.writeServer(), old)
		switch {
		case err != nil:
			return good, false, err
		case reply.Right():
			j.accepted = append(j.accepted, old)
			j.dropVariants(old)
			continue
		case reply != protocol.Refused:
			return reply, false, nil
		}
		j.wrong++
		j.tried = append(j.tried, old)
		if good != protocol.Accepted {
			continue // to log in with it would not end the count
		}
		switch reply, err = j.Authority.Offer(ctx, j.writeServer(), j.account, first); {
		case err != nil:
			return good, false, err
		case reply == protocol.Refused:
			j.unsent = false // as in stillHad
			return good, false, &protocol.Stop{Reason: protocol.ReasonInterrupted, Server: j.writeServer(), Detail: "a value that the account had accepted was refused a moment later, so somebody has set another one or the account was locked; nothing was set, and the next pass looks again"}
		case reply != protocol.Accepted:
			return good, false, protocol.StopFor(reply, j.writeServer())
		}
	}
	return good, false, nil
}

// lacks reports whether the authority says without a login that it has not got
// a value. One that cannot be asked says so to a login.
func (j *job) lacks(ctx context.Context, value credential.Secret) bool {
	k, shows := kind.As[kind.Lookup](j.Authority)
	if !shows {
		return false
	}
	has, err := k.Has(ctx, j.account, value)
	j.lacked = j.lacked || err == nil && !has
	return err == nil && !has
}

// stillHad looks, once the authority said that it has not got a value, whether
// it had the same secrets all the time: a twin that retires meanwhile makes it
// lack what it had a moment ago, and the path that holds that would be left.
func (j *job) stillHad(ctx context.Context) error {
	if !j.lacked {
		return nil
	}
	now, err := j.Authority.Account(ctx, j.writeServer(), j.c)
	if err == nil && now.Changed != j.account.Changed {
		j.unsent = false // whoever did that may be a twin, and have set this very value
		err = &protocol.Stop{Reason: protocol.ReasonInterrupted, Server: j.writeServer(), Detail: "its secrets were changed while it was looked whose its paths are; nothing was set, and the next pass looks again"}
	}
	return err
}

// recounts is how often it is looked, after a pause twice as long each time,
// whether a server has taken a count back: 389 Directory Server does so once it
// has answered.
const recounts = 8

// recount reads, after a good login, how many wrong ones the account counts
// still.
func (j *job) recount(ctx context.Context) error {
	if j.wrong = 0; j.account.Locks == 0 {
		return nil
	}
	for n, pause := 1, 5*time.Millisecond; ; n, pause = n+1, 2*pause {
		now, err := j.Authority.Account(ctx, j.writeServer(), j.c)
		switch {
		case err != nil:
			return err
		case now.State != protocol.Accepted:
			return stopOf(now, j.writeServer())
		}
		if j.account.Failed = now.Failed; j.spare() > 0 || n == recounts {
			return nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// mayShowAPath reports whether an old value was not offered in this look and,
// accepted, would show of a path whose it is.
func (j *job) mayShowAPath(old credential.Secret) bool {
	if slices.ContainsFunc(j.tried, old.Equal) || j.firstRefused(old) {
		return false
	}
	for i, p := range j.paths {
		if live := j.lives[i]; (standsFor(live.Value, old) || live.Other.Equal(old)) && j.unknown(p, live) {
			return true
		}
	}
	return false
}

// unknown reports whether the account's word on what a path holds would change
// what becomes of that.
func (j *job) unknown(p credential.Path, live vault.Live) bool {
	return live.Problem == "" && j.staged.Places[p.String()] == "" && !j.took(live.Other) &&
		partOf(j.c, p, live, j.staged, j.accepted) == apart
}

// took reports whether the account accepted a value in this look, before Set.
func (j *job) took(value credential.Secret) bool {
	return slices.ContainsFunc(j.accepted, value.Equal)
}

// tookOf reports whether it accepted what a value from Vault may stand for.
func tookOf(value credential.Secret, accepted []credential.Secret) bool {
	return slices.ContainsFunc(accepted, func(a credential.Secret) bool { return standsFor(value, a) })
}

// known are old values of the paths that take part.
func (j *job) known() (out []credential.Secret) {
	add := func(value credential.Secret) {
		if !value.IsZero() && !value.Equal(j.staged.Secret) && !slices.ContainsFunc(out, value.Equal) {
			out = append(out, value)
		}
	}
	for _, value := range j.accepted {
		add(value)
	}
	for _, p := range j.paths {
		if j.staged.Places[p.String()] != ownmount.PlaceApart {
			for _, value := range variants(j.staged.Old[p.String()]) {
				add(value)
			}
		}
	}
	return out
}
