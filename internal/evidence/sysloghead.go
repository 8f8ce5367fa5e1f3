package evidence

import (
	"fmt"
	"slices"
	"strings"

	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/logs"
)

// syslogHead are the first lines of a file, as lines of a syslog: of a program
// that is read, but none of a login, or of others. In a rotated file nobody may
// have logged in, and what goes in and out of a mail server are few logins.
type syslogHead struct {
	lines, seen int
	first       []byte // of them
	place       event.Place
	format      logs.Format
	known       bool // a line is of the format's program
}

// see takes a line.
func (h *syslogHead) see(line []byte, mapped []logs.Format) {
	h.seen++
	if !logs.IsSyslog(line) {
		return
	}
	h.lines++
	if format, ok := logs.ByProgram(line, mapped...); ok && !h.known {
		h.format, h.known = format, true
	}
}

// is reports whether the file is a syslog, in which lines of the format may
// come that the operator has named, or of any.
func (h *syslogHead) is(named logs.Format) bool {
	switch {
	case h.lines <= h.seen/2:
		return false
	case named.New == nil:
	case named.Program == nil:
		return false
	case named.Name != h.format.Name:
		h.format, h.known = named, false
	}
	if h.format.New == nil {
		h.format = logs.OfSyslog()
	}
	return true
}

// take has the file be such a one.
func (h *syslogHead) take(f *File, clock *logs.Clock) (err error) {
	f.format, f.syslog, f.guessed = h.format, true, !h.known
	f.first, err = logs.SyslogTime(h.first, clock, h.place)
	f.yearless = clock.Yearless
	return err
}

// wasAnother gives what was read of a syslog by a guess to the program that it
// proved to be of. One of which no line was of any is refused.
func (g *ofGroup) wasAnother() error {
	i := slices.IndexFunc(g.beside, func(b *ofGroup) bool { return b.current != nil })
	var names []string
	for _, f := range g.group.files {
		names = append(names, f.Path)
	}
	switch {
	case i < 0 && g.Format != "":
		return fmt.Errorf("%s: no line is one of %s", strings.Join(names, ", "), g.format.Name)
	case i < 0:
		return fmt.Errorf("%s: a syslog, and no line is of a program that Rollcall reads: %s", strings.Join(names, ", "), known(g.Mapped))
	}
	is := g.beside[i]
	is.current.takes(g.early)
	for j := range g.logs {
		if slices.Contains(names, g.logs[j].File) {
			g.logs[j].Format, g.logs[j].Authority = is.format.Name, is.authority
		}
	}
	return nil
}
