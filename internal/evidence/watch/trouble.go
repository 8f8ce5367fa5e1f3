package watch

import (
	"fmt"
	"time"
)

// Code of a trouble: why what is seen is not all that there is. Stable.
type Code string

// Codes.
const (
	Silent        Code = "log-silent"         // no line that is understood for a long time
	Unreadable    Code = "log-unreadable"     // the file cannot be read
	LinesLost     Code = "log-lines-lost"     // lines were rotated away unread
	NotUnderstood Code = "log-not-understood" // lines that say nothing to Rollcall
	ClockAhead    Code = "log-clock-ahead"    // lines of a time that is to come
	ClockBehind   Code = "log-clock-behind"   // lines of a time that is over, as they are written
	InputEnded    Code = "input-ended"        // standard input did, while files are followed
	RollUnread    Code = "roll-unreadable"    // the ledger cannot be read again
	RollDoubted   Code = "roll-not-verified"  // the ledger can be read and not be believed
	NotNamed      Code = "names-not-known"    // the ledger does not say what logs call what it lists
	NotShown      Code = "not-shown"          // standard output takes nothing
	NotRecorded   Code = "not-recorded"       // the ledger takes nothing
	NotKept       Code = "state-not-kept"     // the state cannot be written
	PostsRefused  Code = "posts-refused"      // somebody shows no right token, or posts what cannot be taken
	PostsHeld     Code = "posts-held-back"    // what is posted cannot be kept now
	PostsStopped  Code = "posts-not-possible" // the token or the certificate is none
	Overrun       Code = "findings-overrun"   // more at once than is kept apart
)

// Trouble is one of these, as it is told.
type Trouble struct {
	ID    string    `json:"id"`
	Code  Code      `json:"code"`
	File  string    `json:"file,omitempty"`
	At    time.Time `json:"at"`
	Since time.Time `json:"since,omitzero"`
	Over  bool      `json:"over,omitempty"` // it was told, and is over
	Text  string    `json:"text"`           // for people, without a line of a log
}

// trouble is how often one was told: again after Again, twice that, up to a
// day, while it lasts.
type trouble struct {
	Since time.Time     `json:"since"`
	Times int           `json:"times,omitempty"`
	Next  time.Time     `json:"next,omitzero"`
	Wait  time.Duration `json:"wait,omitempty"`
}

const longestWait = 24 * time.Hour

// has says that there is a trouble now, and has it told if it is time: told is
// false where it is to be said again.
func (w *watcher) has(code Code, file, format string, args ...any) (told bool) {
	key := string(code) + " " + file
	now := w.o.Now()
	t := w.state.Troubles[key]
	if t == nil {
		t = &trouble{Since: now}
		w.state.Troubles[key] = t
	}
	if t.Next.After(now.Add(t.Wait)) { // the clock went back
		t.Next = now
	}
	if now.Before(t.Next) {
		return false
	}
	if t.Times > 0 && now.Sub(t.Next) > max(t.Wait, time.Hour) {
		t.Wait = 0 // it was over, and nobody could say so
	}
	if t.Wait *= 2; t.Wait == 0 {
		t.Wait = w.o.Again
		if code == Silent {
			t.Wait = max(w.o.Again, w.o.Quiet)
		}
	}
	t.Wait = min(t.Wait, longestWait)
	t.Times, t.Next = t.Times+1, now.Add(t.Wait)
	w.troubles = append(w.troubles, w.trouble(code, file, t, fmt.Sprintf(format, args...)))
	return true
}

// over says that there is a trouble no more.
func (w *watcher) over(code Code, file, format string, args ...any) {
	key := string(code) + " " + file
	t := w.state.Troubles[key]
	if t == nil {
		return
	}
	delete(w.state.Troubles, key)
	said := w.trouble(code, file, t, fmt.Sprintf(format, args...))
	said.Over = true
	said.ID += "-over"
	w.troubles = append(w.troubles, said)
}

func (w *watcher) trouble(code Code, file string, t *trouble, text string) Trouble {
	return Trouble{ID: fmt.Sprintf("%s-%d-%d", code, t.Since.UnixNano(), t.Times), Code: code, File: file, At: w.o.Now().UTC(), Since: t.Since.UTC(), Text: text}
}
