// Package ledger is the campaign's one record: an append-only, tamper-evident
// log (C2SP tlog-tiles) that can be verified offline from its files and a
// public key alone.
package ledger

import (
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// Event is what an entry tells. Stable: it is what is written.
type Event string

// Events.
const (
	CampaignStarted Event = "campaign-started" // device, exposure, incident, who, which build; counts come with the roll
	CampaignPaused  Event = "campaign-paused"
	CampaignResumed Event = "campaign-resumed"
	CampaignAborted Event = "campaign-aborted"
	CampaignClosed  Event = "campaign-closed"   // Counts
	ServerLeftOut   Event = "server-left-out"   // a person took Server of Authority out, with Detail as the reason: proofs after it need not ask it
	DoorLeftOut     Event = "door-left-out"     // a person took the door Server out, with Detail as the reason
	DoorNotAsked    Event = "door-not-asked"    // a person went on although the door Server is not what the campaign file says, with Detail as the reason; before the roll is closed
	LoginAccepted   Event = "login-accepted"    // a person let new values go where Credential, a login to Vault that was not dead, could read them, with Detail as the reason
	OpenAccepted    Event = "open-accepted"     // a person left what is open open, with Detail as the reason, Owner and Due; with Credential: what he says of that one instead
	Listed          Event = "listed"            // one for each credential on the roll, with provenance
	Excluded        Event = "excluded"          // found, and left out by a person, with Detail as the reason
	ProfileNamed    Event = "profile"           // Profile: what such a device can hold, before anything is listed
	LineAnswered    Event = "line"              // Line: the answer to one line of it
	DeviceContained Event = "contained"         // Containment: how the device is contained, and whether it answered, before anything is listed
	RollClosed      Event = "roll-closed"       // Counts.Listed credentials were listed: none can be missing below
	Relisted        Event = "relisted"          // a person had it listed again while it runs, with Detail as the reason, and what follows is part of the roll from then on
	TakenUp         Event = "taken-up"          // a listed credential of which nothing was announced yet, as it is listed now
	Added           Event = "added"             // a credential that is new on the roll
	Replaced        Event = "replaced"          // off the roll: listed as no account, and what it stood for is a path of another by now; or a person excludes it by now, with Detail as his reason
	EventFinding    Event = "finding"           // Finding, Detail
	EventIntent     Event = "intent"            // about to set: from here on a server may know the new value
	Activated       Event = "activated"         // To: consumers read the new value from here on; told of what somebody is to reload
	EventOutcome    Event = "outcome"           // the stolen value is proved dead: Proof, Evidence
	EventOpen       Event = "open"              // a pass ended with the credential open: Step, Reason, Server, Detail
	Exception       Event = "exception"         // the deadline or an abort left it open
	Reopened        Event = "reopened"          // dead, and found changed at the end of the campaign: Reason, Server, Detail
	TookOver        Event = "took-over"         // it ended another campaign of the device (TookFrom), before anything is set
	TaskOpened      Event = "task-opened"       // Task: what people have to do about the credential
	TaskReminded    Event = "task-reminded"     // Detail: it is due soon, or was
	TaskOverdue     Event = "task-overdue"      // its time is over, and it is open
	TaskReassigned  Event = "task-reassigned"   // Word: somebody else sees to one of its ends
	TaskRenewed     Event = "task-renewed"      // Word: a person said that the value that was handed over is not to be used; what was said to be done is not
	TaskHandedOver  Event = "task-handed-over"  // Task: another value was, and its ends can be done from then on
	EndAttested     Event = "end-attested"      // Word: a person said that one of its ends is done
	ReadingBegun    Event = "evidence-begun"    // Reading.Of: a reading of logs; what follows of it has its id. Actor and Detail, where a person had it read while the campaign runs
	LogRead         Event = "evidence-log"      // Reading.Log: one log of it
	LogsCover       Event = "evidence-coverage" // Reading.Coverage: which part of the windows the log of one server covers
	SignFound       Event = "evidence-finding"  // Reading.Sign: of Credential; or without one how many findings are about no credential of the roll
	ReadingEnded    Event = "evidence-ended"    // Reading.Counts: nothing of it can be missing above
	EvidenceOpened  Event = "evidence-opened"   // of a ledger of what logs show of Device, which is of no campaign: its first
	Anchored        Event = "anchored"          // where in Vault the checkpoints are copied: Detail names the place
)

// Entry is one line of the ledger. It never holds a secret nor a hash of one:
// values are named by Vault path and version.
type Entry struct {
	// ID is campaign/credential/pass/event (with "-" where there is none). A
	// retried append writes the same ID again; readers keep the first.
	ID       string    `json:"id"`
	At       time.Time `json:"at"` // UTC
	Campaign string    `json:"campaign"`
	Event    Event     `json:"event"`

	Device string `json:"device,omitempty"`
	Actor  string `json:"actor,omitempty"` // who asked for it: user@host of the operator
	// Program is the build that opened the ledger (version.Info.String).
	Program string `json:"program,omitempty"`
	// Spec is what a campaign was started with, of its start. Not in ledgers of
	// earlier versions.
	Spec *Specification `json:"spec,omitempty"`
	// Rules that the writer keeps to, of a campaign's start; 0 in ledgers of
	// builds that asked for no containment.
	Rules int `json:"rules,omitempty"`

	Credential string              `json:"credential,omitempty"` // credential.Credential.ID
	Name       string              `json:"name,omitempty"`       // for people: DN, role
	Kind       credential.Kind     `json:"kind,omitempty"`
	Authority  string              `json:"authority,omitempty"`
	Wave       int                 `json:"wave,omitempty"`
	Paths      []credential.Path   `json:"paths,omitempty"`
	Reasons    []credential.Reason `json:"reasons,omitempty"` // provenance
	UsedBy     []string            `json:"used_by,omitempty"` // of a listed credential: consumers that read it, as the campaign file says

	// Logins, of a listed account of a directory, are the names with which it
	// logs in there, and VaultLogins those at auth mounts of Vault that ask the
	// directory (mount/name). By RulesNamed none says that its DN begins with
	// its login, in a directory that is no domain; and that it has none at
	// Vault.
	Logins      []string `json:"logins,omitempty"`
	VaultLogins []string `json:"vault_logins,omitempty"`

	// DeadBefore, of a listed credential: an earlier campaign had called a
	// value of it dead. Not in ledgers of earlier versions.
	DeadBefore *credential.DeadBefore `json:"dead_before,omitempty"`

	// Lines of the device's profile that a listed credential answers, and by
	// whose word.
	Lines []credential.LineRef `json:"lines,omitempty"`

	// Doors are those of a listed credential; of a campaign's start, where each
	// of the file's is.
	Doors      []string          `json:"doors,omitempty"`
	DoorPlaces map[string]string `json:"door_places,omitempty"`
	// DoorEnds says of doors at which end of a task they are.
	DoorEnds map[string]string `json:"door_ends,omitempty"`
	// AtDoors is what they showed, of an outcome.
	AtDoors []protocol.DoorEvidence `json:"at_doors,omitempty"`

	Attempt int            `json:"attempt,omitempty"` // of the staged value: 1, 2, …
	From    map[string]int `json:"from,omitempty"`    // live path -> version in force before
	To      map[string]int `json:"to,omitempty"`      // live path -> version that we activated

	// Written is when Vault wrote each of To, by its clock: a number alone
	// means another version once a secret was deleted and made anew. Not in
	// ledgers of earlier versions.
	Written map[string]time.Time `json:"written,omitempty"`

	Finding credential.FindingCode `json:"finding,omitempty"`
	Step    protocol.Step          `json:"step,omitempty"`
	Reason  protocol.Reason        `json:"reason,omitempty"`
	Server  string                 `json:"server,omitempty"`
	Owner   string                 `json:"owner,omitempty"`    // who sees to what was accepted as open, or to a listed credential if it stays open
	Due     time.Time              `json:"due,omitzero"`       // until when
	Until   time.Time              `json:"until,omitzero"`     // when the lock that keeps it open ends by itself
	LeftOut []string               `json:"left_out,omitempty"` // of an outcome: servers that were not asked
	// DoorsLeftOut are doors of which that is so.
	DoorsLeftOut []string            `json:"doors_left_out,omitempty"`
	Proof        protocol.Proof      `json:"proof,omitempty"`
	Evidence     []protocol.Evidence `json:"evidence,omitempty"`
	SetAt        time.Time           `json:"set_at,omitzero"` // when the write server took the new value

	// Servers of each directory when the campaign started, the write server
	// first.
	Servers map[string][]string `json:"servers,omitempty"`
	// Addresses at which servers are asked whose name had one.
	Addresses map[string]string `json:"addresses,omitempty"`

	// Waves names the waves when the campaign started, by number; nil where
	// there is only one.
	Waves map[int]string `json:"waves,omitempty"`

	TookFrom *TookFrom `json:"took_from,omitempty"` // of a take-over

	Containment *credential.Containment `json:"containment,omitempty"`

	// Incident of a campaign's start, as the campaign file has it; nil where it
	// has none, and in ledgers of earlier versions.
	Incident *credential.Incident `json:"incident,omitempty"`

	Profile *DeviceProfile         `json:"profile,omitempty"`
	Line    *credential.LineAnswer `json:"line,omitempty"`
	End     *End                   `json:"end,omitempty"` // of a campaign with a profile

	Reading *Reading `json:"reading,omitempty"` // of what logs show

	Task *TaskOpening `json:"task,omitempty"`
	Word *Word        `json:"word,omitempty"`

	Counts *Counts `json:"counts,omitempty"`
	Detail string  `json:"detail,omitempty"`
}

// Specification names what a campaign was started with, so that whoever has the
// campaign file can tell whether it is that one. It holds references to
// secrets, never a secret, so its digest is none of one.
type Specification struct {
	// SHA256 of all that the workers were given, as Vault keeps it: the
	// campaign file with its manifests, answers and certificates, and every
	// default.
	SHA256 string `json:"sha256"`
	// FileSHA256 of the campaign file alone, byte for byte (sha256sum); empty
	// where a schedule of an earlier version gave it.
	FileSHA256 string `json:"file_sha256,omitempty"`
}

// TookFrom is the campaign that another one of the device ended, and what Vault
// had of it.
type TookFrom struct {
	Campaign string    `json:"campaign"`
	Actor    string    `json:"actor,omitempty"` // who had started it
	Ended    time.Time `json:"ended,omitzero"`  // by Vault's record
	// Asked: a person asked for the take-over. Else it gave no sign of life any
	// more.
	Asked bool `json:"asked,omitempty"`
}

// Counts close a roll or a campaign.
type Counts struct {
	Listed   int `json:"listed"`
	Excluded int `json:"excluded"`
	Dead     int `json:"dead"`
	Open     int `json:"open"`
}

// EntryID builds Entry.ID. pass distinguishes repeated events of one
// credential: the attempt for intents and outcomes, the pass for open ones.
func EntryID(campaign, cred, pass string, e Event) string {
	if cred == "" {
		cred = "-"
	}
	if pass == "" {
		pass = "-"
	}
	return campaign + "/" + cred + "/" + pass + "/" + string(e)
}
