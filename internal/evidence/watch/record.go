package watch

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/evidence/taken"
	"rollcall/internal/plural"
)

// Times and bounds of what a ledger is told.
const (
	recordAgain    = 5 * time.Second // after one that failed; each wait is twice the last
	recordLongest  = 5 * time.Minute
	recordPatience = 2 * time.Minute  // for the ledger and Vault
	lastRecord     = 15 * time.Second // the same, at the end
	mostRecorded   = 500              // signs in one append
	mostSigns      = 20_000           // that are kept of a reading
)

// reading is what a ledger is told of a watch against one campaign's roll: what
// is alike in code, grade and rule of a credential is one sign, as in a reading
// of logs that are over, and findings about nobody on the roll are counts. So a
// flood of lines is no flood of entries.
type reading struct {
	ID    string                `json:"id"`
	Of    credential.LogReading `json:"of"`
	Logs  []credential.ReadLog  `json:"logs,omitempty"`
	Paths []string              `json:"paths,omitempty"` // of Logs
	Signs []*signed             `json:"signs,omitempty"`
	// Begun: the ledger has it and so many of its logs.
	Begun bool `json:"begun,omitempty"`
	Told  int  `json:"told,omitempty"`
	// Dropped findings are in no sign: there were too many.
	Dropped int `json:"dropped,omitempty"`
}

// signed is a sign of a credential, or of none, and what the ledger has of it.
type signed struct {
	Credential string          `json:"credential,omitempty"`
	Name       string          `json:"name,omitempty"`
	Sign       credential.Sign `json:"sign"`
	Fresh      bool            `json:"fresh,omitempty"` // the ledger has it not, or not its newest address
	More       bool            `json:"more,omitempty"`  // or not all of its count
	Next       time.Time       `json:"next,omitzero"`   // when a higher count is to be told
	Wait       time.Duration   `json:"wait,omitempty"`
}

// recorder tells a ledger, in a goroutine of its own: neither reading nor
// receivers wait for Vault or a disk.
type recorder struct {
	ctx  context.Context
	busy bool
	done chan error
	gave []*signed         // what is being told
	as   []credential.Sign // and what they were then
	logs int
	of   *reading
	next time.Time // not again before
	wait time.Duration
	why  string
}

// recording is the reading against the roll as it is by now; nil where nothing
// is recorded.
func (w *watcher) recording() *reading {
	if w.o.Record == nil {
		return nil
	}
	for _, r := range w.state.Readings {
		if r.Of.Roll == w.o.Campaign {
			return r
		}
	}
	r := &reading{ID: "watch-" + strings.ToLower(rand.Text()[:16]), Of: credential.LogReading{ReadAt: w.o.Now().UTC(), Roll: w.o.Campaign, Follows: true}}
	for _, x := range w.o.Evidence.Judge.Windows {
		r.Of.Windows = append(r.Of.Windows, credential.Interval{From: x.From.UTC(), To: utc(x.To)})
	}
	w.state.Readings = append(w.state.Readings, r)
	w.changed = true
	return r
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC()
}

// logOf is the number of a log in a reading.
func (r *reading) logOf(l *log) int {
	if at := slices.Index(r.Paths, l.of.Path); at >= 0 {
		return at + 1
	}
	name := taken.BaseName(l.of.Path)
	if l.of.Path == stdin {
		name = "standard-input"
	}
	r.Paths = append(r.Paths, l.of.Path)
	r.Logs = append(r.Logs, credential.ReadLog{Number: len(r.Paths), Name: name, Format: l.format.Name, Authority: l.of.Authority, Server: l.of.Server})
	return len(r.Paths)
}

// note takes findings for the ledger, as they are told.
func (w *watcher) note(alerts []judge.Alert) {
	r := w.recording()
	if r == nil {
		return
	}
	for _, a := range alerts {
		w.noteOne(r, a)
	}
}

func (w *watcher) noteOne(r *reading, a judge.Alert) {
	more := credential.Sign{Code: string(a.Code), Grade: credential.Grade(a.Grade), Findings: 1, Count: a.Count, First: a.First.UTC(), Last: a.Last.UTC()}
	if a.Again > 0 { // what was told before is in the sign, or is not of this reading
		more.Count = a.More
	}
	is := &signed{Sign: credential.Sign{Code: more.Code, Grade: more.Grade}}
	if place := w.placeOf(r, a); place != nil {
		if is.Credential, is.Name = w.named(a); is.Credential != "" {
			is.Sign.Rule, more.Rule, more.Outcome, more.At = a.Rule, a.Rule, string(a.Outcome), place
		}
	}
	at := slices.IndexFunc(r.Signs, func(s *signed) bool {
		return s.Credential == is.Credential && s.Sign.Code == is.Sign.Code && s.Sign.Grade == is.Sign.Grade && s.Sign.Rule == is.Sign.Rule
	})
	switch {
	case at >= 0:
		if is = r.Signs[at]; a.Again > 0 {
			more.Findings = 0
		}
	case len(r.Signs) >= mostSigns:
		r.Dropped++
		return
	default:
		if a.Again > 0 && len(a.Seen) > 0 {
			more.First = a.Seen[0].At.UTC()
		}
		is.Fresh = true
		is.Sign.First, is.Sign.Last = more.First, more.Last
		r.Signs = append(r.Signs, is)
	}
	is.More = true
	if is.Credential == "" {
		is.Sign = credential.JoinCounts(is.Sign, more)
		return
	}
	fresh := false
	if a.Address != "" {
		more.Addresses = []string{a.Address}
		fresh = (a.Again == 0 || is.Sign.MoreAddresses == 0) && !slices.Contains(is.Sign.Addresses, a.Address)
	}
	for _, d := range a.Doubts {
		more.Doubts = append(more.Doubts, string(d))
	}
	named := len(is.Sign.Addresses)
	is.Sign = credential.JoinSigns(is.Sign, more, fresh)
	is.Fresh = is.Fresh || len(is.Sign.Addresses) > named
}

// placeOf is the first line of a finding, in a log of the reading.
func (w *watcher) placeOf(r *reading, a judge.Alert) *credential.LogPlace {
	if len(a.Seen) == 0 {
		return nil
	}
	path := a.Seen[0].File
	at := slices.Index(r.Paths, path)
	if at < 0 {
		n := slices.IndexFunc(w.logs, func(l *log) bool { return l.of.Path == path })
		switch {
		case n >= 0:
			at = r.logOf(w.logs[n]) - 1
		case w.inLog != nil && path == stdin:
			at = r.logOf(w.inLog) - 1
		default:
			return nil
		}
	}
	return &credential.LogPlace{Log: at + 1, Name: r.Logs[at].Name, Line: a.Seen[0].Line}
}

// named is the credential of the roll that a finding is about, as the roll has
// it: where its value was offered as somebody else, that one.
func (w *watcher) named(a judge.Alert) (id, name string) {
	id = a.Credential
	if a.ValueOf != "" {
		id = a.ValueOf
	}
	if name = w.live.NameOf(id); name == "" {
		return "", ""
	}
	return id, name
}

// record tells the ledger what it has not yet, the oldest first.
func (w *watcher) record(patience time.Duration) {
	if w.o.Record == nil {
		return
	}
	if r := w.recording(); r != nil {
		known := len(r.Logs)
		for _, l := range w.logs {
			if l.stream != nil {
				r.logOf(l)
			}
		}
		if len(r.Logs) > known { // a crash must not number them anew
			_ = w.save(true)
		}
	}
	for until := time.Now().Add(patience); ; {
		rec := &w.recorder
		wait := time.Duration(0)
		if patience > 0 {
			wait = max(0, time.Until(until))
		}
		if !rec.busy && !w.give(patience > 0) {
			return
		}
		if !w.recorded(wait) {
			return
		}
	}
}

// give begins to tell what is due; false where there is nothing.
func (w *watcher) give(all bool) bool {
	rec, now := &w.recorder, w.o.Now()
	if now.Before(rec.next) && !all {
		return false
	}
	for _, r := range w.state.Readings {
		var due []*signed
		for _, s := range r.Signs {
			if s.Fresh || s.More && (all || !now.Before(s.Next)) {
				due = append(due, s)
			}
		}
		if len(due) == 0 && r.Begun && r.Told == len(r.Logs) {
			continue
		}
		due = due[:min(len(due), mostRecorded)]
		rec.of, rec.gave, rec.logs, rec.as, rec.busy = r, due, len(r.Logs), nil, true
		for _, s := range due {
			rec.as = append(rec.as, s.Sign)
		}
		read, of := r.entries(due)
		go func() {
			ctx, cancel := context.WithTimeout(rec.ctx, recordPatience)
			defer cancel()
			rec.done <- w.o.Record(ctx, read, of)
		}()
		return true
	}
	return false
}

// entries are what is due as a ledger takes it, of which nothing is changed
// later.
func (r *reading) entries(due []*signed) (read credential.LogsRead, of []credential.Credential) {
	read = credential.LogsRead{ID: r.ID, Of: r.Of, Logs: slices.Clone(r.Logs)}
	for _, s := range due {
		if s.Credential == "" {
			read.Elsewhere = append(read.Elsewhere, s.Sign)
			continue
		}
		of = append(of, credential.Credential{ID: s.Credential, Name: s.Name, Signs: []credential.SignOf{{Reading: r.ID, Sign: s.Sign}}})
	}
	return read, of
}

// recorded takes what came of it; false where nothing did or it failed.
func (w *watcher) recorded(wait time.Duration) bool {
	rec := &w.recorder
	if !rec.busy {
		return false
	}
	var err error
	select {
	case err = <-rec.done:
	case <-time.After(wait):
		return false
	}
	now := w.o.Now()
	rec.busy = false
	if err != nil {
		rec.wait = min(max(2*rec.wait, recordAgain), recordLongest)
		rec.next, rec.why = now.Add(rec.wait), err.Error()
		w.cannotRecord()
		return false
	}
	rec.next, rec.wait, rec.why = time.Time{}, 0, ""
	rec.of.Begun, rec.of.Told = true, rec.logs
	for i, s := range rec.gave {
		s.Fresh = len(s.Sign.Addresses) > len(rec.as[i].Addresses)
		s.More = s.Sign.Count > rec.as[i].Count
		s.Wait = min(max(2*s.Wait, w.o.Again), longestWait)
		s.Next = now.Add(s.Wait)
	}
	w.state.Readings = slices.DeleteFunc(w.state.Readings, func(r *reading) bool { return r.Of.Roll != w.o.Campaign && r.unrecorded() == 0 })
	w.changed = true
	w.over(NotRecorded, "", "findings are written into the ledger again")
	return true
}

// unrecorded are signs of which the ledger has not all.
func (r *reading) unrecorded() (n int) {
	for _, s := range r.Signs {
		if s.Fresh || s.More {
			n++
		}
	}
	return n
}

func (w *watcher) cannotRecord() {
	n, dropped := 0, 0
	for _, r := range w.state.Readings {
		n, dropped = n+r.unrecorded(), dropped+r.Dropped
	}
	also := ""
	if dropped > 0 {
		also = "; more came than is kept for it, and is told and not recorded: " + plural.Count(dropped, "finding", "findings")
	}
	w.has(NotRecorded, "", "what is found cannot be written into the ledger: %s. It is told all the same, kept and tried again (%s so far)%s", w.recorder.why, plural.Count(n, "sign", "signs"), also)
}
