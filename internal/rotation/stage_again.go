package rotation

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
)

// restage throws away a staged value that is not in force and will not be, and
// stages another; one that is in force and spent becomes an old value. The
// intent for it must be recorded before it is set, so this pass ends here. code
// is what was found, if anything.
func (j *job) restage(ctx context.Context, code credential.FindingCode) error {
	j.step = protocol.Stage
	if err := j.noteLate(ctx); err != nil {
		return err
	}
	if stop := j.mayReplace(ctx, j.staged); stop != nil {
		return stop
	}
	value, err := j.newValue(ctx, j.c, j.paths, j.lives)
	if err != nil {
		return err
	}
	next := j.withFound(j.staged)
	next.Secret, next.Attempt, next.PolicyRefused, next.CreatedAt = value, j.staged.Attempt+1, false, j.Now().UTC()
	next.Unsent, next.Refused, next.Retired, next.Closed, next.Before, next.Late = true, false, "", false, j.account.Changed, time.Time{}
	switch code {
	case "":
	case credential.FindingStoredAsSent:
		next.Changed = code
	case credential.FindingOutlived:
		next.Outlived++
	default: // somebody else changed it
		next.Asked, next.Changed = true, code
	}
	j.nextPlaces(&next)
	if code == credential.FindingStoredAsSent || j.believed {
		j.keepSpent(&next)
	}
	_, err = j.Store.Restage(ctx, j.c.ID, next)
	j.opened()
	if err != nil {
		return err // where it came to nothing, noteEnd has what was seen
	}
	j.refused, j.worked, j.saw = false, false, nil // it is the next one's entry now
	return restaged(next.Attempt)
}

func restaged(attempt int) *protocol.Stop {
	return &protocol.Stop{Reason: protocol.ReasonRestaged, Detail: fmt.Sprintf("attempt %d is staged; it is set once its intent is recorded", attempt)}
}

// nextPlaces carries the parts over to another attempt. What was activated is
// ours from then on, whatever the account says of it.
func (j *job) nextPlaces(next *ownmount.Staged) {
	if j.parts == nil {
		return
	}
	next.Places = j.places()
	all := j.activated()
	next.Doomed = maps.Clone(next.Doomed)
	if next.Base = maps.Clone(next.Base); all || next.Base == nil {
		next.Base = map[string]int{}
	}
	if next.Doomed == nil {
		next.Doomed = map[string][]int{}
	}
	if next.Places == nil {
		next.Places = map[string]string{}
	}
	before := j.doomed()
	for i, p := range j.paths {
		if !all && (j.parts[i] == apart || !j.lives[i].Value.Equal(j.staged.Secret)) {
			continue // it was not written yet
		}
		next.Base[p.String()] = j.lives[i].Version
		if j.parts[i] == apart {
			continue
		}
		next.Places[p.String()] = ownmount.PlaceKept
		next.Doomed[p.String()] = append(before[i], j.lives[i].Version) // ours, and not in force
	}
}

// keepSpent keeps a value that is in force, and that others may have, until
// another one is: as what an ended campaign had staged is kept, with what each
// path held that took part. So whoever comes next, of this campaign or of a
// later one, knows what logs in, and whose the paths are although the account
// refuses by then what they hold.
func (j *job) keepSpent(next *ownmount.Staged) {
	held := takenOver + strconv.Itoa(j.staged.Attempt)
	next.Old = maps.Clone(next.Old)
	if next.Old == nil {
		next.Old = map[string]credential.Secret{}
	}
	for i, p := range j.paths {
		if i < len(j.parts) && j.parts[i] != apart && !j.lives[i].Value.IsZero() {
			next.Old[held+beforeIt+p.String()] = j.lives[i].Value
		}
	}
	next.Old[held] = j.staged.Secret
}
