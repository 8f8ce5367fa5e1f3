package evidence

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/logfile"
	"rollcall/internal/evidence/logs"
)

// maxServers that a log which is followed names are told apart: who may write
// into a syslog may call himself as he likes.
const maxServers = 4_096

// Stream reads one log line by line as it is written, with what Read makes of
// such lines: one server's, or one syslog's with all of its programs. What has
// no end is not refused: a line of another format, or one whose time cannot be
// placed, counts as not understood. It is for one goroutine.
type Stream struct {
	of    *ofGroup
	muted bool
	base  Seen // of muted lines
	noted error
}

// Seen counts lines, and says what was not understood.
type Seen struct {
	Lines, Foreign, Unreadable, Logins int
	// At is the last line that was not understood, and Why is said where there
	// is more to say of one.
	At   event.Place
	Why  string
	Last time.Time // of a line, as the log has it
}

// NewStream begins one of a format. take gets the events.
func NewStream(o Options, f File, format logs.Format, now func() time.Time, take func(event.Event)) *Stream {
	if o.Quiet <= 0 {
		o.Quiet = DefaultQuiet
	}
	s := &Stream{}
	r := &reading{Options: &o, live: true, take: func(e event.Event) {
		if !s.muted {
			take(e)
		}
	}}
	g := &group{format: format, authority: f.Authority, server: f.Server, files: []*File{&f}}
	s.of = r.begin(g, format, logs.NewLiveClock(o.Zone, now))
	s.of.path = f.Path
	return s
}

// FormatOf is the format of a line of a file: the one that the operator named,
// or the one that it shows.
func (o *Options) FormatOf(f File, line []byte) (logs.Format, bool) {
	if named := cmp.Or(f.Format, o.Format); named != "" {
		format, err := logs.Named(named, o.Mapped...)
		return format, err == nil
	}
	return logs.Recognise(line, o.Mapped...)
}

// Sniff looks at the first lines of a file that is to be followed. found is
// false where it is a syslog, or empty, and no line shows its format yet. A
// file that will never be understood is refused: it is no log, or its times
// lack what only the operator can say.
func (o Options) Sniff(f File, now func() time.Time) (format logs.Format, found bool, err error) {
	in, err := os.Open(f.Path)
	if err != nil {
		return format, false, err
	}
	defer in.Close()
	lines := logfile.NewLines(io.LimitReader(in, headBytes))
	var s *Stream
	seen, syslog := 0, false
	for range headLines {
		line, n, tooLong, err := lines.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return format, false, fmt.Errorf("%s: %w", f.Path, err)
		}
		seen, syslog = seen+1, syslog || logs.IsSyslog(line)
		if tooLong {
			continue
		}
		if s == nil {
			if format, found = o.FormatOf(f, line); !found {
				continue
			}
			s = NewStream(o, f, format, now, func(event.Event) {})
		}
		s.Line(line, event.Place{File: f.Path, Line: n}, false)
		var lacks *logs.NoTime
		if errors.As(s.noted, &lacks) && !lacks.Alone {
			return format, false, s.noted
		}
		s.noted = nil
		if !s.of.last.IsZero() {
			return format, true, nil
		}
	}
	switch {
	case found && seen > 0 && !syslog && s.Seen().Unreadable == seen:
		return format, false, fmt.Errorf("%s: its first %d lines hold none of %s with a time", f.Path, seen, format.Name)
	case found || seen == 0 || syslog:
		return format, found, nil
	}
	return format, false, fmt.Errorf("%s is no log that Rollcall reads, by its first lines: %s", f.Path, known(o.Mapped))
}

// Mute keeps events back while lines are read again for what they join, and
// counts none of these.
func (s *Stream) Mute(on bool) {
	if s.muted && !on {
		s.base = s.count()
	}
	s.muted = on
}

// Line reads one.
func (s *Stream) Line(line []byte, place event.Place, tooLong bool) {
	if err := s.of.line(line, place, tooLong); err != nil {
		s.of.notRead(place)
		s.noted = err
	}
}

// Beat is to be called about once a second.
func (s *Stream) Beat() {
	for _, of := range append(slices.Clone(s.of.beside), s.of) {
		if w, ok := of.parser.(logs.Waits); ok {
			w.Beat()
		}
	}
}

// Close ends it: what waits for a line that has not come goes out as it is.
func (s *Stream) Close() {
	for _, of := range append(slices.Clone(s.of.beside), s.of) {
		of.parser.Close()
	}
}

func (s *Stream) count() (out Seen) {
	out.Foreign = s.of.early.foreign
	out.Lines = s.of.early.read + s.of.early.foreign + s.of.early.more + len(s.of.early.unreadable)
	out.Unreadable = s.of.early.more + len(s.of.early.unreadable)
	for _, source := range s.of.sources {
		out.Lines += source.Lines
		out.Foreign += source.Foreign
		out.Unreadable += source.Unreadable
		out.Logins += source.Logins
	}
	return out
}

// Newest is the latest time of the lines that came since this was last asked;
// zero where none came that has one.
func (s *Stream) Newest() (at time.Time) {
	for _, of := range append(slices.Clone(s.of.beside), s.of) {
		if of.newest.After(at) {
			at = of.newest
		}
		of.newest = time.Time{}
	}
	return at
}

// Seen is what there was, muted lines aside.
func (s *Stream) Seen() Seen {
	out := s.count()
	if s.muted {
		s.base = out
	}
	out.Lines -= s.base.Lines
	out.Foreign -= s.base.Foreign
	out.Unreadable -= s.base.Unreadable
	out.Logins -= s.base.Logins
	out.At, out.Last = s.of.unread, s.of.last
	for _, of := range s.of.beside {
		if of.last.After(out.Last) {
			out.Last = of.last
		}
	}
	if s.noted != nil {
		out.Why = fmt.Sprint(s.noted)
	}
	return out
}
