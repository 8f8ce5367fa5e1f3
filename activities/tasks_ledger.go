package activities

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/people"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// RecordTasks says which tasks were opened, and why others were not.
func (l *Ledger) RecordTasks(ctx context.Context, in wire.TasksInput) error {
	defer beat(ctx)()
	cs, err := tasksOf(ctx, l.Store, in.Tasks)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	var entries []ledger.Entry
	for i, it := range in.Items {
		c := cs[i]
		for _, f := range it.Findings {
			e := about(in.Tasks.Campaign, c, ledger.EventFinding, string(f.Code), now)
			e.Finding, e.Detail = f.Code, f.Detail
			entries = append(entries, e)
		}
		if it.Again > 0 {
			again, err := l.handedAgain(ctx, in.Tasks.Campaign, c, it.Again, now)
			if err != nil {
				return err
			}
			entries = append(entries, again...)
			continue
		}
		if it.Stop != nil {
			e := about(in.Tasks.Campaign, c, ledger.EventOpen, fmt.Sprint(in.Round), now)
			e.Step, e.Reason, e.Detail = protocol.Precheck, it.Stop.Reason, it.Stop.Detail
			entries = append(entries, e)
			continue
		}
		at, seats, found, err := l.Store.TaskOpened(ctx, in.Tasks.Campaign, c.ID)
		if err == nil && (!found || len(seats) != len(c.Task.Ends)) {
			err = fmt.Errorf("campaign %s: nothing in Vault says who sees to task %d", in.Tasks.Campaign, i)
		}
		if err != nil {
			return classify(errVault, err)
		}
		e := about(in.Tasks.Campaign, c, ledger.TaskOpened, "", now)
		e.Task = &ledger.TaskOpening{Do: c.Task.Do, Due: c.Task.Due, Make: c.Task.Make, At: at}
		for j, end := range c.Task.Ends {
			e.Task.Ends = append(e.Task.Ends, ledger.TaskSeat{End: end.Name, Owner: end.Owner, Entity: seats[j]})
		}
		entries = append(entries, e)
	}
	return l.append(ctx, in.Tasks.Campaign, entries)
}

// handedAgain is the entry that another value was handed over, if the ledger
// does not have it.
func (l *Ledger) handedAgain(ctx context.Context, campaign string, c credential.Credential, n int, now time.Time) ([]ledger.Entry, error) {
	state, err := l.stateNow(ctx, campaign)
	if err != nil {
		return nil, err
	}
	line := state.Credential(c.ID)
	if line == nil || line.Task == nil || !line.Task.Renewing {
		return nil, nil
	}
	at, found, err := l.Store.HandedAgainAt(ctx, campaign, c.ID, n)
	if err == nil && !found {
		err = fmt.Errorf("campaign %s: nothing in Vault says when another value of a %s was handed over", campaign, c.Kind)
	}
	if err != nil {
		return nil, classify(errVault, err)
	}
	e := about(campaign, c, ledger.TaskHandedOver, fmt.Sprint(n), now)
	e.Task = &ledger.TaskOpening{Do: c.Task.Do, Due: c.Task.Due, Make: c.Task.Make, At: at}
	for _, end := range line.Task.Ends {
		e.Task.Ends = append(e.Task.Ends, end.TaskSeat)
	}
	return []ledger.Entry{e}, nil
}

// stateNow is the fold of a campaign's ledger, of the caller's own.
func (l *Ledger) stateNow(ctx context.Context, campaign string) (*ledger.State, error) {
	reader, err := ledger.OpenReader(filepath.Join(l.Dir, campaign))
	if err != nil {
		return nil, classify(errLedger, err)
	}
	state, err := reader.State(ctx)
	return state, classify(errLedger, err)
}

// LookAtTasks reads what people have said, each where only he may write, finds
// out who he is, and records what counts. Who said what does not pass through
// Temporal, and this is the one process that may write the record of it.
func (l *Ledger) LookAtTasks(ctx context.Context, in wire.Tasks) (wire.TasksLook, error) {
	defer beat(ctx)()
	l.looking.Lock() // a try that was given up may still be at it
	defer l.looking.Unlock()
	cs, err := tasksOf(ctx, l.Store, in)
	if err != nil {
		return wire.TasksLook{}, err
	}
	said, err := l.Store.Statements(ctx, in.Campaign)
	if err != nil {
		return wire.TasksLook{}, classify(errVault, err)
	}
	state, err := l.stateNow(ctx, in.Campaign)
	if err != nil {
		return wire.TasksLook{}, err
	}
	roll, err := loginsOfRoll(ctx, l.Store, in.Campaign)
	if err != nil {
		return wire.TasksLook{}, err
	}
	look := wire.TasksLook{Said: map[string]string{}}
	var given []int
	w := &words{store: l, campaign: in.Campaign, roll: roll, now: time.Now().UTC(), said: look.Said, persons: map[string]*people.Person{}}
	for i, c := range cs {
		line := state.Credential(c.ID)
		if line == nil || line.Task == nil {
			continue
		}
		moved, err := w.take(ctx, c, line, said[c.ID])
		if err != nil {
			return wire.TasksLook{}, classify(errVault, err)
		}
		switch {
		case line.Outcome == ledger.Dead:
			look.Dead = append(look.Dead, in.Refs[i])
		case line.Task.Left() == 0:
			e := about(in.Campaign, c, ledger.EventOutcome, "1", w.now)
			e.Step, e.Attempt, e.Proof = protocol.Outcome, 1, protocol.ProofAttested
			w.entries = append(w.entries, e)
			look.Dead = append(look.Dead, in.Refs[i])
		case moved || line.Task.Changes() > 0:
			// Also where an earlier look recorded it and was not heard.
			look.Moved = append(look.Moved, wire.Moved{Ref: in.Refs[i], Times: line.Task.Changes()})
			given = append(given, i)
		}
	}
	if err := l.append(ctx, in.Campaign, w.entries); err != nil {
		return wire.TasksLook{}, err
	}
	for _, i := range given {
		t := state.Credential(cs[i].ID).Task
		for n := range t.Renewed {
			if err := l.Store.Discard(ctx, in.Campaign, cs[i].ID, n+1); err != nil {
				return wire.TasksLook{}, classify(errVault, err)
			}
		}
		if err := l.Store.MoveTask(ctx, in.Campaign, cs[i].ID, t.Changes(), seatsOf(t)); err != nil {
			return wire.TasksLook{}, classify(errVault, err)
		}
	}
	return look, nil
}

func seatsOf(t *ledger.Task) (out []string) {
	for _, e := range t.Ends {
		out = append(out, e.Entity)
	}
	return out
}

// words takes up what people said on the tasks of a campaign.
type words struct {
	store    *Ledger
	campaign string
	roll     people.Roll
	now      time.Time
	said     map[string]string
	persons  map[string]*people.Person // by what they were asked for
	entries  []ledger.Entry
}

// take weighs the statements on one task that the ledger does not have, in
// their order, and brings its line up to date. moved: an end has another owner.
func (w *words) take(ctx context.Context, c credential.Credential, line *ledger.CredentialState, said []people.Statement) (moved bool, err error) {
	t := line.Task
	for _, s := range said {
		if had(t, s) {
			w.said[s.Key()] = ""
			continue
		}
		by, err := w.person(ctx, "entity", s.Entity, w.store.Store.PersonByID)
		if err != nil {
			return moved, err
		}
		var to *people.Person
		if s.Does == people.Reassign && s.To != "" {
			if to, err = w.person(ctx, "name", s.To, w.store.Store.Person); err != nil {
				return moved, err
			}
		}
		var who people.Person
		if by != nil {
			who = *by
		}
		v := people.Judge(s, who, to, endsOf(t), w.roll)
		w.said[s.Key()] = v.Refused
		if v.Refused != "" {
			if v.Suspect {
				w.suspect(c, line, s, who, v.Refused)
			}
			continue
		}
		if s.Does == people.Renew {
			word := wordOf(s, who, "")
			t.Renew(*word)
			e := about(w.campaign, c, ledger.TaskRenewed, s.Key(), w.now)
			e.Word, moved = word, true
			w.entries = append(w.entries, e)
			continue
		}
		for _, i := range v.Ends {
			w.entries = append(w.entries, w.word(c, t, i, s, who, to))
			moved = moved || s.Does == people.Reassign
		}
	}
	return moved, nil
}

// word is the entry of a statement that counts, about one end; t is as the
// entry leaves it.
func (w *words) word(c credential.Credential, t *ledger.Task, i int, s people.Statement, who people.Person, to *people.Person) ledger.Entry {
	end := &t.Ends[i]
	word := wordOf(s, who, end.End)
	event := ledger.EndAttested
	if s.Does == people.Reassign {
		event, word.To, word.ToEntity = ledger.TaskReassigned, s.To, to.ID
		end.Owner, end.Entity, end.Since = s.To, to.ID, s.At
		t.Moved = append(t.Moved, *word)
	} else {
		end.Done = word
	}
	e := about(w.campaign, c, event, fmt.Sprintf("%s.%d", s.Key(), i), w.now)
	e.Word = word
	return e
}

func wordOf(s people.Statement, who people.Person, end string) *ledger.Word {
	word := &ledger.Word{Statement: s.ID, Entity: who.ID, Name: who.Name, At: s.At, End: end, Note: strings.TrimSpace(s.Note), SHA256: s.SHA256}
	for _, login := range who.Logins {
		word.Logins = append(word.Logins, login.String())
	}
	return word
}

// suspect leaves a word that does not count, and that may be a thief's, to an
// investigator.
func (w *words) suspect(c credential.Credential, line *ledger.CredentialState, s people.Statement, who people.Person, why string) {
	name := who.Name
	if name == "" {
		name = "an unknown entity"
	}
	what := "that an end is done"
	switch s.Does {
	case people.Reassign:
		what = "that somebody else sees to an end"
	case people.Renew:
		what = "that its value is not to be used"
	}
	f := credential.Finding{Code: credential.FindingWordRefused, Detail: fmt.Sprintf("%s (%s) said at %s %s, and that counts for nothing: %s", name, s.Entity, s.At.UTC().Format(time.RFC3339), what, why)}
	for _, have := range line.Findings {
		if have == f {
			return
		}
	}
	line.Findings = append(line.Findings, f)
	e := about(w.campaign, c, ledger.EventFinding, string(f.Code)+"."+s.Key(), w.now)
	e.Finding, e.Detail = f.Code, f.Detail
	w.entries = append(w.entries, e)
}

// person asks Vault once in a look.
func (w *words) person(ctx context.Context, by, what string, ask func(context.Context, string) (*people.Person, error)) (*people.Person, error) {
	key := by + "/" + what
	if p, asked := w.persons[key]; asked {
		return p, nil
	}
	p, err := ask(ctx, what)
	if err == nil {
		w.persons[key] = p
	}
	return p, err
}

// had reports whether the ledger has a statement.
func had(t *ledger.Task, s people.Statement) bool {
	for _, e := range t.Ends {
		if e.Done != nil && e.Done.Statement == s.ID && e.Done.Entity == s.Entity {
			return true
		}
	}
	for _, m := range slices.Concat(t.Moved, t.Renewed) {
		if m.Statement == s.ID && m.Entity == s.Entity {
			return true
		}
	}
	return false
}

func endsOf(t *ledger.Task) (out []people.End) {
	for _, e := range t.Ends {
		out = append(out, people.End{Name: e.End, Entity: e.Entity, Since: e.Since, Done: e.Done != nil, Made: t.Make, Renewing: t.Renewing, Renewed: len(t.Renewed) > 0})
	}
	return out
}

// RemindOfTasks says that tasks are due soon, or that their time is over.
func (l *Ledger) RemindOfTasks(ctx context.Context, in wire.RemindInput) error {
	defer beat(ctx)()
	cs, err := tasksOf(ctx, l.Store, in.Tasks)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	var entries []ledger.Entry
	for _, c := range cs {
		event, detail := ledger.TaskReminded, "due "+c.Task.Due.UTC().Format(time.RFC3339)
		switch {
		case in.Overdue:
			event, detail = ledger.TaskOverdue, "was due "+c.Task.Due.UTC().Format(time.RFC3339)+"; it stays open until it is done"
		case now.After(c.Task.Due):
			detail = "overdue since " + c.Task.Due.UTC().Format(time.RFC3339)
		}
		e := about(in.Tasks.Campaign, c, event, fmt.Sprint(in.Round), now)
		e.Detail = detail
		entries = append(entries, e)
	}
	return l.append(ctx, in.Tasks.Campaign, entries)
}

// LeaveTasks says which tasks stay open because the campaign ends.
func (l *Ledger) LeaveTasks(ctx context.Context, in wire.LeaveInput) error {
	defer beat(ctx)()
	cs, err := tasksOf(ctx, l.Store, in.Tasks)
	if err != nil {
		return err
	}
	state, err := l.stateNow(ctx, in.Tasks.Campaign)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	var entries []ledger.Entry
	for _, c := range cs {
		e := about(in.Tasks.Campaign, c, ledger.Exception, "", now)
		e.Step, e.Reason, e.Detail = protocol.Precheck, protocol.ReasonByHand, in.Why
		if line := state.Credential(c.ID); line != nil && line.Task == nil && line.Reason != "" {
			e.Reason = line.Reason
		}
		entries = append(entries, e)
	}
	return l.append(ctx, in.Tasks.Campaign, entries)
}
