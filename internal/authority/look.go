package authority

import (
	"context"

	"rollcall/internal/credential"
)

// Looker is a System whose servers show by themselves what stands between an
// account and a new secret, whatever the account itself shows: by which they
// let it in, what they use it for, what it may become.
type Looker interface {
	System
	// LookAt looks on every server at accounts, of which it takes Subject, Name
	// and Names. An error means that the write server did not answer.
	LookAt(ctx context.Context, accounts []Account) (Seen, error)
}

// Again is a System that tells in a few questions, however long the roll is,
// which of its accounts must not be set as they are used now: somebody may have
// begun to use one since the roll was listed.
type Again interface {
	// Hindered are such accounts, by Subject. What does not show is left out:
	// the listing says so. An error means that the write server did not answer.
	Hindered(ctx context.Context) (map[string][]credential.Problem, error)
}

// Seen is what a Looker saw.
type Seen struct {
	// Problems keep accounts, by Subject, from being rotated as they are
	// listed, the gravest first.
	Problems map[string][]Problem
	// Resets are the accounts, by Subject, that may come to reset others, with
	// what shows it.
	Resets map[string]string
	// Binds are the accounts of other authorities with which it works there.
	Binds []Bind
	// Hidden is what could not be looked at.
	Hidden []Hidden
}

// Bind is an account of another authority, whose password stands in a
// configuration where nobody brings a new one.
type Bind struct {
	Name  string   // as it is there: a DN, or any name that logs in
	URLs  []string // where it logs in; empty: that does not show
	Below string   // where it looks for accounts, as a DN; empty: anywhere
	Where string   // the place, for people
	Mend  string   // how a person writes another password there
}

// Add notes a problem of an account.
func (s *Seen) Add(subject string, p Problem) {
	if s.Problems == nil {
		s.Problems = map[string][]Problem{}
	}
	s.Problems[subject] = append(s.Problems[subject], p)
}

// Hidden is something that was not shown, or not all of it.
type Hidden struct {
	// Code is the warning that a listing makes of it; without one only doctor
	// says it.
	Code   credential.FindingCode
	Server string
	Detail string // what was not shown, and what to do
}
