package ledger

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/plural"
)

// Reading is what an entry says of a reading of logs. ID is that of the
// reading, the same in all its entries; one of the others is set.
type Reading struct {
	ID       string                    `json:"id"`
	Of       *credential.LogReading    `json:"of,omitempty"`
	Log      *credential.ReadLog       `json:"log,omitempty"`
	Coverage *credential.LogCoverage   `json:"coverage,omitempty"`
	Sign     *credential.Sign          `json:"sign,omitempty"`
	Counts   *credential.ReadingCounts `json:"counts,omitempty"`
}

// ReadLogs is a reading of logs and what it says of them. What it says of a
// credential stands with that.
type ReadLogs struct {
	ID string
	credential.LogReading
	At       time.Time // when the ledger was told
	Actor    string    // who had it read while the campaign ran; empty of what it began with
	Why      string    // in his words
	Index    uint64    // of its first entry
	Ledger   string    // that has it; empty of the campaign's own
	Logs     []credential.ReadLog
	Coverage []credential.LogCoverage
	// Elsewhere counts findings that are about no credential of the roll.
	Elsewhere []credential.Sign
	Counts    *credential.ReadingCounts // nil until it ended
}

// NeverEnded reports whether it began, and whoever wrote it did not come to its
// end, or has not yet: findings of it may be missing. One that follows logs
// need not end.
func (r *ReadLogs) NeverEnded() bool { return !r.Follows && r.Counts == nil }

// ReadingWith is the reading with that id; nil where there is none.
func (s *State) ReadingWith(id string) *ReadLogs {
	for _, r := range s.Readings {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// read folds in what is said of a reading of logs as a whole. What belongs to
// none that began is dropped, as what comes behind its end is.
func (s *State) read(index uint64, e *Entry) {
	if e.Reading == nil {
		return
	}
	r := s.ReadingWith(e.Reading.ID)
	if e.Event == ReadingBegun {
		if r == nil && e.Reading.Of != nil {
			s.Readings = append(s.Readings, &ReadLogs{ID: e.Reading.ID, LogReading: *e.Reading.Of, At: e.At, Actor: e.Actor, Why: e.Detail, Index: index})
		}
		return
	}
	if r == nil || r.Counts != nil {
		return
	}
	switch is := e.Reading; {
	case e.Event == LogRead && is.Log != nil:
		r.Logs = append(r.Logs, *is.Log)
	case e.Event == LogsCover && is.Coverage != nil:
		r.Coverage = append(r.Coverage, *is.Coverage)
	case e.Event == SignFound && is.Sign != nil:
		for i := range r.Elsewhere {
			if r.Follows && become(&r.Elsewhere[i], *is.Sign) {
				return
			}
		}
		r.Elsewhere = append(r.Elsewhere, *is.Sign)
	case e.Event == ReadingEnded:
		r.Counts = is.Counts
	}
}

// sign notes what logs show of the credential.
func (c *CredentialState) sign(e *Entry) {
	if e.Reading != nil && e.Reading.Sign != nil {
		c.Signs = append(c.Signs, credential.SignOf{Reading: e.Reading.ID, Sign: *e.Reading.Sign})
	}
}

// Worst is the surest sign of the credential; nil where no reading has one,
// which does not say that nobody used it.
func (c *CredentialState) Worst() *credential.SignOf { return credential.WorstOf(c.Signs) }

// ReadingEntries are those of one reading of logs but for its signs, which go
// before the last of them.
func ReadingEntries(campaign string, r credential.LogsRead, at time.Time) (before []Entry, last Entry) {
	entry := func(event Event, which string, says Reading) Entry {
		says.ID = r.ID
		return Entry{ID: EntryID(campaign, "", readingPass(r.ID, which), event), At: at, Campaign: campaign, Event: event, Reading: &says}
	}
	before = append(before, entry(ReadingBegun, "", Reading{Of: &r.Of}))
	for i := range r.Logs {
		before = append(before, entry(LogRead, strconv.Itoa(i+1), Reading{Log: &r.Logs[i]}))
	}
	for i := range r.Coverage {
		before = append(before, entry(LogsCover, strconv.Itoa(i+1), Reading{Coverage: &r.Coverage[i]}))
	}
	for i := range r.Elsewhere {
		before = append(before, entry(SignFound, strconv.Itoa(i+1), Reading{Sign: &r.Elsewhere[i]}))
	}
	return before, entry(ReadingEnded, "", Reading{Counts: &r.Counts})
}

// SignEntries are those of the signs of one credential, each of its reading.
func SignEntries(campaign string, c credential.Credential, at time.Time) (out []Entry) {
	for i := range c.Signs {
		s := &c.Signs[i]
		e := About(campaign, c, SignFound, readingPass(s.Reading, strconv.Itoa(i+1)), at)
		e.Reading = &Reading{ID: s.Reading, Sign: &s.Sign}
		out = append(out, e)
	}
	return out
}

func readingPass(id, which string) string {
	if which == "" {
		return id
	}
	return id + "." + which
}

// ofReading words what is said of a reading of logs.
func ofReading(r *Reading) (out []string) {
	if r == nil {
		return nil
	}
	out = append(out, "reading "+r.ID)
	if of := r.Of; of != nil {
		if of.Source != "" {
			out = append(out, "of source "+of.Source)
		}
		if of.SHA256 != "" {
			out = append(out, "sha256 "+of.SHA256)
		}
		if of.Follows {
			out = append(out, "of logs as they are written")
		}
		out = append(out, "read "+of.ReadAt.UTC().Format(time.RFC3339))
	}
	if l := r.Log; l != nil {
		out = append(out, fmt.Sprintf("%d %s (%s)", l.Number, l.Name, l.Format), strings.Trim(l.Authority+" "+l.Server, " "))
		if l.SHA256 != "" {
			out = append(out, "sha256 "+l.SHA256)
		}
		out = append(out, plural.Count(l.Lines, "line", "lines"))
		if l.NotRead > 0 {
			out = append(out, fmt.Sprintf("%d not understood", l.NotRead))
		}
		if !l.First.IsZero() {
			out = append(out, l.First.UTC().Format(time.RFC3339)+" to "+l.Last.UTC().Format(time.RFC3339))
		}
	}
	if c := r.Coverage; c != nil {
		if c.NoLog {
			out = append(out, strings.TrimSpace("no log of "+c.Authority+" "+c.Server))
		} else {
			out = append(out, strings.Trim(strings.Join([]string{c.Authority, c.Server, c.Format}, " "), " "), plural.Count(c.Lines, "line", "lines"))
		}
		for _, g := range c.Gaps {
			out = append(out, fmt.Sprintf("gap %s to %s (%s)", g.From.UTC().Format(time.RFC3339), g.To.UTC().Format(time.RFC3339), g.Reason))
		}
	}
	if s := r.Sign; s != nil {
		out = append(out, SignWords(*s)...)
	}
	if c := r.Counts; c != nil {
		out = append(out, fmt.Sprintf("logs %d, coverage %d, signs %d of credentials %d, elsewhere %d", c.Logs, c.Coverage, c.Signs, c.Credentials, c.Elsewhere))
	}
	return out
}

// SignWords say a sign in short, for people.
func SignWords(s credential.Sign) []string {
	out := []string{string(s.Grade), s.Code}
	if s.Rule != "" {
		out = append(out, "by rule "+s.Rule)
	}
	for _, d := range s.Doubts {
		out = append(out, "doubt: "+d)
	}
	if s.At == nil {
		out = append(out, plural.Count(s.Findings, "finding", "findings"))
	}
	out = append(out, plural.Count(s.Count, "time", "times"), s.First.UTC().Format(time.RFC3339)+" to "+s.Last.UTC().Format(time.RFC3339))
	if len(s.Addresses) > 0 {
		from := "from " + strings.Join(s.Addresses, ", ")
		if s.MoreAddresses > 0 {
			from += fmt.Sprintf(" and %d more", s.MoreAddresses)
		}
		out = append(out, from)
	}
	if s.At != nil {
		out = append(out, fmt.Sprintf("%s:%d", s.At.Name, s.At.Line))
	}
	return out
}

func (p *packer) sign(x credential.SignOf) {
	p.word(x.Reading)
	p.word(x.Code)
	p.word(string(x.Grade))
	p.word(x.Rule)
	packList(p, x.Doubts, p.word)
	p.number(x.Findings)
	p.number(x.Count)
	p.time(x.First)
	p.time(x.Last)
	p.word(x.Outcome)
	packList(p, x.Addresses, p.word)
	p.number(x.MoreAddresses)
	p.truth(x.At != nil)
	if x.At != nil {
		p.number(x.At.Log)
		p.word(x.At.Name)
		p.number(x.At.Line)
	}
}

func (u *unpacker) sign() (x credential.SignOf) {
	x.Reading, x.Code, x.Grade, x.Rule = u.word(), u.word(), credential.Grade(u.word()), u.word()
	x.Doubts = unpackList(u, u.word)
	x.Findings, x.Count = u.number(), u.number()
	x.First, x.Last, x.Outcome = u.time(), u.time(), u.word()
	x.Addresses, x.MoreAddresses = unpackList(u, u.word), u.number()
	if u.truth() {
		x.At = &credential.LogPlace{Log: u.number(), Name: u.word(), Line: u.number()}
	}
	return x
}

// ReadFirst reports whether logs were read before the campaign set anything, in
// which case credentials with signs went first.
func (s *State) ReadFirst() bool {
	return slices.ContainsFunc(s.Readings, func(r *ReadLogs) bool { return r.Actor == "" && !r.Follows && r.Ledger == "" })
}
