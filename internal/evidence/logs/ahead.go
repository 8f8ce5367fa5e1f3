package logs

import (
	"time"

	"rollcall/internal/evidence/event"
)

// Ahead is a parser that can take lines apart before their turn: as far as that
// needs no line before them, which may be done for several at once.
type Ahead interface {
	Parser
	// Cuts makes room for what comes of lines that are taken apart.
	Cuts() Cuts
	// Cut reads a line of which the cuts have the i-th, in its turn, as Line
	// does.
	Cut(of Cuts, i int, line []byte, place event.Place) (v Verdict, at time.Time, err error)
}

// Cuts are lines, taken apart. They are for one goroutine at a time, and hold
// while the text of their lines does.
type Cuts interface {
	// Add takes one line apart, and knows nothing of any other.
	Add(line []byte)
	// Reset makes room for others.
	Reset()
}
