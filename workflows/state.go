package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// CampaignInput starts a campaign whose specification is in Vault already.
type CampaignInput struct {
	Campaign string   `json:"campaign"` // unique: device and start time
	Device   string   `json:"device"`
	Actor    string   `json:"actor,omitempty"`
	Settings Settings `json:"settings"`
}

// Settings are the limits of the campaign file that workflows need.
type Settings struct {
	Batch       int           `json:"batch,omitempty"`      // 0: see BatchSize
	WaveBatch   map[int]int   `json:"wave_batch,omitempty"` // by wave, where it differs; of campaigns whose roll does not say so
	Parallel    int           `json:"parallel"`
	Concurrency int           `json:"concurrency"`
	RetryMin    time.Duration `json:"retry_min"`
	RetryMax    time.Duration `json:"retry_max"`
	Deadline    time.Duration `json:"deadline"`
	// Wait is how long a campaign stays for a person, once nothing but what
	// only he can put right is left; 0: it ends.
	Wait time.Duration `json:"wait,omitempty"`
}

// Status answers QueryStatus and every update.
type Status struct {
	Campaign   string       `json:"campaign"`
	Device     string       `json:"device"`
	Phase      ledger.Phase `json:"phase"`
	Snapshot   string       `json:"snapshot,omitempty"`
	Listed     int          `json:"listed"`
	Excluded   int          `json:"excluded"`
	Dead       int          `json:"dead"` // in waves that have ended
	Open       int          `json:"open"` // exceptions of waves that have ended
	Wave       int          `json:"wave"` // index of the running wave, -1 before and after
	Waves      []WaveStatus `json:"waves,omitempty"`
	LeftOut    []LeaveOut   `json:"left_out,omitempty"`
	Accepted   []AcceptOpen `json:"accepted,omitempty"`
	Incomplete int          `json:"incomplete,omitempty"` // as in Result
	Aside      int          `json:"aside,omitempty"`      // as in Result
	Problem    string       `json:"problem,omitempty"`    // why listing failed
	// Held: what was to be tried first was tried, and the rest waits until the
	// campaign is resumed.
	Held bool `json:"held,omitempty"`
	// Trying: what is to be tried first is being tried, and the campaign will
	// be held behind it.
	Trying bool `json:"trying,omitempty"`
	// Tried is what was, or is, tried before the others, in order.
	Tried []Trial `json:"tried,omitempty"`
	// People: all else has ended, and people have tasks that are not done.
	People bool `json:"people,omitempty"`
	// Stays is until when the campaign waits for a person, who may list again
	// or close it: nothing more of it can be tried. Zero while it does not.
	Stays time.Time `json:"stays,omitzero"`
	// Again: it was listed again while it runs.
	Again *ListedAgain `json:"again,omitempty"`
}

// ListedAgain says how often a person had the campaign listed again, and what
// came of the latest time.
type ListedAgain struct {
	Times    int `json:"times"`
	Changed  int `json:"changed"`  // credentials that go on as they are listed now
	Added    int `json:"added"`    // that are new on the roll
	Replaced int `json:"replaced"` // that others took the place of
	Left     int `json:"left"`     // that go on as they were, although they are listed otherwise
}

// LeaveOut takes a server of a directory, or a door, out of the campaign,
// because a person says so: proofs ask the others only, from the next pass on.
// Reason goes through Temporal into the ledger, so it names neither a secret
// nor an account.
type LeaveOut struct {
	Directory string `json:"directory,omitempty"` // may be left out in a request that names a server of one directory
	Server    string `json:"server"`              // as the roll names it
	Door      string `json:"door,omitempty"`      // in place of a server, as the roll names it
	Actor     string `json:"actor"`
	Reason    string `json:"reason"`
}

// AcceptOpen lets credentials go on whose new value a login of the roll could
// read that is still open, because a person says so. The login is named by its
// place on the roll, for Temporal gets no account name; Reason goes into the
// ledger, so it names neither a secret nor an account.
type AcceptOpen struct {
	Login  credential.Ref `json:"login"`
	Actor  string         `json:"actor"`
	Reason string         `json:"reason"`
}

// Trial is a wave of what is tried before the others.
type Trial struct {
	Wave int             `json:"wave"`
	Refs credential.Refs `json:"refs"`
}

// TryFirst has a campaign that is held behind what was tried first try these
// too, before the others. They are named by their places on the roll, for
// Temporal gets no account name.
type TryFirst struct {
	Refs  credential.Refs `json:"refs"`
	Actor string          `json:"actor"`
}

// Passed is what a wave tells its campaign after a pass: those of its logins to
// Vault that are still open.
type Passed struct {
	Wave int             `json:"wave"`
	Open credential.Refs `json:"open,omitempty"`
}

// Released is what a wave answers to control.Release: those of the first Heard
// of them that it does not work on any more.
type Released struct {
	Wave  int             `json:"wave"`
	Heard int             `json:"heard"`
	Refs  credential.Refs `json:"refs,omitempty"`
}

// WaveStatus counts one wave.
type WaveStatus struct {
	Wave   int    `json:"wave"`
	Name   string `json:"name,omitempty"`
	Listed int    `json:"listed"`
	Dead   int    `json:"dead"`
	Open   int    `json:"open"` // tried and still open
	Pass   int    `json:"pass"`
	Ended  bool   `json:"ended,omitempty"`
	// Next is when what is open is tried again, and Until when it is given up;
	// zero while a pass runs, and before the first has ended.
	Next  time.Time `json:"next,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// GaveUp is what ended the last batch; nil where that was taken to what is
	// recorded of it.
	GaveUp *GaveUp `json:"gave_up,omitempty"`
}

// GaveUp is why a batch was given up: one of its activities failed for the last
// time.
type GaveUp struct {
	Reason protocol.Reason `json:"reason"`
	Detail string          `json:"detail,omitempty"`
}

// Result of a campaign.
type Result struct {
	Listed   int `json:"listed"`
	Excluded int `json:"excluded"`
	Dead     int `json:"dead"`
	Open     int `json:"open"`
	LeftOut  int `json:"left_out,omitempty"` // servers and doors
	Accepted int `json:"accepted,omitempty"` // logins to Vault that were open
	// Incomplete counts warnings of the listing that something may be missing
	// from the roll.
	Incomplete int `json:"incomplete,omitempty"`
	// Aside counts the dead whose new value lies at Rollcall's own path:
	// consumers do not read it yet.
	Aside int `json:"aside,omitempty"`
	// LivesOn counts dead logins to Vault of which tokens live on that nobody
	// can revoke, and that no person has accepted.
	LivesOn int  `json:"lives_on,omitempty"`
	Aborted bool `json:"aborted,omitempty"`
}

// control is what a campaign tells its running wave.
type control struct {
	Paused   bool `json:"paused"`
	Aborting bool `json:"aborting"`
	Accepted bool `json:"accepted,omitempty"` // Aborting: a person accepts what is open
	// TakenOver, with Aborting, names the campaign that took over.
	TakenOver string              `json:"taken_over,omitempty"`
	LeftOut   map[string][]string `json:"left_out,omitempty"` // servers by directory
	Doors     []string            `json:"doors,omitempty"`    // that were left out
	// Logins of the roll to Vault that are still open, and that nobody has
	// accepted.
	Logins credential.Refs `json:"logins,omitempty"`
	// Found is how many logins to Vault were found while the campaign ran. They
	// are among Logins until they are dead or accepted.
	Found int `json:"found,omitempty"`
	// Readers are accounts that may read what others are set to, and that
	// nobody has accepted. A dead one stays: what was logged in reads on.
	Readers credential.Refs `json:"readers,omitempty"`
	// Release are places of the roll that another listing puts elsewhere, in
	// the order in which that was asked for.
	Release refList `json:"release,omitempty"`
}

// refList is credentials in an order that is kept: Refs are put into spans.
type refList []credential.Ref

// relief grows with whatever lets open credentials go on: a server or door that
// was left out, a login that is dead or was accepted. A login that is found
// lets nobody go on, and holds nobody from hearing of the rest.
func (c control) relief() int { return c.leftOut() + c.Found - len(c.Logins) - len(c.Readers) }

// ended says how a campaign that is being ended comes to it.
func (c control) ended() string {
	if c.Accepted {
		return "a person accepted what is open, and the campaign was closed"
	}
	if c.TakenOver != "" {
		return "campaign " + c.TakenOver + " took over"
	}
	return "the campaign was aborted"
}

// leftOut counts the servers and doors that were left out.
func (c control) leftOut() (n int) {
	n = len(c.Doors)
	for _, directory := range workflow.DeterministicKeys(c.LeftOut) {
		n += len(c.LeftOut[directory])
	}
	return n
}

// waveState is the one input of a wave and what it carries over when it
// continues as new. Its size is bounded by the number of batches and of open
// credentials.
type waveState struct {
	Roll     wire.Roll            `json:"roll"`
	Index    credential.WaveIndex `json:"index"`
	Settings Settings             `json:"settings"`
	Control  control              `json:"control"`

	Pass    int             `json:"pass"`           // 1, 2, …
	Todo    []batchTodo     `json:"todo,omitempty"` // of this pass, not yet dispatched
	Open    []batchTodo     `json:"open,omitempty"` // of this pass, to come again
	Half    []batchTodo     `json:"half,omitempty"` // of an aborted wave, for one more pass
	Split   bool            `json:"split,omitempty"`
	Circle  int             `json:"circle,omitempty"` // as wave.came has it, what the next pass of circleAgain has to reach
	Ended   int             `json:"ended,omitempty"`  // exceptions that are recorded
	Dead    int             `json:"dead"`
	Aside   int             `json:"aside,omitempty"`
	Planned bool            `json:"started"`          // Todo was filled once
	Began   time.Time       `json:"began,omitzero"`   // when this pass began; zero in the first
	Heard   int             `json:"heard,omitempty"`  // control.relief when this pass began
	Closed  credential.Refs `json:"closed,omitempty"` // logins of this wave that are dead
	Since   time.Time       `json:"since,omitzero"`   // when the first pass ended: the deadline counts from there

	// Urgent: passes begin with what is cut off, and no pass waits for
	// cleaning. A wave that began before there was this order goes on without
	// it.
	Urgent bool `json:"urgent,omitempty"`
	// Tells: the campaign waits to hear that the first pass has ended.
	Tells bool `json:"tells,omitempty"`
	// Unheard: of something that stays open it is not known whether what was
	// sent may still arrive.
	Unheard bool `json:"unheard,omitempty"`
	// CameBack: something was not set because the device answered.
	CameBack bool `json:"came_back,omitempty"`
	// Person: something ended open that a person can put right. Mend is which.
	Person  bool            `json:"person,omitempty"`
	Mend    credential.Refs `json:"mend,omitempty"`
	Unclean []cleanTodo     `json:"unclean,omitempty"` // to be cleaned again

	Answered int `json:"answered,omitempty"` // of control.Release

	GaveUp *GaveUp `json:"gave_up,omitempty"` // as in WaveStatus
}

// batchTodo is one batch and its open credentials; nil Items means all.
type batchTodo struct {
	Batch int             `json:"b"`
	Items []wire.OpenItem `json:"o,omitempty"`
}

// waveResult is what a wave ends with.
type waveResult struct {
	Dead  int `json:"dead"`
	Open  int `json:"open"`
	Aside int `json:"aside,omitempty"`
	// Unheard: what was sent of something that stays open may still arrive, and
	// nobody could note it.
	Unheard bool `json:"unheard,omitempty"`
	// CameBack: something was not set because the device answered.
	CameBack bool `json:"came_back,omitempty"`
	// Person: something ended open that a person can put right, and nobody
	// else. Mend is which; of waves of earlier versions that is not known.
	Person bool            `json:"person,omitempty"`
	Mend   credential.Refs `json:"mend,omitempty"`
	// Closed are its logins to Vault that are dead: some died behind its last
	// word to the campaign.
	Closed credential.Refs `json:"closed,omitempty"`
}
