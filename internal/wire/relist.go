package wire

import "rollcall/internal/credential"

// RelistAsk asks a campaign to list again, from the campaign file that is in
// Vault under the proposal's name.
type RelistAsk struct {
	Proposal string `json:"proposal"`
	Actor    string `json:"actor"`
}

// RelistInput is that for the rotation workers.
type RelistInput struct {
	Campaign string `json:"campaign"`
	Proposal string `json:"proposal"`
}

// RelistFound is what listing again found, by place. What it is called is in
// Vault.
type RelistFound struct {
	Proposal string            `json:"proposal"`
	Items    int               `json:"items"`
	Old      []*credential.Ref `json:"old,omitempty"` // of each item; nil for one that is new
	Replaced credential.Refs   `json:"replaced,omitempty"`
	// Warnings that it gave and none before it, by number. Workers of before
	// say none.
	Warnings int `json:"warnings,omitempty"`
}

// RelistSeen answers a RelistAsk: what of a proposal may be taken up.
type RelistSeen struct {
	Campaign string `json:"campaign"`
	Proposal string `json:"proposal"`
	Take     []int  `json:"take,omitempty"` // items of the proposal
	// Touched are items of which a new value was announced already, or that are
	// dead: they stay as they are.
	Touched  []int           `json:"touched,omitempty"`
	Replaced credential.Refs `json:"replaced,omitempty"`
}

// TakeUp is a person's word that what was found takes part from now on. The
// reason goes through Temporal: it names neither a secret nor an account.
type TakeUp struct {
	Proposal string `json:"proposal"`
	Actor    string `json:"actor"`
	Reason   string `json:"reason"`
}

// UntouchedInput names credentials of a roll for the ledger.
type UntouchedInput struct {
	Campaign string          `json:"campaign"`
	Snapshot string          `json:"snapshot"`
	Refs     credential.Refs `json:"refs"`
}

// AmendInput names what becomes part of the roll: items of a proposal, and
// places that something took.
type AmendInput struct {
	Campaign string          `json:"campaign"`
	Proposal string          `json:"proposal"`
	Take     []int           `json:"take,omitempty"`
	Replaced credential.Refs `json:"replaced,omitempty"`
	// Wave is the first number that no wave of the campaign has.
	Wave int `json:"wave,omitempty"`
}

// Amended is where it is by now.
type Amended struct {
	Waves    []credential.WaveIndex `json:"waves"`
	Pages    int                    `json:"pages"`
	Changed  credential.Refs        `json:"changed,omitempty"`
	Added    credential.Refs        `json:"added,omitempty"`
	Replaced credential.Refs        `json:"replaced,omitempty"`
	// Logins are those of Added that open Vault.
	Logins credential.Refs `json:"logins,omitempty"`
	// Left are places of the roll that were asked for and go on as they are:
	// another credential has one of their paths.
	Left credential.Refs `json:"left,omitempty"`
	// Warnings that the listing gave and none before it, by number, and how
	// many of them say that something may be missing. Their words are in Vault,
	// with the proposal.
	Proposal   string `json:"proposal,omitempty"`
	Warnings   int    `json:"warnings,omitempty"`
	Incomplete int    `json:"incomplete,omitempty"`
}

// TakenUpInput is for the ledger: this is part of the roll from now on.
type TakenUpInput struct {
	Campaign string  `json:"campaign"`
	Snapshot string  `json:"snapshot"`
	Actor    string  `json:"actor"`
	Amended  Amended `json:"amended"`
}
