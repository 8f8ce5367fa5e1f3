package ledger

import (
	"slices"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// NewState is the state of an empty ledger.
func NewState() *State {
	return &State{Phase: Listing, byID: map[string]int{}, seen: map[idKey]struct{}{}, early: map[string]*CredentialState{}}
}

// Add folds in the next entry. An entry whose ID came before changes nothing.
// Entries of one credential count in the order of the log; how those of
// different credentials interleave makes no difference beyond the order of
// listing. The state keeps what the entry holds: nobody may change that later.
func (s *State) Add(index uint64, e Entry) {
	if s.seen != nil {
		key := keyOf(e.ID)
		if _, twice := s.seen[key]; twice {
			return
		}
		s.seen[key] = struct{}{}
	}
	s.add(index, &e)
}

// add is Add of an entry whose ID never came before. It does not change it.
func (s *State) add(index uint64, e *Entry) {
	if s.Campaign == "" {
		s.Campaign = e.Campaign
	}
	if e.At.After(s.LatestAt) {
		s.LatestAt = e.At
	}
	if s.OfEvidence && e.Event == SignFound && e.Credential != "" {
		s.signed(e)
		return
	}
	if e.Credential != "" && e.Event != Excluded && e.Event != LoginAccepted {
		s.addToLine(index, e)
		return
	}
	s.act(index, e)
	switch e.Event {
	case CampaignStarted:
		if e.Incident != nil {
			s.Incident = *e.Incident
		}
		s.Device, s.Actor, s.Program, s.Exposure, s.Servers, s.Waves = e.Device, e.Actor, e.Program, e.Detail, e.Servers, e.Waves
		s.StartedAt, s.ClosedAt, s.Rules = e.At, time.Time{}, e.Rules
		s.Doors, s.Spec = e.DoorPlaces, e.Spec
	case EvidenceOpened:
		s.OfEvidence, s.Device, s.Program, s.signedAt = true, e.Device, e.Program, map[string]int{}
	case DeviceContained:
		if s.Containment == nil {
			s.Containment = e.Containment
		}
	case ProfileNamed:
		if s.Profile == nil {
			s.Profile = e.Profile
		}
	case LineAnswered:
		if e.Line != nil && s.AnswerTo(e.Line.Line) == nil {
			s.Answers = append(s.Answers, *e.Line)
		}
	case RollClosed:
		s.rollClosed = true
		if e.Counts != nil {
			s.Listed = e.Counts.Listed
		}
	case CampaignPaused:
		s.paused = true
	case CampaignResumed:
		s.paused, s.ClosedAt, s.Why = false, time.Time{}, ""
	case CampaignAborted:
		s.aborted = true
	case CampaignClosed:
		s.ClosedAt, s.End, s.Why = e.At, e.End, e.Detail
	case Excluded:
		s.Excluded = append(s.Excluded, ExcludedCredential{ID: e.Credential, Name: e.Name, Reason: e.Detail})
	case ServerLeftOut:
		s.leaveOut(e, false)
	case DoorLeftOut:
		s.leaveOut(e, true)
	case LoginAccepted:
		if !slices.ContainsFunc(s.Accepted, func(l AcceptedLogin) bool { return l.ID == e.Credential }) {
			s.Accepted = append(s.Accepted, AcceptedLogin{ID: e.Credential, Name: e.Name, Actor: e.Actor, Reason: e.Detail, At: e.At})
		}
	case OpenAccepted:
		if s.OpenAccepted == nil {
			s.OpenAccepted = acceptance(e)
		}
	case ReadingBegun, LogRead, LogsCover, SignFound, ReadingEnded:
		s.read(index, e)
	case Relisted: // each credential that it puts on the roll has an entry
	case DoorNotAsked: // of a credential that it takes it is the reason
	case TookOver:
		if e.TookFrom != nil {
			s.TookOver = append(s.TookOver, *e.TookFrom)
		}
	case EventFinding:
		s.Findings = addFinding(s.Findings, e)
	}
	s.Phase = s.phase()
}

// leaveOut keeps the first word on a server or door: a request whose answer was
// lost may be made again.
func (s *State) leaveOut(e *Entry, door bool) {
	if !slices.ContainsFunc(s.LeftOut, func(l LeftOutServer) bool {
		return l.Door == door && l.Authority == e.Authority && l.Server == e.Server
	}) {
		s.LeftOut = append(s.LeftOut, LeftOutServer{Authority: e.Authority, Server: e.Server, Door: door, Actor: e.Actor, Reason: e.Detail, At: e.At})
	}
}

func (s *State) phase() Phase {
	switch {
	case !s.ClosedAt.IsZero():
		return Closed
	case s.aborted: // also where what is open was accepted a moment before
		return Aborting
	case s.OpenAccepted != nil:
		return Closing
	case s.paused:
		return Paused
	case s.rollClosed:
		return Running
	}
	return Listing
}

// Credential is the credential with this id, or nil if it was not listed.
func (s *State) Credential(id string) *CredentialState {
	if s.roll != nil {
		return s.roll.get(id)
	}
	if i, ok := s.byID[id]; ok {
		return s.Credentials[i]
	}
	return nil
}

// Open are the listed credentials that have not been brought to an end.
func (s *State) Open() []*CredentialState {
	var open []*CredentialState
	for l := range s.some(func(is Outcome, _ credential.Kind) bool { return is == NoOutcome }) {
		open = append(open, l)
	}
	return open
}

// credential finds the state of an entry's credential. What is told of a
// credential before it is listed waits aside: it is not on the roll until then.
func (s *State) credential(e *Entry) *CredentialState {
	if l := s.Credential(e.Credential); l != nil {
		return l
	}
	l := s.early[e.Credential]
	if l == nil {
		l = &CredentialState{ID: e.Credential}
		s.early[e.Credential] = l
	}
	if e.Event == Listed || e.Event == Added {
		delete(s.early, e.Credential)
		if s.roll != nil {
			s.roll.add(l)
			return l
		}
		s.byID[e.Credential] = len(s.Credentials)
		s.Credentials = append(s.Credentials, l)
	}
	return l
}

func (s *State) addToLine(index uint64, e *Entry) {
	l := s.credential(e)
	switch e.Event {
	case Listed:
		l.list(e)
	case Added:
		s.Listed++
		s.Excluded = slices.DeleteFunc(slices.Clone(s.Excluded), func(x ExcludedCredential) bool { return x.ID == e.Credential })
		l.list(e)
	case TakenUp:
		l.takeUp(e)
	case Replaced:
		s.replace(l, e.Detail)
	case EventFinding:
		l.Findings = addFinding(l.Findings, e)
	case SignFound:
		l.sign(e)
	case EventIntent:
		l.intend(index, e)
	case Activated:
		if e.Attempt >= l.Attempt {
			l.ActivatedAt = e.At
		}
	case EventOpen:
		l.stand(e)
		l.explain(e)
	case Exception:
		if l.Outcome != Dead {
			with := *e
			if said, ok := l.said[e.Reason]; ok {
				with.Detail = said + " (" + e.Detail + ")"
			}
			l.stand(&with)
			l.Outcome, l.Index = IsException, index
		}
	case Reopened:
		l.reopen(index, e)
	case TaskOpened, TaskReminded, TaskOverdue, TaskReassigned, EndAttested, TaskRenewed, TaskHandedOver:
		l.task(e)
	case EventOutcome:
		l.die(index, e)
	case OpenAccepted:
		if l.Accepted == nil {
			l.Accepted = acceptance(e)
		}
	}
}

func acceptance(e *Entry) *Acceptance {
	return &Acceptance{Actor: e.Actor, Reason: e.Detail, Owner: e.Owner, Due: e.Due, At: e.At}
}

// AcceptedAs is what a person said of a credential that he left open; nil where
// nobody did, and of what is dead.
func (s *State) AcceptedAs(c *CredentialState) *Acceptance {
	switch {
	case c.Outcome == Dead:
		return nil
	case c.Accepted != nil:
		return c.Accepted
	}
	return s.OpenAccepted
}

// intend notes that a server may know a new value from here on. It opens an
// exception again; a dead credential stays dead, for the stolen value is.
func (c *CredentialState) intend(index uint64, e *Entry) {
	if e.Attempt > c.Attempt || c.Announced == 0 {
		c.Announced, c.AnnouncedAt = index, e.At
	}
	c.Attempt = max(c.Attempt, e.Attempt)
	if c.Outcome == Dead {
		return
	}
	if e.From != nil {
		c.From = e.From
	}
	at := *e
	at.Step, at.Reason, at.Server, at.Detail = protocol.Set, "", "", ""
	c.Outcome, c.Index = NoOutcome, 0
	c.stand(&at)
}

// stand notes where the credential stands. Since moves only when that changes.
func (c *CredentialState) stand(e *Entry) {
	if c.Outcome != NoOutcome {
		return // what a slow pass says of an ended credential is late
	}
	if c.Step != e.Step || c.Reason != e.Reason || c.Server != e.Server || c.Since.IsZero() {
		c.hide(e)
		c.Since = e.At
		if own := c.Own; e.Event == Exception && own.Reason == e.Reason && own.Step == e.Step && own.Server == e.Server {
			c.Since, c.Own = own.Since, Cause{}
		}
	}
	c.Step, c.Reason, c.Server, c.Detail, c.Until = e.Step, e.Reason, e.Server, e.Detail, e.Until
	c.Attempt = max(c.Attempt, e.Attempt)
	if !e.SetAt.IsZero() {
		c.SetAt = e.SetAt // a later pass only proves, and does not know it
	}
}

// hide keeps what a credential had as a cause of its own while it only meets
// outages, and forgets it once that was looked at, or it came further.
func (c *CredentialState) hide(e *Entry) {
	own := c.Own
	if own.Reason == "" && c.Reason != "" && !c.Reason.Outage() {
		own = Cause{c.Step, c.Reason, c.Server, c.Since}
	}
	switch {
	case e.Event == Exception: // by its cause
	case own.Reason == "" || !e.Reason.Outage() || e.Step.Behind(own.Step):
		c.Own, c.Unseen = Cause{}, time.Time{}
	default:
		if c.Own = own; c.Unseen.IsZero() {
			c.Unseen = e.At
		}
	}
}

// explain keeps what was said of a reason: the entry that ends the credential
// as an exception tells only that nothing came of it any more.
func (c *CredentialState) explain(e *Entry) {
	if e.Detail == "" {
		return
	}
	if c.said == nil {
		c.said = map[protocol.Reason]string{}
	}
	c.said[e.Reason] = e.Detail
}

func (c *CredentialState) die(index uint64, e *Entry) {
	if c.Outcome == Dead && e.Attempt < c.Attempt {
		return
	}
	if c.Outcome != Dead {
		c.DeadAt = deadAt(e)
		c.Since = c.DeadAt
	}
	c.Outcome, c.Index = Dead, index
	c.Own, c.Unseen = Cause{}, time.Time{}
	c.Step, c.Reason, c.Server, c.Detail = protocol.Outcome, "", "", e.Detail
	c.Attempt = max(c.Attempt, e.Attempt)
	c.Proof, c.Evidence, c.LeftOut = e.Proof, e.Evidence, e.LeftOut
	c.AtDoors, c.DoorsLeftOut = e.AtDoors, e.DoorsLeftOut
	if !e.SetAt.IsZero() {
		c.SetAt = e.SetAt
	}
	if e.From != nil {
		c.From = e.From
	}
	c.To, c.Written = e.To, e.Written
}

// reopen takes a death back: the account was changed after its proof. The
// evidence stays, for the stolen value was dead then.
func (c *CredentialState) reopen(index uint64, e *Entry) {
	if c.Outcome != Dead {
		return
	}
	c.Outcome, c.DeadAt, c.Proof = NoOutcome, time.Time{}, ""
	c.stand(e)
	c.Outcome, c.Index = IsException, index
}

// deadAt is when the last server and the last door had shown the old value
// dead.
func deadAt(e *Entry) time.Time {
	var last time.Time
	seen := func(text string) {
		if at, err := time.Parse(time.RFC3339, text); err == nil && at.After(last) {
			last = at
		}
	}
	for _, ev := range e.Evidence {
		seen(ev.At)
	}
	for _, ev := range e.AtDoors {
		seen(ev.At)
	}
	if last.IsZero() {
		return e.At
	}
	return last
}

// addFinding keeps each finding once: a later pass finds the same again.
func addFinding(have []credential.Finding, e *Entry) []credential.Finding {
	f := credential.Finding{Code: e.Finding, Detail: e.Detail}
	if slices.Contains(have, f) {
		return have
	}
	return append(have, f)
}
