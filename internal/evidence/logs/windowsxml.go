package logs

import (
	"bytes"
	"time"

	"rollcall/internal/evidence/event"
)

// windowsXML reads events as wevtutil, the Event Viewer and Get-WinEvent
// (ToXml) export them, one behind the other, with or without lines between
// them.
type windowsXML struct {
	windows
	pending []byte // of an event that is not over
	since   event.Place
	one     winCuts
}

func newWindowsXML(o Options) Parser { return &windowsXML{windows: newWindows(o)} }

var (
	winSchema = []byte("http://schemas.microsoft.com/win/2004/08/events/event")
	winEnd    = []byte("</Event>")
)

func isWindowsXML(line []byte) bool { return eventStart(line) >= 0 && bytes.Contains(line, winSchema) }

// eventStart is where an event begins, and not Events, EventID or EventData; -1
// is nowhere.
func eventStart(text []byte) int {
	tag := []byte("<Event")
	for from := 0; ; {
		i := bytes.Index(text[from:], tag)
		if i < 0 {
			return -1
		}
		i += from
		if end := i + len(tag); end < len(text) && (text[end] == ' ' || text[end] == '>') {
			return i
		}
		from = i + len(tag)
	}
}

func (p *windowsXML) Line(line []byte, place event.Place) (Verdict, time.Time, error) {
	if len(p.pending) == 0 {
		start := eventStart(line)
		switch {
		case start < 0 && around(line):
			return Read, time.Time{}, nil
		case start < 0:
			return Unreadable, time.Time{}, nil
		}
		line, p.since = line[start:], place
	}
	if !endsEvent(line) {
		if len(p.pending)+len(line) > maxPending {
			p.pending = p.pending[:0]
			return Unreadable, time.Time{}, nil
		}
		p.pending = append(append(p.pending, line...), '\n')
		return Read, time.Time{}, nil
	}
	text := line
	if len(p.pending) > 0 {
		text = append(p.pending, line...)
		p.pending = p.pending[:0]
	}
	p.one.Reset()
	p.one.event(text)
	return p.line(&p.one.all[0])
}

// winLine is a line that holds a whole event, taken apart.
type winLine struct {
	whole    bool // it does
	read     bool // and that was understood
	at       time.Time
	computer string
	says     bool // and something is made of it
	winMade
}

// winCuts are lines, and what is used again for each.
type winCuts struct {
	all      []winLine
	scanned  winEvent
	record   winRecord
	computer string // of the line before
	stamps   stamps
}

// Add is that of Cuts.
func (c *winCuts) Add(line []byte) {
	if start := eventStart(line); start >= 0 && endsEvent(line) {
		c.event(line[start:])
		return
	}
	c.all = append(c.all, winLine{})
}

// Reset is that of Cuts.
func (c *winCuts) Reset() { c.all = c.all[:0] }

// event takes a whole one apart.
func (c *winCuts) event(text []byte) {
	c.all = append(c.all, winLine{whole: true})
	l, s := &c.all[len(c.all)-1], &c.scanned
	if !scanWin(text, s) {
		return
	}
	var ok bool
	if l.at, ok = c.stamps.stamp(s.created); !ok {
		return
	}
	if string(s.computer) != c.computer {
		c.computer = string(s.computer)
	}
	l.read, l.computer = true, c.computer
	id := string(bytes.TrimSpace(s.id))
	if winEvents[id] == nil || !ofProvider(id, string(s.provider)) {
		return
	}
	r := &c.record
	*r = winRecord{id: id, computer: l.computer, at: l.at, data: r.data[:0]}
	r.data.set("Keywords", string(s.keywords))
	for i, d := range s.data {
		name := winName(d.name)
		if d.name == nil && id == "2889" && i < 2 {
			name = []string{"Client", "Identity"}[i]
		}
		if _, there := r.data.of(name); name != "" && !there {
			r.data = append(r.data, winValue{name, string(d.value)})
		}
	}
	l.winMade, l.says = r.made()
}

// Cuts is that of Ahead.
func (p *windowsXML) Cuts() Cuts { return &winCuts{} }

// Cut is that of Ahead. An event that is on several lines is put together
// first.
func (p *windowsXML) Cut(of Cuts, i int, line []byte, place event.Place) (Verdict, time.Time, error) {
	l := &of.(*winCuts).all[i]
	if !l.whole || len(p.pending) > 0 {
		return p.Line(line, place)
	}
	p.since = place
	return p.line(l)
}

// line reads an event, in its turn.
func (p *windowsXML) line(l *winLine) (Verdict, time.Time, error) {
	if !l.read {
		return Unreadable, time.Time{}, nil
	}
	p.server = l.computer
	if l.says {
		p.give(&l.winMade, p.since)
	}
	return Read, l.at, nil
}

// endsEvent reports whether a line ends with the end of an event.
func endsEvent(line []byte) bool {
	for len(line) > 0 && (line[len(line)-1] == ' ' || line[len(line)-1] == '\t') {
		line = line[:len(line)-1]
	}
	return bytes.HasSuffix(line, winEnd)
}

// around is what stands before, between and behind events.
func around(line []byte) bool {
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return true
	}
	for _, tag := range []string{"<?xml", "<Events", "</Events"} {
		if bytes.HasPrefix(line, []byte(tag)) {
			return true
		}
	}
	return false
}

// ofProvider reports whether an event of that number is the one that is meant:
// other providers have their own numbers.
func ofProvider(id, provider string) bool {
	if id == "2889" {
		return provider == "Microsoft-Windows-ActiveDirectory_DomainService" || provider == "NTDS General" || provider == "NTDS LDAP"
	}
	return provider == "Microsoft-Windows-Security-Auditing"
}

// Close ends it.
func (p *windowsXML) Close() {
	if len(p.pending) > 0 {
		p.o.Note(event.CutOff, p.since, p.server)
	}
}
