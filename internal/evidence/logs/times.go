package logs

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"rollcall/internal/evidence/event"
)

// Clock places the times of files that lack a part. The first time of a file
// without a year is in the year that the operator said, and where a month goes
// back by more than half a year, a new year has begun. Parsers that read the
// same files share one.
type Clock struct {
	year, first int
	zone        *time.Location
	file        string
	last        time.Time
	// Now is when the log is read, where that is known: a time without a year
	// that would be of more than a day later is refused.
	Now time.Time
	// Yearless says that a time was placed that had no year.
	Yearless bool
	// now is set where lines are read as they are written.
	now func() time.Time
}

// NewClock begins one. Year is 0 and zone nil where nobody said.
func NewClock(year int, zone *time.Location) *Clock { return &Clock{first: year, zone: zone} }

// ahead is how far the clock of a log may be ahead of this one's.
const ahead = 24 * time.Hour

// NewLiveClock begins one for logs that are read as they are written: a time
// without a year is in the last year in which it is not to come, but for a day.
func NewLiveClock(zone *time.Location, now func() time.Time) *Clock {
	return &Clock{zone: zone, now: now}
}

// recent is a time of a log that is read as it is written.
func (y *Clock) recent(t time.Time, at event.Place) (time.Time, error) {
	if y.zone == nil {
		return t, &NoTime{Place: at, Needs: "zone: say it, with --zone"}
	}
	now := y.now().In(y.zone)
	const leap = 8 // years at most from one 29 February to the next
	for year := now.Year() + 1; year > now.Year()-leap; year-- {
		out := time.Date(year, t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), y.zone)
		if out.Month() == t.Month() && out.Sub(now) <= ahead {
			return out, nil
		}
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
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), y.zone), nil
}

// dated says what a time has.
type dated int

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
	if at.File != y.file {
		y.file, y.year, y.last = at.File, y.first, time.Time{}
	}
	in := func(year int) time.Time {
		return time.Date(year, t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), y.zone)
	}
	const half = 183 * 24 * time.Hour
	out := in(y.year)
	switch {
	case y.last.IsZero():
	case y.last.Sub(out) > half:
		out = in(y.year + 1)
	case out.Sub(y.last) > half:
		out = in(y.year - 1) // a line of before the turn that came late
	}
	switch {
	case !y.Now.IsZero() && out.Sub(y.Now) > ahead:
		return t, &NoTime{at, fmt.Sprintf("year that has been: by --year it would be of %s. Say that of the file's first line", out.Format(time.DateOnly)), true}
	case out.Month() != t.Month():
		return t, &NoTime{at, fmt.Sprintf("day in %d (29 February): say another year of the file's first line, with --year", out.Year()), true}
	}
	y.Yearless = true
	if out.After(y.last) {
		y.last, y.year = out, out.Year()
	}
	return out, nil
}

// syslogHead is what stands before the text of a line of syslog.
type syslogHead struct {
	at      time.Time
	host    string
	program string
	pid     string
	text    []byte
}

// syslogParts are the same, as they stand in the line.
type syslogParts struct {
	at                       time.Time
	has                      dated
	host, program, pid, text []byte
}

// cutSyslog reads `Nov 29 18:50:35 host program[pid]: text` (RFC 3164), with a
// time of RFC 3339 in its place, with or without a priority before it, and the
// forms of syslogforms.go.
func cutSyslog(line []byte) (h syslogHead, has dated, ok bool) {
	p, ok := (&stamps{}).syslogOf(line)
	if !ok {
		return h, has, false
	}
	return syslogHead{p.at, string(p.host), string(p.program), string(p.pid), p.text}, p.has, true
}

// stamps read times of RFC 3339, of which those that follow each other are
// mostly of one second.
type stamps struct {
	second []byte // 2006-01-02T15:04:05 of the time before
	zone   []byte // what stands behind its fraction
	at     time.Time
}

// stamp is time.Parse, and takes a zone without its colon: +0100, as journalctl
// writes it up to version 254.
func (s *stamps) stamp(text []byte) (time.Time, bool) {
	const whole = len("2006-01-02T15:04:05")
	fraction, end := 0, whole
	if len(text) > whole && text[whole] == '.' {
		scale := 1_000_000_000
		for end++; end < len(text) && text[end] >= '0' && text[end] <= '9' && scale > 1; end++ {
			scale /= 10
			fraction += int(text[end]-'0') * scale
		}
	}
	if len(text) > end && bytes.Equal(text[:whole], s.second) && bytes.Equal(text[end:], s.zone) && text[end-1] != '.' {
		return s.at.Add(time.Duration(fraction)), true
	}
	at, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		if at, err = time.Parse("2006-01-02T15:04:05-0700", string(text)); err != nil {
			return at, false
		}
	}
	if len(text) > end && at.Nanosecond() == fraction {
		s.second, s.zone = append(s.second[:0], text[:whole]...), append(s.zone[:0], text[end:]...)
		s.at = at.Add(-time.Duration(fraction))
	}
	return at, true
}

// syslogOf takes a line apart. What most syslogs write comes first.
func (s *stamps) syslogOf(line []byte) (h syslogParts, ok bool) {
	if len(line) > 2 && line[0] == '<' {
		if end := bytes.IndexByte(line, '>'); end > 0 && end < 6 {
			line = line[end+1:]
			if rest, ok := bytes.CutPrefix(line, []byte("1 ")); ok {
				return s.protocolOf(rest)
			}
		}
	}
	switch {
	case len(line) > 20 && line[4] == '-' && line[10] == 'T':
		word, after, found := bytes.Cut(line, []byte(" "))
		at, ok := s.stamp(word)
		if !found || !ok {
			return h, false
		}
		h.at, h.has = at, zoned
		return h, h.from(after)
	case len(line) > 16 && line[3] == ' ' && line[6] == ' ' && line[9] == ':':
		end := 15
		if line[15] == '.' { // slapd's own file has fractions
			for end = 16; end < len(line) && line[end] >= '0' && line[end] <= '9'; end++ {
			}
		}
		at, err := time.Parse("Jan _2 15:04:05", string(line[:end]))
		if err != nil || end >= len(line) || line[end] != ' ' {
			return h, false
		}
		h.at = at
		if h.from(line[end+1:]) {
			return h, true
		}
	}
	return otherOf(line)
}

// from reads what stands behind the time: host program[pid]: text.
func (h *syslogParts) from(rest []byte) bool {
	var found bool
	if h.host, rest, found = bytes.Cut(rest, []byte(" ")); !found || bytes.HasSuffix(h.host, []byte(":")) {
		return false // Dovecot's own file has no host
	}
	// An Email Security Gateway writes two blanks behind the host.
	for len(rest) > 0 && rest[0] == ' ' {
		rest = rest[1:]
	}
	// The tag ends with the first colon that a blank follows.
	end := 0
	for {
		i := bytes.IndexByte(rest[end:], ':')
		if end += i; i < 0 || end+1 >= len(rest) {
			return false
		}
		if rest[end+1] == ' ' {
			break
		}
		end++
	}
	tag := rest[:end]
	if bytes.IndexByte(tag, ' ') >= 0 || bytes.IndexByte(tag, '=') >= 0 {
		return false
	}
	h.text = withoutID(rest[end+2:])
	h.program, h.pid, _ = bytes.Cut(bytes.TrimSuffix(tag, []byte("]")), []byte("["))
	return true
}

// cutDebug reads `6b0c73fb.1fd75a33 0x7f13a5e1f200 text`, as slapd writes it
// with -d, and `6b0c73fb text` of version 2.4: seconds since 1970 in hex.
func cutDebug(line []byte) (at time.Time, text []byte, ok bool) {
	if len(line) < 10 || line[8] != ' ' && line[8] != '.' {
		return at, nil, false
	}
	sec, err := strconv.ParseUint(string(line[:8]), 16, 32)
	if err != nil {
		return at, nil, false
	}
	rest := line[9:]
	var nsec uint64
	if line[8] == '.' {
		word, after, found := bytes.Cut(rest, []byte(" "))
		if nsec, err = strconv.ParseUint(string(word), 16, 32); err != nil || !found || nsec >= 1e9 {
			return at, nil, false
		}
		thread, after, found := bytes.Cut(after, []byte(" "))
		if !found || !bytes.HasPrefix(thread, []byte("0x")) {
			return at, nil, false
		}
		rest = after
	}
	return time.Unix(int64(sec), int64(nsec)).UTC(), rest, true
}
