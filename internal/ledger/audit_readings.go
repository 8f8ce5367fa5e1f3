package ledger

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/plural"
)

// readingTold is what the entries of a reading of logs have told so far.
type readingTold struct {
	of        credential.LogReading
	began     int64
	ended     int64 // index of its end, or noIndex
	logs      []credential.ReadLog
	told      credential.ReadingCounts
	signed    map[string]bool // credentials that have a sign in it
	elsewhere map[string]bool // code and grade of counts
	before    map[string]bool // signs that were told, of a reading that follows
}

// reading asks of what logs are said to show that nothing of it is missing or
// slipped in: it belongs to a reading that began and has not ended, each line
// is one of a log of it, and its end counts as much as there is.
func (a *audit) reading(index int64, e *Entry) {
	r := e.Reading
	if r == nil || r.ID == "" {
		a.rep.add(index, e.Credential, "%s, and the entry does not say of which reading of logs", e.Event)
		return
	}
	told := a.readings[r.ID]
	if e.Event == ReadingBegun {
		a.readingBegun(index, e, told)
		return
	}
	switch {
	case told == nil && a.gap:
		return
	case told == nil:
		a.rep.add(index, e.Credential, "%s of reading %s, which never began", e.Event, r.ID)
		return
	case told.ended != noIndex:
		a.rep.add(index, e.Credential, "%s of reading %s, which entry %d ended", e.Event, r.ID, told.ended)
		return
	}
	switch e.Event {
	case LogRead:
		a.logRead(index, r, told)
	case LogsCover:
		a.logsCover(index, r, told)
	case SignFound:
		a.signFound(index, e, told)
	case ReadingEnded:
		a.readingEnded(index, r, told)
	}
}

func (a *audit) readingBegun(index int64, e *Entry, told *readingTold) {
	of := e.Reading.Of
	switch {
	case of == nil:
		a.rep.add(index, "", "reading %s of logs began, and the entry does not say of what", e.Reading.ID)
		of = &credential.LogReading{}
	case told != nil:
		a.rep.add(index, "", "reading %s of logs began a second time: entry %d began it", e.Reading.ID, told.began)
		return
	case !digestFits(of.SHA256, of.Follows):
		a.rep.add(index, "", "reading %s has no SHA-256 of what was read, or one that is none", e.Reading.ID)
	case of.ReadAt.IsZero():
		a.rep.add(index, "", "reading %s does not say when the logs were read", e.Reading.ID)
	}
	a.readings[e.Reading.ID] = &readingTold{of: *of, began: index, ended: noIndex, signed: map[string]bool{}, elsewhere: map[string]bool{}, before: map[string]bool{}}
}

// digestFits: what is read while it is written has none.
func digestFits(digest string, follows bool) bool {
	if follows {
		return digest == ""
	}
	return len(digest) == 64 && strings.Trim(digest, "0123456789abcdef") == ""
}

func (a *audit) logRead(index int64, r *Reading, told *readingTold) {
	l := r.Log
	if l == nil {
		a.rep.add(index, "", "a log of reading %s, and the entry does not say which", r.ID)
		return
	}
	told.told.Logs++
	switch {
	case l.Number != len(told.logs)+1 && !a.gap:
		a.rep.add(index, "", "log %d of reading %s follows %d: one was left out or slipped in", l.Number, r.ID, len(told.logs))
	case l.Name == "" || strings.ContainsAny(l.Name, `/\`):
		a.rep.add(index, "", "log %d of reading %s has no name, or that of a folder", l.Number, r.ID)
	case !digestFits(l.SHA256, told.of.Follows):
		a.rep.add(index, "", "log %d of reading %s (%s) has no SHA-256, or one that is none", l.Number, r.ID, l.Name)
	case l.Last.Before(l.First) || l.Lines < 0 || l.NotRead < 0:
		a.rep.add(index, "", "log %d of reading %s (%s) ends before it begins, or has less than no lines", l.Number, r.ID, l.Name)
	}
	told.logs = append(told.logs, *l)
}

func (a *audit) logsCover(index int64, r *Reading, told *readingTold) {
	c := r.Coverage
	if c == nil {
		a.rep.add(index, "", "coverage of reading %s, and the entry does not say of what", r.ID)
		return
	}
	told.told.Coverage++
	if c.NoLog && c.Authority == "" {
		a.rep.add(index, "", "reading %s has no log of an authority that it does not name", r.ID)
	}
	var last time.Time
	for _, g := range c.Gaps {
		if !g.To.After(g.From) || g.From.Before(last) || !within(told.of, g) {
			a.rep.add(index, "", "a gap of reading %s (%s) is in no window, or not in order", r.ID, g.From.UTC().Format(time.RFC3339))
			return
		}
		last = g.To
	}
}

// within reports whether a gap is a part of a window.
func within(of credential.LogReading, g credential.LogGap) bool {
	for _, w := range of.Windows {
		if !g.From.Before(w.From) && (w.To.IsZero() || !g.To.After(w.To)) && !g.To.After(of.ReadAt) {
			return true
		}
	}
	return false
}

func (a *audit) signFound(index int64, e *Entry, told *readingTold) {
	s, id := e.Reading.Sign, e.Reading.ID
	if s == nil {
		a.rep.add(index, e.Credential, "a finding of reading %s, and the entry does not say which", id)
		return
	}
	switch {
	case s.Code == "" || s.Grade.Rank() > 2:
		a.rep.add(index, e.Credential, "a finding of reading %s without a code, or of an unknown grade %q", id, s.Grade)
	case s.Count < 1 || s.Findings < 1 || s.Last.Before(s.First):
		a.rep.add(index, e.Credential, "a finding of reading %s of nothing, or that ends before it begins", id)
	}
	if e.Credential == "" {
		told.told.Elsewhere += s.Findings
		key := s.Code + " " + string(s.Grade)
		switch {
		case e.Name != "" || s.At != nil || len(s.Addresses) > 0:
			a.rep.add(index, "", "reading %s says more than a count of what is about no credential of the roll", id)
		case told.elsewhere[key] && !told.of.Follows:
			a.rep.add(index, "", "reading %s counts %s twice", id, key)
		}
		told.elsewhere[key] = true
		return
	}
	if !told.again(e) {
		told.told.Signs++
	}
	told.signed[e.Credential] = true
	switch {
	case a.state.OfEvidence && (e.Name == "" || told.of.Roll == ""):
		a.rep.add(index, e.Credential, "a finding of reading %s of a credential without a name, or without the campaign on whose roll it is", id)
	case !a.state.OfEvidence && a.state.Credential(e.Credential) == nil && !a.gap:
		a.rep.add(index, e.Credential, "a finding of reading %s, and this credential is not on the roll", id)
	}
	a.signPlace(index, e, told)
}

// signPlace asks that a sign is of a line of a log that was read.
func (a *audit) signPlace(index int64, e *Entry, told *readingTold) {
	s, id := e.Reading.Sign, e.Reading.ID
	for _, at := range s.Addresses {
		if _, err := netip.ParseAddr(at); err != nil {
			a.rep.add(index, e.Credential, "a finding of reading %s from what is no address", id)
		}
	}
	switch p := s.At; {
	case p == nil:
		a.rep.add(index, e.Credential, "a finding of reading %s without a line of a log", id)
	case a.gap:
	case p.Log < 1 || p.Log > len(told.logs) || told.logs[p.Log-1].Name != p.Name:
		a.rep.add(index, e.Credential, "a finding of reading %s in log %d (%s), of which no entry stands before it", id, p.Log, p.Name)
	case p.Line < 1 || told.logs[p.Log-1].Lines > 0 && p.Line > told.logs[p.Log-1].Lines:
		a.rep.add(index, e.Credential, "a finding of reading %s in line %d of %s, which has %s", id, p.Line, p.Name, plural.Count(told.logs[p.Log-1].Lines, "line", "lines"))
	}
}

func (a *audit) readingEnded(index int64, r *Reading, told *readingTold) {
	told.ended = index
	if r.Counts == nil {
		a.rep.add(index, "", "reading %s ended without a count", r.ID)
		return
	}
	is := told.told
	is.Credentials, is.NotKept = len(told.signed), r.Counts.NotKept
	if *r.Counts != is && !a.gap {
		a.rep.add(index, "", "reading %s ended with %s, and the entries tell of %s", r.ID, countWords(*r.Counts), countWords(is))
	}
}

func countWords(c credential.ReadingCounts) string {
	return strings.Join([]string{
		plural.Count(c.Logs, "log", "logs"), plural.Count(c.Coverage, "coverage", "coverages"), plural.Count(c.Signs, "sign", "signs"),
		plural.Count(c.Credentials, "credential", "credentials"), plural.Count(c.Elsewhere, "finding elsewhere", "findings elsewhere"),
	}, ", ")
}

// unended asks that a reading has ended when the roll or the campaign is
// closed: else something of it may be missing. One that follows may go on.
func (a *audit) unended(index int64) {
	for _, id := range slices.Sorted(maps.Keys(a.readings)) {
		told := a.readings[id]
		if told.ended == noIndex && !told.of.Follows && !a.gap {
			a.rep.add(index, "", "reading %s of logs (entry %d) never ended: findings of it may be missing", id, told.began)
			told.ended = index
		}
	}
}

// read names what was read, for who compares digests.
func (a *audit) read() {
	for _, r := range a.state.Readings {
		told := a.readings[r.ID]
		if c := r.Counts; r.Follows && told != nil {
			a.rep.Readings = append(a.rep.Readings, VerifiedReading{ID: r.ID, Roll: r.Roll, Logs: len(told.logs), Signs: told.told.Signs, Credentials: len(told.signed)})
		} else if c != nil {
			a.rep.Readings = append(a.rep.Readings, VerifiedReading{ID: r.ID, SHA256: r.SHA256, Logs: c.Logs, Signs: c.Signs, Credentials: c.Credentials})
		} else if told != nil {
			a.rep.Readings = append(a.rep.Readings, VerifiedReading{ID: r.ID, SHA256: r.SHA256, Logs: len(told.logs), Signs: told.told.Signs, Credentials: len(told.signed), NeverEnded: true, Began: r.At})
		}
	}
}
