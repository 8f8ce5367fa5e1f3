package ledger

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// TaskOpening is what an entry says when a task is opened: from then on its
// owners can do it.
type TaskOpening struct {
	Do   []string   `json:"do,omitempty"`
	Due  time.Time  `json:"due"`
	Make bool       `json:"make,omitempty"` // Rollcall made a new value and handed it over
	At   time.Time  `json:"at"`             // by Vault's clock
	Ends []TaskSeat `json:"ends"`
}

// TaskSeat is one end of a task and who sees to it: as the campaign file or
// another person calls him, and the entity that Vault knew by that.
type TaskSeat struct {
	End    string `json:"end"`
	Owner  string `json:"owner"`
	Entity string `json:"entity"`
}

// Word is what a person said with a login to Vault of his own.
type Word struct {
	Statement string    `json:"statement"` // its name in Vault, below attest/ENTITY/CAMPAIGN/CREDENTIAL
	Entity    string    `json:"entity"`
	Name      string    `json:"name"`   // of the entity, as Vault had it
	Logins    []string  `json:"logins"` // by which that person comes, mount/name
	At        time.Time `json:"at"`     // when Vault wrote it
	End       string    `json:"end"`
	Note      string    `json:"note,omitempty"`
	SHA256    string    `json:"sha256,omitempty"` // of a file that is kept as evidence
	// To and ToEntity: who sees to the end from then on.
	To       string `json:"to,omitempty"`
	ToEntity string `json:"to_entity,omitempty"`
}

// Task is what is known of what a person has to do.
type Task struct {
	Do       []string
	Due      time.Time
	Make     bool
	OpenedAt time.Time // by Vault's clock; zero: not opened yet
	Ends     []TaskEnd
	Overdue  time.Time // when that was noted; zero if it was not
	Reminded time.Time // when that was noted last
	Moved    []Word    // who gave ends to whom
	Renewed  []Word    // who said that the value is not to be used, and why
	// Renewing: that was said, and another value is not handed over yet.
	Renewing bool
}

// Changes counts what was said since it was opened about who has it, and which
// value.
func (t *Task) Changes() int { return len(t.Moved) + len(t.Renewed) }

// Renew is what a word does that the value is not to be used: nothing that was
// said to be done is.
func (t *Task) Renew(w Word) {
	t.Renewed, t.Renewing = append(t.Renewed, w), true
	for i := range t.Ends {
		t.Ends[i].Done = nil
	}
}

// TaskEnd is one end and what became of it.
type TaskEnd struct {
	TaskSeat
	Since time.Time // from when on this person sees to it
	Done  *Word
}

// Left counts the ends that nobody has done.
func (t *Task) Left() (n int) {
	for _, e := range t.Ends {
		if e.Done == nil {
			n++
		}
	}
	return n
}

// End is the end of that name, or nil.
func (t *Task) End(name string) *TaskEnd {
	if t == nil {
		return nil
	}
	if i := slices.IndexFunc(t.Ends, func(e TaskEnd) bool { return strings.EqualFold(e.End, name) }); i >= 0 {
		return &t.Ends[i]
	}
	return nil
}

// Waiting are the owners of ends that nobody has done, each once.
func (t *Task) Waiting() (out []string) {
	for _, e := range t.Ends {
		if e.Done == nil && !slices.Contains(out, e.Owner) {
			out = append(out, e.Owner)
		}
	}
	return out
}

// task takes up what an entry says of a task.
func (l *CredentialState) task(e *Entry) {
	switch e.Event {
	case TaskOpened:
		if l.Task != nil || e.Task == nil {
			return
		}
		l.Task = &Task{Do: e.Task.Do, Due: e.Task.Due, Make: e.Task.Make, OpenedAt: e.Task.At}
		for _, s := range e.Task.Ends {
			l.Task.Ends = append(l.Task.Ends, TaskEnd{TaskSeat: s, Since: e.Task.At})
		}
		l.stand(&Entry{At: e.At, Event: EventOpen, Reason: protocol.ReasonByHand})
	case EndAttested:
		if end := l.seat(e); end != nil && end.Done == nil && !l.Task.Renewing {
			end.Done = e.Word
		}
	case TaskRenewed:
		if l.Task != nil && e.Word != nil {
			l.Task.Renew(*e.Word)
			l.stand(&Entry{At: e.At, Event: EventOpen, Reason: protocol.ReasonByHand})
		}
	case TaskHandedOver:
		if l.Task == nil || e.Task == nil || !l.Task.Renewing {
			return
		}
		l.Task.Renewing = false
		for i := range l.Task.Ends {
			if end := &l.Task.Ends[i]; end.Since.Before(e.Task.At) {
				end.Since = e.Task.At
			}
		}
	case TaskReassigned:
		if end := l.seat(e); end != nil && end.Done == nil {
			end.Owner, end.Entity, end.Since = e.Word.To, e.Word.ToEntity, e.Word.At
			l.Task.Moved = append(l.Task.Moved, *e.Word)
		}
	case TaskOverdue:
		if l.Task != nil && l.Task.Overdue.IsZero() {
			l.Task.Overdue = e.At
		}
	case TaskReminded:
		if l.Task != nil {
			l.Task.Reminded = e.At
		}
	}
}

func (l *CredentialState) seat(e *Entry) *TaskEnd {
	if e.Word == nil {
		return nil
	}
	return l.Task.End(e.Word.End)
}

// Tasks are the credentials that people see to.
func (s *State) Tasks() (out []*CredentialState) {
	for l := range s.some(func(_ Outcome, k credential.Kind) bool { return k.ByHand() }) {
		out = append(out, l)
	}
	return out
}

// copy is as it stands now; what comes later does not change it.
func (t *Task) copy() *Task {
	if t == nil {
		return nil
	}
	out := *t
	out.Ends = slices.Clone(t.Ends)
	return &out
}

// taskBefore is the task that an entry is about, as it stands.
func (a *audit) taskBefore(e *Entry) *Task {
	if e.Event != TaskRenewed && e.Event != TaskHandedOver {
		return nil
	}
	if l := a.state.Credential(e.Credential); l != nil {
		return l.Task.copy()
	}
	return nil
}

// endBefore is the end that a person's word is about, as it stands.
func (a *audit) endBefore(e *Entry) (TaskEnd, bool) {
	if e.Word == nil {
		return TaskEnd{}, false
	}
	l := a.state.Credential(e.Credential)
	if l == nil {
		return TaskEnd{}, false
	}
	end := l.Task.End(e.Word.End)
	if end == nil {
		return TaskEnd{}, false
	}
	return *end, true
}

// taskOpened asks of a task that is opened what it must say.
func (a *audit) taskOpened(index int64, e *Entry) {
	l := a.state.Credential(e.Credential)
	switch {
	case e.Task == nil || len(e.Task.Ends) == 0 || e.Task.Due.IsZero() || e.Task.At.IsZero():
		a.rep.add(index, e.Credential, "a task was opened, and the entry does not say its ends, when it is due and when it was opened")
	case l != nil && !l.Kind.ByHand():
		a.rep.add(index, e.Credential, "a task was opened for a %s, which Rollcall changes itself", l.Kind)
	case a.opened[e.Credential]:
		a.rep.add(index, e.Credential, "its task was opened twice")
	}
	a.opened[e.Credential] = true
	if e.Task == nil {
		return
	}
	seen := map[string]bool{}
	for _, s := range e.Task.Ends {
		if s.End == "" || s.Owner == "" || s.Entity == "" {
			a.rep.add(index, e.Credential, "its task has an end without a name or an owner")
		}
		if seen[strings.ToLower(s.End)] {
			a.rep.add(index, e.Credential, "its task names the end %q twice", s.End)
		}
		seen[strings.ToLower(s.End)] = true
	}
}

// renewed asks of a word that the value of a task is not to be used what it
// must say. before is the task as it was before the entry.
func (a *audit) renewed(index int64, e *Entry, before *Task) {
	w := e.Word
	switch {
	case w == nil || w.Entity == "" || w.Name == "" || w.Statement == "" || w.At.IsZero() || w.Note == "":
		a.rep.add(index, e.Credential, "%s: the entry does not say who said it, by which statement, when and why", e.Event)
	case before == nil && !a.gap:
		a.rep.add(index, e.Credential, "%s: no task of it was opened", e.Event)
	case before == nil:
	case !before.Make:
		a.rep.add(index, e.Credential, "%s: Rollcall made no value for it", e.Event)
	case w.At.Before(before.OpenedAt):
		a.rep.add(index, e.Credential, "%s: it was said before the task was opened", e.Event)
	case a.ended != noIndex:
		a.rep.add(index, e.Credential, "%s: after the campaign was closed by entry %d", e.Event, a.ended)
	}
}

// handedOver asks of another value that somebody had said that the one before
// it is not to be used.
func (a *audit) handedOver(index int64, e *Entry, before *Task) {
	switch {
	case e.Task == nil || e.Task.At.IsZero():
		a.rep.add(index, e.Credential, "%s: the entry does not say when", e.Event)
	case a.gap:
	case before == nil || !before.Renewing:
		a.rep.add(index, e.Credential, "%s: nobody had said that the value before it is not to be used", e.Event)
	case e.Task.At.Before(before.Renewed[len(before.Renewed)-1].At):
		a.rep.add(index, e.Credential, "%s: before that was said", e.Event)
	}
}

// word asks of what a person said that it was his to say. before is the end as
// it was before the entry.
func (a *audit) word(index int64, e *Entry, before TaskEnd, known bool) {
	w := e.Word
	say := func(format string, args ...any) {
		a.rep.add(index, e.Credential, "%s: %s", e.Event, fmt.Sprintf(format, args...))
	}
	switch {
	case w == nil || w.Entity == "" || w.Name == "" || w.Statement == "" || w.At.IsZero():
		say("the entry does not say who said it, by which statement and when")
	case !known && !a.gap:
		say("no task of it was opened with an end %q", w.End)
	case !known:
	case before.Done != nil:
		say("the end %q was done already", w.End)
	case w.At.Before(before.Since):
		say("it was said before the end %q was that person's, or anybody's", w.End)
	case e.Event == EndAttested && w.Entity != before.Entity:
		say("the end %q is seen to by %s (%s), and not by %s (%s)", w.End, before.Owner, before.Entity, w.Name, w.Entity)
	case e.Event == TaskReassigned && (w.To == "" || w.ToEntity == "" || w.Note == ""):
		say("the entry does not say to whom and why")
	case e.Event == TaskReassigned && w.ToEntity == w.Entity:
		say("somebody took the end %q himself", w.End)
	case a.ended != noIndex:
		say("after the campaign was closed by entry %d", a.ended)
	}
}

// attested asks of what is dead by people's word that each end was said to be
// done before, by whoever saw to it.
func (a *audit) attested(d *death) {
	t := d.task
	switch {
	case t == nil:
		a.rep.add(d.index, d.entry.Credential, "dead by people's word, and no task of it was opened before")
		a.atItsDoors(d, nil)
		return
	case !a.state.Credential(d.entry.Credential).Kind.ByHand():
		a.rep.add(d.index, d.entry.Credential, "dead by people's word, and Rollcall changes it itself")
	}
	for _, e := range t.Ends {
		if e.Done == nil {
			a.rep.add(d.index, d.entry.Credential, "dead by people's word, and at the end %q nobody had said that it is done", e.End)
		}
	}
	a.atItsDoors(d, t.Ends)
}

// atItsDoors asks of what is dead by people's word that each door that takes it
// has shown what it could; and where the doors are the proof, that each end has
// one, and that each has refused the stolen value.
func (a *audit) atItsDoors(d *death, ends []TaskEnd) {
	l := a.state.Credential(d.entry.Credential)
	if a.gap {
		return
	}
	byDoors := d.entry.Proof == protocol.ProofDoors
	var names []string
	for _, e := range ends {
		names = append(names, e.End)
	}
	doors := a.doors(d)
	if byDoors && !protocol.AtEachEnd(names, doors, l.DoorEnds) {
		a.rep.add(d.index, d.entry.Credential, "dead by doors, and not each of its ends has one")
	}
	stop := protocol.Shut(doors, d.entry.AtDoors, byDoors)
	for _, ev := range d.entry.AtDoors {
		if stop == nil {
			stop = ev.Open(byDoors || ev.Old != protocol.NotAsked)
		}
	}
	if stop != nil {
		a.rep.add(d.index, d.entry.Credential, "called dead without the evidence of its doors: %v", stop)
	}
}
