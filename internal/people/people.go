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
	"unicode"
	"unicode/utf8"

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

// Called reports whether a name is that of the person: of the entity, or with a
// slash a login.
func (p Person) Called(name string) bool {
	return strings.EqualFold(name, p.Name) || slices.ContainsFunc(p.Logins, func(l Login) bool { return strings.EqualFold(name, l.String()) })
}

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
	Renew    Does = "renew"    // what was handed over is not used: another value is made
)

// Bounds of what a statement may hold.
const (
	longestNote = 500
	longestEnd  = 200
	longestTo   = 128
)

// Malformed says what is wrong with a statement by itself; empty if nothing is.
// What a person writes goes into the ledger and on to screens.
func (s Statement) Malformed() string {
	switch {
	case s.Does != Done && s.Does != Reassign && s.Does != Renew:
		return "it does not say what was done"
	case len(s.Note) > longestNote:
		return "its note or reason is longer than 500 bytes"
	case len(s.End) > longestEnd:
		return "it names an end that no task can have"
	case len(s.To) > longestTo:
		return "it names a person by more than 128 bytes"
	case !Printable(s.Note) || !Printable(s.End) || !Printable(s.To):
		return "it holds a control character, or one that is not shown; write one line of plain text"
	case credential.Discloses(s.Note) != "":
		return "its note or reason holds " + credential.Discloses(s.Note) + ", and goes into the ledger: say it in other words, and change that secret"
	case s.Does == Done && s.End == "":
		return "it does not say at which end"
	case s.Does == Reassign && (s.To == "" || strings.TrimSpace(s.Note) == ""):
		return "it does not say to whom the end is given, or why"
	case s.Does == Renew && (s.End != "" || s.To != ""):
		return "it names an end, and a value is that of all ends"
	case s.Does == Renew && strings.TrimSpace(s.Note) == "":
		return "it does not say why"
	case s.SHA256 != "" && !hash(s.SHA256):
		return "its sha256 is none: 64 hexadecimal digits"
	}
	return ""
}

// Printable reports whether a text is one line in which nothing is hidden: no
// control characters, none that turn the direction of text, and no invalid
// UTF-8.
func Printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

func hash(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// End is one end of an open task, as the ledger has it.
type End struct {
	Name   string
	Entity string    // who sees to it
	Since  time.Time // from when on, by Vault's clock
	Done   bool
	Made   bool // Rollcall made the value that goes there
	// Renewing: that one is not to be used, and another is not handed over yet;
	// Renewed: another was, at Since.
	Renewing, Renewed bool
}

// Verdict is what a statement comes to.
type Verdict struct {
	Ends    []int  // of the task, that it is about
	Refused string // why it counts for nothing; empty if it counts
	// Suspect: the refusal is for an investigator, and no slip.
	Suspect bool
}

// renew weighs a word that the value of a task is not to be used. It is of all
// ends, also of those that are done.
func renew(s Statement, ends []End) (v Verdict) {
	before, again := len(ends) > 0, false
	for i, e := range ends {
		switch {
		case !e.Made:
			return Verdict{Refused: "Rollcall made no value for it, so it can make no other one"}
		case e.Renewing:
			return Verdict{Refused: "another value is on its way already"}
		}
		before, again = before && s.At.Before(e.Since), again || e.Renewed
		v.Ends = append(v.Ends, i)
	}
	switch {
	case before && again:
		return Verdict{Refused: "another value was handed over since"}
	case before:
		return Verdict{Refused: "it was written before anything was handed over", Suspect: true}
	}
	return v
}

// Judge weighs a statement about a task with those ends. to is who is meant by
// To; nil where Vault knows nobody of that name.
func Judge(s Statement, by Person, to *Person, ends []End, roll Roll) (v Verdict) {
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
	if s.Does == Renew {
		return renew(s, ends)
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
		case s.Does == Done && e.Renewing:
			return refuse(false, "somebody said that the value that was handed over is not to be used, and another is on its way: take that one, and say it then")
		case s.Does == Done && e.Renewed && s.At.Before(e.Since):
			return refuse(false, "another value was handed over since: change the end to that one, and say it then")
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
	case !slices.ContainsFunc(v.Ends, func(i int) bool { return ends[i].Entity != to.ID }):
		return refuse(false, "it is that person's already")
	case to.ID == by.ID:
		return refuse(true, "nobody takes a task himself: somebody else has to give it to him")
	case to.Doubt(roll) != "":
		return refuse(true, "the person that it is given to does not count: "+to.Doubt(roll))
	}
	return v
}
