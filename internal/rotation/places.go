package rotation

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// A path in Vault takes part in a rotation only if it was seen to be the
// account's: what it holds was accepted by the account before Set. Everything
// else that says so (a secret's own metadata, a manifest's line) may be
// mistaken or planted. Where nothing at all is there, the word of a person or
// of Rollcall's own template is enough; so is that of a person who confirmed
// account and path by name, for what was there then (places_earlier.go).
//
// What was decided is written to the staging entry before Set (Staged.Places),
// because after Set the account refuses what every path holds.

// part says how a path takes part.
type part int

const (
	apart part = iota // it does not
	seen              // the account accepted what it holds, or nothing is there
	kept              // it does, and what it held is not ours to destroy
)

// partOf decides on one path. accepted are the old values that the account
// accepted before Set.
func partOf(c credential.Credential, p credential.Path, live vault.Live, st ownmount.Staged, accepted []credential.Secret) part {
	switch st.Places[p.String()] {
	case ownmount.PlaceApart:
		return apart
	case ownmount.PlaceKept:
		return kept
	}
	spare, before := c.Spare != nil && p == *c.Spare, st.Places[p.String()] == ownmount.PlaceSeen
	ours := spare || c.Adopted && slices.Contains(c.Named, p)
	switch {
	case live.Problem != "" && !overDeleted(c, p, live):
		return apart
	case live.Value.Equal(st.Secret):
		return seen // we wrote it, so it took part before
	case live.Version == 0 && (spare || slices.Contains(c.Named, p)):
		return seen
	case before && live.Version == st.Base[p.String()] && live.Value.Equal(st.Old[p.String()]):
		return seen // and nobody has written it since, nor made it anew
	case tookOf(st.Old[p.String()], accepted), handedDown(st, p, live, accepted):
		return seen
	case tookOf(live.Value, accepted), cutOffBefore(st, live, accepted):
		return kept // somebody wrote it since: whose value the version before holds is not known
	case spare || c.Adopted && slices.Contains(c.Confirmed, p):
		return kept // it has the account's immutable id in its name
	case ours && live.Owner != "" && live.Owner == c.Subject, before:
		return kept
	}
	return apart
}

// overDeleted reports whether a deleted version is no hindrance: Rollcall made
// the secret for this credential, so nothing else of it can be lost.
func overDeleted(c credential.Credential, p credential.Path, live vault.Live) bool {
	return live.Problem == credential.DeletedVersion && (c.Spare != nil && p == *c.Spare || slices.Contains(c.Ours, p) && c.Adopted)
}

// handedDown reports whether an ended campaign knew the path for the account's:
// the value that it had staged is in force, and the path still holds what it
// did then.
func handedDown(st ownmount.Staged, p credential.Path, live vault.Live, accepted []credential.Secret) bool {
	for key, value := range st.Old {
		if isHeld(key) && slices.ContainsFunc(accepted, value.Equal) {
			before, held := st.Old[key+beforeIt+p.String()]
			if held && before.Equal(live.Value) {
				return true
			}
		}
	}
	return false
}

// cutOffBefore reports whether a path holds what an ended campaign found in
// force at another path, before it set the value that is in force now: Rollcall
// itself cut off who reads it.
func cutOffBefore(st ownmount.Staged, live vault.Live, accepted []credential.Secret) bool {
	for key, value := range st.Old {
		if !isHeld(key) || !slices.ContainsFunc(accepted, value.Equal) || live.Value.IsZero() {
			continue
		}
		for other, before := range st.Old {
			if strings.HasPrefix(other, key+beforeIt) && standsFor(live.Value, before) {
				return true
			}
		}
	}
	return false
}

// beforeIt joins, in the keys of Staged.Old, an ended campaign's attempt and a
// path that took part in it.
const beforeIt = ownmount.BeforeIt

// isHeld reports whether a key of Staged.Old is that of a value that an ended
// campaign had staged.
func isHeld(key string) bool {
	return strings.HasPrefix(key, takenOver) && !strings.Contains(key, beforeIt)
}

// decidePlaces decides, before Set, which paths take part. If none does, the
// new value goes to Rollcall's own path; unproved reports that there is none
// either.
func (j *job) decidePlaces(ctx context.Context) (unproved bool, err error) {
	j.parts = nil
	var unasked []string
	for i, p := range j.paths {
		how := partOf(j.c, p, j.lives[i], j.staged, j.accepted)
		if how == apart {
			if how, _, err = j.activatedBefore(ctx, p, j.lives[i]); err != nil {
				return false, err
			}
			if how == apart && j.rationed && j.lives[i].Found && j.staged.Places[p.String()] != ownmount.PlaceApart {
				unasked = append(unasked, strconv.Itoa(i+1))
			}
		}
		if already := j.staged.Places[p.String()]; how == kept && j.lives[i].Version > 0 && (already == "" || already == ownmount.PlaceSeen) && !tookOf(j.lives[i].Value, j.accepted) {
			// What it holds was not seen to be the account's, so it may be the
			// only copy.
			k, err := j.Store.Keeping(ctx, p)
			if err != nil {
				return false, err
			}
			if !k.KeepsOlder() {
				how = apart
			}
		}
		j.parts = append(j.parts, how)
	}
	if err := j.anothers(ctx); err != nil {
		return false, err
	}
	if stop := j.spareFilled(); stop != nil {
		return false, stop
	}
	takes := slices.ContainsFunc(j.parts, func(p part) bool { return p != apart })
	if takes || j.rationed || j.c.Spare != nil {
		if err := j.odd(ctx); err != nil {
			return false, err
		}
	}
	if takes && len(unasked) == 0 {
		return false, nil
	}
	if j.rationed {
		return false, j.nearLock(unasked)
	}
	if j.c.Spare == nil {
		return true, nil
	}
	live, err := j.read(ctx, j.c, *j.c.Spare, 0)
	if err != nil {
		return false, err
	}
	if stop := placeStop(live.Problem, len(j.paths)); stop != nil && live.Problem != credential.DeletedVersion {
		return false, stop
	}
	how := partOf(j.c, *j.c.Spare, live, j.staged, j.accepted)
	if err := j.spareKeeps(ctx, how, live); err != nil {
		return false, err
	}
	j.paths, j.lives = append(slices.Clone(j.paths), *j.c.Spare), append(j.lives, live)
	j.parts = append(j.parts, how)
	if stop := j.spareFilled(); stop != nil {
		return false, stop
	}
	j.out.From = versions(j.paths, j.staged.Base)
	j.out.From[len(j.paths)-1] = live.Version
	return false, nil
}

// nearLock is why nothing is set where whose some paths are was not asked.
func (j *job) nearLock(paths []string) *protocol.Stop {
	whose := "its paths are"
	if len(paths) > 0 {
		whose = j.numbered(paths) + " is"
	}
	return &protocol.Stop{Reason: protocol.ReasonNearLock, Server: j.writeServer(), Detail: "one more wrong login would lock the account, so it was not asked whose " + whose + "; nothing was changed: raise the threshold for the time of the campaign or find out who offers wrong values, or confirm the path by name, or exclude it if it is not the account's" + unseenPolicy(j.account)}
}

// spareKeeps keeps a credential open where writing Rollcall's own path would be
// the end of a value that nobody saw to be the account's.
func (j *job) spareKeeps(ctx context.Context, how part, live vault.Live) error {
	if how != kept || live.Version == 0 || !live.Found || live.Value.Equal(j.staged.Secret) {
		return nil
	}
	k, err := j.Store.Keeping(ctx, *j.c.Spare)
	if err != nil || k.KeepsOlder() {
		return err
	}
	return &protocol.Stop{Reason: protocol.ReasonUnproved, Detail: "none of its paths holds what the account accepts, and Vault keeps a single version of the secret at Rollcall's own path, where an earlier value lies (max_versions); nothing was changed: set max_versions of that secret or its mount to 2 or more, or to 0"}
}

// recordedPlaces are the parts as the staging entry has them, for a value
// that may have been set: what is not in it was seen.
func (j *job) recordedPlaces() {
	j.parts = nil
	for _, p := range j.paths {
		switch j.staged.Places[p.String()] {
		case ownmount.PlaceApart:
			j.parts = append(j.parts, apart)
		case ownmount.PlaceKept:
			j.parts = append(j.parts, kept)
		default:
			j.parts = append(j.parts, seen)
		}
	}
}

// places are the parts as the staging entry keeps them. Rollcall's own path is
// always in it, which is how a later look knows that it takes part.
func (j *job) places() map[string]string {
	out := map[string]string{}
	for i, p := range j.paths {
		switch {
		case j.parts[i] == apart:
			out[p.String()] = ownmount.PlaceApart
		case j.parts[i] == kept, i >= len(j.c.Paths):
			out[p.String()] = ownmount.PlaceKept
		case j.staged.Places[p.String()] == ownmount.PlaceSeen:
			out[p.String()] = ownmount.PlaceSeen
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// usesSpare reports whether Rollcall's own path takes part.
func usesSpare(c credential.Credential, st ownmount.Staged) bool {
	return c.Spare != nil && st.Places[c.Spare.String()] == ownmount.PlaceKept
}

// pathsOf are the paths that a rotation looks at: those of the roll and, once
// it was decided so, Rollcall's own.
func pathsOf(c credential.Credential, st ownmount.Staged) []credential.Path {
	if usesSpare(c, st) {
		return c.Places()
	}
	return c.Paths
}

// spareFilled keeps a credential from being set whose value would go to
// Rollcall's own path, where somebody has put another one meanwhile.
func (j *job) spareFilled() error {
	if i := len(j.paths) - 1; !j.isSpare(i) || !j.filledSince(i) {
		return nil
	}
	return &protocol.Stop{Reason: protocol.ReasonConflict, Detail: "none of its paths holds what the account accepts, so its new value goes to Rollcall's own path; nothing was there when that was decided, and somebody has written a value there since: whose that is is not known, so it was left, and the account was not set: move what lies there to a path of its own and remove it here (vault kv metadata delete), and the next pass goes on"}
}

// emptySpare notes in an entry that nothing was at Rollcall's own path when it
// was decided that the new value goes there: what is there later somebody else
// has written.
func (j *job) emptySpare(entry *ownmount.Staged) {
	i := len(j.c.Paths)
	if len(j.paths) <= i || j.lives[i].Version > 0 {
		return
	}
	at := j.paths[i].String()
	if _, noted := entry.Base[at]; noted {
		return
	}
	if entry.Base = maps.Clone(entry.Base); entry.Base == nil {
		entry.Base = map[string]int{}
	}
	entry.Base[at] = 0
}

func versions(paths []credential.Path, by map[string]int) []int {
	out := make([]int, 0, len(paths))
	for _, p := range paths {
		out = append(out, by[p.String()])
	}
	return out
}
