package logs

import (
	"fmt"
	"math/bits"
	"time"

	"rollcall/internal/evidence/event"
)

// Clock places the times of files that lack a part. The first time of a file
// without a year is in the year that the operator said. Each other one is in
// the one year that begins a month before that: what a line says moves no other
// line, whoever wrote it. Parsers that read the same files share one.
type Clock struct {
	first int // year of the first line, as the operator said
	zone  *time.Location
	// Now is when the log is read, where that is known: a time without a year
	// that would be of more than a day later is refused.
	Now time.Time
	// Yearless says that a time was placed that had no year.
	Yearless bool
	// now is set where lines are read as they are written.
	now func() time.Time

	of    span
	twice bounds
}

// span is what is known of the file that is read, whose times have no year.
type span struct {
	file         string
	begins, from time.Time // its first time, and where its year begins
	latest       time.Time
	latestLine   int
	parts        uint16 // of that year in which it has lines, a bit for each twelfth
	line, odd    int    // lines behind the first that are of another year than it
	settled      bool   // and one that is not came
	back         int    // lines that go back so far that the file may have gone round
	backLine     int
}

const (
	oneDay = 24 * time.Hour
	// before is how much earlier than the first line of a file others may be.
	before = 31 * oneDay
	// aheadBy is how far the clock of a log may be ahead of this one's.
	aheadBy = oneDay
	half    = 183 * oneDay
	// mostOdd lines behind the first are of another year than it, and not just
	// behind it: then it is none that says of which year the file is.
	mostOdd = 10
	// manyParts are twelfths of a year in which a file has lines: if it goes
	// back by half a year then, it may have gone round.
	manyParts = 6
	// mostBack lines of that kind are a machine's whose clock is wrong.
	mostBack = 3
)

// NewClock begins one. Year is 0 and zone nil where nobody said.
func NewClock(year int, zone *time.Location) *Clock { return &Clock{first: year, zone: zone} }

// NewLiveClock begins one for logs that are read as they are written: a time
// without a year is in the last year in which it is not to come, but for a day.
func NewLiveClock(zone *time.Location, now func() time.Time) *Clock {
	return &Clock{zone: zone, now: now}
}

// in is a time, in a year and the operator's zone. ok is false where the year
// has no such day, or the day no such hour: clocks went ahead.
func (y *Clock) in(year int, t time.Time) (out time.Time, ok bool) {
	out = time.Date(year, t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), y.zone)
	return out, out.Day() == t.Day() && out.Hour() == t.Hour() && out.Minute() == t.Minute()
}

// noSuch refuses what in has none of.
func (y *Clock) noSuch(out, t time.Time, at event.Place) error {
	if out.Day() == t.Day() {
		return &NoTime{at, fmt.Sprintf("hour that there was: in %s clocks went ahead over it on %s. Is --zone that of the log?", y.zone, out.Format(time.DateOnly)), true}
	}
	return &NoTime{at, fmt.Sprintf("day in %d (29 February): say another year of the file's first line, with --year", out.Year()), true}
}

// recent is a time of a log that is read as it is written.
func (y *Clock) recent(t time.Time, at event.Place) (time.Time, error) {
	if y.zone == nil {
		return t, &NoTime{Place: at, Needs: "zone: say it, with --zone"}
	}
	now := y.now().In(y.zone)
	const leap = 8 // years at most from one 29 February to the next
	for year := now.Year() + 1; year > now.Year()-leap; year-- {
		out, ok := y.in(year, t)
		if out.Month() != t.Month() || out.Sub(now) > aheadBy {
			continue
		}
		if !ok {
			return t, y.noSuch(out, t, at)
		}
		return out, nil
	}
	return t, &NoTime{Place: at, Needs: "year that it could be of"}
}

// SetYear is that of the first line of the file that comes.
func (y *Clock) SetYear(year int) { y.first = year }

// whole gives a time what it lacks.
func (y *Clock) whole(t time.Time, has dated, at event.Place) (time.Time, error) {
	switch {
	case has == zoned:
		return t, nil
	case has == undated:
		return y.place(t, at)
	case y.zone == nil:
		return t, &NoTime{Place: at, Needs: "zone: say it, with --zone"}
	}
	out, ok := y.in(t.Year(), t)
	if !ok {
		return t, y.noSuch(out, t, at)
	}
	return out, nil
}

// dated says what a time has.
type dated uint8

const (
	undated dated = iota // no year and no zone
	unzoned              // a year and no zone
	zoned                // both
)

// place gives a time of a file its year and zone.
func (y *Clock) place(t time.Time, at event.Place) (time.Time, error) {
	switch {
	case y.now != nil:
		return y.recent(t, at)
	case y.first == 0 && y.zone == nil:
		return t, &NoTime{Place: at, Needs: "year and no zone: say them, with --year and --zone"}
	case y.first == 0:
		return t, &NoTime{Place: at, Needs: "year: say that of the file's first line, with --year"}
	case y.zone == nil:
		return t, &NoTime{Place: at, Needs: "zone: say it, with --zone"}
	}
	is := &y.of
	first := at.File != is.file
	year := y.first
	if !first {
		year = is.from.Year()
	}
	out, ok := y.in(year, t)
	if !first && out.Before(is.from) {
		out, ok = y.in(year+1, t)
	}
	switch {
	case !y.Now.IsZero() && out.Sub(y.Now) > aheadBy:
		return t, &NoTime{at, fmt.Sprintf("year that has been: by --year it would be of %s. Say that of the file's first line", out.Format(time.DateOnly)), true}
	case !ok:
		return t, y.noSuch(out, t, at)
	case first:
		*is = span{file: at.File, begins: out, from: out.Add(-before), line: at.Line}
	}
	if err := is.fits(out, at); err != nil {
		return t, err
	}
	y.Yearless = true
	return out, nil
}

// fits takes a time of the file, and refuses one of which the year cannot be
// told.
func (s *span) fits(out time.Time, at event.Place) error {
	odd := out.Year() != s.begins.Year() && (s.begins.Sub(out) > oneDay || out.Sub(s.begins) > before)
	switch another := at.Line != s.line; {
	case s.settled || !another: // parsers of one file ask for the same line
	case !odd:
		s.settled = true
	default:
		s.odd++
	}
	s.line = at.Line
	if !s.settled && s.odd > mostOdd {
		return &NoTime{Place: at, Needs: fmt.Sprintf("year that can be told: the file's first line is of %s, and those behind it are of %s, which is another year. Take a first line out that is none of this file, or part the file behind it, and say the year of each part with --year",
			s.begins.Format(time.Stamp), out.Format(time.Stamp))}
	}
	if s.latest.Sub(out) > half && bits.OnesCount16(s.parts) >= manyParts {
		if another := at.Line != s.backLine; another {
			s.back, s.backLine = s.back+1, at.Line
		}
		return &NoTime{at, fmt.Sprintf("year that can be told: the file goes on to %s (line %d) and back to %s, so it has more than eleven months, or somebody wrote lines of other months into it. Part it before its second year, or take those lines out, and say the year of each part with --year",
			s.latest.Format(time.Stamp), s.latestLine, out.Format(time.Stamp)), s.back <= mostBack}
	}
	const parts = 12
	s.parts |= 1 << min(out.Sub(s.from)/(365*oneDay/parts), parts-1)
	if out.After(s.latest) {
		s.latest, s.latestLine = out, at.Line
	}
	return nil
}

// bounds are a span of time in one offset of a zone, and the hours at its ends
// that came, or come, twice.
type bounds struct {
	start, end     time.Time // zero where there is none
	before, behind time.Duration
	known          bool
}

// Twice is the other moment that a time may be which this clock placed: when
// clocks go back, an hour comes twice, and a time without a zone does not say
// which of the two it is. ok is false where there is none.
func (y *Clock) Twice(at time.Time) (other time.Time, ok bool) {
	if y.zone == nil || y.zone == time.UTC || at.Location() != y.zone {
		return other, false
	}
	b := &y.twice
	if !b.known || !b.start.IsZero() && at.Before(b.start) || !b.end.IsZero() && !at.Before(b.end) {
		*b = bounds{known: true}
		b.start, b.end = at.ZoneBounds()
		_, offset := at.Zone()
		if !b.start.IsZero() {
			_, earlier := b.start.Add(-1).Zone()
			b.before = time.Duration(max(0, earlier-offset)) * time.Second
		}
		if !b.end.IsZero() {
			_, later := b.end.Zone()
			b.behind = time.Duration(max(0, offset-later)) * time.Second
		}
	}
	switch {
	case b.before > 0 && at.Before(b.start.Add(b.before)):
		return at.Add(-b.before), true
	case b.behind > 0 && !at.Before(b.end.Add(-b.behind)):
		return at.Add(b.behind), true
	}
	return other, false
}
