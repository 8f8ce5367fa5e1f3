package rotation

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
)

// observe looks at the staging entry, the paths, the account and which value is
// in force. What Prepare saw in this process a moment ago is not read again.
func (j *job) observe(ctx context.Context, fresh bool) (protocol.Facts, error) {
	if !j.fromPrepare(fresh) {
		err := j.observeVault(ctx)
		fresh = fresh && j.staged.Version <= 1 // else somebody was at it since it was staged
		if err == nil {
			err = j.observeAccount(ctx)
		}
		if err != nil {
			j.unsent = j.unsent || fresh || j.staged.Unsent
			return protocol.Facts{}, err
		}
	}
	return j.observeLogins(ctx, fresh)
}

func (j *job) observeVault(ctx context.Context) error {
	j.entryAt = j.Now()
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
	if j.staged.Version != staged.Version {
		j.unsent, j.taken = false, false // a twin may have sent it
	}
	j.paths = pathsOf(j.c, staged)
	j.staged, j.out.Attempt, j.out.From = j.withSeen(staged), staged.Attempt, versions(j.paths, staged.Base)
	j.lives, j.olds, j.cached, j.listed, j.accepted = nil, nil, false, false, nil
	for _, p := range j.paths {
		live, err := j.readPath(ctx, p)
		if err != nil {
			return err
		}
		j.lives = append(j.lives, live)
	}
	for _, value := range j.likeliest() {
		j.addOld(value)
	}
	// What somebody wrote to a path since could be read there, and what an
	// ended campaign had staged may be in force: both die with the rest.
	for i, live := range j.lives {
		if live.Version != staged.Base[j.paths[i].String()] {
			j.addOld(live.Value)
		}
	}
	j.recordedPlaces()
	for _, place := range slices.Sorted(maps.Keys(staged.Old)) {
		j.addOld(staged.Old[place])
	}
	j.addOthers()
	j.oddLast()
	return nil
}

// likeliest are the values of which one is in force, most likely, in that
// order: wrong logins are few, and must not run out before it. What the last
// campaign had set that ended open is in force more likely than not. If that
// set came to nothing, what the paths hold now is, first of all what Rollcall
// put there; it tells whose the path is, too. What campaigns before that had
// set is in force only if several of them came to nothing.
func (j *job) likeliest() (out []credential.Secret) {
	held := newestFirst(j.staged)
	var there []credential.Secret
	for i, p := range j.paths {
		if j.lives[i].Version != j.staged.Base[p.String()] && j.staged.Places[p.String()] != ownmount.PlaceApart {
			there = append(there, j.lives[i].Value)
		}
	}
	for _, p := range j.paths {
		there = append(there, j.staged.Old[p.String()])
	}
	byUs := func(value credential.Secret) int {
		if slices.ContainsFunc(held, value.Equal) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(there, func(a, b credential.Secret) int { return byUs(a) - byUs(b) })
	return slices.Concat(held[:min(1, len(held))], there, held)
}

// newestFirst are the values that ended campaigns had staged and that may be in
// force, by the number of the attempt.
func newestFirst(staged ownmount.Staged) (out []credential.Secret) {
	var keys []string
	for key := range staged.Old {
		if isHeld(key) && !outOfForce(staged.Places[key]) {
			keys = append(keys, key)
		}
	}
	attempt := func(key string) int {
		n, _ := strconv.Atoi(strings.TrimPrefix(key, takenOver)) // we wrote it
		return n
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(attempt(b)-attempt(a), strings.Compare(a, b)) })
	for _, key := range keys {
		out = append(out, staged.Old[key])
	}
	return out
}

// outOfForce: a value that an ended campaign had staged, with that mark, is not
// in force.
func outOfForce(mark string) bool { return mark == ownmount.PlaceApart || mark == ownmount.PlaceUnset }

// oddLast puts what looks like more than a bare secret behind what does not: it
// is less likely the value in force, and wrong logins are few.
func (j *job) oddLast() {
	odd := func(value credential.Secret) int {
		if j.isOther(value) {
			return 2
		}
		for _, live := range j.lives {
			if live.More != "" && standsFor(live.Value, value) {
				return 1
			}
		}
		return 0
	}
	slices.SortStableFunc(j.olds, func(a, b credential.Secret) int { return odd(a) - odd(b) })
}

// addOld adds what a value from Vault may stand for to what has to die.
func (j *job) addOld(value credential.Secret) {
	for _, old := range variants(value) {
		if !old.IsZero() && j.cannotOffer(old) == "" && !old.Equal(j.staged.Secret) && !slices.ContainsFunc(j.olds, old.Equal) {
			j.olds = append(j.olds, old)
		}
	}
}

// cannotOffer says why no login can carry a value, or is empty. Whoever writes
// the device's part of Vault may have left it there, and that must not look
// like a server that does not answer.
func (j *job) cannotOffer(value credential.Secret) string {
	if limited, ok := kind.As[kind.Limited](j.Authority); ok {
		return limited.CannotOffer(value)
	}
	return ""
}

func (j *job) observeAccount(ctx context.Context) error {
	account, err := j.Authority.Account(ctx, j.writeServer(), j.c)
	if err != nil {
		return err
	}
	if account.State != protocol.Accepted {
		return stopOf(account, j.writeServer())
	}
	j.account = account
	return nil
}

// activated reports whether every path that takes part holds the staged value.
func (j *job) activated() bool {
	some := false
	for i, l := range j.lives {
		if j.parts[i] == apart {
			continue
		}
		if !l.Value.Equal(j.staged.Secret) {
			return false
		}
		some = true
	}
	return some
}

// retiredBefore reports whether an earlier pass retired the old value and
// nothing was changed since. Were the old value accepted all the same, prove
// would meet it. Of a login to Vault it must be known, too, what became of its
// tokens.
func (j *job) retiredBefore() bool {
	told := j.Reach == nil || !j.Authority.RetiresFirst(j.c) || j.staged.Closed || j.staged.LivesOn != ""
	return told && j.staged.Retired != "" && j.staged.Retired == j.account.Changed
}
