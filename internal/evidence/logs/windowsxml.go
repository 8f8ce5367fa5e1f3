package logs

import (
	"bytes"
	"html"
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
	if !bytes.HasSuffix(bytes.TrimRight(line, " \t"), winEnd) {
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
	at, ok := p.event(text)
	if !ok {
		return Unreadable, time.Time{}, nil
	}
	return Read, at, nil
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

func (p *windowsXML) event(text []byte) (at time.Time, ok bool) {
	// Most events are of other kinds: those are not taken apart. What stands
	// in an event's data has its < escaped.
	id, ok := cutBetween(text, "<EventID", "<")
	_, id, found := bytes.Cut(id, []byte(">"))
	if !ok || !found {
		return at, false
	}
	if winEvents[string(bytes.TrimSpace(id))] == nil {
		return p.passing(text)
	}
	if at, ok = p.passing(text); !ok {
		return at, false
	}
	provider, _ := attribute(text, "<Provider", " Name=")
	if r := (winRecord{id: string(bytes.TrimSpace(id)), computer: p.server, at: at}); ofProvider(r.id, provider) {
		r.data = eventData(text, r.id == "2889")
		keywords, _ := cutBetween(text, "<Keywords>", "<")
		r.data["Keywords"] = string(keywords)
		p.take(&r, p.since)
	}
	return at, true
}

// eventData are the data of an event by their names; those of 2889 have none,
// and are named by their places.
func eventData(text []byte, byPlace bool) map[string]string {
	out := map[string]string{}
	_, rest, _ := bytes.Cut(text, []byte("<EventData"))
	for i := 0; ; i++ {
		_, after, ok := bytes.Cut(rest, []byte("<Data"))
		if !ok {
			return out
		}
		var tag, value []byte
		tag, rest, _ = bytes.Cut(after, []byte(">"))
		if !bytes.HasSuffix(tag, []byte("/")) { // and it is not empty
			value, rest, _ = bytes.Cut(rest, []byte("<"))
		}
		name, ok := attribute(tag, "", "Name=")
		if !ok && byPlace && i < 2 {
			name, ok = []string{"Client", "Identity"}[i], true
		}
		if _, there := out[name]; ok && !there {
			out[name] = html.UnescapeString(string(value))
		}
	}
}

// attribute is the value of one, in quotes of either kind, in the tag that
// begins so.
func attribute(text []byte, tag, name string) (string, bool) {
	_, after, ok := bytes.Cut(text, []byte(tag))
	if ok {
		after, _, _ = bytes.Cut(after, []byte(">"))
		_, after, ok = bytes.Cut(after, []byte(name))
	}
	if !ok || len(after) < 2 || after[0] != '\'' && after[0] != '"' {
		return "", false
	}
	value, _, ok := bytes.Cut(after[1:], after[:1])
	return html.UnescapeString(string(value)), ok
}

// passing reads the time and the machine of an event, which is all that is read
// of most.
func (p *windowsXML) passing(text []byte) (at time.Time, ok bool) {
	value, _ := attribute(text, "<TimeCreated", "SystemTime=")
	if at, ok = winTime(value); !ok {
		return at, false
	}
	computer, _ := cutBetween(text, "<Computer>", "<")
	if string(computer) != p.server {
		p.server = string(computer)
	}
	return at, true
}

// ofProvider reports whether an event of that number is the one that is meant:
// other providers have their own numbers.
func ofProvider(id, provider string) bool {
	if id == "2889" {
		return provider == "Microsoft-Windows-ActiveDirectory_DomainService" || provider == "NTDS General" || provider == "NTDS LDAP"
	}
	return provider == "Microsoft-Windows-Security-Auditing"
}

func winTime(text string) (time.Time, bool) {
	at, err := time.Parse(time.RFC3339Nano, text)
	return at, err == nil
}

func cutBetween(text []byte, before, behind string) ([]byte, bool) {
	_, after, ok := bytes.Cut(text, []byte(before))
	if !ok {
		return nil, false
	}
	value, _, ok := bytes.Cut(after, []byte(behind))
	return value, ok
}

// Close ends it.
func (p *windowsXML) Close() {
	if len(p.pending) > 0 {
		p.o.Note(event.CutOff, p.since, p.server)
	}
}
