package rotation

import (
	"cmp"
	"context"
	"maps"

	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
)

// Wrong logins with the staged value add up too. It is offered to find out
// whether it is in force, and where somebody has set another one that is a
// wrong login in every pass, with those of others besides. So its refusal is
// written down where the pass ends: where there is no wrong login left, that is
// what the next pass goes by.

// refusedBefore reports whether an earlier pass, or look of this one, saw the
// staged value refused, or a pass ended before it was sent, or the account is
// as it was when no server had it yet, and no wrong login is left to ask again,
// since some were counted. Were it in force by now all the same (a reset
// without an answer that arrived late, a process that was killed before it said
// that it works), nothing worse comes of it than one more reset, or another
// value: what is replaced then is kept (restage).
func (j *job) refusedBefore() bool {
	j.believed = j.spare() == 0 && j.account.Failed > 0 && (j.staged.Refused && !j.worked || j.refused || j.replacedByMark() || j.notArrived())
	return j.believed
}

// notArrived reports whether the account's mark says that nothing was set since
// no server had the staged value: a reset that was sent and had no answer was
// lost, or is on its way.
func (j *job) notArrived() bool {
	return j.unsentAt != "" && protocol.Compare(j.unsentAt, j.account.Changed) == protocol.Unchanged
}

// replacedByMark reports whether the account's mark says that somebody has set
// another value after ours: the answer to a login may have been lost.
func (j *job) replacedByMark() bool {
	k, ok := kind.As[kind.Numbered](j.Authority)
	ours := cmp.Or(j.leftAt, j.staged.Retired)
	return ok && (k.SetSince(j.account, j.account.Changed) || ours != "" && k.SetBetween(ours, j.account.Changed))
}

// newRefused notes what the write server said to the staged value.
func (j *job) newRefused(reply protocol.Reply) {
	switch reply {
	case protocol.Refused:
		j.refused, j.worked = true, false
	case protocol.Accepted, protocol.MustChange, protocol.PasswordExpired:
		j.refused, j.worked, j.saw = false, true, nil
	}
}

// wasSent notes what the account was seen to accept before the reset that was
// just sent. After it nobody sees that any more.
func (j *job) wasSent() {
	j.refused, j.unsent, j.taken, j.leftAt = false, false, false, ""
	for i, p := range j.paths {
		if i >= len(j.c.Paths) || i >= len(j.parts) || j.parts[i] != seen || j.lives[i].Version == 0 || j.staged.Places[p.String()] == ownmount.PlaceSeen {
			continue // it takes no part, holds nothing, or is in the entry already
		}
		if j.saw == nil {
			j.saw = map[string]bool{}
		}
		j.saw[p.String()] = true
	}
}

// withSeen is an entry with what this Apply saw before it sent the staged value
// without seeing it work.
func (j *job) withSeen(entry ownmount.Staged) ownmount.Staged {
	for p := range j.saw {
		if entry.Places[p] != "" {
			continue
		}
		if entry.Places = maps.Clone(entry.Places); entry.Places == nil {
			entry.Places = map[string]string{}
		}
		entry.Places[p] = ownmount.PlaceSeen
	}
	return entry
}

// withAccepted are parts with those of the paths whose value the account
// accepted in this look, or that an ended campaign handed down. They cost
// nothing in an entry that is written anyway, and where the process is killed
// before Set, and wrong logins of others leave none to ask again, nothing else
// shows it.
func (j *job) withAccepted(places map[string]string) map[string]string {
	for i, p := range j.paths {
		if i < len(j.c.Paths) && j.parts[i] == seen && places[p.String()] == "" && j.lives[i].Version > 0 &&
			j.lives[i].Version == j.staged.Base[p.String()] &&
			(tookOf(j.lives[i].Value, j.accepted) || handedDown(j.staged, p, j.lives[i], j.accepted)) {
			if places == nil {
				places = map[string]string{}
			}
			places[p.String()] = ownmount.PlaceSeen
		}
	}
	return places
}

// keepTaken has what was taken for refused in this look count as a refusal:
// after the wrong logins of the look the account's mark may not say it any
// more. Not before the value is sent: where the process dies right after, it is
// in force.
func (j *job) keepTaken() {
	if j.taken {
		j.newRefused(protocol.Refused)
	}
}

// isRefused is Staged.Refused by what is known now. It is said only where wrong
// logins were counted, and lock.
func (j *job) isRefused(entry ownmount.Staged) bool {
	switch {
	case entry.Unsent: // which says more
		return false
	case j.account.Locks > 0 && (j.refused || j.unsent && (j.wrong > 0 || j.spare() < maxWrongLogins)):
		return true
	}
	return entry.Refused && !j.worked
}

// noteEnd makes durable, where a pass ends open, what the next one could find
// out only by wrong logins, or not at all: first of all that no server has the
// value. It is no promise, and an error is left alone: what is missing the next
// pass asks for.
func (j *job) noteEnd(ctx context.Context, why error) {
	j.keepTaken()
	entry := j.withSeen(j.staged)
	if j.step != protocol.Stage { // which has written it with the next value
		entry = j.withFound(entry)
	}
	entry.Unsent = entry.Unsent || j.neverSent(why)
	entry.Refused = j.isRefused(entry)
	if j.late.n == 0 && entry.Unsent == j.staged.Unsent && entry.Refused == j.staged.Refused && len(j.saw) == 0 && len(entry.Found) == len(j.staged.Found) {
		return
	}
	_ = j.noteAlso(ctx, entry)
}

// neverSent reports whether this look, which why ended, knew that no server has
// the staged value, and did not come to send it. Whoever sends it meanwhile has
// written the entry first (noteSent): check-and-set tells. A Vault that is in
// the way as a whole is not asked for one more call for each credential of a
// batch.
func (j *job) neverSent(why error) bool {
	return j.unsent && j.staged.Version > 0 && j.late.n == 0 && !protocol.AsStop(why).Reason.OfAllVault() && (j.step == protocol.Precheck || j.step == protocol.Intent)
}

// replacedSinceSet reports whether somebody has set another value after the
// reset of this look, where the login that would find it out by being refused
// could lock the account. In a domain a change leaves the count of wrong
// logins.
func (j *job) replacedSinceSet(ctx context.Context) (bool, error) {
	k, ok := kind.As[kind.Numbered](j.Authority)
	if !ok || j.account.Locks == 0 || j.account.Failed+j.wrong < j.account.Locks-1 {
		return false, nil
	}
	now, err := j.Authority.Account(ctx, j.writeServer(), j.c)
	switch {
	case err != nil:
		return false, err
	case now.State != protocol.Accepted:
		return false, stopOf(now, j.writeServer())
	}
	return k.SetSince(j.account, now.Changed), nil
}

// replacedBetween is the same between the two logins of a proof, mark being
// that from before the first: where the second wrong login locks, a refusal of
// the old value leaves none.
func (j *job) replacedBetween(ctx context.Context, server, mark string, refused bool) (bool, error) {
	k, ok := kind.As[kind.Numbered](j.Authority)
	if !ok || !refused || j.account.Locks != 2 {
		return false, nil
	}
	now, err := j.Authority.Account(ctx, server, j.c)
	switch {
	case err != nil:
		return false, err
	case now.State != protocol.Accepted:
		return false, stopOf(now, server)
	}
	return k.SetBetween(mark, now.Changed), nil
}
