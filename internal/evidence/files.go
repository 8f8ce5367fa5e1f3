// Package evidence reads the logs of servers and holds what they say against a
// roll: files to lines, lines to events, events to findings and coverage.
package evidence

import (
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
	yearless bool // its year is the operator's to say
	info     os.FileInfo
}

// How much of a file is looked at to find its format.
const (
	headLines = 2_000
	headBytes = 8 << 20
)

// look finds the format of a file and its first time.
func (o *Options) look(f *File) (err error) {
	if f.info, err = os.Stat(f.Path); err != nil {
		return err
	}
	in, err := logfile.Open(f.Path)
	if err != nil {
		return err
	}
	defer in.Close()
	lines := logfile.NewLines(io.LimitReader(in, headBytes))
	clock := o.clock(o.year(f))
	var p logs.Parser
	begin := func(format logs.Format) {
		f.format = format
		p = format.New(o.parser(func(event.Event) {}, func(event.Note, event.Place, string) {}, clock))
	}
	if o.Format != "" {
		format, err := logs.Named(o.Format, o.Mapped...)
		if err != nil {
			return err
		}
		begin(format)
	}
	for range headLines {
		line, n, tooLong, err := lines.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
		if tooLong {
			continue
		}
		if p == nil {
			format, ok := logs.Recognise(line, o.Mapped...)
			if !ok {
				continue
			}
			begin(format)
		}
		verdict, at, err := p.Line(line, event.Place{File: f.Path, Line: n})
		if err != nil {
			return err
		}
		if verdict == logs.Read && placed(at) {
			f.first, f.hostless = at, f.format.Hostless(line)
			_, f.syslog = logs.ByProgram(line)
			f.yearless = clock.Yearless
			return nil
		}
	}
	if p != nil {
		return fmt.Errorf("%s: its first %d lines hold none of %s with a time", f.Path, headLines, f.format.Name)
	}
	return fmt.Errorf("%s is no log that Rollcall reads, by its first lines: %s", f.Path, known(o.Mapped))
}

// known names the formats for people.
func known(mapped []logs.Format) string {
	var out []string
	for _, f := range slices.Concat(logs.Formats(), mapped) {
		out = append(out, fmt.Sprintf("%s (%s)", f.Name, f.Writes))
	}
	return "there are " + strings.Join(out, "; ")
}

// group is what one parser reads: the files of one server, or of one syslog.
type group struct {
	format            logs.Format
	authority, server string
	files             []*File
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
			out = append(out, &group{format: f.format, authority: f.Authority, server: f.Server})
			at = len(out) - 1
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
