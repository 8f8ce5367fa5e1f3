package wire

import (
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// Tasks refers to what people see to, on the roll of a campaign. Who they are
// stays in Vault: no id of a person gets here.
type Tasks struct {
	Campaign string          `json:"campaign"`
	Snapshot string          `json:"snapshot"`
	Refs     credential.Refs `json:"refs"`
	// Logins to Vault that are still open, and that nobody has accepted:
	// nothing is handed over where one could read it.
	Logins credential.Refs `json:"logins,omitempty"`
	// DoorsLeftOut are doors that a person took out.
	DoorsLeftOut []string `json:"doors_left_out,omitempty"`
	// LeftOut are servers that a person took out, by authority.
	LeftOut map[string][]string `json:"left_out,omitempty"`
	// Round of looks at doors: each door is asked once in one, whichever worker
	// dies meanwhile. 0 in campaigns that an earlier version began.
	Round int `json:"round,omitempty"`
	// Moved says of tasks that are open already how often something was said
	// about who has them, and which value: it is noted in Vault.
	Moved []Moved `json:"moved,omitempty"`
}

// Moved is how often a task was given to somebody else, or its value said to be
// of no use.
type Moved struct {
	Ref   credential.Ref `json:"r"`
	Times int            `json:"n"`
}

// OpenedTask is what became of a task that was to be opened.
type OpenedTask struct {
	Ref  credential.Ref `json:"r"`
	Stop *protocol.Stop `json:"stop,omitempty"` // why it is not open
	Due  time.Time      `json:"due"`
	// Again: another value was handed over, for the so-many-eth time in this
	// campaign.
	Again int `json:"again,omitempty"`
	// Findings name nobody.
	Findings []credential.Finding `json:"findings,omitempty"`
}

// TasksInput is for the ledger: these were opened, or could not be.
type TasksInput struct {
	Tasks Tasks        `json:"tasks"`
	Items []OpenedTask `json:"items"`
	// Round makes repeated entries of one task distinct.
	Round int `json:"round"`
}

// TasksLook is what people have said since, as far as it counts.
type TasksLook struct {
	Dead credential.Refs `json:"dead,omitempty"`
	// Done are those of which each end is said to be done, and that have doors,
	// which are to be asked.
	Done credential.Refs `json:"done,omitempty"`
	// Moved are tasks that were given to somebody else.
	Moved []Moved `json:"moved,omitempty"`
	// Said is what each statement came to, by its key: empty where it counts.
	Said map[string]string `json:"said,omitempty"`
}

// RemindInput is for the ledger: these are due soon, or their time is over.
type RemindInput struct {
	Tasks   Tasks `json:"tasks"`
	Overdue bool  `json:"overdue,omitempty"`
	Round   int   `json:"round"`
}

// LeaveInput is for the ledger: these stay open, because the campaign ends.
type LeaveInput struct {
	Tasks Tasks  `json:"tasks"`
	Why   string `json:"why"`
}

// AskedTask is what the doors of a task showed that people have said is done.
type AskedTask struct {
	Ref   credential.Ref          `json:"r"`
	Proof protocol.Proof          `json:"proof,omitempty"`
	Doors []protocol.DoorEvidence `json:"doors,omitempty"`
	// DoorsLeftOut are those that were not asked, because a person had left
	// them out.
	DoorsLeftOut []string       `json:"doors_left_out,omitempty"`
	Stop         *protocol.Stop `json:"stop,omitempty"` // why it is open
	// Spent: the look had all the wrong logins that an account bears in one, or
	// one behind a door that is open: the next one comes an hour later.
	Spent bool `json:"spent,omitempty"`
	// Findings name nobody.
	Findings []credential.Finding `json:"findings,omitempty"`
}

// AskedTasks is for the ledger.
type AskedTasks struct {
	Tasks Tasks       `json:"tasks"`
	Items []AskedTask `json:"items"`
	Round int         `json:"round"`
}
