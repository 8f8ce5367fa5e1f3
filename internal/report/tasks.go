package report

import (
	"fmt"
	"strings"
	"time"

	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// StatusTask is what a person has to do, in the answer of `rollcall status -o
// json` and the report.
type StatusTask struct {
	Credential string   `json:"credential"`
	Name       string   `json:"name"`
	State      string   `json:"state"` // a key of by_state
	Due        string   `json:"due,omitempty"`
	Overdue    bool     `json:"overdue"`
	OpenedAt   string   `json:"opened_at,omitempty"`  // empty: it could not be opened yet
	Made       bool     `json:"made"`                 // Rollcall made a new value and handed it over
	RenewedAt  string   `json:"renewed_at,omitempty"` // a person said that it is not to be used, and it is done with another one
	Renewing   bool     `json:"renewing,omitempty"`   // and that one is not handed over yet
	RemindedAt string   `json:"reminded_at,omitempty"`
	Do         []string `json:"do,omitempty"`
	Why        string   `json:"why,omitempty"` // why it could not be opened yet
	// Proving: each end is said to be done, and this keeps it open: what its
	// doors answered.
	Proving string          `json:"proving,omitempty"`
	Proof   string          `json:"proof,omitempty"` // of one that is dead: attested or doors
	Ends    []StatusTaskEnd `json:"ends"`
}

// StatusTaskEnd is one end of a task.
type StatusTaskEnd struct {
	End    string `json:"end"`
	Owner  string `json:"owner"`
	Done   bool   `json:"done"`
	By     string `json:"by,omitempty"`     // the name of the entity in Vault
	Entity string `json:"entity,omitempty"` // its id
	At     string `json:"at,omitempty"`     // when it said so, by Vault's clock
	Note   string `json:"note,omitempty"`
	SHA256 string `json:"sha256,omitempty"` // of a file kept as evidence

	Logins []string `json:"logins,omitempty"` // by which it comes, mount/name
}

// Who is who has done it, as people know each other: an entity that Vault made
// has a name that says nothing, so its logins stand beside it.
func (e StatusTaskEnd) Who() string {
	if len(e.Logins) == 0 {
		return e.By
	}
	return e.By + " (" + strings.Join(e.Logins, ", ") + ")"
}

// tasksOf are what people see to. now decides what is overdue; the campaign's
// end, where it has ended.
func tasksOf(s *ledger.State, now time.Time) (out []StatusTask) {
	if !s.ClosedAt.IsZero() {
		now = s.ClosedAt
	}
	for _, l := range s.Tasks() {
		t := StatusTask{Credential: l.ID, Name: l.Name, State: string(standingOf(l)), Ends: []StatusTaskEnd{}}
		if l.Task == nil {
			t.Why = l.Detail
		}
		if w := l.Task; w != nil {
			t.Due, t.OpenedAt, t.Made, t.RemindedAt, t.Do = rfc3339(w.Due), rfc3339(w.OpenedAt), w.Make, rfc3339(w.Reminded), w.Do
			if n := len(w.Renewed); n > 0 {
				t.RenewedAt, t.Renewing = rfc3339(w.Renewed[n-1].At), w.Renewing
			}
			t.Proof = string(l.Proof)
			if l.Outcome != ledger.Dead && w.Left() == 0 {
				t.Proving = provingOf(l)
			}
			t.Overdue = l.Outcome != ledger.Dead && (!w.Overdue.IsZero() || now.After(w.Due))
			for _, e := range w.Ends {
				end := StatusTaskEnd{End: e.End, Owner: e.Owner, Done: e.Done != nil}
				if d := e.Done; d != nil {
					end.By, end.Entity, end.At, end.Note, end.SHA256, end.Logins = d.Name, d.Entity, rfc3339(d.At), d.Note, d.SHA256, d.Logins
				}
				t.Ends = append(t.Ends, end)
			}
		}
		out = append(out, t)
	}
	return out
}

// provingOf is what keeps a task open of which each end is said to be done.
func provingOf(l *ledger.CredentialState) string {
	if l.Reason == protocol.ReasonByHand && l.Detail == "" {
		return "its doors are asked"
	}
	at := string(l.Reason)
	if l.Server != "" {
		at += " at " + l.Server
	}
	return at + ": " + l.Detail
}

// tasksText says of each task where it stands: who has to do what until when.
func tasksText(tasks []StatusTask, width int) string {
	if len(tasks) == 0 {
		return ""
	}
	var b strings.Builder
	done, proved := 0, 0
	for _, t := range tasks {
		if t.State == string(dead) {
			done++
		}
		if t.Proof == string(protocol.ProofDoors) {
			proved++
		}
	}
	how := ", by their word (attested)"
	if proved > 0 {
		how = fmt.Sprintf(": %d proved at doors, %d by their word (attested)", proved, done-proved)
	}
	fmt.Fprintf(&b, "people    %d of %s done%s\n", done, Plural(len(tasks), "task", "tasks"), how)
	for _, t := range tasks {
		if t.State != string(dead) {
			b.WriteString(Wrap(Clean(TaskLine(t)), "          ", width))
		}
	}
	return b.String()
}

// wholeSeconds is a time that a person set, without the thousandths of its
// kind.
func wholeSeconds(at string) string { return strings.Replace(at, ".000", "", 1) }

// TaskLine is a task that is not done, in one line.
func TaskLine(t StatusTask) string {
	switch {
	case t.OpenedAt == "" && t.Why == "":
		return t.Name + ": not handed over yet; `rollcall report` has its reason"
	case t.OpenedAt == "":
		return t.Name + ": not handed over yet: " + t.Why
	}
	if t.Renewing {
		return t.Name + ": somebody said at " + t.RenewedAt + " that its value is not to be used; another one is not handed over yet"
	}
	if t.Proving != "" {
		return t.Name + ": each end is said to be done, and it is not proved: " + t.Proving
	}
	due := wholeSeconds(t.Due)
	line := t.Name + ": due " + due
	if t.Overdue {
		line = t.Name + ": OVERDUE since " + due
	}
	var left []string
	for _, e := range t.Ends {
		if !e.Done {
			left = append(left, fmt.Sprintf("%s (%s)", e.End, e.Owner))
		}
	}
	return fmt.Sprintf("%s, %d of %s done, left: %s", line, len(t.Ends)-len(left), Plural(len(t.Ends), "end", "ends"), strings.Join(left, ", "))
}

// Tasks are what people see to, as of now.
func Tasks(s *ledger.State, now time.Time) []StatusTask { return tasksOf(s, now) }

// TasksText is Tasks for people.
func TasksText(s *ledger.State, now time.Time, width int) string {
	return tasksText(tasksOf(s, now), width)
}
