package credential

import (
	"strings"
	"time"
)

// PersonAuthority is the authority of what only a person can change. No
// authority of a campaign file may take this name.
const PersonAuthority = "person"

// Task is what a person has to do so that a credential dies.
type Task struct {
	// Do are the instructions, a piece each: from the line of the device's
	// profile, or the row's own note.
	Do []string `json:"do,omitempty"`
	// Due is when it has to be done. A row may say how long after the listing
	// instead (Within); the roll then has the time.
	Due    time.Time     `json:"due,omitzero"`
	Within time.Duration `json:"within,omitempty"`
	// After is Within of a task on a roll, whose Due was made of it; 0 where
	// the row has the time itself.
	After time.Duration `json:"after,omitempty"`
	// Ends are where it has to be done: the credential is dead when all are.
	Ends []TaskEnd `json:"ends"`
	// Make: Rollcall makes the new value, and hands it over.
	Make bool `json:"make,omitempty"`
	// At is where Vault holds its value; nil where a row does not say.
	At *Path `json:"at,omitempty"`
	// Stolen are the versions at At that a thief may have: the one that was
	// there when it was listed, and those of earlier campaigns that did not
	// bring it to its end.
	Stolen []StolenVersion `json:"stolen,omitempty"`
	// Login is the name with which it logs in at doors; empty where that is its
	// own name, or none is asked for.
	Login string `json:"login,omitempty"`
	// Elsewhere are accounts of directories that have the name with which it
	// logs in at doors, and took a stolen value when it was listed, or could
	// not be asked. Its person changes them, and Rollcall never does: it is
	// dead once each of them refuses the value as well.
	Elsewhere []AccountAt `json:"elsewhere,omitempty"`
}

// AccountAt is an account of an authority.
type AccountAt struct {
	Authority string `json:"authority"`
	Kind      Kind   `json:"kind"`
	Subject   string `json:"subject"`
	Name      string `json:"name"`
}

// Credential is the account as one.
func (a AccountAt) Credential() Credential {
	return Credential{ID: a.Authority + "/" + a.Subject, Kind: a.Kind, Authority: a.Authority, Subject: a.Subject, Name: a.Name}
}

// StolenVersion is a version of a secret in Vault, and when Vault wrote it: a
// number alone means another one once the secret was deleted and made anew.
type StolenVersion struct {
	Version int       `json:"v"`
	Written time.Time `json:"w"`
}

// Same reports whether both are one version.
func (v StolenVersion) Same(o StolenVersion) bool {
	return v.Version == o.Version && v.Written.Equal(o.Written)
}

// Known reports whether Vault has a value of it by which a door can be asked.
func (t *Task) Known() bool { return t.Make || t.At != nil }

// End is the name of the end that is called so, as the task has it; empty if
// there is none.
func (t *Task) End(name string) string {
	for _, e := range t.Ends {
		if strings.EqualFold(e.Name, name) {
			return e.Name
		}
	}
	return ""
}

// TaskEnd is one end of a task, and who sees to it: the name of an entity of
// Vault's, or a login, MOUNT/NAME.
type TaskEnd struct {
	Name  string `json:"name"`
	Owner string `json:"owner"`
}

// Owners are those of all ends, each once, in their order.
func (t *Task) Owners() (out []string) {
	seen := map[string]bool{}
	for _, e := range t.Ends {
		if !seen[e.Owner] {
			seen[e.Owner] = true
			out = append(out, e.Owner)
		}
	}
	return out
}
