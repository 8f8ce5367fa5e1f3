// Package notify tells people and machines how a campaign goes. What is told is
// read from the ledger, whose worker it is part of: the ledger knows what has
// happened after any crash, so each event is told at least once, with an id by
// which a receiver tells it again. It holds paths and names and no value, for
// the ledger holds none. A receiver that fails holds up nothing.
package notify

import (
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/ledger"
	"rollcall/internal/notify/settings"
	"rollcall/internal/protocol"
)

// Notice is one event, as receivers get it in JSON. Its keys are stable.
type Notice struct {
	// ID is the same whenever the event is told again.
	ID       string         `json:"id"`
	Event    settings.Event `json:"event"`
	At       time.Time      `json:"at"`
	Device   string         `json:"device"`
	Campaign string         `json:"campaign"`
	Text     string         `json:"text"` // one line for people

	// Incident as the campaign file has it; absent where it has none.
	Incident *credential.Incident `json:"incident,omitempty"`

	Actor    string     `json:"actor,omitempty"`
	Wave     *WaveNews  `json:"wave,omitempty"`
	Counts   *Counts    `json:"counts,omitempty"`
	Findings []Found    `json:"findings,omitempty"`
	More     int        `json:"more,omitempty"` // findings or open ones that are not in the list
	Open     []Standing `json:"open,omitempty"`
	Ending   *Ending    `json:"ending,omitempty"`
	Reload   *NewValue  `json:"reload,omitempty"`

	cause string // of a stall: how much is open, and why; without it nothing new is said
	only  string // the one target that it is for; empty: whoever wants such events
}

// WaveNews is a wave that began or ended.
type WaveNews struct {
	Number int    `json:"number"`
	Name   string `json:"name"`
	Ended  bool   `json:"ended"`
}

// Ending is how the campaign came to its end, and what a person said who ended
// it.
type Ending struct {
	How    ledger.Ending `json:"how"`
	By     string        `json:"by,omitempty"`
	Reason string        `json:"reason,omitempty"`
	Owner  string        `json:"owner,omitempty"` // who sees to what stays open
	Due    time.Time     `json:"due,omitzero"`    // until when
}

// Counts of credentials: of a wave, or of the campaign.
type Counts struct {
	Listed   int `json:"listed"`
	Excluded int `json:"excluded,omitempty"`
	Dead     int `json:"dead"`
	// OnSome are those of dead that not every server and door showed, because a
	// person left one out.
	OnSome int `json:"dead_on_some,omitempty"`
	Open   int `json:"open"`
}

// Found is one finding.
type Found struct {
	Code       credential.FindingCode `json:"code"`
	What       string                 `json:"what"`
	Credential string                 `json:"credential,omitempty"` // its name
	Detail     string                 `json:"detail,omitempty"`
	// Of what a watch saw in logs: ID is the same whenever it is told, and
	// Evidence all that is known of it.
	ID       string         `json:"id,omitempty"`
	Evidence *judge.Finding `json:"evidence,omitempty"`
}

// Standing is a reason for which credentials are open.
type Standing struct {
	Reason protocol.Reason `json:"reason,omitempty"`
	What   string          `json:"what"`
	Server string          `json:"server,omitempty"`
	Number int             `json:"number"`
	Names  []string        `json:"names,omitempty"` // some of them
}

// NewValue is a path that was given a new value.
type NewValue struct {
	Path      string   `json:"path"`              // mount/path
	Field     string   `json:"field"`             // of the secret
	Version   int      `json:"version,omitempty"` // where the ledger has it by then
	Account   string   `json:"account"`
	Consumers []string `json:"consumers"`
}
