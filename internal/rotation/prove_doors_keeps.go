package rotation

import (
	"context"
	"fmt"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/opened"
	"rollcall/internal/protocol"
)

// DoorAsker asks doors of a campaign file.
type DoorAsker struct {
	Open func(name string) (*opened.Door, error)
	// Settings are those of the campaign file.
	Settings func(name string) door.Settings
	// Flush ends what a door keeps, the first time that it is called for a
	// credential in a campaign; nil where there is nothing to run, or it was
	// run already. Its detail names no account.
	Flush func(ctx context.Context, c credential.Credential, as credential.DoorLogin) *credential.Finding
	// Flushed is when a flush that was run already was noted to have done what
	// it is for; zero: none is known to. Nil: nobody notes it.
	Flushed func(ctx context.Context, id, door string) time.Time
	Now     func() time.Time
	// Until is when no other account is begun any more; zero: never.
	Until time.Time
	// Tally counts the wrong logins of what people changed. Nil: nobody does.
	Tally Tally
	// Campaign asks, and Refusals has what its doors showed before, of tasks.
	// Nil: nobody remembers.
	Campaign string
	Refusals *Refusals
}

// flushed is what came of a flush, where a door took an old value and it was
// not flushed before. One that refuses the new value may keep the old one too,
// where its software does so.
func (a DoorAsker) flushed(ctx context.Context, c credential.Credential, as credential.DoorLogin, ev answered) *credential.Finding {
	took := ev.First == protocol.Accepted && ev.TookOld()
	if !took && !a.mayKeep(ev) || a.Flush == nil {
		return nil
	}
	return a.Flush(ctx, c, as)
}

// mayKeep reports whether a door refused the new value, and may keep that.
func (a DoorAsker) mayKeep(ev answered) bool {
	return ev.RefusedNew() && a.settings(ev.Door).MayKeep(ev.last)
}

// Remember reads what is noted of the campaign's doors, before any is asked
// about what people have changed.
func (a DoorAsker) Remember(ctx context.Context) error { return a.Refusals.read(ctx, a.Campaign) }

// asking is a door that is asked about a credential.
func (a DoorAsker) asking(d *opened.Door, c credential.Credential, as credential.DoorLogin, with atDoors, wrong *wrongLogins) asking {
	out := asking{door: d, as: as, with: with, wrong: wrong, now: a.Now}
	if a.Settings != nil {
		out.at = a.Settings(as.Door)
		out.spellings = Spellings(out.at, c, as)
	}
	out.looks = FirstLooks(out.at, c)
	return out
}

// FirstLooks is how often an old value of a credential is offered at a door
// that did not take it before in the campaign. No directory that Rollcall knows
// stands behind the doors of what people change, so nothing ends its count of
// wrong logins for sure.
func FirstLooks(at door.Settings, c credential.Credential) int {
	if c.Task != nil && at.Locks() {
		return min(at.Looks(), maxWrongLogins)
	}
	return at.Looks()
}

// Look is one look at the doors of what a person has changed. No directory of
// the campaign file stands behind them, so nothing but a door's own good login
// ends its count of wrong ones: a look costs an account so many of those at
// most, at however many doors and with however many values, and the next one
// goes on where it broke off.
type Look struct {
	wrong wrongLogins
	// waits: it had wrong logins behind a door that is open.
	waits bool
	// flushed is the door whose flush may be at work still.
	flushed string
	// tells is the door that refused the new value with an answer that is of no
	// cache.
	tells string
}

// NewLook begins one.
func NewLook() *Look { return &Look{wrong: wrongLogins{most: maxWrongLogins}} }

// Spent reports whether the next look has to wait: it had all its wrong logins,
// or one behind a door that is open, which costs some of its own when it is
// shut. stop is why the doors are open. That doors are silent to the new value
// is none, but where one of them refuses that: then nobody knows that it is the
// one in force.
func (l *Look) Spent(stop *protocol.Stop) bool {
	had := l.Wrong()
	if stop != nil && stop.Reason == protocol.ReasonDoorRefusesNew {
		had = l.wrong.had
	}
	return l.waits || had >= l.wrong.most
}

// Wrong is how many wrong logins it had so far, without silence to the new
// value.
func (l *Look) Wrong() int { return l.wrong.had - l.wrong.unheard }

// Behind notes that a door was open when it had had so many of Wrong.
func (l *Look) Behind(had int) { l.waits = l.waits || l.Wrong() > had }

// wrongAt are the wrong logins of a look, as they count at a door: not at all
// where nothing could lock.
func (l *Look) wrongAt(at door.Settings) *wrongLogins {
	if !at.Locks() {
		return &wrongLogins{}
	}
	return &l.wrong
}

// Ask asks one door, and once more after a flush that is done. stop is why it
// was asked no further, where no reply says it.
func (a DoorAsker) Ask(ctx context.Context, look *Look, d *opened.Door, c credential.Credential, as credential.DoorLogin, value credential.Secret, olds []credential.Secret) (protocol.DoorEvidence, *credential.Finding, *protocol.Stop) {
	d.Turn.Lock()
	defer d.Turn.Unlock()
	of := a.asking(d, c, as, atDoors{new: value, olds: olds}, nil)
	of.wrong = look.wrongAt(of.at)
	if of.at.Locks() {
		of.wrong.count = a.tally(c, as, false)
	}
	of.looks = a.Refusals.looks(a.Campaign, c.ID, as.Door, of.looks)
	of.past = a.Refusals.progress(a.Campaign, c.ID, as.Door, of.looks, value, olds, a.Now())
	if of.past.whole != nil {
		return *of.past.whole, nil, a.settles(ctx, c, *of.past.whole, of.with, a.Now())
	}
	began := a.Now()
	ev, stop := askDoor(ctx, of)
	a.Refusals.noteOld(ctx, a.Campaign, c.ID, ev.DoorEvidence)
	f := a.flushed(ctx, c, as, ev)
	switch {
	case f == nil || f.Code != credential.FindingFlushed || stop != nil:
	case of.at.Flush.Works() > 0:
		look.flushed = as.Door
	default:
		of.past.showed(ev.DoorEvidence, stop, a.Now())
		of.looks, began = door.MaxLooks, a.Now()
		ev, stop = askDoor(ctx, of)
	}
	of.past.showed(ev.DoorEvidence, stop, a.Now())
	if ev.RefusedNew() && !a.mayKeep(ev) {
		look.tells = as.Door
	}
	if stop == nil {
		stop = a.settles(ctx, c, ev.DoorEvidence, of.with, began)
	}
	return ev.DoorEvidence, f, stop
}

// Keeps says of a door that takes an old value until when that may go on, and
// what ends it there.
func (a DoorAsker) Keeps(stop *protocol.Stop) *protocol.Stop {
	if stop == nil || stop.Reason != protocol.ReasonDoorTakesOld || a.Settings == nil {
		return stop
	}
	s := a.Settings(stop.Server)
	out := *stop
	if s.Software == door.KeepsNone {
		out.Detail += "; the campaign file vouches that nothing is kept there (software: none), which is not so: say what it is"
		return &out
	}
	out.Detail += enders("; what ends it, if that is ", s.Keepers())
	keeps := s.Keeping()
	if keeps == 0 {
		return &out
	}
	out.Until, out.Wait = a.Now().Add(keeps).UTC().Truncate(time.Second), s.Cache > 0
	by := "as software of its kind is shipped (docs/doors.md)"
	if s.Cache > 0 {
		by = "as the campaign file says"
	}
	out.Detail += fmt.Sprintf("; that ends by itself after %s at most, %s, and it is asked again then", keeps, by)
	return &out
}

// InAnHour says of a door that takes the old value that it is asked in an hour,
// where what it keeps is over before that: the account had its wrong logins.
func InAnHour(stop *protocol.Stop, now time.Time) *protocol.Stop {
	next := now.Add(behindFor).UTC().Truncate(time.Second)
	if stop == nil || stop.Reason != protocol.ReasonDoorTakesOld || stop.Until.IsZero() || !stop.Until.Before(next) {
		return stop
	}
	out := *stop
	out.Until = next
	return &out
}

// OfferAgain offers the value with which a door was proved, as often as the
// door has machines, and breaks off at the first that does not take it: one
// login at most that is wrong, which counts with those of look. Without a look
// (nil) it is made and counted, however many there were. stop is why it was not
// offered, where no reply says it.
func (a DoorAsker) OfferAgain(ctx context.Context, look *Look, d *opened.Door, c credential.Credential, as credential.DoorLogin, value credential.Secret) (reply protocol.Reply, code string, stop *protocol.Stop) {
	d.Turn.Lock()
	defer d.Turn.Unlock()
	of := a.asking(d, c, as, atDoors{new: value}, nil)
	all := look == nil
	if all {
		look = NewLook()
	}
	of.wrong = look.wrongAt(of.at)
	if of.at.Locks() {
		of.wrong.count = a.tally(c, as, all)
	}
	for range of.looks {
		t := &tries{asking: of, ctx: ctx}
		if _, ok := t.first(); !ok {
			return t.ev.First, t.code, t.stop
		}
		reply = t.ev.First
	}
	return reply, "", nil
}
