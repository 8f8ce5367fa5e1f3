// Package people is the authority of what only a person can change: who a
// person is, as Vault knows him, and what his word counts for. It does no I/O.
//
// A person's word is a statement that he writes into Vault below a place that
// only his own entity may write (ownmount.WriteStatement). So who he is comes
// from Vault and not from what he says of himself.
package people

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
)

// Person is an entity of Vault's.
type Person struct {
	ID       string
	Name     string
	Disabled bool
	Logins   []Login
}

// Login is one of the logins by which he comes.
type Login struct {
	Method string // type of the auth mount
	Mount  string // without auth/ and slashes at the ends
	Name   string
}

func (l Login) String() string { return l.Mount + "/" + l.Name }

// Statement is a person's word on one task.
type Statement struct {
	ID     string    // its name in Vault, one of a kind for that entity and task
	Entity string    // whose place it lies in
	At     time.Time // when Vault wrote it

	Does Does   `json:"does"`
	End  string `json:"end,omitempty"` // empty where all ends are given to somebody else
	Note string `json:"note,omitempty"`
	// SHA256 of a file that is kept as evidence, in hex.
	SHA256 string `json:"sha256,omitempty"`
	To     string `json:"to,omitempty"` // to whom it is given
}

// Key tells statements apart, whoever made them, and names nobody: it travels
// through Temporal.
func (s Statement) Key() string {
	sum := sha256.Sum256([]byte(s.Entity + "/" + s.ID))
	return hex.EncodeToString(sum[:12])
}

// Does is what a statement is about.
type Does string

// What a statement can say.
const (
	Done     Does = "done"     // the end is changed
	Reassign Does = "reassign" // somebody else sees to it
)

// Bounds of what a statement may hold.
const (
	longestNote = 500
	longestEnd  = 200
)

// Malformed says what is wrong with a statement by itself; empty if nothing is.
func (s Statement) Malformed() string {
	switch {
	case s.Does != Done && s.Does != Reassign:
		return "it does not say what was done"
	case len(s.Note) > longestNote:
		return "its note is longer than 500 bytes"
	case len(s.End) > longestEnd:
		return "it names an end that no task can have"
	case s.Does == Done && s.End == "":
		return "it does not say at which end"
	case s.Does == Reassign && (s.To == "" || strings.TrimSpace(s.Note) == ""):
		return "it does not say to whom the end is given, or why"
	case s.SHA256 != "" && !hash(s.SHA256):
		return "its sha256 is none: 64 hexadecimal digits"
	}
	return ""
}

func hash(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// machines are types of auth mounts by which programs come, and no people.
var machines = []string{credential.AppRoleMethod, "kubernetes", "aws", "gcp", "azure", "alicloud", "oci", "cf", "token"}

// LoginsOf are the logins to Vault that the credentials of a roll are, or that
// their passwords open: mount/name, folded. What a person left out is nobody's
// alone either: it was found on the device, and lives on.
func LoginsOf(roll []credential.Credential, excluded []credential.Exclusion) map[string]bool {
	out := map[string]bool{}
	for _, c := range roll {
		for _, login := range c.VaultLogins() {
			out[login] = true
		}
	}
	for _, x := range excluded {
		for _, login := range x.Logins {
			out[login] = true
		}
	}
	return out
}

// Doubt says why the word of a person counts for nothing in a campaign whose
// roll has these logins; empty if it counts.
func (p Person) Doubt(roll map[string]bool) string {
	switch {
	case p.ID == "" || p.Name == "":
		return "Vault knows no such entity"
	case p.Disabled:
		return "the entity is disabled"
	case len(p.Logins) == 0:
		return "the entity has no login by which a person comes"
	}
	for _, l := range p.Logins {
		switch {
		case slices.Contains(machines, l.Method):
			return "the entity has a login of a machine (" + l.Method + "): Rollcall's own, the device's, or another program's"
		case roll[strings.ToLower(l.String())]:
			return "the entity has a login that is on the roll or was left out of it: whoever stole it could have written this"
		}
	}
	return ""
}

// End is one end of an open task, as the ledger has it.
type End struct {
	Name   string
	Entity string    // who sees to it
	Since  time.Time // from when on, by Vault's clock
	Done   bool
}

// Verdict is what a statement comes to.
type Verdict struct {
	Ends    []int  // of the task, that it is about
	Refused string // why it counts for nothing; empty if it counts
	// Suspect: the refusal is for an investigator, and no slip.
	Suspect bool
}

// Judge weighs a statement about a task with those ends. to is who is meant by
// To; nil where Vault knows nobody of that name.
func Judge(s Statement, by Person, to *Person, ends []End, roll map[string]bool) (v Verdict) {
	refuse := func(suspect bool, why string) Verdict { return Verdict{Refused: why, Suspect: suspect} }
	if why := s.Malformed(); why != "" {
		return refuse(false, why)
	}
	if by.ID != s.Entity {
		return refuse(true, "Vault knows no such entity")
	}
	if why := by.Doubt(roll); why != "" {
		return refuse(true, why)
	}
	for i, e := range ends {
		if s.End == "" && !e.Done || strings.EqualFold(e.Name, s.End) {
			v.Ends = append(v.Ends, i)
		}
	}
	if len(v.Ends) == 0 {
		return refuse(false, "the task has no such end, or none that is open")
	}
	for _, i := range v.Ends {
		e := ends[i]
		switch {
		case e.Done:
			return refuse(false, "the end is done already")
		case s.At.Before(e.Since):
			return refuse(true, "it was written before the end was given to anybody, or to this person")
		case s.Does == Done && e.Entity != by.ID:
			return refuse(true, "the end is somebody else's: whoever sees to it has to give it to this person first")
		}
	}
	if s.Does == Done {
		return v
	}
	switch {
	case to == nil:
		return refuse(false, "Vault knows no entity and no login of that name: have that person log in once")
	case to.ID == by.ID:
		return refuse(true, "nobody takes a task himself: somebody else has to give it to him")
	case to.Doubt(roll) != "":
		return refuse(true, "the person that it is given to does not count: "+to.Doubt(roll))
	}
	return v
}
