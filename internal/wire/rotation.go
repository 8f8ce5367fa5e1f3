package wire

import (
	"slices"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// Prepared is what Prepare learned. It has no names and no values.
type Prepared struct {
	// Attempt of the staged value.
	Attempt int `json:"attempt"`
	// Fresh: no server can have seen the staged value yet.
	Fresh bool `json:"fresh,omitempty"`
	// From are the versions in force before, in the order of Credential.Paths,
	// and then of Credential.Spare if that takes part.
	From []int `json:"from"`
	// Stop keeps the credential open at Precheck or Stage; nothing was changed.
	Stop *protocol.Stop `json:"stop,omitempty"`
	Step protocol.Step  `json:"step,omitempty"`
}

// Applied is what Apply reached. It has no names and no values.
type Applied struct {
	Attempt  int                 `json:"attempt"`
	Proof    protocol.Proof      `json:"proof,omitempty"` // set when dead
	Evidence []protocol.Evidence `json:"evidence,omitempty"`
	// Doors are what was asked besides the servers.
	Doors []protocol.DoorEvidence `json:"doors,omitempty"`
	SetAt time.Time               `json:"set_at,omitzero"`
	From  []int                   `json:"from,omitempty"`
	// To are the activated versions, in the order of From; 0 for a path that
	// was left as it is.
	To []int `json:"to,omitempty"`
	// Written is when Vault wrote each of To, and Doomed the versions that may
	// be destroyed once the outcome is recorded.
	Written []time.Time `json:"written,omitempty"`
	Doomed  [][]int     `json:"doomed,omitempty"`
	// Over is ownmount.Placed.Over of each of To; the worker that activated it
	// notes it.
	Over     []time.Time          `json:"-"`
	Findings []credential.Finding `json:"findings,omitempty"`
	// LeftOut are the servers that were not asked, because a person had left
	// them out.
	LeftOut []string `json:"left_out,omitempty"`
	// DoorsLeftOut are the doors of which that is so.
	DoorsLeftOut []string `json:"doors_left_out,omitempty"`

	// AtDoors: every server has proved it dead, and its doors were not asked
	// yet. It is neither dead nor open.
	AtDoors bool `json:"at_doors,omitempty"`

	// Stop and Step say why and where it stays open.
	Stop *protocol.Stop `json:"stop,omitempty"`
	Step protocol.Step  `json:"step,omitempty"`
}

// Dead reports whether the old value is proved dead.
func (a Applied) Dead() bool { return a.Proof != "" && a.Stop == nil }

// Remember adds what only an earlier look knows, which set the value.
func (a *Applied) Remember(before Applied) {
	if a.SetAt.IsZero() {
		a.SetAt = before.SetAt
	}
	if len(a.From) == 0 {
		a.From = before.From
	}
	for _, f := range before.Findings {
		if !slices.Contains(a.Findings, f) {
			a.Findings = append(a.Findings, f)
		}
	}
}

// ToClean is what Clean needs of it.
func (a Applied) ToClean() Dead {
	return Dead{Attempt: a.Attempt, To: a.To, Written: a.Written, Doomed: a.Doomed}
}

// Dead is what Clean needs to know of a credential whose outcome is in the
// ledger: it is part of Applied.
type Dead struct {
	Attempt int         `json:"attempt,omitempty"` // the one that was proved
	To      []int       `json:"to"`
	Written []time.Time `json:"written,omitempty"`
	Doomed  [][]int     `json:"doomed,omitempty"`
}
