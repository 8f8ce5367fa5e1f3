package report

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
)

// csvColumns are stable: ticket systems map them by name.
var csvColumns = []string{"campaign", "device", "item", "id", "name", "kind", "authority", "state", "step", "reason", "meaning", "detail", "server",
	"what_to_do", "owner", "due", "since", "until", "paths", "ledger_index", "incident", "severity", "signs_of_use"}

// openItem is something that somebody has to see to.
type openItem struct {
	Item                                                        string // credential, server, door, login, profile-line or list
	ID, Name, Kind, Authority, State                            string
	Step, Reason, Meaning, Detail, Server, Do, Owner, Due, From string
	Until, Paths, Signs                                         string
	Index                                                       *uint64
}

// CSV writes one row for each open item, for a ticket system (RFC 4180, UTF-8,
// times in UTC): a credential that is not dead, a server or door that a person
// left out, a login to Vault that a person accepted as open, a line of the
// profile that waits, a warning that the list may be incomplete. Nothing in it
// can become a formula of a spreadsheet. A campaign with nothing open gives the
// heading alone. Of a ledger that does not verify the first row says so: what
// follows is proved by nothing.
func CSV(w io.Writer, s *ledger.State, v Verification) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	write := func(row []string) error {
		for i, cell := range row {
			row[i] = plainCell(cell)
		}
		if err := out.Write(row); err != nil {
			return fmt.Errorf("write the CSV: %w", err)
		}
		return nil
	}
	if err := write(slices.Clone(csvColumns)); err != nil {
		return err
	}
	for it := range withLedger(s, v) {
		index := ""
		if it.Index != nil {
			index = strconv.FormatUint(*it.Index, 10)
		}
		if err := write([]string{s.Campaign, s.Device, it.Item, it.ID, it.Name, it.Kind, it.Authority, it.State, it.Step, it.Reason, it.Meaning, it.Detail, it.Server,
			it.Do, it.Owner, it.Due, it.From, it.Until, it.Paths, index, s.Incident.Number, s.Incident.Severity, it.Signs}); err != nil {
			return err
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write the CSV: %w", err)
	}
	return nil
}

// plainCell keeps a cell from being taken for a formula: a spreadsheet that
// opens the file runs what begins with one of = + - @ (OWASP, CSV injection).
// An apostrophe in front makes text of it. Where lists are separated by
// semicolons a spreadsheet begins a new cell behind each, whatever is quoted
// here. Control characters are taken out, so no cell has two lines.
func plainCell(text string) string {
	text = Clean(text)
	var b strings.Builder
	begins := true // a cell may begin here
	for _, r := range text {
		switch {
		case begins && strings.ContainsRune("=+-@＝＋－＠", r):
			b.WriteByte('\'')
			begins = false
		case r == ';' || r == '|':
			begins = true
		case r != ' ' && r != '"' && r != '\u00a0':
			begins = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

// withLedger are what is open, behind what is wrong with the ledger.
func withLedger(s *ledger.State, v Verification) iter.Seq[openItem] {
	return func(yield func(openItem) bool) {
		if n := len(v.Problems); n > 0 && !yield(openItem{Item: "ledger", ID: s.Campaign, Name: s.Campaign, State: "not-verified", Reason: "not-verified",
			Meaning: "The ledger does not verify, so nothing that it says is proved", Detail: fmt.Sprintf("%s, the first: %s", Plural(n, "problem", "problems"), v.Problems[0]),
			Do: "`rollcall ledger verify` says what is wrong. Open no ticket from these rows before somebody has found out who changed it."}) {
			return
		}
		openItems(s)(yield)
	}
}

// openItems are what somebody has to see to, the credentials first.
func openItems(s *ledger.State) iter.Seq[openItem] {
	return func(yield func(openItem) bool) {
		for l := range s.NotDead() {
			if !yield(openCredential(s, l, standingOf(l))) {
				return
			}
		}
		for _, it := range openBesides(s) {
			if !yield(it) {
				return
			}
		}
	}
}

func openBesides(s *ledger.State) (out []openItem) {
	for _, l := range leftOutOf(s) {
		item := "server"
		if l.Door {
			item = "door"
		}
		out = append(out, openItem{Item: item, ID: l.Server, Name: l.Name(), Authority: l.Authority, State: "left-out", Meaning: "Left out by a person", Server: l.Server,
			Detail: fmt.Sprintf("by %s: %s", l.Actor, l.Reason), Do: l.Words(), From: rfc3339(l.At)})
	}
	for _, l := range s.Accepted {
		out = append(out, openItem{Item: "login", ID: l.ID, Name: l.Name, State: "accepted", Meaning: "Accepted as open by a person",
			Detail: fmt.Sprintf("by %s: %s", l.Actor, l.Reason), Do: acceptedWords, From: rfc3339(l.At)})
	}
	for _, l := range profileOf(s) {
		if l.Answer != credential.Later && l.Answer != credential.Unanswered {
			continue
		}
		it := openItem{Item: "profile-line", ID: l.Line, Name: l.What, Kind: string(l.Kind), State: l.AnswerWord(), Meaning: "A line of the device's profile is left for later", Detail: cmp.Or(l.Reason, l.Why), Owner: l.Owner,
			Do: "Do what it holds, change the answer and run again. Until then count it as good in a thief's hands."}
		if !l.Due.IsZero() {
			it.Due = day(l.Due)
		}
		if l.Answer == credential.Unanswered {
			it.Meaning, it.Do = "A line of the device's profile has no answer", "Answer it (`rollcall answers check`), and run again."
		}
		out = append(out, it)
	}
	for _, f := range incomplete(s) {
		a := findingAdvice(f.Code)
		out = append(out, openItem{Item: "list", ID: string(f.Code), Name: a.Title, State: "incomplete", Reason: string(f.Code), Meaning: a.Title, Detail: f.Detail, Do: a.Next})
	}
	return out
}

func openCredential(s *ledger.State, l *ledger.CredentialState, at standing) openItem {
	a := adviceFor(l.Reason)
	it := openItem{Item: "credential", ID: l.ID, Name: cmp.Or(l.Name, l.ID), Kind: string(l.Kind), Authority: l.Authority, State: string(at),
		Step: string(l.Step), Reason: string(l.Reason), Meaning: a.Title, Detail: l.Detail, Server: l.Server, Do: a.Next,
		From: rfc3339(l.Since), Until: rfc3339(l.Until)}
	if at == waiting || at == inWork {
		it.Meaning, it.Do = notEnded, whatOfTheRest(s)
	}
	if l.Task != nil && len(l.Task.Do) > 0 {
		it.Do = strings.Join(l.Task.Do, " ")
	}
	owner, due := seenToBy(s, l)
	it.Owner, it.Due = owner, rfc3339(due)
	var paths []string
	for _, p := range l.Paths {
		paths = append(paths, p.String())
	}
	it.Paths, it.Signs = strings.Join(paths, " "), strings.Join(SignsOf(l, time.UTC), "; ")
	if at == exception {
		it.Index = &l.Index
	}
	return it
}

// seenToByPeople: an end of a task is not done, and has its owner. What is said
// of all that is open takes it from nobody.
func seenToByPeople(l *ledger.CredentialState) bool {
	return l.Task != nil && slices.ContainsFunc(l.Task.Ends, func(e ledger.TaskEnd) bool { return e.Done == nil && e.Owner != "" })
}

// seenToBy is who sees to what is open, and until when, where the ledger says
// so: whom a person named who accepted it as open, the owners of the ends that
// are left of a task, who answers for a line of the profile that waits, or whom
// the secret's metadata or the campaign file names.
func seenToBy(s *ledger.State, l *ledger.CredentialState) (owner string, due time.Time) {
	if a := s.AcceptedAs(l); a != nil && a.Owner != "" && (l.Accepted != nil || !seenToByPeople(l)) {
		return a.Owner, a.Due
	}
	var owners []string
	add := func(name string) {
		if name != "" && !slices.Contains(owners, name) {
			owners = append(owners, name)
		}
	}
	if l.Task != nil {
		due = l.Task.Due
		for _, e := range l.Task.Ends {
			if e.Done == nil {
				add(e.Owner)
			}
		}
	}
	if len(owners) == 0 {
		for _, ref := range l.Lines {
			if a := s.AnswerTo(ref.Line); a != nil && a.Owner != "" {
				add(a.Owner)
				due = a.Due
			}
		}
	}
	if len(owners) == 0 && l.Owner != "" {
		owners = []string{l.Owner}
	}
	if due.IsZero() {
		due = l.Due
	}
	return strings.Join(owners, ", "), due
}
