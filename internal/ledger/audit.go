package ledger

import (
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/plural"
	"rollcall/internal/protocol"
)

// audit checks what the entries tell: hashes show that nothing was changed
// since it was signed, this shows that what was signed is whole.
type audit struct {
	rep       *Report
	state     *State
	first     map[idKey]int64  // id -> index of the entry that counts
	unknown   map[string]int64 // credential -> first event about it that asks for a listing
	ahead     map[string]ahead // credential -> first event that claims something of it before it was listed
	started   int64            // index of campaign-started, or noIndex
	deaths    []*death
	servers   map[authority][]string    // every server that gave evidence for an authority
	left      map[authorityServer]int64 // servers that a person left out, and the entry that says so
	leftDoors map[string]int64          // the same of doors
	notAsked  map[string]bool           // doors that a person went on without, for they are other ones
	intents   map[announced]int64       // the first intent of each attempt
	intended  bool                      // there was one
	closed    int64                     // index of roll-closed, or noIndex
	ended     int64                     // index of campaign-closed, or noIndex
	excluded  int                       // as roll-closed counts them
	answers   map[string]bool           // lines of the profile that an entry answers
	profiles  int
	contained int64           // index of contained, or noIndex
	relisted  bool            // a person had it listed again
	opened    map[string]bool // credentials whose task was opened
	readings  map[string]*readingTold
	gap       bool   // entries could not be read, so what is missing may be in them
	quick     *quick // nil: all that the judgement at the end needs is kept
}

type authority struct {
	name string
	kind credential.Kind
}

// authorityServer is a server of an authority, by the authority's name.
type authorityServer struct{ authority, server string }

// announced is an attempt at a credential that the ledger was told of before
// anything was set.
type announced struct {
	credential string
	attempt    int
}

type death struct {
	index int64
	entry *Entry
	task  *Task // as it stood by then; nil for what no person sees to
}

var known = map[Event]bool{
	CampaignStarted: true, CampaignPaused: true, CampaignResumed: true, CampaignAborted: true, CampaignClosed: true,
	Listed: true, Excluded: true, RollClosed: true, EventFinding: true, EventIntent: true, Activated: true, EventOutcome: true, EventOpen: true,
	Exception: true, Reopened: true, Anchored: true, ServerLeftOut: true, DoorLeftOut: true, DoorNotAsked: true, LoginAccepted: true, OpenAccepted: true, TookOver: true,
	Relisted: true, TakenUp: true, Added: true, Replaced: true,
	ProfileNamed: true, LineAnswered: true, DeviceContained: true,
	TaskOpened: true, TaskReminded: true, TaskOverdue: true, TaskReassigned: true, EndAttested: true, TaskRenewed: true, TaskHandedOver: true,
	EvidenceOpened: true,
	ReadingBegun:   true, LogRead: true, LogsCover: true, SignFound: true, ReadingEnded: true,
}

// bareState is of whom takes each entry once: the audit.
func bareState() *State {
	s := NewState()
	s.seen = nil
	return s
}

func newAudit(rep *Report) *audit {
	return &audit{rep: rep, state: bareState(), first: map[idKey]int64{}, unknown: map[string]int64{}, ahead: map[string]ahead{}, started: noIndex,
		servers: map[authority][]string{}, left: map[authorityServer]int64{}, leftDoors: map[string]int64{}, notAsked: map[string]bool{}, intents: map[announced]int64{}, answers: map[string]bool{}, opened: map[string]bool{}, readings: map[string]*readingTold{}, closed: noIndex, ended: noIndex, contained: noIndex}
}

func (a *audit) entry(index int64, line []byte) {
	e, err := ParseEntry(line)
	if err != nil {
		a.rep.add(index, "", "%v", err)
		return
	}
	a.take(index, &e, canonical(line, e))
}

// take audits an entry; written says that it stands in the form in which
// Rollcall writes it.
func (a *audit) take(index int64, e *Entry, written bool) {
	switch {
	case e.Campaign != a.rep.Campaign:
		a.rep.add(index, e.Credential, "the entry is of campaign %q", e.Campaign)
	case !known[e.Event]:
		a.rep.add(index, e.Credential, "unknown event %q: written by a newer version, or not by Rollcall", e.Event)
	case !written:
		a.rep.add(index, e.Credential, "the entry is not in the form Rollcall writes (an unknown or repeated key): verify with the version that wrote it")
	}
	if a.quick != nil {
		a.quick.before(a, e)
	} else {
		if was, dup := a.first[keyOf(e.ID)]; dup {
			a.rep.add(index, e.Credential, "repeats entry %d (%s): the first one counts", was, e.ID)
			return
		}
		a.first[keyOf(e.ID)] = index
	}
	a.relisting(index, e)
	end, seated := a.endBefore(e)
	before := a.taskBefore(e)
	a.state.add(uint64(index), e)
	a.check(index, e)
	if e.Event == EndAttested || e.Event == TaskReassigned {
		a.word(index, e, end, seated)
	}
	switch e.Event {
	case TaskRenewed:
		a.renewed(index, e, before)
	case TaskHandedOver:
		a.handedOver(index, e, before)
	}
}

func (a *audit) check(index int64, e *Entry) {
	if a.state.OfEvidence && !aboutLogs[e.Event] {
		a.rep.add(index, e.Credential, "%s in a ledger of what logs show, which is of no campaign", e.Event)
	}
	switch e.Event {
	case EvidenceOpened:
		a.evidenceOpened(index, e)
	case CampaignStarted:
		a.start(index)
	case Listed:
		if a.closed != noIndex {
			a.rep.add(index, e.Credential, "listed after the roll was closed by entry %d", a.closed)
		}
		a.listedLines(index, e)
	case DeviceContained:
		a.containment(index, e)
	case ProfileNamed:
		a.profile(index, e)
	case LineAnswered:
		a.line(index, e)
	case RollClosed:
		a.closed = index
		a.unended(index)
		if e.Counts != nil {
			a.excluded = e.Counts.Excluded
		}
		if n := a.state.Len(); e.Counts == nil {
			a.rep.add(index, "", "the roll was closed without a count")
		} else if e.Counts.Listed != n && !a.gap {
			a.rep.add(index, "", "the roll was closed with %s, and %s listed", plural.Count(e.Counts.Listed, "credential", "credentials"), plural.Count(n, "is", "are"))
		}
	case CampaignClosed:
		a.closing(index, e)
	case ReadingBegun, LogRead, LogsCover, SignFound, ReadingEnded:
		a.reading(index, e)
	case ServerLeftOut:
		a.leaveOut(index, e)
	case DoorLeftOut:
		a.leaveOutDoor(index, e)
	case DoorNotAsked:
		a.goOnWithout(index, e)
	case TookOver:
		a.takeOver(index, e)
	case OpenAccepted:
		if e.Actor == "" || e.Detail == "" || e.Owner == "" {
			a.rep.add(index, e.Credential, "what is open was accepted, and the entry does not say by whom, why, and who sees to it")
		}
		if l := a.state.Credential(e.Credential); e.Credential != "" && l == nil && !a.gap {
			a.rep.add(index, e.Credential, "accepted as open, and not on the roll")
		}
	case LoginAccepted:
		if e.Actor == "" || e.Detail == "" {
			a.rep.add(index, e.Credential, "an open login to Vault was accepted, and the entry does not say by whom and why")
		}
		if l := a.state.Credential(e.Credential); l == nil && !a.gap {
			a.rep.add(index, e.Credential, "an open login to Vault was accepted that is not on the roll")
		}
	case EventIntent, Activated, EventOpen, Exception, Reopened, EventOutcome, TaskOpened, TaskReminded, TaskOverdue, TaskReassigned, EndAttested, TaskRenewed, TaskHandedOver:
		if e.Event == TaskOpened {
			a.taskOpened(index, e)
		}
		if e.Event == EventIntent {
			a.announce(index, e)
		}
		if a.ended != noIndex && (e.Event == EventIntent || e.Event == EventOutcome) {
			a.rep.add(index, e.Credential, "%s after the campaign was closed by entry %d", e.Event, a.ended)
		}
		if a.state.Credential(e.Credential) == nil {
			if _, had := a.unknown[e.Credential]; !had {
				a.unknown[e.Credential] = index
			}
			a.unlisted(index, e)
			return
		}
		if e.Event == EventOutcome {
			a.died(index, e)
		}
	}
}

// announce notes that the ledger was told of an attempt before anything was
// set.
func (a *audit) announce(index int64, e *Entry) {
	if !a.intended {
		a.uncontained(index)
	}
	a.intended = true
	if a.quick != nil {
		a.quick.intents.put(a.quick.attempt(e.Credential, e.Attempt), 1)
		return
	}
	at := announced{e.Credential, e.Attempt}
	if _, twice := a.intents[at]; !twice {
		a.intents[at] = index
	}
}

// died notes a death, and which servers gave evidence of it.
func (a *audit) died(index int64, e *Entry) {
	d, at := &death{index, e, a.state.Credential(e.Credential).Task.copy()}, a.authorityOf(e)
	for _, ev := range e.Evidence {
		if !slices.Contains(a.servers[at], ev.Server) {
			a.servers[at] = append(a.servers[at], ev.Server)
			a.quick.another(a, at, ev.Server)
		}
	}
	if a.quick == nil {
		kept := *e
		d.entry = &kept
		a.deaths = append(a.deaths, d)
		return
	}
	a.quick.judged[at] = true
	a.judge(d)
}

// leaveOut asks who took a server out, and why: it is the one way in which a
// proof may be less than a proof on every server.
func (a *audit) leaveOut(index int64, e *Entry) {
	if e.Actor == "" || e.Detail == "" {
		a.rep.add(index, "", "server %s of %s was left out, and the entry does not say by whom and why", e.Server, e.Authority)
	}
	if named := a.state.Servers[e.Authority]; len(named) > 0 && e.Server == named[0] {
		a.rep.add(index, "", "server %s of %s was left out, and it is the write server", e.Server, e.Authority)
	}
	if _, twice := a.left[authorityServer{e.Authority, e.Server}]; !twice {
		a.left[authorityServer{e.Authority, e.Server}] = index
	}
}

// leaveOutDoor asks the same of a door.
func (a *audit) leaveOutDoor(index int64, e *Entry) {
	if e.Actor == "" || e.Detail == "" {
		a.rep.add(index, "", "door %s was left out, and the entry does not say by whom and why", e.Server)
	}
	a.namedDoor(index, e, "was left out")
	if _, twice := a.leftDoors[e.Server]; !twice {
		a.leftDoors[e.Server] = index
	}
}

func (a *audit) namedDoor(index int64, e *Entry, what string) {
	if _, named := a.state.Doors[e.Server]; !named && !a.gap {
		a.rep.add(index, "", "door %s %s, and the campaign has none of that name", e.Server, what)
	}
}

// goOnWithout asks who went on although a door is another one, and why, and for
// the order: what a door is was seen when the roll was listed.
func (a *audit) goOnWithout(index int64, e *Entry) {
	if e.Actor == "" || e.Detail == "" {
		a.rep.add(index, "", "door %s is not asked, and the entry does not say by whom and why", e.Server)
	}
	if a.closed != noIndex {
		a.rep.add(index, "", "door %s is not asked, as is said after the roll was closed by entry %d", e.Server, a.closed)
	}
	a.namedDoor(index, e, "is not asked")
	a.notAsked[e.Server] = true
}

// doors are those whose evidence a death needs: each of the credential, and
// none that a person had left out by then.
func (a *audit) doors(d *death) (out []string) {
	for _, name := range d.entry.DoorsLeftOut {
		if since, said := a.leftDoors[name]; !said || since > d.index {
			a.rep.add(d.index, d.entry.Credential, "called dead without door %s, which nobody had left out", name)
		}
	}
	for _, at := range d.entry.AtDoors {
		if a.notAsked[at.Door] {
			a.rep.add(d.index, d.entry.Credential, "called dead by what door %s showed, which was not asked", at.Door)
		}
	}
	for _, name := range a.state.Credential(d.entry.Credential).Doors {
		since, said := a.leftDoors[name]
		if !said || since > d.index || !slices.Contains(d.entry.DoorsLeftOut, name) {
			out = append(out, name)
		}
	}
	return out
}

// takeOver asks from whom, and for the order: one that could not list or record
// has no right to end another, and after the first intent there is nothing to
// take over any more.
func (a *audit) takeOver(index int64, e *Entry) {
	switch {
	case e.TookFrom == nil || e.TookFrom.Campaign == "":
		a.rep.add(index, "", "another campaign was taken over, and the entry does not say which")
	case e.TookFrom.Campaign == e.Campaign:
		a.rep.add(index, "", "the campaign took over from itself")
	case e.TookFrom.Asked && e.Actor == "":
		a.rep.add(index, "", "campaign %s was taken over because a person asked for it, and the entry does not say who", e.TookFrom.Campaign)
	case a.closed == noIndex && !a.gap:
		a.rep.add(index, "", "campaign %s was taken over before the roll was closed", e.TookFrom.Campaign)
	case a.intended:
		a.rep.add(index, "", "campaign %s was taken over after something was announced", e.TookFrom.Campaign)
	}
}

func (a *audit) closing(index int64, e *Entry) {
	a.ended = index
	a.unended(index)
	a.claim(index, e)
	listedNothing := e.Counts != nil && e.Counts.Listed == 0 && a.state.Len() == 0
	if a.closed == noIndex && !a.gap && !listedNothing {
		a.rep.add(index, "", "the campaign was closed, and its roll never was")
	}
	if e.Counts == nil || a.gap {
		return
	}
	dead := a.state.outcomes()[Dead]
	// Earlier versions counted no exclusions here.
	if n := e.Counts.Excluded; n != 0 && n != a.excluded {
		a.rep.add(index, "", "the campaign was closed with %d excluded, and its roll with %d", n, a.excluded)
	}
	if n := a.state.Len(); e.Counts.Listed != n || e.Counts.Dead != dead {
		a.rep.add(index, "", "the campaign was closed with %d listed and %d dead, and the entries tell of %d and %d", e.Counts.Listed, e.Counts.Dead, n, dead)
	}
}

func (a *audit) authorityOf(e *Entry) authority {
	l := a.state.Credential(e.Credential)
	return authority{name: l.Authority, kind: l.Kind}
}

// finish checks what only the whole shows.
func (a *audit) finish() {
	a.rep.Closed = a.state.Phase == Closed
	if a.state.OfEvidence {
		a.rep.Device = a.state.Device
	}
	if p := a.state.Profile; p != nil {
		a.rep.Profile = &VerifiedProfile{Name: p.Name, Reviewed: p.Reviewed, SHA256: p.Digest}
	}
	a.read()
	for cred, index := range a.unknown {
		if a.state.Credential(cred) == nil && !a.gap {
			a.rep.add(index, cred, "this credential is not on the roll")
		}
	}
	a.late()
	a.answered()
	for _, d := range a.deaths {
		a.judge(d)
	}
	for _, l := range a.state.Open() {
		a.rep.Open = append(a.rep.Open, OpenCredential{Credential: l.ID, Name: l.Name, Step: l.Step, Reason: l.Reason, Since: l.Since})
		if a.rep.Closed && !a.gap {
			a.rep.add(noIndex, l.ID, "listed and never brought to an end, and the campaign is closed")
		}
	}
	slices.SortStableFunc(a.rep.Problems, func(x, y Problem) int { return int(x.Index - y.Index) })
}

// asked are the servers whose evidence a death needs: those that the campaign
// began with, every one that gave evidence for any credential of the
// authority, and none that a person had left out by then.
func (a *audit) asked(d *death) []string {
	at := a.authorityOf(d.entry)
	all := slices.Clone(a.servers[at])
	for _, s := range a.state.Servers[at.name] {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	for _, s := range d.entry.LeftOut {
		since, said := a.left[authorityServer{at.name, s}]
		if !said || since > d.index {
			a.rep.add(d.index, d.entry.Credential, "called dead without %s, which nobody had left out", s)
			continue
		}
		if !slices.ContainsFunc(d.entry.Evidence, func(ev protocol.Evidence) bool { return ev.Server == s }) {
			all = slices.DeleteFunc(all, func(have string) bool { return have == s })
		}
	}
	return all
}

// before reports whether a death was announced in an attempt; 0 is an intent
// that names none. Nothing is set that the ledger has not announced.
func (a *audit) before(d *death, attempt int) bool {
	if a.quick != nil { // what was announced later is not there yet
		_, said := a.quick.intents.get(a.quick.attempt(d.entry.Credential, attempt))
		return said
	}
	at, said := a.intents[announced{d.entry.Credential, attempt}]
	return said && at < d.index
}

// judge asks of each death the evidence that the protocol asks for.
func (a *audit) judge(d *death) {
	if a.state.Credential(d.entry.Credential) == nil { // so nothing says what was to be asked
		a.rep.add(d.index, d.entry.Credential, "called dead, and taken off the roll afterwards")
		return
	}
	var named []string
	for _, ev := range d.entry.Evidence {
		if slices.Contains(named, ev.Server) {
			a.rep.add(d.index, d.entry.Credential, "dead on evidence that names server %s twice", ev.Server)
		}
		named = append(named, ev.Server)
	}
	if d.entry.Proof == protocol.ProofAttested || d.entry.Proof == protocol.ProofDoors {
		a.attested(d)
		return
	}
	if a.state.Credential(d.entry.Credential).Kind.ByHand() {
		a.rep.add(d.index, d.entry.Credential, "dead by %s, and only a person can change it", d.entry.Proof)
	}
	if !a.gap && !a.before(d, d.entry.Attempt) && !a.before(d, 0) {
		a.rep.add(d.index, d.entry.Credential, "called dead in attempt %d, of which no intent stands before it", d.entry.Attempt)
	}
	switch d.entry.Proof {
	case protocol.ProofBind, protocol.ProofMetadata, protocol.ProofRevoked:
	default:
		a.rep.add(d.index, d.entry.Credential, "dead by an unknown proof %q", d.entry.Proof)
		return
	}
	if a.state.Credential(d.entry.Credential).Kind.OnlyEnds() {
		a.gone(d)
		return
	}
	if stop := protocol.Shut(a.doors(d), d.entry.AtDoors, d.entry.Proof == protocol.ProofBind); stop != nil && !a.gap {
		a.rep.add(d.index, d.entry.Credential, "called dead without the evidence of its doors: %v", stop)
	}
	// What the change time was before is not in the ledger, so a change time
	// must at least be there.
	if _, stop := protocol.Dead(a.asked(d), d.entry.Evidence, d.entry.Proof == protocol.ProofBind, nil); stop != nil {
		a.rep.add(d.index, d.entry.Credential, "called dead by %s without the evidence: %v", d.entry.Proof, stop)
	}
}

// gone judges the death of what is only ended.
func (a *audit) gone(d *death) {
	if d.entry.Proof != protocol.ProofRevoked {
		a.rep.add(d.index, d.entry.Credential, "dead by %s, and it is only ended: nothing new is set", d.entry.Proof)
	}
	if stop := protocol.Ended(a.asked(d), d.entry.Evidence); stop != nil {
		a.rep.add(d.index, d.entry.Credential, "called ended without the evidence: %v", stop)
	}
}
