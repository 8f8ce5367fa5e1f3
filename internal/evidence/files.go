// Package evidence reads the logs of servers and holds what they say against a
// roll: files to lines, lines to events, events to findings and coverage.
package evidence

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/logfile"
	"rollcall/internal/evidence/logs"
)

// File is one log.
type File struct {
	Path string
	// Authority and Server are what the operator says of it; "" where he says
	// nothing.
	Authority, Server string
	// Format of it, of a log that is followed; "" where Options say it, or it
	// is found by looking.
	Format string

	format   logs.Format
	first    time.Time
	hostless bool
	syslog   bool // many programs may write into it
	guessed  bool // and no line at its head is of the format
	yearless bool // its year is the operator's to say
	info     os.FileInfo
}

// How much of a syslog is looked at to find its format.
const (
	headLines = 2_000
	headBytes = 8 << 20
)

// look finds the format of a file and its first time. A syslog whose first
// lines are of no program that is read is taken for one in which such a program
// comes later; of any other file all lines are looked at. unknown is why the
// format was not found.
func (o *Options) look(ctx context.Context, f *File, format string) (unknown, err error) {
	if f.info, err = os.Stat(f.Path); err != nil {
		return nil, err
	}
	in, err := logfile.Open(f.Path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	lines := logfile.NewLines(in)
	clock := o.clock(o.year(f))
	var p logs.Parser
	begin := func(format logs.Format) {
		f.format = format
		p = format.New(o.parser(func(event.Event) {}, func(event.Note, event.Place, string) {}, clock))
	}
	if format != "" {
		named, err := logs.Named(format, o.Mapped...)
		if err != nil {
			return nil, err
		}
		begin(named)
	}
	var syslog syslogHead
	for read := 0; ; {
		line, n, tooLong, err := lines.Next()
		if errors.Is(err, io.EOF) || n > headLines || read > headBytes {
			if syslog.is(f.format) {
				return nil, syslog.take(f, clock)
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && n%4096 == 0 {
			err = ctx.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
		if read += len(line); tooLong {
			continue
		}
		place := event.Place{File: f.Path, Line: n}
		if syslog.see(line, o.Mapped); syslog.first == nil && logs.IsSyslog(line) {
			syslog.first, syslog.place = bytes.Clone(line), place
			_, _ = logs.SyslogTime(line, clock, place) // the first line's year is what the operator says
		}
		if p == nil {
			format, ok := logs.Recognise(line, o.Mapped...)
			if !ok {
				continue
			}
			begin(format)
		}
		verdict, at, err := p.Line(line, place)
		var lacks *logs.NoTime
		if errors.As(err, &lacks) && lacks.Alone && clock.Yearless {
			continue // it is behind the first line, and reading counts such
		}
		if err != nil {
			return nil, err
		}
		if verdict == logs.Read && placed(at) {
			f.first, f.hostless = at, f.format.Hostless(line)
			_, f.syslog = logs.ByProgram(line, o.Mapped...)
			f.yearless = clock.Yearless
			return nil, nil
		}
	}
	if p != nil {
		return fmt.Errorf("%s: its lines hold none of %s with a time", f.Path, f.format.Name), nil
	}
	return fmt.Errorf("%s is no log that Rollcall reads, by its lines: %s", f.Path, known(o.Mapped)), nil
}

// known names the formats for people.
func known(mapped []logs.Format) string {
	var out []string
	for _, f := range slices.Concat(logs.Formats(), mapped) {
		out = append(out, fmt.Sprintf("%s (%s)", f.Name, f.Writes))
	}
	return "there are " + strings.Join(out, "; ") + "; how another one is read can be said under logs in the campaign file (docs/evidence.md)"
}

// group is what one parser reads: the files of one server, or of one syslog.
type group struct {
	format            logs.Format
	authority, server string
	files             []*File
	guessed           bool // the format is one of several that may come
}

// groups puts files that belong together in order.
func groups(files []*File) (out []*group, err error) {
	for i, f := range files {
		for _, other := range files[:i] {
			if os.SameFile(f.info, other.info) {
				return nil, fmt.Errorf("%s is given twice: %s is the same file", f.Path, other.Path)
			}
		}
		at := slices.IndexFunc(out, func(g *group) bool {
			same := g.format.Name == f.format.Name || g.files[0].syslog && f.syslog
			return same && g.authority == f.Authority && g.server == f.Server
		})
		if at < 0 {
			out = append(out, &group{format: f.format, authority: f.Authority, server: f.Server, guessed: f.guessed})
			at = len(out) - 1
		}
		if out[at].guessed && !f.guessed {
			out[at].format, out[at].guessed = f.format, false
		}
		out[at].files = append(out[at].files, f)
	}
	for _, g := range out {
		slices.SortStableFunc(g.files, func(a, b *File) int { return a.first.Compare(b.first) })
	}
	return out, nil
}

// errOverlap refuses logs of which nothing says that they are two servers'.
func errOverlap(before, f *File, last time.Time) error {
	return fmt.Errorf("%s begins at %s, before %s ends (%s), and no line of them says which server wrote it: connections of two servers would be taken for one. Say it, as in ldap1=%s ldap2=%s",
		f.Path, f.first.UTC().Format(time.RFC3339), before.Path, last.UTC().Format(time.RFC3339), before.Path, f.Path)
}
