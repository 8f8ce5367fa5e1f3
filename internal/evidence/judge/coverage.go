package judge

import (
	"cmp"
	"slices"
	"time"

	"rollcall/internal/evidence/event"
)

// Stretch is a span of time in which a source has lines, each not much later
// than the one before.
type Stretch struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// maxStretches are kept of one source. Where there are more, the shortest are
// dropped and counted: what they covered is a gap then, and no gap is covered.
const maxStretches = 10_000

// Stretches are those of one source, in order.
type Stretches struct {
	quiet   time.Duration
	all     []Stretch
	dropped int
}

// Add takes the time of a line.
func (s *Stretches) Add(at time.Time) {
	// Mostly a line is the latest.
	if n := len(s.all); n > 0 && !at.Before(s.all[n-1].From) {
		last := &s.all[n-1]
		switch {
		case !at.After(last.To):
			return
		case !event.Beyond(s.quiet, last.To, at):
			last.To = at
			return
		}
	}
	i, _ := slices.BinarySearchFunc(s.all, at, func(x Stretch, t time.Time) int { return x.From.Compare(t) })
	s.all = slices.Insert(s.all, i, Stretch{at, at})
	s.join(max(0, i-1))
	s.join(i)
	if len(s.all) > maxStretches {
		s.drop(maxStretches / 10) // at once, for it looks at each
	}
}

// drop takes out the shortest n.
func (s *Stretches) drop(n int) {
	length := func(x Stretch) time.Duration { return x.To.Sub(x.From) }
	byLength := slices.Clone(s.all)
	slices.SortFunc(byLength, func(a, b Stretch) int { return cmp.Or(cmp.Compare(length(a), length(b)), a.From.Compare(b.From)) })
	longest, alike := length(byLength[n-1]), n
	for _, x := range byLength[:n] {
		if length(x) < longest {
			alike--
		}
	}
	s.all = slices.DeleteFunc(s.all, func(x Stretch) bool {
		if length(x) == longest {
			alike--
			return alike >= 0
		}
		return length(x) < longest
	})
	s.dropped += n
}

// within reports whether a line lies between two times.
func (s *Stretches) within(from, to time.Time) bool {
	return slices.ContainsFunc(s.all, func(x Stretch) bool { return x.From.Before(to) && x.To.After(from) })
}

// span is from the first to the last line between two times.
func (s *Stretches) span(from, to time.Time) (first, last time.Time, ok bool) {
	for _, x := range s.all {
		if !x.From.Before(to) || !x.To.After(from) {
			continue
		}
		if !ok {
			first, ok = x.From, true
		}
		last = x.To
	}
	if first.Before(from) {
		first = from
	}
	if last.After(to) {
		last = to
	}
	return first, last, ok
}

// join puts a stretch and those behind it together where no silence parts them.
func (s *Stretches) join(i int) {
	for i+1 < len(s.all) && s.all[i+1].From.Sub(s.all[i].To) <= s.quiet {
		if s.all[i+1].To.After(s.all[i].To) {
			s.all[i].To = s.all[i+1].To
		}
		s.all = slices.Delete(s.all, i+1, i+2)
	}
}

// GapReason says why a part of a window is not covered.
type GapReason string

// Reasons.
const (
	BeforeFirst GapReason = "before-first-line" // rotated away, or never kept
	AfterLast   GapReason = "after-last-line"   // the log ends, or was taken before
	NoLine      GapReason = "no-line"           // nothing happened, or nothing was logged
	NoLog       GapReason = "no-log"            // of an authority of the roll there is none
	HourTwice   GapReason = "hour-came-twice"   // there are lines, and they may be of the hour before or behind
	NotLogged   GapReason = "logins-not-logged" // there are lines, and none of the level at which logins are told
)

// Question is what the operator is asked about a gap.
func (r GapReason) Question() string {
	switch r {
	case BeforeFirst:
		return "is there an older log of it (rotated, archived, in a backup, at a central syslog)?"
	case AfterLast:
		return "is there a newer log of it, and did it log until the end?"
	case NoLine:
		return "was it off, was it asked nothing, or is a file missing?"
	case HourTwice:
		return "clocks went back, and times without a zone do not say which hour they are of: is there another log of it, with zones?"
	case NotLogged:
		return "was it set to log logins then (slapd: loglevel stats), and is that in another file?"
	}
	return "where does it log, and who has that?"
}

// Gap is a part of a window without lines.
type Gap struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Reason GapReason `json:"reason"`
	Ask    string    `json:"question"`
}

// gaps are the parts of the windows that no stretch covers.
func gaps(windows []Window, all []Stretch, now time.Time) (out []Gap) {
	for _, w := range windows {
		from, end := w.From, w.end(now)
		add := func(to time.Time, reason GapReason) {
			if to.After(end) {
				to = end
			}
			if to.After(from) {
				out = append(out, Gap{from, to, reason, reason.Question()})
			}
		}
		if len(all) == 0 {
			add(end, NoLog)
			continue
		}
		for i, s := range all {
			if !s.To.Before(from) && from.Before(end) {
				reason := NoLine
				if i == 0 {
					reason = BeforeFirst
				}
				add(s.From, reason)
				if s.To.After(from) {
					from = s.To
				}
			}
		}
		add(end, AfterLast)
	}
	return out
}

// Noted is something that limits what a source can show, how often, and where
// it was first.
type Noted struct {
	Note  event.Note  `json:"note"`
	Count int         `json:"count"`
	First event.Place `json:"first"`
}

// Source is what was read of one server's log, and which part of the windows it
// covers. Where it has no line of somebody, that does not say that he was not
// there.
type Source struct {
	Authority  string        `json:"authority,omitempty"` // of the campaign file
	Server     string        `json:"server,omitempty"`
	Format     string        `json:"format"`
	InFront    bool          `json:"in_front,omitempty"` // of a server in front of the authority, and not its own
	Files      []string      `json:"files"`
	Lines      int           `json:"lines"`
	Events     int           `json:"events"`
	Logins     int           `json:"logins"`
	Foreign    int           `json:"other_programs,omitempty"`
	Unreadable int           `json:"unreadable"`
	Where      []event.Place `json:"unreadable_at,omitempty"` // the first few
	Notes      []Noted       `json:"notes,omitempty"`
	CannotShow []event.Limit `json:"cannot_show,omitempty"` // whatever is in it
	Covered    []Stretch     `json:"covered"`
	Gaps       []Gap         `json:"gaps,omitempty"`

	stretches, aside, twice Stretches
	letIn, refused          int
}

// NewSource begins one.
func NewSource(authority, server, format string, quiet time.Duration, cannotShow ...event.Limit) *Source {
	return &Source{Authority: authority, Server: server, Format: format, CannotShow: cannotShow, stretches: Stretches{quiet: quiet}, aside: Stretches{quiet: quiet}, twice: Stretches{quiet: quiet}}
}

// Note counts.
func (s *Source) Note(n event.Note, at event.Place) {
	for i := range s.Notes {
		if s.Notes[i].Note == n {
			s.Notes[i].Count++
			return
		}
	}
	s.Notes = append(s.Notes, Noted{n, 1, at})
}

const mostPlaces = 5

// mostRefused tries are there without one that was let in: behind them it is
// told that those may not be logged.
const mostRefused = 50

// Event counts one that a line is of.
func (s *Source) Event(e event.Event) {
	s.Events++
	if e.Login {
		s.Logins++
	}
	switch {
	case e.Outcome == event.Accepted:
		s.letIn++
	case e.Outcome.Bad():
		s.refused++
	}
}

// Line counts one that was read, at its time if it has one.
func (s *Source) Line(at time.Time) {
	s.Lines++
	if !at.IsZero() {
		s.stretches.Add(at)
	}
}

// Aside counts one that is written whether logins are logged or not: it covers
// nothing.
func (s *Source) Aside(at time.Time) {
	s.Lines++
	if !at.IsZero() {
		s.aside.Add(at)
	}
}

// Twice counts one that may be of either of two moments: it covers neither.
func (s *Source) Twice(at, or time.Time, place event.Place) {
	s.Lines++
	s.Note(event.HourTwice, place)
	s.twice.Add(at)
	s.twice.Add(or)
}

// NotRead counts one that was not understood.
func (s *Source) NotRead(at event.Place) {
	s.Lines++
	s.Unreadable++
	if len(s.Where) < mostPlaces {
		s.Where = append(s.Where, at)
	}
}

// parted is a gap by its reasons: where there are lines that are written
// whether logins are or not, logins were not logged. What lies farther from
// those than a silence may last is before or behind the log, as it was.
func (s *Source) parted(g Gap) []Gap {
	first, last, ok := s.aside.span(g.From, g.To)
	if !ok {
		return []Gap{g}
	}
	is := g
	is.Reason = NotLogged
	var before, behind []Gap
	if g.Reason == BeforeFirst && first.Sub(g.From) > s.aside.quiet {
		is.From = first
		before = []Gap{{From: g.From, To: first, Reason: g.Reason}}
	}
	if g.Reason == AfterLast && g.To.Sub(last) > s.aside.quiet {
		is.To = last
		behind = []Gap{{From: last, To: g.To, Reason: g.Reason}}
	}
	if len(before)+len(behind) > 0 && is.To.Sub(is.From) <= s.aside.quiet {
		return []Gap{g} // of moments, as where a server starts or ends
	}
	return append(append(before, is), behind...)
}

// finish works out what it covers.
func (s *Source) finish(windows []Window, now time.Time) {
	s.Covered = s.stretches.all
	for _, g := range gaps(windows, s.Covered, now) {
		s.Gaps = append(s.Gaps, s.parted(g)...)
	}
	for i := range s.Gaps {
		g := &s.Gaps[i]
		if g.Reason != NotLogged && s.twice.within(g.From, g.To) {
			g.Reason = HourTwice
		}
		g.Ask = g.Reason.Question()
	}
	if n := s.stretches.dropped; n > 0 {
		s.Notes = append(s.Notes, Noted{event.TooMany, n, event.Place{File: s.Files[0], Line: 1}})
	}
	if s.Logins == 0 {
		s.Note(event.NoLogins, event.Place{File: s.Files[0], Line: 1})
	}
	if s.refused >= mostRefused && s.letIn == 0 && !slices.Contains(s.CannotShow, event.RefusedOnly) {
		s.Note(event.NoneLetIn, event.Place{File: s.Files[0], Line: 1})
	}
	slices.SortFunc(s.Notes, func(a, b Noted) int { return cmp.Compare(a.Note, b.Note) })
}
