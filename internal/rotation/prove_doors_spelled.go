package rotation

import (
	"context"
	"fmt"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
)

// A door may keep each spelling of a login name apart, so others than the
// listed one are asked too. But one with another realm, or without one, may be
// the name of somebody who has nothing to do with the campaign, and whose
// account each wrong login brings nearer to its lock; no good login of ours
// ends that count. So by such a name the new value alone is offered, twice in a
// campaign at most, whichever accounts and doors that is for. A name that took
// a value of the account is the account's own, and is asked as the listed one.

// Spellings are other spellings of an account's login name by which it is asked
// about at a door, for accounts of directories: to those all are one name.
func Spellings(at door.Settings, c credential.Credential, as credential.DoorLogin) []door.Spelling {
	if !c.OfDirectory() {
		return nil
	}
	return at.Spellings(as.Login, c.Name, as.Own)
}

// spelled asks by another spelling of the login name. One that is no name there
// is refused with the new value too; the old one is offered all the same, for
// what a cache has of it is taken while nothing behind it is asked. The new
// value by the usual spelling ends it.
func (t *tries) spelled(s door.Spelling, taken door.Shown) bool {
	ask, stop := t.names.may(t.ctx, s)
	if t.stop = stop; !ask {
		return stop == nil // SpellingDoubt says that it is not asked
	}
	t.ev.New = protocol.NotAsked
	as := door.Shown{Login: s.Login, Value: taken.Value}
	reply, asked := t.offer(as, true)
	if !asked {
		return false
	}
	name := reply == protocol.Accepted
	switch {
	case name && s.Sure:
		t.names.remember(s, itsOwn) // whoever comes after asks it all the same
	case name:
		t.names.note(t.ctx, s, itsOwn)
	case !unknown(reply):
		t.names.note(t.ctx, s, unclear)
		t.ev.New, t.code = reply, t.code+bySpelling
		return false
	}
	if own := t.names.showed(s, itsOwn); own || s.Sure {
		if !t.oldsBy(s, as, name, own) {
			return false
		}
	}
	if !t.names.showed(s, itsOwn) {
		t.names.note(t.ctx, s, noName)
	}
	reply, asked = t.offer(taken, false)
	t.ev.Old, t.ev.New = protocol.Refused, reply
	return asked && reply == protocol.Accepted
}

// oldsBy offers the old values by another spelling. name: the new one was
// taken by it just now; own: it is the account's own.
func (t *tries) oldsBy(s door.Spelling, as door.Shown, name, own bool) bool {
	defer func(looks int) { t.looks = looks }(t.looks)
	if s.Typed && !t.names.showed(s, tookSo) {
		t.looks = 1
	}
	for _, old := range t.with.olds {
		for _, form := range t.at.Forms(s.Login, old) {
			fine := false
			if name {
				fine = t.sandwich(as, form)
			} else {
				fine = t.refused(form, own)
			}
			if t.ev.TookOld() {
				t.names.note(t.ctx, s, itsOwn)
				t.names.note(t.ctx, s, tookSo)
			}
			if !fine {
				t.code += bySpelling
				return false
			}
		}
	}
	return true
}

// bySpelling is added to a door's code.
const bySpelling = ", by another spelling of the login name"

// refused offers an old value by what is no name: once, unless it was the
// account's own.
func (t *tries) refused(old door.Shown, own bool) bool {
	looks := 1
	if own {
		looks = t.looks
	}
	for range looks {
		reply, asked := t.offer(old, true)
		if t.ev.Old = reply; !asked || !unknown(reply) {
			return false
		}
	}
	return true
}

// unknown reports a reply to a name that nobody has.
func unknown(r protocol.Reply) bool { return r == protocol.Refused || r == protocol.Gone }

// names are the spellings of one credential's login name at one door. The zero
// value remembers nothing.
type names struct {
	refusals           *Refusals
	campaign, id, door string
}

// What a spelling showed, as it is noted.
const (
	itsOwn  = "spelled-own"  // it took a value of the account
	noName  = "spelled-none" // it refused the new value, and what was offered of the old
	unclear = "spelled-odd"  // it gave another answer, or none
	tookSo  = "spelled-took" // it took the old value
)

// spelledTimes is what is noted before a name is asked that may be another
// account's.
func spelledTimes(n int) string { return fmt.Sprintf("spelled-%d", n) }

// folded is what is counted of such a name.
func folded(login string) string { return strings.ToLower(login) }

// may says whether to ask by a spelling. stop is why its door stays open where
// it may not be asked any more, and gave no answer.
func (n names) may(ctx context.Context, s door.Spelling) (ask bool, stop *protocol.Stop) {
	r := n.refusals
	switch {
	case r == nil || n.showed(s, itsOwn):
		return true, nil
	case n.showed(s, noName):
		return false, nil
	case s.Sure:
		return true, nil
	}
	for {
		r.mu.Lock()
		if r.try == nil {
			r.try = map[[2]string]int{}
		}
		key := [2]string{n.campaign, folded(s.Login)}
		r.try[key]++
		times := r.try[key]
		r.mu.Unlock()
		switch {
		case times <= maxWrongLogins && r.Notes == nil:
			return true, nil
		case times <= maxWrongLogins:
			first, err := r.Notes.NoteOnce(ctx, n.campaign, spelledTimes(times), anyDoor, folded(s.Login))
			if err != nil {
				return false, protocol.AsStop(err)
			}
			if first {
				return true, nil
			}
		case n.showed(s, unclear):
			return false, &protocol.Stop{Reason: protocol.ReasonDoorSilent, Server: n.door, Detail: "by another spelling of the login name, with its realm or without one, it gave no answer that says anything of the value, and that may be another account's name, so it is not asked again in this campaign: say under realm: of this door which realm a login without one has there, or take the door out"}
		default:
			return false, nil
		}
	}
}

// showed reports what is known of a spelling.
func (n names) showed(s door.Spelling, what string) bool {
	r := n.refusals
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.by[[3]string{n.campaign, n.door, n.id + " " + s.Login}][what]
}

// note notes what a spelling showed. Where Vault does not take the note this
// process still knows of it.
func (n names) note(ctx context.Context, s door.Spelling, what string) {
	if n.refusals == nil || n.showed(s, what) {
		return
	}
	n.remember(s, what)
	if n.refusals.Notes != nil {
		_, _ = n.refusals.Notes.NoteOnce(ctx, n.campaign, what, n.door, n.id+" "+s.Login)
	}
}

// remember is note for this process alone.
func (n names) remember(s door.Spelling, what string) {
	if n.refusals != nil {
		n.refusals.spelledSo(n.campaign, n.door, n.id+" "+s.Login, what)
	}
}

func (r *Refusals) spelledSo(campaign, door, name, what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil {
		r.by = map[[3]string]map[string]bool{}
	}
	key := [3]string{campaign, door, name}
	if r.by[key] == nil {
		r.by[key] = map[string]bool{}
	}
	r.by[key][what] = true
}

// readSpelled takes a note of another worker's. Names that may be another
// account's are counted by may itself.
func (r *Refusals) readSpelled(campaign string, o ownmount.Once) {
	switch o.What {
	case itsOwn, noName, unclear, tookSo:
		r.spelledSo(campaign, o.Where, o.ID, o.What)
	}
}
