package rotation

import (
	"context"
	"fmt"
	"slices"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/protocol"
)

// Several processes may serve at a door, each with logins of its own (workers
// of Squid), and who asks cannot choose which of them answers: that one refuses
// the old value says nothing of the next. But none keeps it for longer than its
// time, and none takes it anew once what stands behind refuses it. So where
// there may be several, what a door refuses is dead when that time has passed
// since it was first seen to, and the door was asked again then.

// clocksDiffer is how far the worker's clock may be from Vault's, by which the
// notes are.
const clocksDiffer = 5 * time.Minute

// settlings is how often that time may begin anew. Beyond it nothing is dead.
const settlings = 32

// shutTimes is what is noted of a door that refused the old value between two
// good logins with the new one, which the note is of; goneTimes that what it
// showed before does not count any more.
func shutTimes(n int) string { return fmt.Sprintf("shut-%d", n) }
func goneTimes(n int) string { return fmt.Sprintf("shut-gone-%d", n) }

// shut is a door that waits for its other processes, as it was seen.
type shut struct {
	values [32]byte
	ev     protocol.DoorEvidence
	stop   *protocol.Stop
}

// settles is why what a door showed, as it was asked at a time, does not prove
// yet that none of its processes takes the old value; nil where there is one
// alone, or the evidence is no proof anyway.
func (a DoorAsker) settles(ctx context.Context, c credential.Credential, ev protocol.DoorEvidence, with atDoors, began time.Time) *protocol.Stop {
	s := a.settings(ev.Door)
	lasts := s.Settles()
	if lasts == 0 || len(with.olds) == 0 {
		return nil
	}
	if ev.TookOld() {
		return a.Refusals.opens(ctx, a.Campaign, ev.Door, c.ID)
	}
	if ev.Open(true) != nil {
		return nil
	}
	since, err := a.Refusals.shutSince(ctx, a.Campaign, ev.Door, c.ID, with.new, a.Now())
	if err != nil {
		return protocol.AsStop(err)
	}
	until := since.Add(lasts + clocksDiffer)
	if !began.Before(until) {
		return nil
	}
	stop := mayKeep(s, ev.Door, lasts, until)
	a.Refusals.waits(a.Campaign, ev.Door, c.ID, &shut{sealed(0, with.new, with.olds), ev, stop})
	return stop
}

// mayKeep says that another process of a door may take the old value.
func mayKeep(s door.Settings, at string, lasts time.Duration, until time.Time) *protocol.Stop {
	said := "this door takes the new value and refuses the stolen one, which shows the processes that answered and no other"
	for _, k := range s.Apart() {
		said += fmt.Sprintf("; if it is %s, %s", k.What, k.Apart)
	}
	by := "as software of its kind is shipped (docs/doors.md): say cache: if it is set to another time"
	if s.Cache > 0 {
		by = "as the campaign file says"
	}
	return &protocol.Stop{Reason: protocol.ReasonDoorMayKeep, Server: at, Until: until.UTC().Truncate(time.Second), Wait: s.Cache > 0,
		Detail: said + fmt.Sprintf("; none can keep it for longer than %s, %s, and it is asked again then; where it is one process, processes: 1 of the door says so, in the next campaign", lasts, by)}
}

// waiting is what a door showed of these values that waits for its other
// processes still, or nil.
func (a DoorAsker) waiting(c credential.Credential, at string, with atDoors) *shut {
	r := a.Refusals
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	is := r.shut[[3]string{a.Campaign, c.ID, at}]
	if is == nil || is.values != sealed(0, with.new, with.olds) || !a.Now().Before(is.stop.Until) {
		return nil
	}
	return is
}

// waits remembers it in this process; nil forgets it.
func (r *Refusals) waits(campaign, at, id string, is *shut) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shut == nil {
		r.shut = map[[3]string]*shut{}
	}
	r.shut[[3]string{campaign, id, at}] = is
}

// shutSince is when a door was first seen to refuse the old value, and to take
// this new one, since when nothing spoke against it. now is noted where it was
// not before.
func (r *Refusals) shutSince(ctx context.Context, campaign, at, id string, value credential.Secret, now time.Time) (time.Time, error) {
	if r == nil || r.Notes == nil {
		return now, nil
	}
	n, gone, err := r.lastShut(ctx, campaign, at, id)
	if err != nil {
		return now, err
	}
	if n > 0 && !gone {
		same, since, _, err := r.Notes.NotedOf(ctx, campaign, shutTimes(n), at, id, value)
		if err != nil || same {
			return since, err
		}
	}
	if n++; n > settlings {
		return now, nil
	}
	if _, err := r.Notes.NoteOnceOf(ctx, campaign, shutTimes(n), at, id, value); err != nil {
		return now, err
	}
	since, _, err := r.Notes.NotedAt(ctx, campaign, shutTimes(n), at, id)
	return since, err
}

// opens notes that a door took the old value, or may have had it anew: its
// account had it again. What the door showed before says nothing of what it
// keeps now.
func (r *Refusals) opens(ctx context.Context, campaign, at, id string) *protocol.Stop {
	r.waits(campaign, at, id, nil)
	if r == nil || r.Notes == nil {
		return nil
	}
	n, gone, err := r.lastShut(ctx, campaign, at, id)
	if err == nil && n > 0 && !gone {
		_, err = r.Notes.NoteOnce(ctx, campaign, goneTimes(n), at, id)
	}
	if err != nil {
		return protocol.AsStop(err)
	}
	return nil
}

// lastShut is how often it was noted, and whether the last one counts no more.
func (r *Refusals) lastShut(ctx context.Context, campaign, at, id string) (n int, gone bool, err error) {
	for n < settlings {
		_, noted, err := r.Notes.NotedAt(ctx, campaign, shutTimes(n+1), at, id)
		if err != nil {
			return n, false, err
		}
		if !noted {
			break
		}
		n++
	}
	if n > 0 {
		_, gone, err = r.Notes.NotedAt(ctx, campaign, goneTimes(n), at, id)
	}
	return n, gone, err
}

// hadOld are the reasons for which an account may have the old value.
var hadOld = []protocol.Reason{protocol.ReasonOldAccepted, protocol.ReasonSecondPassword, protocol.ReasonLagging, protocol.ReasonNewRefused, protocol.ReasonRestaged}

// openAnew notes of each door of accounts that may have had the old value again
// since the pass before that what it showed counts no more: one was set in this
// pass, or a server says so.
func (r *Rotator) openAnew(ctx context.Context, ask DoorAsker, verdicts []Verdict) {
	for _, v := range verdicts {
		if v.SetAt.IsZero() && v.sight.set.IsZero() && (v.Stop == nil || !slices.Contains(hadOld, v.Stop.Reason)) {
			continue
		}
		for _, as := range v.Credential.Doors {
			if ask.settings(as.Door).Settles() == 0 {
				continue
			}
			if stop := r.Refusals.opens(ctx, r.Campaign, as.Door, v.Credential.ID); stop != nil && v.Dead() {
				v.Stop, v.Proof = stop, ""
			}
		}
	}
}

// onlyWaits is why doors of which each one is shut, by what was seen, prove
// nothing yet.
func onlyWaits(v Verdict, may []*protocol.Stop) *protocol.Stop {
	if protocol.Shut(doorNames(v.Credential), v.Doors, len(v.at.olds) > 0) != nil {
		return nil
	}
	i := slices.IndexFunc(may, func(s *protocol.Stop) bool { return s != nil })
	if i < 0 {
		return nil
	}
	return may[i]
}
