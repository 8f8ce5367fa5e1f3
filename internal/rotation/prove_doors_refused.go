package rotation

import (
	"context"
	"fmt"
	"maps"
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

// lifted is what is noted of a door whose flush did what it is for.
const lifted = "lifted"

// toldNew is noted before a refusal of the new value that the door may keep,
// and toldOther before every other answer that counts as one. A refusal with
// neither was noted by an earlier version, which noted all alike.
const (
	toldNew   = "refused-new"
	toldOther = "refused-other"
)

// held is why a door is not offered the new value in this pass, or nil: it, or
// another one of the credential's that may have the same cache, has refused it
// once, and may keep that refusal.
func (r *Refusals) held(ctx context.Context, campaign string, ask DoorAsker, c credential.Credential, at string) *protocol.Stop {
	if r == nil || ask.Settings == nil || len(ask.Settings(at).Refusers()) == 0 {
		return nil
	}
	for _, as := range c.Doors {
		if k := r.kept(ctx, campaign, ask, c.ID, as.Door); k.on {
			stop := protocol.DoorEvidence{Door: as.Door, First: protocol.Refused}.Open(true)
			return ask.refused(stop, k, nil, byPasses)
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

// refusal is one that a door may keep.
type refusal struct {
	on      bool // still
	until   time.Time
	flushed bool // what was run to end it is through by then
	other   bool // what the door said is of nothing that it keeps
}

// keptSince is a refusal of a time, zero if there was none.
func (a DoorAsker) keptSince(s door.Settings, since time.Time) refusal {
	lasts, _ := s.Refusing()
	until := since.Add(lasts)
	return refusal{on: lasts > 0 && !since.IsZero() && a.Now().Before(until), until: until}
}

// kept is what a door may keep of its refusal of the new value. A flush that
// came after it ends that.
func (r *Refusals) kept(ctx context.Context, campaign string, ask DoorAsker, id, at string) refusal {
	s := ask.settings(at)
	since, _ := r.refusedOnce(ctx, campaign, id, at)
	out := ask.keptSince(s, since)
	out.other = since.IsZero() && r.told(campaign, id, at)[toldOther]
	if !out.on {
		return out
	}
	if done := r.flushedSince(ctx, campaign, id, at); !done.Before(since) {
		return out.flushedAt(done.Add(s.Flush.Works()), ask.Now())
	}
	return out
}

// noteFlushed notes that a door's flush did what it is for, which lifts the
// hold of the second try. One that failed, or of which nobody knows what it
// did, lifts nothing.
func (r *Refusals) noteFlushed(ctx context.Context, campaign, id, at string, now time.Time) {
	if r == nil {
		return
	}
	r.remembersFlush(campaign, id, at, now)
	if r.Notes != nil {
		_, _ = r.Notes.NoteOnce(ctx, campaign, lifted, at, id)
	}
}

// remembersFlush keeps in this process when that was.
func (r *Refusals) remembersFlush(campaign, id, at string, done time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.flushed == nil {
		r.flushed = map[[3]string]time.Time{}
	}
	r.flushed[[3]string{campaign, id, at}] = done
}

// flushedSince is when noteFlushed noted it, in this process or another one;
// zero if none has.
func (r *Refusals) flushedSince(ctx context.Context, campaign, id, at string) time.Time {
	r.mu.Lock()
	done := r.flushed[[3]string{campaign, id, at}]
	r.mu.Unlock()
	if done.IsZero() && r.Notes != nil {
		done, _, _ = r.Notes.NotedAt(ctx, campaign, lifted, at, id)
	}
	return done
}

// flushedAt is what is kept where a flush is through at a time.
func (k refusal) flushedAt(through, now time.Time) refusal {
	if through.Before(k.until) {
		k.until, k.on, k.flushed = through, now.Before(through), true
	}
	return k
}

// refusedOnce is when a door refused the new value in a way that it may keep,
// if it did so once and has not taken it since; zero if not. told: it is known
// that this was such a refusal.
func (r *Refusals) refusedOnce(ctx context.Context, campaign, id, at string) (since time.Time, told bool) {
	if r == nil {
		return since, false
	}
	r.mu.Lock()
	n, since := r.seen[[2]string{campaign, id}][at], r.since[[3]string{campaign, id, at}]
	r.mu.Unlock()
	said := r.told(campaign, id, at)
	switch {
	case n != 1:
		return time.Time{}, false
	case !since.IsZero() || r.Notes == nil:
		return since, !since.IsZero()
	case said[toldNew]:
		since, _, _ = r.Notes.NotedAt(ctx, campaign, toldNew, at, id)
		return since, true
	case said[toldOther]:
		return time.Time{}, false
	}
	// Another worker met it, of an earlier version. What cannot be read now
	// holds nothing back.
	since, _, _ = r.Notes.NotedAt(ctx, campaign, refusedTimes(1), at, id)
	return since, false
}

// told is what is known of how a door answered the new value.
func (r *Refusals) told(campaign, id, at string) map[string]bool {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.how[[3]string{campaign, id, at}])
}

// tells remembers it. r.mu is held.
func (r *Refusals) tells(campaign, id, at, what string) {
	key := [3]string{campaign, id, at}
	if r.how == nil {
		r.how = map[[3]string]map[string]bool{}
	}
	if r.how[key] == nil {
		r.how[key] = map[string]bool{}
	}
	r.how[key][what] = true
}

// RefusedInALook says of a door that has refused the new value of what a person
// changed when it is asked again, and what ends a refusal that it may keep.
func (a DoorAsker) RefusedInALook(look *Look, stop *protocol.Stop) *protocol.Stop {
	if stop == nil || stop.Reason != protocol.ReasonDoorRefusesNew {
		return stop
	}
	now, s := a.Now(), a.settings(stop.Server)
	k := a.keptSince(s, now)
	if look.tells == stop.Server {
		k = refusal{other: true}
	}
	if k.on && look.flushed == stop.Server {
		k = k.flushedAt(now.Add(s.Flush.Works()), now)
	}
	return a.refused(stop, k, nil, byLooks)
}

// settings are those of a door, as far as they are known.
func (a DoorAsker) settings(door string) (s door.Settings) {
	if a.Settings != nil {
		s = a.Settings(door)
	}
	return s
}

// refused says of a door that refuses the new value when it is asked again, and
// what ends a refusal that it may keep. spent is why it is asked no more.
func (a DoorAsker) refused(stop *protocol.Stop, k refusal, spent *protocol.Stop, again retry) *protocol.Stop {
	out, s := *stop, a.settings(stop.Server)
	if !k.other {
		out.Detail += enders("; it may refuse what it does not know while it keeps the old value: what ends that, if it is ", s.Refusers())
	}
	switch {
	case spent != nil:
		out.Detail += "; " + spent.Detail
	case k.on && k.flushed:
		out.Until, out.Wait = k.until.UTC().Truncate(time.Second), true
		out.Detail += fmt.Sprintf("; its flush was sent, which is given %s for that, and it is %s", s.Flush.Works(), again.then)
	case k.on:
		out.Until, out.Wait = k.until.UTC().Truncate(time.Second), s.Cache > 0
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
	return ask.refused(stop, r.Refusals.kept(ctx, r.Campaign, ask, v.Credential.ID, stop.Server), r.Refusals.spent(r.Campaign, v.Credential.ID), byPasses)
}

// enders says what ends what some software keeps; "" for none.
func enders(lead string, all []door.Keeps) (said string) {
	for _, k := range all {
		said += lead + k.Words()
		lead = "; or "
	}
	return said
}
