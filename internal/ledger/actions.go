package ledger

import (
	"time"

	"rollcall/internal/protocol"
)

// Action is what somebody did with the campaign as a whole: started, paused,
// resumed or aborted it, took over, left a server out, accepted a login as
// open, went on where the rules ask for a person's word, or closed it.
type Action struct {
	At    time.Time
	Event Event
	// Who is as the entry has it: a claim of whoever typed the command
	// (user@host). Empty where the program did it by itself.
	Who string
	// What it was done to: a server, a login, a campaign; who sees to what was
	// accepted as open; empty for the campaign itself.
	What string
	// Why in the words of who did it; empty where nobody is asked for a reason.
	Why   string
	Index uint64 // of the entry
}

// act keeps what people did. Of a repeated word on one server or login each is
// kept: each is an entry.
func (s *State) act(index uint64, e *Entry) {
	a := Action{At: e.At, Event: e.Event, Who: e.Actor, Index: index}
	switch e.Event {
	case CampaignStarted, CampaignAborted:
	case CampaignPaused, CampaignResumed, CampaignClosed: // behind what is tried first, and to try more of it
		a.Why = e.Detail
	case ServerLeftOut:
		a.What, a.Why = e.Server+" of "+e.Authority, e.Detail
	case DoorLeftOut, DoorNotAsked:
		a.What, a.Why = e.Server, e.Detail
	case OpenAccepted:
		a.What, a.Why = e.Owner, e.Detail
	case Relisted:
		a.Why = e.Detail
	case LoginAccepted:
		a.What, a.Why = e.Name, e.Detail
	case TookOver:
		if e.TookFrom == nil {
			return
		}
		a.What = e.TookFrom.Campaign
	case DeviceContained:
		if e.Containment == nil || e.Containment.Override == "" {
			return // what is said of containment stands in a place of its own
		}
		a.Who, a.Why = e.Containment.OverrideBy, e.Containment.Override
	case ProfileNamed:
		if e.Profile == nil || e.Profile.Unanswered == "" {
			return
		}
		a.Who, a.Why = e.Profile.UnansweredBy, e.Profile.Unanswered
	default:
		return
	}
	s.Actions = append(s.Actions, a)
}

// Ending is how a campaign came to its end.
type Ending string

// Endings.
const (
	EndReached    Ending = "ended"      // by itself
	EndAborted    Ending = "aborted"    // by a person
	EndAccepted   Ending = "closed"     // by a person, who accepted what is open
	EndEarly      Ending = "early"      // by a failure
	EndSuperseded Ending = "superseded" // by a later campaign of the device
)

// Ending is how it ended, for one that was closed, and what a person did to end
// it; nil where nobody did.
func (s *State) Ending() (Ending, *Action) {
	switch aborted, accepted := s.By(CampaignAborted), s.By(OpenAccepted); {
	case aborted != nil:
		return EndAborted, aborted
	case accepted != nil:
		return EndAccepted, accepted
	case s.EndedEarly() || s.Why != "":
		return EndEarly, nil
	}
	for c := range s.All() {
		if c.Outcome == IsException && c.Reason == protocol.ReasonSuperseded {
			return EndSuperseded, nil
		}
	}
	return EndReached, nil
}

// EndedEarly reports whether the campaign was closed before its roll was:
// nothing is set before that.
func (s *State) EndedEarly() bool { return s.Phase == Closed && !s.rollClosed }

// By is who did such a thing last, and when; nil if nobody did.
func (s *State) By(e Event) *Action {
	for i := len(s.Actions) - 1; i >= 0; i-- {
		if s.Actions[i].Event == e {
			return &s.Actions[i]
		}
	}
	return nil
}
