package judge

import (
	"fmt"
	"strings"
	"time"
)

// Window is a span of time in which the device was in foreign hands. To is zero
// while it lasts; From is in it and To is not.
type Window struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to,omitzero"`
}

// ParseWindow reads FROM..TO: dates, of which the last is included, or times of
// RFC 3339. Without TO it lasts.
func ParseWindow(s string) (w Window, err error) {
	from, to, ok := strings.Cut(s, "..")
	if !ok {
		return w, fmt.Errorf("window %q: write FROM..TO, with dates (2022-10-10) or times (2022-10-10T14:00:00Z)", s)
	}
	if w.From, _, err = moment(from); err != nil {
		return w, fmt.Errorf("window %q: %w", s, err)
	}
	if to == "" {
		return w, nil
	}
	end, date, err := moment(to)
	if err != nil {
		return w, fmt.Errorf("window %q: %w", s, err)
	}
	if date {
		end = end.AddDate(0, 0, 1)
	}
	if w.To = end; w.Check() != nil {
		return w, fmt.Errorf("window %q ends before it begins", s)
	}
	return w, nil
}

func moment(s string) (t time.Time, date bool, err error) {
	if t, err = time.Parse(time.DateOnly, s); err == nil {
		return t, true, nil
	}
	if t, err = time.Parse(time.RFC3339, s); err == nil {
		return t, false, nil
	}
	return t, false, fmt.Errorf("%q is no date and no time with its zone (2022-10-10T14:00:00Z)", s)
}

// Check refuses a window that ends before it begins.
func (w Window) Check() error {
	if !w.To.IsZero() && !w.To.After(w.From) {
		return fmt.Errorf("the window from %s ends before it begins, at %s", w.From.Format(time.RFC3339), w.To.Format(time.RFC3339))
	}
	return nil
}

func (w Window) holds(t time.Time) bool {
	return !t.Before(w.From) && (w.To.IsZero() || t.Before(w.To))
}

// end is when it ends, or now.
func (w Window) end(now time.Time) time.Time {
	if w.To.IsZero() || w.To.After(now) {
		return now
	}
	return w.To
}

// Phase says when something was, beside the windows and the rotation.
type Phase string

// Phases.
const (
	Before   Phase = "before"         // the first window
	Within   Phase = "in-window"      // one of them
	After    Phase = "after-window"   // behind the first one and in none
	Rotated  Phase = "after-rotation" // of that credential
	NoWindow Phase = "no-window"      // nobody said one
)

func (j *Judge) phase(at, rotated time.Time) Phase {
	if !rotated.IsZero() && at.After(rotated) {
		return Rotated
	}
	if len(j.o.Windows) == 0 {
		return NoWindow
	}
	first := true
	for _, w := range j.o.Windows {
		if w.holds(at) {
			return Within
		}
		first = first && at.Before(w.From)
	}
	if first {
		return Before
	}
	return After
}
