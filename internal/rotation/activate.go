package rotation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/rotation/gate"
	"rollcall/internal/vault"
)

// activate gives consumers the new value, at every path that takes part.
func (j *job) activate(ctx context.Context) error {
	if stop := j.withinReach(ctx); stop != nil {
		return stop
	}
	if err := j.writePaths(ctx); err != nil {
		return j.notActivated(err)
	}
	j.Gate.Activated(j.c.ID, true)
	j.noteHeld()
	return nil
}

func (j *job) writePaths(ctx context.Context) error {
	j.step = protocol.Activate
	var filled error
	for i, p := range j.paths {
		if left := j.leftAlone(i); left != nil {
			filled = left
			continue // consumers at its other paths wait
		}
		err := j.writePath(ctx, i)
		if vault.IsCASMismatch(err) && j.cached {
			// What was taken over is older than a look of our own would be:
			// look once more.
			if j.lives[i], err = j.readPath(ctx, p); err == nil {
				j.cached = false
				if left := j.leftAlone(i); left != nil {
					filled = left
					continue
				}
				err = j.writePath(ctx, i)
			}
		}
		if vault.IsCASMismatch(err) {
			return &protocol.Stop{Reason: protocol.ReasonConflict, Detail: fmt.Sprintf("somebody else wrote %s just now; the new value is in force and staged, and is activated on the next pass", j.called(i))}
		}
		if err != nil {
			return err
		}
	}
	return filled
}

// leftAlone is why the new value is not written to a path, or nil.
func (j *job) leftAlone(i int) error {
	switch {
	case j.filledSince(i):
		return j.filledStop(i)
	case j.parts[i] != apart && !j.lives[i].Value.Equal(j.staged.Secret) && j.ledSince(j.c, j.paths[i], j.lives[i]):
		return &protocol.Stop{Reason: protocol.ReasonLedElsewhere, Detail: fmt.Sprintf("%s sends whoever reads it to another host than when it was listed, and would take the new value there, so it was left; the new value is in force and staged, and nobody reads it there: see who wrote it, and put back what is not right, and the next pass activates it; if it is right, accept the host, close this campaign and run again", j.called(i))}
	}
	return nil
}

func (j *job) filledStop(i int) *protocol.Stop {
	return &protocol.Stop{Reason: protocol.ReasonConflict, Detail: fmt.Sprintf("nothing was at %s when it was decided that its new value goes there, and somebody has written another value there since: whose that is is not known, so it was left, and nobody reads the new value there; the new value is in force and staged: move what lies there to a path of its own and remove it here (vault kv metadata delete), and the next pass activates it", j.called(i))}
}

// called is a path in the words of a stop, which travels.
func (j *job) called(i int) string {
	if j.isSpare(i) {
		return "Rollcall's own path for this credential"
	}
	return fmt.Sprintf("path %d of this credential", i+1)
}

// isSpare: it is Rollcall's own path, behind those of the roll.
func (j *job) isSpare(i int) bool { return i >= len(j.c.Paths) }

// filledSince reports whether a path at which nothing was, so that it took part
// by a person's word or as Rollcall's own, holds what nobody saw to be the
// account's by now.
func (j *job) filledSince(i int) bool {
	p, live := j.paths[i], j.lives[i]
	base, looked := j.staged.Base[p.String()]
	switch {
	case !looked || base > 0 || j.parts[i] != seen && !j.isSpare(i) || !live.Found:
		return false
	case live.Value.Equal(j.staged.Secret), tookOf(live.Value, j.accepted):
		return false
	}
	for _, old := range j.staged.Old {
		if live.Value.Equal(old) {
			return false // it was the account's
		}
	}
	return !j.c.Adopted && !j.isSpare(i) || live.Owner == "" || live.Owner != j.c.Subject
}

func (j *job) writePath(ctx context.Context, i int) error {
	p, live := j.paths[i], j.lives[i]
	if j.parts[i] == apart || live.Value.Equal(j.staged.Secret) {
		return nil
	}
	if live.Problem != "" && !overDeleted(j.c, p, live) {
		return &protocol.Stop{Reason: protocol.ReasonConflict, Detail: fmt.Sprintf("somebody else wrote %s, and it holds no bare secret in its field now (%s); its password was changed, and the new value waits in staging: put the field right, and the next pass activates it", j.called(i), live.Problem)}
	}
	listed := live.Value.Equal(j.staged.Old[p.String()])
	if live.Found && live.Version != j.staged.Base[p.String()] && !listed {
		// Somebody else wrote the path after we listed it. Their value is not
		// in force, ours is: consumers need ours.
		j.note(credential.FindingChangedDuring)
	}
	now, err := j.Store.Activate(ctx, p, live.Without(j.c.LeadsBut), j.staged.Secret, j.ownerField(p))
	if err != nil {
		return err
	}
	if !tookOf(live.Value, j.accepted) && (!listed || j.parts[i] == kept) {
		now.Replaced = 0 // whose value it held is not known
	}
	if j.lives[i] = now; now.Ends {
		j.Gate.NoteSettings(j.Now())
	}
	return nil
}

// ownerField is what Rollcall's own paths carry, so that no other credential's
// value is ever written over it.
func (j *job) ownerField(p credential.Path) string {
	if j.c.Adopted || j.c.Spare != nil && p == *j.c.Spare {
		return j.c.Subject
	}
	return ""
}

func (j *job) noteActivated() {
	j.out.To, j.out.Written, j.out.Over, j.out.Doomed = nil, nil, nil, j.doomed()
	for i, l := range j.lives {
		if j.parts[i] == apart || !l.Value.Equal(j.staged.Secret) { // left as it is, or not written yet
			l.Version, l.Written, l.Over = 0, time.Time{}, time.Time{}
		}
		j.out.To, j.out.Written, j.out.Over = append(j.out.To, l.Version), append(j.out.Written, l.Written), append(j.out.Over, l.Over)
	}
	if j.Rotator.Activated != nil && j.activated() {
		j.Rotator.Activated(j.c, j.out.Applied)
	}
}

// doomed are the versions of each path that the proof makes worthless and that
// hold nothing but what is the account's, or what a newer version holds too.
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

// notActivated words why a credential that is set is not activated, and shuts
// the gate if Vault is the cause.
func (j *job) notActivated(err error) error {
	var e *vault.Error
	var stop *protocol.Stop
	kind := gate.Specific
	switch {
	case j.activated():
		return err
	case errors.As(err, &e) && e.Kind != vault.CASMismatch:
		stop = e.Stop()
		if e.General() {
			kind = gate.General
		} else if e.Kind == vault.PermissionDenied {
			kind = gate.Denied
		}
	case errors.As(err, &stop) && stop.Reason.OfVault():
		if stop.Reason.OfAllVault() {
			kind = gate.General
		}
	default:
		return err
	}
	j.Gate.Failed(j.c.ID, j.written(), stop, kind)
	return &protocol.Stop{Reason: protocol.ReasonNotActive, Server: stop.Server, Detail: fmt.Sprintf(
		"its %s was changed and waits in staging, and its consumers are cut off until Vault takes it: %s", j.c.Kind.Traits().Word, stop.Detail)}
}
