package rotation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// A path in Vault takes part in a rotation only if it was seen to be the account's: what
// it holds was accepted by the account before Set. Everything else that says so (a
// secret's own metadata, a manifest's line) may be mistaken or planted. Where nothing
// at all is there, the word of a person or of Rollcall's own template is enough; so is
// that of a person who confirmed account and path by name.
//
// What was decided is written to the staging entry before Set (Staged.Places), because
// after Set the account refuses what every path holds.

// part says how a path takes part.
type part int

const (
	apart part = iota // it does not
	seen              // the account accepted what it holds, or nothing is there
	kept              // it does, and what it held is not ours to destroy
)

// partOf decides on one path. inForce is the old value that the account accepted
// before Set; zero if it accepted none.
func partOf(c credential.Credential, p credential.Path, live vault.Live, st vault.Staged, inForce credential.Secret) part {
	switch st.Places[p.String()] {
	case vault.PlaceApart:
		return apart
	case vault.PlaceKept:
		return kept
	}
	spare := c.Spare != nil && p == *c.Spare
	ours := spare || c.Adopted && slices.Contains(c.Named, p)
	switch {
	case live.Problem != "" && !overDeleted(c, p, live):
		return apart
	case live.Value.Equal(st.Secret):
		return seen // we wrote it, so it took part before
	case live.Version == 0 && (spare || slices.Contains(c.Named, p)):
		return seen
	case standsFor(st.Old[p.String()], inForce), handedDown(st, p, live, inForce):
		return seen
	case standsFor(live.Value, inForce), cutOffBefore(st, live, inForce):
		return kept // somebody wrote it since: whose value the version before holds is not known
	case slices.Contains(c.Confirmed, p):
		return kept
	case spare:
		return kept // it has the account's immutable id in its name
	case ours && live.Owner != "" && live.Owner == c.Subject:
		return kept
	}
	return apart
}

// overDeleted reports whether a deleted version is no hindrance: Rollcall made the secret for
// this credential, so nothing else of it can be lost.
func overDeleted(c credential.Credential, p credential.Path, live vault.Live) bool {
	return live.Problem == credential.DeletedVersion && (c.Spare != nil && p == *c.Spare || slices.Contains(c.Ours, p) && c.Adopted)
}

// handedDown reports whether an ended campaign knew the path for the account's: the
// value that it had staged is in force, and the path still holds what it did then.
func handedDown(st vault.Staged, p credential.Path, live vault.Live, inForce credential.Secret) bool {
	for key, value := range st.Old {
		if isHeld(key) && value.Equal(inForce) {
			before, held := st.Old[key+beforeIt+p.String()]
			if held && before.Equal(live.Value) {
				return true
			}
		}
	}
	return false
}

// cutOffBefore reports whether a path holds what an ended campaign found in force at another
// path, before it set the value that is in force now: Rollcall itself cut off who reads it.
func cutOffBefore(st vault.Staged, live vault.Live, inForce credential.Secret) bool {
	for key, value := range st.Old {
		if !isHeld(key) || !value.Equal(inForce) || live.Value.IsZero() {
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

// beforeIt joins, in the keys of Staged.Old, an ended campaign's attempt and a path
// that took part in it.
const beforeIt = vault.BeforeIt

// isHeld reports whether a key of Staged.Old is that of a value that an ended campaign had staged.
func isHeld(key string) bool {
	return strings.HasPrefix(key, takenOver) && !strings.Contains(key, beforeIt)
}

// settlePlaces decides, before Set, which paths take part. If none does, the
// new value goes to Rollcall's own path; unproved reports that there is none either.
func (j *job) settlePlaces(ctx context.Context) (unproved bool, err error) {
	j.parts = nil
	unasked := false
	for i, p := range j.paths {
		how := partOf(j.c, p, j.lives[i], j.staged, j.inForce)
		if how == apart {
			var since vault.Since
			if how, since, err = j.activatedBefore(ctx, p, j.lives[i]); err != nil {
				return false, err
			}
			unasked = unasked || how == apart && since != vault.NotActivated && j.rationed && j.lives[i].Found
		}
		if how == kept && j.lives[i].Version > 0 && j.staged.Places[p.String()] == "" {
			// What it holds was not seen to be the account's, so it may be the only copy.
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
	takes := slices.ContainsFunc(j.parts, func(p part) bool { return p != apart })
	if takes || j.rationed || j.c.Spare != nil {
		if err := j.odd(ctx); err != nil {
			return false, err
		}
	}
	if takes && !unasked {
		return false, nil
	}
	if j.rationed {
		return false, &protocol.Stop{Reason: protocol.ReasonNearLock, Server: j.writeServer(), Detail: "one more wrong login would lock the account, so it was not asked whose its paths are; nothing was changed: raise the threshold for the time of the campaign or find out who offers wrong values, or confirm the path by name"}
	}
	if j.c.Spare == nil {
		return true, nil
	}
	live, err := j.Store.ReadLive(ctx, *j.c.Spare, 0)
	if err != nil {
		return false, err
	}
	if stop := placeStop(live.Problem, len(j.paths)); stop != nil && live.Problem != credential.DeletedVersion {
		return false, stop
	}
	how := partOf(j.c, *j.c.Spare, live, j.staged, j.inForce)
	if err := j.spareKeeps(ctx, how, live); err != nil {
		return false, err
	}
	j.paths, j.lives = append(slices.Clone(j.paths), *j.c.Spare), append(j.lives, live)
	j.parts = append(j.parts, how)
	j.out.From = versions(j.paths, j.staged.Base)
	j.out.From[len(j.paths)-1] = live.Version
	return false, nil
}

// odd keeps a credential open, before Set, of which a path holds what looks like more than a bare
// secret and what the account does not accept as it stands: what reads it there takes a part of it,
// and would be cut off. Where the value in force is known, only a path that shows it counts; where it
// is not, a refused one counts only if no other place of the account is known: it is stale then.
func (j *job) odd(ctx context.Context) error {
	for i, p := range j.paths {
		live := j.lives[i]
		ours := live.Owner != "" && live.Owner == j.c.Subject
		switch {
		case live.More == "" || ours || j.c.HandsOver() || j.staged.Places[p.String()] == vault.PlaceKept:
		case live.Value.Equal(j.staged.Secret) || standsFor(live.Value, j.inForce):
		case live.Shows(j.inForce), j.inForce.IsZero() && (j.rationed || j.parts[i] != apart || !j.livesElsewhere()):
			since, err := j.since(ctx, p, live)
			if err != nil {
				return err
			}
			if since != vault.AsActivated {
				return oddStop(i, live)
			}
		}
	}
	return nil
}

// livesElsewhere reports whether a path takes part that holds something: an empty one that somebody
// named is read by nobody yet.
func (j *job) livesElsewhere() bool {
	for i := range j.paths {
		if j.parts[i] != apart && j.lives[i].Found {
			return true
		}
	}
	return false
}

func oddStop(i int, live vault.Live) *protocol.Stop {
	if live.Within != "" {
		return &protocol.Stop{Reason: protocol.ReasonNotBare, Detail: fmt.Sprintf("the account does not accept what stands within %s at path %d of this credential: it may be stale, or all of the field is the password, or a part of it in another form; nothing was changed: find out what reads it there, and give the secret a field of its own, or exclude the path if it is not the account's", live.Within, i+1)}
	}
	return &protocol.Stop{Reason: protocol.ReasonNotBare, Detail: fmt.Sprintf("the account does not accept as it stands what path %d of this credential holds, and that looks like more than a bare secret (%s): what reads it there may take a part of it; nothing was changed: give the secret a field of its own, or exclude the path if it is not the account's", i+1, live.More)}
}

// fit holds the staged value against what surrounds it at each path that takes part: found
// out after Set, consumers would be cut off.
func (j *job) fit() error {
	for i, p := range j.paths {
		if j.parts[i] == apart || j.lives[i].Value.Equal(j.staged.Secret) || overDeleted(j.c, p, j.lives[i]) {
			continue
		}
		if err := j.lives[i].Takes(p.Field, j.staged.Secret); err != nil {
			return &protocol.Stop{Reason: protocol.ReasonNotBare, Detail: fmt.Sprintf("what surrounds the secret at path %d of this credential cannot hold the new value; nothing was changed: leave the symbols that it has no way to write out of the password policy (password.symbols), or give the secret a field of its own", i+1)}
		}
	}
	return nil
}

// recordedPlaces are the parts as the staging entry has them, for a value
// that may have been set: what is not in it was seen.
func (j *job) recordedPlaces() {
	j.parts = nil
	for _, p := range j.paths {
		switch j.staged.Places[p.String()] {
		case vault.PlaceApart:
			j.parts = append(j.parts, apart)
		case vault.PlaceKept:
			j.parts = append(j.parts, kept)
		default:
			j.parts = append(j.parts, seen)
		}
	}
}

// places are the parts as the staging entry keeps them. Rollcall's own path is always
// in it, which is how a later look knows that it takes part.
func (j *job) places() map[string]string {
	out := map[string]string{}
	for i, p := range j.paths {
		switch {
		case j.parts[i] == apart:
			out[p.String()] = vault.PlaceApart
		case j.parts[i] == kept, i >= len(j.c.Paths):
			out[p.String()] = vault.PlaceKept
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// usesSpare reports whether Rollcall's own path takes part.
func usesSpare(c credential.Credential, st vault.Staged) bool {
	return c.Spare != nil && st.Places[c.Spare.String()] == vault.PlaceKept
}

// pathsOf are the paths that a rotation looks at: those of the roll and, once it was
// decided so, Rollcall's own.
func pathsOf(c credential.Credential, st vault.Staged) []credential.Path {
	if usesSpare(c, st) {
		return append(slices.Clone(c.Paths), *c.Spare)
	}
	return c.Paths
}

// onlyOurs is the number of a path, from 1, if the new value goes to secrets alone that Rollcall made
// for the credential while a path that somebody else named is left as it is: an earlier
// campaign brought it there, and nothing shows that consumers have followed.
func (j *job) onlyOurs() (takes int) {
	left := false
	for i := range j.paths {
		made := j.lives[i].Owner != "" && j.lives[i].Owner == j.c.Subject
		switch {
		case j.parts[i] != apart && !made:
			return 0
		case j.parts[i] != apart:
			takes = i + 1
		case !made:
			left = true
		}
	}
	if !left {
		return 0
	}
	return takes
}

// doomed are the versions of each path that the proof makes worthless and that hold
// nothing but what is the account's, or what a newer version holds too.
func (j *job) doomed() [][]int {
	out := make([][]int, len(j.paths))
	for i, p := range j.paths {
		if j.parts[i] == apart {
			continue
		}
		list := slices.Clone(j.staged.Doomed[p.String()])
		if base := j.staged.Base[p.String()]; j.parts[i] == seen && base > 0 {
			list = append(list, base)
		}
		if replaced := j.lives[i].Replaced; replaced > 0 {
			list = append(list, replaced)
		}
		slices.Sort(list)
		out[i] = slices.Compact(list)
	}
	return out
}

// nextPlaces carries the parts over to another attempt. What was activated is
// ours from then on, whatever the account says of it.
func (j *job) nextPlaces(next *vault.Staged) {
	if j.parts == nil {
		return
	}
	next.Places = j.places()
	if !j.activated() {
		return
	}
	next.Doomed, next.Base = maps.Clone(next.Doomed), map[string]int{}
	if next.Doomed == nil {
		next.Doomed = map[string][]int{}
	}
	if next.Places == nil {
		next.Places = map[string]string{}
	}
	before := j.doomed()
	for i, p := range j.paths {
		next.Base[p.String()] = j.lives[i].Version
		if j.parts[i] == apart {
			continue
		}
		next.Places[p.String()] = vault.PlaceKept
		next.Doomed[p.String()] = append(before[i], j.lives[i].Version) // ours, and not in force
	}
}

// placeStop is why a path cannot take part whatever the account says, or nil.
// n is its number, from 0.
func placeStop(p credential.Problem, n int) *protocol.Stop {
	if p == "" {
		return nil
	}
	stop := ProblemStop(credential.Credential{Problem: p})
	stop.Detail = fmt.Sprintf("path %d of this credential: %s", n+1, stop.Detail)
	return stop
}
