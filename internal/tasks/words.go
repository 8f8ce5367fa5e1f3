package tasks

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/people"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// Weighed is what came of people's words on the tasks of a campaign.
type Weighed struct {
	Look    wire.TasksLook
	Entries []ledger.Entry // for its ledger

	campaign string
	changed  []*ledger.CredentialState // tasks with another owner or value
}

// Weigh takes up what people have said on the tasks cs of in that the ledger,
// of which state is the fold, does not have: it asks Vault who they are, and
// brings state up to date with what counts.
func Weigh(ctx context.Context, store *ownmount.Store, in wire.Tasks, cs []credential.Credential, said map[string][]people.Statement, state *ledger.State) (*Weighed, error) {
	roll, err := RollOf(ctx, store, in.Campaign)
	if err != nil {
		return nil, err
	}
	out := &Weighed{Look: wire.TasksLook{Said: map[string]string{}}, campaign: in.Campaign}
	w := &words{store: store, campaign: in.Campaign, roll: roll, now: time.Now().UTC(), said: out.Look.Said, persons: map[string]*people.Person{}}
	for i, c := range cs {
		line := state.Credential(c.ID)
		if line == nil || line.Task == nil {
			continue
		}
		moved, err := w.take(ctx, c, line, said[c.ID])
		if err != nil {
			return nil, err
		}
		switch {
		case line.Outcome == ledger.Dead:
			out.Look.Dead = append(out.Look.Dead, in.Refs[i])
		case line.Task.Left() == 0 && len(c.Doors) == 0:
			e := ledger.About(in.Campaign, c, ledger.EventOutcome, "1", w.now)
			e.Step, e.Attempt, e.Proof = protocol.Outcome, 1, protocol.ProofAttested
			w.entries = append(w.entries, e)
			out.Look.Dead = append(out.Look.Dead, in.Refs[i])
		case line.Task.Left() == 0:
			out.Look.Done = append(out.Look.Done, in.Refs[i])
			if line.Task.Changes() > 0 { // it is noted, and nobody gets another card
				out.changed = append(out.changed, line)
			}
		case moved || line.Task.Changes() > 0:
			// Also where an earlier look recorded it and was not heard.
			out.Look.Moved = append(out.Look.Moved, wire.Moved{Ref: in.Refs[i], Times: line.Task.Changes()})
			out.changed = append(out.changed, line)
		}
	}
	out.Entries = w.entries
	return out, nil
}

// Note keeps in Vault, once the ledger has the entries, who has the tasks by
// now and which values are not to be used.
func (w *Weighed) Note(ctx context.Context, store *ownmount.Store) error {
	for _, line := range w.changed {
		for n := range line.Task.Renewed {
			if err := store.Discard(ctx, w.campaign, line.ID, n+1); err != nil {
				return err
			}
		}
		if err := store.MoveTask(ctx, w.campaign, line.ID, line.Task.Changes(), seatsOf(line.Task)); err != nil {
			return err
		}
	}
	return nil
}

func seatsOf(t *ledger.Task) (out []string) {
	for _, e := range t.Ends {
		out = append(out, e.Entity)
	}
	return out
}

// words takes up what people said on the tasks of a campaign.
type words struct {
	store    *ownmount.Store
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
		by, err := w.person(ctx, "entity", s.Entity, w.store.PersonByID)
		if err != nil {
			return moved, err
		}
		var to *people.Person
		if s.Does == people.Reassign && s.To != "" {
			if to, err = w.person(ctx, "name", s.To, w.store.Person); err != nil {
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
			e := ledger.About(w.campaign, c, ledger.TaskRenewed, s.Key(), w.now)
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
	e := ledger.About(w.campaign, c, event, fmt.Sprintf("%s.%d", s.Key(), i), w.now)
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
	e := ledger.About(w.campaign, c, ledger.EventFinding, string(f.Code)+"."+s.Key(), w.now)
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
