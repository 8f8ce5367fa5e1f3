// Package settings is what a campaign file says of whom is told how a campaign
// goes, and of who reads what it changes. It holds references to secrets, never
// a secret.
package settings

import (
	"time"

	"rollcall/internal/credential"
)

// Event is what is told. Stable: it is what receivers get.
type Event string

// Events.
const (
	Start   Event = "start"   // the roll is listed, and credentials are rotated from now on
	Wave    Event = "wave"    // a wave began, or ended
	Finding Event = "finding" // something an investigator must look at
	Stall   Event = "stall"   // nothing was recorded for a while, and credentials are open
	Wait    Event = "wait"    // nothing goes on before a person does something
	End     Event = "end"     // the campaign was closed
	Reload  Event = "reload"  // a path has a new value: its consumers are to read it
)

// Events are those that a target may choose among. Reload goes to whom the path
// itself names.
func Events() []Event { return []Event{Start, Wave, Finding, Stall, Wait, End} }

// Notify is who is told of a campaign.
type Notify struct {
	// Stall is after how long without an entry in the ledger, and how long a
	// pause lasts before it is told.
	Stall   time.Duration `json:"stall,omitempty"`
	Targets []Target      `json:"targets,omitempty"`
}

// Target is one receiver: a web hook, a command of the ledger worker's machine,
// or mail. Exactly one of URL, Command and Mail is set.
type Target struct {
	Name   string  `json:"name"`
	Events []Event `json:"events,omitempty"` // empty: all

	URL string `json:"url,omitempty"`
	// Key is where Vault holds what a web hook is signed with.
	Key credential.Path `json:"key,omitzero"`
	// CA is the PEM text of ca_file; empty means the system's roots alone.
	CA string `json:"ca,omitempty"`

	Command []string `json:"command,omitempty"`

	Mail *Mail `json:"mail,omitempty"`
}

// Mail is sent to a server that takes a login, over TLS.
type Mail struct {
	Server   string          `json:"server"` // host:port
	Implicit bool            `json:"implicit,omitempty"`
	From     string          `json:"from"`
	To       []string        `json:"to"`
	Login    string          `json:"login,omitempty"`
	Password credential.Path `json:"password,omitzero"`
}

// UsedBy is who reads what lies at some paths of Vault.
type UsedBy struct {
	Path      string   `json:"path"` // a pattern: mount/path
	Consumers []string `json:"consumers"`
	// Reload is what has them read it anew; nil where a person does that.
	Reload *Target `json:"reload,omitempty"`
}

// Told is all of it: what travels to the ledger's worker with the roll.
type Told struct {
	Notify Notify   `json:"notify,omitzero"`
	UsedBy []UsedBy `json:"used_by,omitempty"`
	// Wait is how long the campaign stays for a person who puts right what is
	// open; 0: it ends.
	Wait time.Duration `json:"wait,omitempty"`
	// Never are names and addresses of the compromised device, to which nothing
	// is sent.
	Never []string `json:"never,omitempty"`
}

// All are the targets, those of reloads too.
func (t Told) All() []Target {
	out := append([]Target(nil), t.Notify.Targets...)
	for _, u := range t.UsedBy {
		if u.Reload != nil {
			out = append(out, *u.Reload)
		}
	}
	return out
}

// References are the places in Vault of all secrets, which the ledger's worker
// reads.
func (t Told) References() (out []credential.Path) {
	for _, x := range t.All() {
		if x.Key.Mount != "" {
			out = append(out, x.Key)
		}
		if x.Mail != nil && x.Mail.Password.Mount != "" {
			out = append(out, x.Mail.Password)
		}
	}
	return out
}

// Wants reports whether a target is told of e.
func (t Target) Wants(e Event) bool {
	if len(t.Events) == 0 {
		return e != Reload
	}
	for _, x := range t.Events {
		if x == e {
			return true
		}
	}
	return false
}
