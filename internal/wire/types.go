// Package wire is what crosses Temporal between workflows and activities: the
// names and the fields of running campaigns, of other workers and of recorded
// histories. Everything here is a reference, a code or a count: no secret and
// no account name (rule 4). It knows neither Vault nor how a credential is
// rotated, so that workflows do not either.
package wire

import (
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// Task queues. The ledger has its own, so that rotation workers cannot write
// it.
const (
	RotationQueue = "rollcall"
	LedgerQueue   = "rollcall-ledger"
)

// Roll refers to a stored roll.
type Roll struct {
	Campaign string                 `json:"campaign"`
	Snapshot string                 `json:"snapshot"`
	Device   string                 `json:"device"`
	Actor    string                 `json:"actor,omitempty"`
	Pages    int                    `json:"pages"`
	Listed   int                    `json:"listed"`
	Excluded int                    `json:"excluded"`
	Waves    []credential.WaveIndex `json:"waves"`
	// Incomplete counts warnings that something may be missing from the roll.
	// What they say names accounts and stays in Vault.
	Incomplete int    `json:"incomplete,omitempty"`
	Exposure   string `json:"exposure,omitempty"`
	// Spec names what the campaign was started with. Rolls of workers of before
	// have it not.
	Spec *ledger.Specification `json:"spec,omitempty"`
	// Logins of the device to Vault: what they could read waits for them.
	Logins credential.Refs `json:"logins,omitempty"`
	// Readers are accounts that may read what others of their authority are set
	// to.
	Readers credential.Refs `json:"readers,omitempty"`
	// Servers of each directory, the write server first, as they were found
	// when the roll was listed.
	Servers map[string][]string `json:"servers,omitempty"`
	// Addresses of those whose name had one.
	Addresses map[string]string `json:"addresses,omitempty"`
	// Doors of the campaign file: where each is.
	Doors map[string]string `json:"doors,omitempty"`
	// Tokens: the listing looked at all tokens of Vault, so that those that are
	// made later can be told. Rolls of workers of before have it not.
	Tokens bool `json:"tokens,omitempty"`
	// Watched: the device has addresses, which are asked while the campaign
	// runs. Rolls of workers of before have it not, and their device is not
	// asked.
	Watched bool `json:"watched,omitempty"`
	// Again says which listing of the campaign put on the roll what a wave
	// holds, or goes on with it: 0 for the first.
	Again int `json:"again,omitempty"`
}

// DeviceAnswers is what became of asking the device; empty where it was silent.
type DeviceAnswers struct {
	Detail string `json:"detail,omitempty"` // places on the network
}

// NewReaders is what became of looking for tokens of Vault that were made since
// the listing; empty where none may read new values.
type NewReaders struct {
	Detail string `json:"detail,omitempty"` // accessors, and no names
}

// ListInput names the campaign whose specification is in Vault.
type ListInput struct {
	Campaign string `json:"campaign"`
}

// ScheduledInput names the schedule whose specification a new campaign takes.
type ScheduledInput struct {
	Schedule string `json:"schedule"`
	Campaign string `json:"campaign"`
	Device   string `json:"device"`
	Actor    string `json:"actor,omitempty"`
}

// Batch refers to credentials of one authority on one page of a roll.
type Batch struct {
	Campaign    string          `json:"campaign"`
	Snapshot    string          `json:"snapshot"`
	Authority   string          `json:"authority"`
	Kind        credential.Kind `json:"kind"`
	Span        credential.Span `json:"span"`
	Concurrency int             `json:"concurrency"`
	Again       int             `json:"again,omitempty"` // as in Roll
	// LeftOut are servers of the authority that a person took out: proofs do
	// not ask them.
	LeftOut []string `json:"left_out,omitempty"`
	// DoorsLeftOut are doors that a person took out.
	DoorsLeftOut []string `json:"doors_left_out,omitempty"`
	// Logins to Vault that are still open, and that nobody has accepted.
	Logins credential.Refs `json:"logins,omitempty"`
	// Found is how many logins to Vault the campaign has that were found while
	// it ran, dead or not: of those the batch knows whether they are open.
	Found int `json:"found,omitempty"`
	// Readers are accounts that may read what others of their authority are set
	// to, dead or not, and that nobody has accepted.
	Readers credential.Refs `json:"readers,omitempty"`
}

// PrepareInput names the credentials of a batch by their index on the page.
type PrepareInput struct {
	Batch Batch `json:"batch"`
	Pass  int   `json:"pass"`
	Items []int `json:"items"`
	// Sent are those of Items of which an earlier pass may have put the new
	// value in force: they are brought to their end whatever the device
	// answers.
	Sent []int `json:"sent,omitempty"`
}

// PreparedItem is what Prepare says of one credential.
type PreparedItem struct {
	Index int `json:"i"`
	Prepared
}

// ApplyInput carries what Prepare learned.
type ApplyInput struct {
	Batch Batch       `json:"batch"`
	Items []ApplyItem `json:"items"`
	// Doors says when those of what the servers proved are asked.
	Doors AskDoors `json:"doors,omitempty"`
}

// AskDoors says when doors are asked.
type AskDoors string

const (
	// DoorsHere: in this activity, however long that takes, as campaigns had it
	// that an earlier version began.
	DoorsHere AskDoors = ""
	// DoorsLater: by another activity; what has doors comes back as AtDoors.
	DoorsLater AskDoors = "later"
	// DoorsNow: here, after another look at the servers, and for a bounded
	// time; what it did not come to comes back as AtDoors.
	DoorsNow AskDoors = "now"
)

// ApplyItem is one credential to apply.
type ApplyItem struct {
	Index   int  `json:"i"`
	Attempt int  `json:"attempt"` // whose intent is in the ledger: no other is set
	Fresh   bool `json:"fresh,omitempty"`
	Sent    bool `json:"sent,omitempty"` // as in PrepareInput
	// Against is a server that contradicted itself about this credential in an
	// earlier pass.
	Against string `json:"against,omitempty"`
	// Unheard as in OpenItem.
	Unheard bool `json:"unheard,omitempty"`
}

// AppliedItem is what Apply says of one credential.
type AppliedItem struct {
	Index int `json:"i"`
	Applied
}

// SignalActivated tells a wave, with an ActivatedInput, which credentials of a
// batch that is still worked on have their new value where consumers read it.
const SignalActivated = "activated"

// ActivatedInput says, before the batch is through, of which credentials
// consumers read the new value by now, and are to be told so.
type ActivatedInput struct {
	Batch Batch           `json:"batch"`
	Items []ActivatedItem `json:"items"`
}

// ActivatedItem is one of them; To as in Applied.
type ActivatedItem struct {
	Index   int   `json:"i"`
	Attempt int   `json:"attempt"`
	To      []int `json:"to"`
}

// CleanInput names dead credentials whose outcome is in the ledger.
type CleanInput struct {
	Batch Batch       `json:"batch"`
	Items []CleanItem `json:"items"`
	Again bool        `json:"again,omitempty"` // it was tried before
}

// CleanItem is one dead credential, and what may be destroyed of it.
type CleanItem struct {
	Index int `json:"i"`
	Dead
}

// IntentInput is for the ledger: these are about to be set.
type IntentInput struct {
	Batch Batch          `json:"batch"`
	Items []PreparedItem `json:"items"`
}

// ResultInput is for the ledger: how a pass over a batch ended.
type ResultInput struct {
	Batch   Batch          `json:"batch"`
	Pass    int            `json:"pass"`
	Stopped []PreparedItem `json:"stopped,omitempty"` // never reached Apply
	Applied []AppliedItem  `json:"applied,omitempty"`
	// Known are the reasons already recorded by earlier passes: what has not
	// changed is not recorded again.
	Known []OpenItem `json:"known,omitempty"`
}

// OpenItem is a credential that is still open, and why.
type OpenItem struct {
	Index  int             `json:"i"`
	Step   protocol.Step   `json:"s"`
	Reason protocol.Reason `json:"r"`
	Server string          `json:"at,omitempty"`
	// Until is when a lock ends by itself, in seconds of Unix time; 0 if nobody
	// knows.
	Until int64 `json:"u,omitempty"`
	// Wait as in protocol.Stop.
	Wait bool `json:"p,omitempty"`
	// Sent: this pass or an earlier one may have put the new value in force,
	// and it may not be activated.
	Sent bool `json:"x,omitempty"`
	// Unheard: an Apply of it ended without an answer, and no later one was
	// heard of: what it sent may still arrive.
	Unheard bool `json:"w,omitempty"`
	// Contradicts is a server that contradicted itself in this pass or an
	// earlier one: no later pass proves anything on it.
	Contradicts string `json:"c,omitempty"`
	// Before is why it was open when a new attempt was staged (ReasonRestaged):
	// that, and not the staging, is what people are told if nothing comes of
	// it.
	Before *OpenItem `json:"b,omitempty"`
	// Own is why it was open when a pass last saw that, where later ones met
	// an outage and came no further (protocol.Reason.Outage): that stays the
	// cause, and the outage is said beside it.
	Own *OpenItem `json:"o,omitempty"`
	// Awaits as in protocol.Stop.
	Awaits credential.Refs `json:"l,omitempty"`
}

// Cause is why it is open by itself; nil where nothing but an outage is known.
func (it OpenItem) Cause() *OpenItem {
	switch {
	case it.Reason.Outage():
		return it.Own
	case it.Reason == protocol.ReasonRestaged && it.Before != nil:
		return it.Before.Cause()
	}
	return &OpenItem{Step: it.Step, Reason: it.Reason, Server: it.Server, Awaits: it.Awaits}
}

// OpenAs is why a stop leaves a credential open.
func OpenAs(index int, step protocol.Step, s *protocol.Stop) OpenItem {
	it := OpenItem{Index: index, Step: step, Reason: s.Reason, Server: s.Server, Wait: s.Wait, Awaits: s.Awaits}
	if !s.Until.IsZero() {
		it.Until = s.Until.Unix()
	}
	return it
}

// ExceptionInput is for the ledger: these stay open for good.
type ExceptionInput struct {
	Batch Batch      `json:"batch"`
	Items []OpenItem `json:"items"`
	Why   string     `json:"why"` // for people; what is Final() says so instead
}

// EventInput is for the ledger: something about the campaign as a whole.
type EventInput struct {
	Campaign string       `json:"campaign"`
	Device   string       `json:"device"`
	Event    ledger.Event `json:"event"`
	Actor    string       `json:"actor,omitempty"`
	Number   int          `json:"number"` // makes repeated events of one name distinct
	// Login that a person accepted as open, on the roll of Snapshot.
	Snapshot string          `json:"snapshot,omitempty"`
	Login    *credential.Ref `json:"login,omitempty"`
	// TookFrom is a campaign that this one has ended.
	TookFrom string `json:"took_from,omitempty"`
	// Authority and Server that a person left out.
	Authority string `json:"authority,omitempty"`
	Server    string `json:"server,omitempty"`
	Detail    string `json:"detail,omitempty"`
	// Accepted is what a person says of what stays open.
	Accepted *Acceptance `json:"accepted,omitempty"`
	// Finding of a finding about the campaign as a whole.
	Finding credential.FindingCode `json:"finding,omitempty"`
	Listed  int                    `json:"listed,omitempty"`
	// Excluded by a person. Workflows of before count none.
	Excluded int `json:"excluded,omitempty"`
	Dead     int `json:"dead,omitempty"`
	Open     int `json:"open,omitempty"`
}

// Ending is how a campaign came to its end, and the person who ended it.
type Ending struct {
	How ledger.Ending `json:"how"`
	By  string        `json:"by,omitempty"`
}

// Acceptance is a person's word that what is open stays open, and who sees to
// it. It goes through Temporal: no text in it names a secret or an account.
type Acceptance struct {
	Actor  string         `json:"actor"`
	Reason string         `json:"reason"`
	Owner  string         `json:"owner"`
	Due    time.Time      `json:"due,omitzero"`
	Items  []AcceptedItem `json:"items,omitempty"` // of which something else is said
}

// AcceptedItem is what is said of one credential of the roll.
type AcceptedItem struct {
	credential.Ref
	Reason string    `json:"reason"`
	Owner  string    `json:"owner"`
	Due    time.Time `json:"due,omitzero"`
}

// ProvedItem is a dead credential, the change marks that its evidence ends
// with, and the versions that were activated, in the order of its places; 0
// where a path took no part.
type ProvedItem struct {
	Index int    `json:"i"`
	Mark  string `json:"m"` // of the write server
	// Marks of the other servers; one that has the write server's is empty.
	Marks map[string]string `json:"ms,omitempty"`
	To    []int             `json:"to,omitempty"`
	// Written is when Vault wrote each of To, if the ledger says so.
	Written []time.Time `json:"w,omitempty"`
	// Read: its new value may have been read, by a login to Vault that was
	// found afterwards. It is not looked at, and is open again.
	Read bool `json:"r,omitempty"`
}

// Cleaned are dead credentials that are open again: what their consumers get is
// not the new value any more, which is kept in staging.
type Cleaned struct {
	Reopened []OpenItem `json:"reopened,omitempty"`
	Detail   string     `json:"detail,omitempty"`
}

// CleanedInput is for the ledger.
type CleanedInput struct {
	Batch  Batch   `json:"batch"`
	Result Cleaned `json:"result"`
}

// RecheckInput names dead credentials to look at once more.
type RecheckInput struct {
	Batch Batch        `json:"batch"`
	Items []ProvedItem `json:"items"`
}

// Rechecked is what that found, without those of which there is nothing to say.
type Rechecked struct {
	Reopened []OpenItem `json:"reopened,omitempty"`
	Detail   string     `json:"detail,omitempty"` // of those
	// Details are of those, by index, of which another one tells.
	Details map[int]string `json:"details,omitempty"`
	Locked  []int          `json:"locked,omitempty"` // by workers of earlier versions; see Told
	// Told are findings of what stays dead.
	Told map[credential.FindingCode][]int `json:"told,omitempty"`
	// Unseen could not be looked at on every server that proved them dead, or
	// in Vault.
	Unseen []int `json:"unseen,omitempty"`
	// Missed are not shown by a server besides the write server. By workers of
	// earlier versions: those of Unseen too.
	Missed int `json:"missed,omitempty"`
}

// Tell adds a detail, and keeps one that many share only once.
func (r *Rechecked) Tell(index int, text string) {
	switch {
	case r.Detail == "":
		r.Detail = text
	case r.Detail != text && r.Details == nil:
		r.Details = map[int]string{index: text}
	case r.Detail != text:
		r.Details[index] = text
	}
}

// RecheckedInput is for the ledger.
type RecheckedInput struct {
	Batch  Batch     `json:"batch"`
	Result Rechecked `json:"result"`
	Number int       `json:"number"` // of the look, in the campaign
}
