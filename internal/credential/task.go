package credential

import "time"

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
	// Ends are where it has to be done: the credential is dead when all are.
	Ends []TaskEnd `json:"ends"`
	// Make: Rollcall makes the new value, and hands it over.
	Make bool `json:"make,omitempty"`
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
