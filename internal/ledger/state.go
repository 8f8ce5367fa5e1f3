package ledger

import (
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// State is the fold of a ledger: what status, watch and report show. It is
// derived from entries alone, so whoever holds the files sees the same.
type State struct {
	Campaign  string
	Device    string
	Actor     string
	Program   string // the build of Rollcall that opened it; empty in ledgers of older ones
	Phase     Phase
	Spec      *Specification // what it was started with; nil in ledgers that do not say
	StartedAt time.Time      // zero in ledgers of earlier versions that ended before they began
	ClosedAt  time.Time      // zero while it runs
	Why       string         // why it ended early, as it closed; empty where it came to its end
	LatestAt  time.Time      // of the latest entry

	Listed       int                // as the roll-closed entry counts; 0 before it
	Credentials  []*CredentialState // in the order of listing; empty in a packed state, see All
	Excluded     []ExcludedCredential
	Exposure     string               // for people
	Incident     credential.Incident  // zero where nobody says
	Findings     []credential.Finding // of the campaign as a whole
	Servers      map[string][]string  // of each directory, the write server first; nil in ledgers that do not say
	Waves        map[int]string       // their names by number; nil in ledgers that do not say
	Doors        map[string]string    // where each door of the campaign file is; nil without any
	LeftOut      []LeftOutServer
	Accepted     []AcceptedLogin
	OpenAccepted *Acceptance // a person left what is open open; nil where nobody did
	TookOver     []TookFrom  // campaigns that this one ended
	Readings     []*ReadLogs // of logs, in the order of the log
	OfEvidence   bool        // it is of what logs show of the device, and of no campaign
	Signed       []*Signed   // then: what logs show of credentials of campaigns' rolls
	Actions      []Action    // what people did with the campaign as a whole, in the order of the log

	// Rules that the writer keeps to: from RulesContained on nothing is
	// announced before the ledger says that the device is contained.
	Rules       int
	Containment *credential.Containment // nil in ledgers that do not say

	// Profile of the device, and the answers to its lines in their order; nil
	// where no profile was named.
	Profile *DeviceProfile
	Answers []credential.LineAnswer
	End     *End // as the campaign closed; nil before, and without a profile

	byID       map[string]int              // into Credentials
	signedAt   map[string]int              // into Signed
	seen       map[idKey]struct{}          // ids of the entries so far; nil where whoever adds them sees to that
	early      map[string]*CredentialState // told of before they were listed
	rollClosed bool
	paused     bool
	aborted    bool

	roll  *roll                                   // the credentials of a packed state
	shown func(*CredentialState) *CredentialState // what All makes of each of roll; nil: nothing
}

// Phase of a campaign.
type Phase string

// Phases.
const (
	Listing  Phase = "listing"
	Running  Phase = "running"
	Paused   Phase = "paused"
	Aborting Phase = "aborting" // until it closes
	Closing  Phase = "closing"  // a person accepted what is open: until it closes
	Closed   Phase = "closed"
)

// Outcome of one credential.
type Outcome string

// Outcomes. A credential without one is not brought to an end.
const (
	NoOutcome   Outcome = ""
	Dead        Outcome = "dead"
	IsException Outcome = "exception"
)

// CredentialState is one credential of the roll and all that is known of it.
type CredentialState struct {
	ID, Name  string
	Kind      credential.Kind
	Authority string
	Wave      int
	Paths     []credential.Path
	Reasons   []credential.Reason
	Findings  []credential.Finding
	Signs     []credential.SignOf  // of use by others, in the order of the log
	Lines     []credential.LineRef // of the profile that it answers
	UsedBy    []string             // consumers that read it, as the campaign file says

	Logins, VaultLogins []string // with which it logs in, see Entry

	Owner string    // who sees to it if it stays open, as it was listed; empty where nobody says
	Due   time.Time // until when; zero where nobody says

	DeadBefore *credential.DeadBefore // by an earlier campaign; nil where none is known

	Doors   []string                // that take its secret too
	AtDoors []protocol.DoorEvidence // what they showed when it was proved dead
	// DoorsLeftOut are those that were not asked then, because a person had
	// left them out.
	DoorsLeftOut []string
	// DoorEnds says of doors at which end of a task they are, where it has
	// several.
	DoorEnds map[string]string

	Task *Task // what a person has to do; nil where nobody was asked to

	Outcome Outcome
	Step    protocol.Step   // where it stands when not dead: listed ones have "", intents Set, …
	Reason  protocol.Reason // why it is open
	Server  string
	Detail  string
	Since   time.Time // when it came to stand there
	Until   time.Time // when a lock that keeps it open ends by itself; zero if nobody knows
	// Own is what kept it open when that was last looked at, where Reason is an
	// outage since. Unseen is from when on outages hid whether it is so, also
	// of what ended with that as its Reason.
	Own    Cause
	Unseen time.Time

	Attempt  int
	From, To map[string]int
	Written  map[string]time.Time // when Vault wrote each of To; nil in ledgers that do not say
	Proof    protocol.Proof
	Evidence []protocol.Evidence
	LeftOut  []string // servers that the proof did not ask, because a person had left them out
	SetAt    time.Time
	// Announced is the index of the entry that first announced the value of
	// Attempt: from then on whoever may read its places may have read it.
	Announced   uint64
	AnnouncedAt time.Time
	// ActivatedAt is when the ledger was told that consumers read the value of
	// Attempt; zero where nobody waits to hear it.
	ActivatedAt time.Time
	DeadAt      time.Time
	Index       uint64 // of the outcome entry in the log

	Accepted *Acceptance // what a person said of it when he left it open; nil where that is State.OpenAccepted

	said map[protocol.Reason]string // details of reasons, for an exception
}

// Cause is why a credential is open, where and since when.
type Cause struct {
	Step   protocol.Step
	Reason protocol.Reason
	Server string
	Since  time.Time
}

// Acceptance is a person's word on what stays open.
type Acceptance struct {
	Actor  string
	Reason string
	Owner  string    // who sees to it
	Due    time.Time // until when; zero where nobody said
	At     time.Time
}

// AcceptedLogin is a login to Vault that a person accepted as open while the
// campaign ran.
type AcceptedLogin struct {
	ID, Name string
	Actor    string
	Reason   string
	At       time.Time
}

// LeftOutServer is a server, or a door, that a person took out of the campaign
// while it ran.
type LeftOutServer struct {
	Authority, Server, Actor, Reason string
	Door                             bool // Server is its name, of no Authority
	At                               time.Time
}

// Name is what it is called, without its authority.
func (l LeftOutServer) Name() string {
	if l.Door {
		return "door " + l.Server
	}
	return l.Server
}

// Place names it for people.
func (l LeftOutServer) Place() string {
	if l.Door {
		return l.Name()
	}
	return l.Server + " of " + l.Authority
}

// ExcludedCredential is a credential that a person took off the roll.
type ExcludedCredential struct{ ID, Name, Reason string }
