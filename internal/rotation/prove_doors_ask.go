package rotation

import (
	"context"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/opened"
	"rollcall/internal/protocol"
)

// asking is one door that is asked about one credential.
type asking struct {
	door *opened.Door
	as   credential.DoorLogin
	// at are the door's settings, as far as they are known.
	at door.Settings
	// spellings are other ways to write the login name that the door may keep
	// apart.
	spellings []door.Spelling
	names     names
	with      atDoors
	// looks is how often each old value is offered.
	looks int
	wrong *wrongLogins
	// past is what the door showed before, where a look may break off; nil:
	// nothing is remembered.
	past *progress
	now  func() time.Time
}

// tries is an asking under way.
type tries struct {
	asking
	ctx  context.Context
	ev   protocol.DoorEvidence
	said door.Said      // its last answer
	code string         // the door's own, of its last reply
	old  int            // which of the old values is offered, form by form
	stop *protocol.Stop // why it was asked no further, where no reply says it
}

// askDoor breaks off at the first reply that proves nothing, so that no door is
// offered the old value that does not take the new one. wrong has a good login
// at the directory made before each login that may be another wrong one. stop
// is why it was asked no further, where no reply of its own says it.
func askDoor(ctx context.Context, a asking) (answered, *protocol.Stop) {
	t := &tries{asking: a, ctx: ctx, ev: protocol.DoorEvidence{Door: a.as.Door}}
	if t.run() {
		t.ev.At = evidenceTime(a.now())
	} else if t.stop == nil {
		t.ev.Why = t.code
	}
	return answered{t.ev, t.said}, t.stop
}

// answered is what a door showed, and its last answer: where it broke off at
// the new value, that one.
type answered struct {
	protocol.DoorEvidence
	last door.Said
}

// tookNew reports whether it took the new value, or found it right itself.
func (a answered) tookNew() bool {
	return a.First == protocol.Accepted && a.New != protocol.Refused || a.First != protocol.Accepted && a.last.Verified
}

// run reports whether the door gave all that a proof needs.
func (t *tries) run() bool {
	taken, ok := t.first()
	if !ok {
		return false
	}
	for _, old := range t.with.olds {
		for _, form := range t.at.Forms(t.as.Login, old) {
			if !t.sandwich(taken, form) {
				return false
			}
		}
	}
	if len(t.with.olds) == 0 {
		return true
	}
	for _, as := range t.spellings {
		if !t.spelled(as, taken) {
			return false
		}
	}
	return true
}

// first offers the new value, in each form, and gives the one that is taken.
func (t *tries) first() (taken door.Shown, ok bool) {
	for _, form := range t.at.Forms(t.as.Login, t.with.new) {
		reply, asked := t.offer(form, true)
		if reply == protocol.Unreachable {
			t.wrong.unheard++
		}
		if t.ev.First = reply; !asked || reply != protocol.Refused {
			taken = form
			break
		}
	}
	t.ev.New = t.ev.First
	if t.ev.First != protocol.Accepted {
		t.ev.New = ""
		return taken, false
	}
	return taken, true
}

// sandwich offers an old value as often as it is to be, each time between two
// good logins with the new one.
func (t *tries) sandwich(taken, old door.Shown) bool {
	good := func() bool {
		reply, asked := t.offer(taken, false)
		t.ev.New = reply
		return asked && reply == protocol.Accepted
	}
	t.old++
	for look := t.past.looks(t.old); look < t.looks; look++ {
		for range door.GoodBefore(look) {
			if !good() {
				return false
			}
		}
		t.ev.New = protocol.NotAsked
		reply, asked := t.offer(old, true)
		if t.ev.Old = reply; !asked || reply != protocol.Refused {
			return false
		}
		if !good() {
			return false
		}
		t.past.looked(t.old)
	}
	t.ev.Old = protocol.Refused
	return true
}

// offer logs in once. wrong: it may be a wrong login.
func (t *tries) offer(s door.Shown, wrong bool) (reply protocol.Reply, asked bool) {
	if t.stop = t.wrong.before(t.ctx); t.stop == nil && wrong {
		t.stop = t.wrong.spent(t.as.Door)
	}
	if t.stop == nil {
		t.stop = t.wrong.count.begin(t.ctx, t.as.Door, wrong)
	}
	if t.stop != nil {
		return protocol.NotAsked, false
	}
	said := t.door.Ask(t.ctx, s.Login, s.Value)
	t.wrong.saw(said.Reply)
	t.wrong.count.end(t.ctx, said.Reply, t.ev.First == protocol.NotAsked)
	reply, t.code, t.said = said.Reply, said.Code, said
	if reply == protocol.Refused && !said.UTF8 && t.at.Unsaid(s.Login, s.Value) {
		reply, t.code = protocol.NotThisWay, said.Code+" to characters that a server may write in several ways"
	}
	return reply, true
}
