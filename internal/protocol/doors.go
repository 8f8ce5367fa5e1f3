package protocol

import (
	"fmt"
	"slices"
	"strings"

	"rollcall/internal/plural"
)

const notAskedYet = "this door was not asked yet, so whether it still takes the stolen value is not known; the next pass asks it"

// Shut decides whether evidence proves that the old value opens no door: at
// each of them the new one was accepted, the old one refused as wrong, and the
// new one accepted again. What refuses everything proves nothing, and a refusal
// that every value would meet is none.
//
// Where the old value is unknown (oldKnown false) no door can be asked about
// it: that the new one is accepted is all that there is to see. One that was
// asked about it all the same has to have refused it.
//
// Of several doors that stay open one that takes the old value is the reason,
// for there the thief gets in now, and the others that do are named; else the
// first.
func Shut(doors []string, ev []DoorEvidence, oldKnown bool) (why *Stop) {
	var taken []DoorEvidence
	seen := map[string]DoorEvidence{}
	for _, e := range ev {
		seen[e.Door] = e
	}
	for _, d := range doors {
		e, asked := seen[d]
		if !asked {
			e = DoorEvidence{Door: d}
		}
		stop := e.Open(oldKnown)
		if stop != nil && stop.Reason == ReasonDoorTakesOld {
			taken = append(taken, e)
		}
		if why == nil {
			why = stop
		}
	}
	if len(taken) > 0 {
		return taken[0].takesOld(taken[1:])
	}
	return why
}

// takesOld says that a door took the old value, and which others did.
func (e DoorEvidence) takesOld(others []DoorEvidence) *Stop {
	as := ""
	if len(others) > 0 {
		var names []string
		for _, o := range others {
			names = append(names, o.Door)
		}
		as = fmt.Sprintf(" (as %s %s)", plural.Pick(len(names), "does", "do"), strings.Join(names, ", "))
	}
	return &Stop{Reason: ReasonDoorTakesOld, Server: e.Door, Detail: "this door still takes the stolen value" + as + ", although every server of the authority refuses it: it goes by a copy of its own" + e.why() + ". End what it keeps (docs/doors.md says how) and close the sessions there; the next pass asks again"}
}

// Open is why one door's evidence proves nothing; nil if it does. The first
// answer that breaks the proof off decides, so the ones behind it may be
// NotAsked.
func (e DoorEvidence) Open(oldKnown bool) *Stop {
	if stop := e.atDoor(e.First, "this door answered %q to the new value, so that it was not asked whether it still takes the stolen one"); stop != nil {
		return stop
	}
	if oldKnown || e.Old != NotAsked {
		switch {
		case e.Old == Refused:
		case e.Old == NotCarried:
			return &Stop{Reason: ReasonNotCarried, Server: e.Door, Detail: "this door takes the new value; a login as Rollcall makes it there cannot carry the stolen one (its length or a character), so it was not offered. Another program may carry it, so that is no proof that the door refuses it: end what the door keeps, wait until that is over, and leave the door out (rollcall leave-out --door), which says so in the record"}
		case e.TookOld():
			return e.takesOld(nil)
		default:
			return e.atDoor(e.Old, "this door takes the new value, and answered %q to the stolen one, so that whether it still takes that is not known")
		}
	}
	return e.atDoor(e.New, "this door answered %q to the new value after it had refused the stolen one, so that this refusal proves nothing")
}

// atDoor is why an answer to the new value, or one to the old value that is no
// verdict on it, breaks the proof at a door off; nil if it is Accepted. said
// words an answer that is no verdict.
func (e DoorEvidence) atDoor(a Reply, said string) *Stop {
	switch a {
	case Accepted:
		return nil
	case Refused:
		return &Stop{Reason: ReasonDoorRefusesNew, Server: e.Door, Detail: "this door refuses the new value, so its refusal of the old one proves nothing" + e.why() + ". See whether the account may log in there, and whether the login of the door in the campaign file is right"}
	case NotCarried:
		return &Stop{Reason: ReasonNotCarried, Server: e.Door, Detail: "a login at this door cannot carry the new value (its length or a character), so it was asked nothing: whoever uses that door with it is cut off. Have new values made that it can carry (password:, or Vault's password policy), or leave the door out (rollcall leave-out --door) if nobody uses it"}
	case Guest:
		return &Stop{Reason: ReasonDoorGuest, Server: e.Door, Detail: "this door lets in whoever comes, so that a login proves nothing, and a refusal neither" + e.why() + ". Close it to guests, or take it out of the campaign file and accept that by its name"}
	case NotAsked:
		return &Stop{Reason: ReasonDoorSilent, Server: e.Door, Detail: notAskedYet}
	}
	return &Stop{Reason: ReasonDoorSilent, Server: e.Door, Detail: fmt.Sprintf(said, a) + e.why() + ". See that it is in order (rollcall doctor asks it); the next pass asks again"}
}

// why quotes the door.
func (e DoorEvidence) why() string {
	if e.Why == "" {
		return ""
	}
	return "; it said: " + e.Why
}

// AtEachEnd reports whether each of the ends at which a person changes
// something has a door: then doors prove what else would be his word. at says
// of doors at which end they are; of a single end all are.
func AtEachEnd(ends, doors []string, at map[string]string) bool {
	for _, end := range ends {
		if !slices.ContainsFunc(doors, func(d string) bool { return len(ends) == 1 || at[d] != "" && strings.EqualFold(at[d], end) }) {
			return false
		}
	}
	return len(ends) > 0 && len(doors) > 0
}

// TookOld reports whether the door took the old value, or said that it was
// right.
func (e DoorEvidence) TookOld() bool { return e.Old == Restricted || e.Old.Right() }

// RefusedNew reports whether the door refused the new value, before the old one
// was offered or after it.
func (e DoorEvidence) RefusedNew() bool { return e.First == Refused || e.New == Refused }

// Unanswered reports whether the door gave no reply to one of the values.
func (e DoorEvidence) Unanswered() bool {
	return e.First == Unreachable || e.Old == Unreachable || e.New == Unreachable
}
