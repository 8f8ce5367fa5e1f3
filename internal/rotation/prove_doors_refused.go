package rotation

import (
	"context"
	"fmt"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/protocol"
)

// A door may refuse the new value because of what it keeps of the old one: its
// cache remembers a refusal, or decides by itself. Two tries of the new value
// is all that an account can bear (prove_doors_lockout.go). So the second one
// is not spent while the first refusal may still be kept: it comes after a
// flush, or when the time of what the door keeps is over.

// tookNew is what is noted of a door that took the new value after it had
// refused it.
const tookNew = "took-new"

// held is why a door is not offered the new value in this pass, or nil: it, or
// another one of the credential's that may have the same cache, has refused it
// once, and may keep that refusal.
func (r *Refusals) held(ctx context.Context, campaign string, ask DoorAsker, c credential.Credential, at string) *protocol.Stop {
	if r == nil || ask.Settings == nil || len(ask.Settings(at).Refusers()) == 0 {
		return nil
	}
	for _, as := range c.Doors {
		since := r.refusedOnce(ctx, campaign, c.ID, as.Door)
		if until, keeps := keptUntil(ask.Settings(as.Door), since); keeps && ask.Now().Before(until) {
			stop := protocol.DoorEvidence{Door: as.Door, First: protocol.Refused}.Open(true)
			return ask.refused(stop, since, nil, byPasses)
		}
	}
	return nil
}

// retry says when a door is asked again that has refused the new value: one
// that keeps the refusal for a time, and another one.
type retry struct{ then, soon string }

var (
	byPasses = retry{"asked once more then", "the next pass asks again, and after two refusals in a row none does"}
	byLooks  = retry{"asked again after that", "it is asked again, and once an hour after two refusals"}
)

// keptUntil is when a refusal that a door may keep is over; since is when it
// was, zero if there was none.
func keptUntil(s door.Settings, since time.Time) (until time.Time, keeps bool) {
	lasts, _ := s.Refusing()
	return since.Add(lasts), lasts > 0 && !since.IsZero()
}

// refusedOnce is when a door refused the new value, if it did so once and has
// not taken it since; zero if not.
func (r *Refusals) refusedOnce(ctx context.Context, campaign, id, at string) time.Time {
	if r == nil {
		return time.Time{}
	}
	r.mu.Lock()
	n, since := r.seen[[2]string{campaign, id}][at], r.since[[3]string{campaign, id, at}]
	r.mu.Unlock()
	if n != 1 {
		return time.Time{}
	}
	if !since.IsZero() || r.Notes == nil {
		return since
	}
	// Another worker met it. What cannot be read now holds nothing back.
	since, _, _ = r.Notes.NotedAt(ctx, campaign, refusedTimes(1), at, id)
	return since
}

// RefusedInALook says of a door that has refused the new value of what a person
// changed when it is asked again, and what ends a refusal that it may keep.
func (a DoorAsker) RefusedInALook(stop *protocol.Stop) *protocol.Stop {
	if stop == nil || stop.Reason != protocol.ReasonDoorRefusesNew {
		return stop
	}
	return a.refused(stop, a.Now(), nil, byLooks)
}

// refused says of a door that refuses the new value when it is asked again, and
// what ends a refusal that it may keep. since is when it refused it first, zero
// where another answer came before; spent is why it is asked no more.
func (a DoorAsker) refused(stop *protocol.Stop, since time.Time, spent *protocol.Stop, again retry) *protocol.Stop {
	out := *stop
	var s door.Settings
	if a.Settings != nil {
		s = a.Settings(stop.Server)
	}
	out.Detail += enders("; it may refuse what it does not know while it keeps the old value: what ends that, if it is ", s.Refusers())
	until, keeps := keptUntil(s, since)
	switch {
	case spent != nil:
		out.Detail += "; " + spent.Detail
	case keeps:
		out.Until, out.Wait = until.UTC().Truncate(time.Second), s.Cache > 0
		lasts, known := s.Refusing()
		by := "as software of its kind is shipped (docs/doors.md)"
		switch {
		case s.Cache > 0:
			by = "as the campaign file says"
		case !known:
			by = "which is a guess: say cache: of this door"
		}
		out.Detail += fmt.Sprintf("; that ends by itself after %s at most, %s, and it is %s", lasts, by, again.then)
	default:
		out.Detail += "; " + again.soon
	}
	return &out
}

// refusedIn says of a credential that a door has refused when that is asked
// again.
func (r *Rotator) refusedIn(ctx context.Context, ask DoorAsker, v Verdict, stop *protocol.Stop) *protocol.Stop {
	if stop == nil || stop.Reason != protocol.ReasonDoorRefusesNew || !stop.Until.IsZero() {
		return stop
	}
	return ask.refused(stop, r.Refusals.refusedOnce(ctx, r.Campaign, v.Credential.ID, stop.Server), r.Refusals.spent(r.Campaign, v.Credential.ID), byPasses)
}

// enders says what ends what some software keeps; "" for none.
func enders(lead string, all []door.Keeps) (said string) {
	for _, k := range all {
		said += lead + k.Words()
		lead = "; or "
	}
	return said
}
