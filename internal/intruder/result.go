package intruder

import (
	"encoding/json"
	"io"
	"sync"
	"time"
)

// Types of output lines.
const (
	typeResult  = "result"
	typeChange  = "change"
	typeSummary = "summary"
)

// Result is what became of one credential at one server by one way in.
type Result struct {
	Type   string `json:"type"` // "result"
	ID     string `json:"id"`
	Server string `json:"server"`
	Via    string `json:"via"` // Login or Session

	Tries     int    `json:"tries"`
	Successes int    `json:"successes"`
	State     string `json:"state"`            // of the last try: accepted, refused, unreachable; "" if never tried
	Detail    string `json:"detail,omitempty"` // why it was not accepted, in the server's terms

	FirstRefusal Stamp `json:"first_refusal,omitzero"`
	// LastSuccess is when the last try that got in was sent, so the server let
	// it in then or later.
	LastSuccess Stamp `json:"last_success,omitzero"`
	// LastAnswer is when the last try was sent that was accepted or refused.
	LastAnswer Stamp `json:"last_answer,omitzero"`
}

// Change is written when a server answers otherwise than it did before.
type Change struct {
	Type   string `json:"type"` // "change"
	ID     string `json:"id"`
	Server string `json:"server"`
	Via    string `json:"via"`
	From   string `json:"from"` // "" at the first try
	To     string `json:"to"`
	Detail string `json:"detail,omitempty"`
	At     Stamp  `json:"at"` // when the try was sent
}

// Summary ends a report.
type Summary struct {
	Type        string `json:"type"` // "summary"
	Credentials int    `json:"credentials"`
	Open        int    `json:"open"` // credentials that some server accepted at its last answer
	Tries       int    `json:"tries"`
	Successes   int    `json:"successes"`
	LastSuccess Stamp  `json:"last_success,omitzero"` // of all
}

// Summarise adds results up.
func Summarise(results []Result) Summary {
	s := Summary{Type: typeSummary}
	open := map[string]bool{}
	for _, r := range results {
		// A server that fell silent after letting it in would let it in again.
		open[r.ID] = open[r.ID] || !r.LastSuccess.IsZero() && !r.LastSuccess.Before(r.LastAnswer.Time)
		s.Tries += r.Tries
		s.Successes += r.Successes
		if r.LastSuccess.After(s.LastSuccess.Time) {
			s.LastSuccess = r.LastSuccess
		}
	}
	for _, is := range open {
		s.Credentials++
		if is {
			s.Open++
		}
	}
	return s
}

// Stamp is a time that is written in UTC, RFC 3339, to the millisecond.
type Stamp struct{ time.Time }

// MarshalJSON writes the time as a string.
func (s Stamp) MarshalJSON() ([]byte, error) {
	return []byte(s.UTC().Format(`"2006-01-02T15:04:05.000Z07:00"`)), nil
}

// lines writes JSON lines from many goroutines.
type lines struct {
	mu     sync.Mutex
	w      io.Writer
	broken error
	failed func(error)
}

func (l *lines) write(v any) {
	b, err := json.Marshal(v)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && l.broken == nil {
		_, err = l.w.Write(append(b, '\n'))
	}
	if err != nil && l.broken == nil {
		l.broken = err
		l.failed(err) // nobody listens any more: stop trying stolen credentials
	}
}

func (l *lines) err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.broken
}
