package logs

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"rollcall/internal/evidence/event"
)

// Mapping says how a log of somebody's own is read: one login on each line of
// JSON or of text, or in each record of CSV.
type Mapping struct {
	Name      string
	Type      string // CSV, JSONL or Text
	Separator rune   // of CSV
	// Patterns of Text, of which each has the groups account and outcome and
	// perhaps address, time, server and method: the first that is of a whole
	// line counts. Ignore are those of lines that are known to be no logins.
	Patterns, Ignore []string
	Program          string // of a syslog, whose lines of Text they are; "": of all that nobody else reads
	// ByDevice: the device itself writes it, and who held that could too.
	ByDevice bool

	// Columns, or keys; a key of an object within is behind a dot.
	Account, Address, Time, Outcome, Server, Method string

	Form event.Form
	// Layout of times: RFC3339, Unix, UnixMS, or the moment 2006-01-02 15:04:05
	// as the log would write it.
	Layout string
	// Values of Outcome. Others are counted, and say nothing.
	Accepted, Refused, Locked []string
	// Only lines whose columns have one of these values are logins.
	Only map[string][]string

	programs []string // of the other mappings, which read those
}

// MappedFormats are those of mappings that are read together, in the order in
// which a line is held against them: a text of any program comes behind those
// that name theirs.
func MappedFormats(all ...Mapping) (out []Format) {
	all = slices.Clone(all)
	behind := func(m Mapping) int {
		if m.Type == Text && m.Program == "" && !m.timed() {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(all, func(a, b Mapping) int { return behind(a) - behind(b) })
	for i, m := range all {
		for j, other := range all {
			if i != j && other.Program != "" {
				m.programs = append(m.programs, other.Program)
			}
		}
		out = append(out, m.Format())
	}
	return out
}

// reads reports whether a program's lines are meant: without one named, those
// of all that nobody else reads.
func (m Mapping) reads(program string) bool {
	if m.Program != "" {
		return program == m.Program
	}
	return !slices.Contains(m.programs, program) && !slices.ContainsFunc(formats, func(f Format) bool { return f.Program != nil && f.Program(program) })
}

// Types of logs that are mapped, and forms of times.
const (
	CSV     = "csv"
	JSONL   = "jsonl"
	Text    = "text"
	RFC3339 = "rfc3339"
	Unix    = "unix"
	UnixMS  = "unix-ms"
)

// Format is the one that a mapping makes.
func (m Mapping) Format() Format {
	f := Format{Name: m.Name, Writes: "as the campaign file maps it", InFront: true, Headed: m.Type == CSV, Hostless: always, New: func(o Options) Parser { return newMapped(m, o) }}
	f.Recognises = func(line []byte) bool {
		if m.Type == CSV {
			head, _ := m.head(line)
			return head != nil
		}
		get, ok := readJSON(line)
		return ok && get(m.Account) != "" && get(m.Time) != "" && get(m.Outcome) != ""
	}
	if m.ByDevice {
		f.CannotShow = []event.Limit{event.ByDevice}
	}
	if m.Type == Text {
		m = m.ofText()
		f.Recognises, f.New = m.recognisesText(), func(o Options) Parser { return newText(m, o) }
		if m.Program != "" || !m.timed() {
			f.Program = m.reads
		}
		if !m.timed() {
			f.Hostless = never
		}
		return f
	}
	if m.Server != "" {
		f.Hostless = never
	}
	return f
}

func (m Mapping) dated() dated {
	switch {
	case strings.Contains(m.Layout, "Z07") || strings.Contains(m.Layout, "-07"):
		return zoned
	case strings.Contains(m.Layout, "06"):
		return unzoned
	}
	return undated
}

func (m Mapping) moment(text string) (t time.Time, has dated, err error) {
	switch m.Layout {
	case RFC3339:
		t, err = time.Parse(time.RFC3339Nano, text)
		return t, zoned, err
	case Unix, UnixMS:
		n, err := strconv.ParseFloat(text, 64)
		if m.Layout == UnixMS {
			n /= 1000
		}
		if err == nil && (n < 0 || n > 1<<33) {
			err = fmt.Errorf("%s is no time", text)
		}
		return time.UnixMilli(int64(n * 1000)).UTC(), zoned, err
	}
	t, err = time.Parse(m.Layout, text)
	return t, m.dated(), err
}

// head reads the names of columns; nil where one that is mapped is missing.
func (m Mapping) head(line []byte) ([]string, rune) {
	head, err := csvRow(line, m.Separator)
	if err != nil {
		return nil, m.Separator
	}
	for i := range head {
		head[i] = strings.TrimSpace(head[i])
	}
	for _, name := range append([]string{m.Account, m.Address, m.Time, m.Outcome, m.Server, m.Method}, slices.Collect(maps.Keys(m.Only))...) {
		if name != "" && !slices.Contains(head, name) {
			return nil, m.Separator
		}
	}
	return head, m.Separator
}

// readJSON is an object whose values are got by their keys.
func readJSON(line []byte) (get func(key string) string, ok bool) {
	var object map[string]any
	if len(line) == 0 || line[0] != '{' || json.Unmarshal(line, &object) != nil {
		return nil, false
	}
	return func(key string) string { return valueAt(object, key) }, true
}

// valueAt is the text of a key, as it stands or through the objects that its
// dots name.
func valueAt(object map[string]any, key string) string {
	if key == "" {
		return ""
	}
	v, ok := object[key]
	if !ok {
		first, rest, dotted := strings.Cut(key, ".")
		inner, is := object[first].(map[string]any)
		if !dotted || !is {
			return ""
		}
		return valueAt(inner, rest)
	}
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// mapped reads a log by a mapping. A record of CSV ends with its line: who logs
// in types the name, and where the log quotes nothing a quote in it would hide
// what other lines say, and a separator would say what the server has not said.
type mapped struct {
	records
	m      Mapping
	o      Options
	clock  *Clock
	server string
}

func newMapped(m Mapping, o Options) Parser {
	return &mapped{m: m, o: o, clock: o.clock(), records: records{isHead: m.head, perLine: true}}
}

func (p *mapped) Line(line []byte, place event.Place) (Verdict, time.Time, error) {
	if p.m.Type == JSONL {
		get, ok := readJSON(line)
		if !ok {
			return Unreadable, time.Time{}, nil
		}
		return p.take(get, place)
	}
	row, ok := p.add(line, place)
	switch {
	case !ok:
		return Unreadable, time.Time{}, nil
	case row == nil:
		return Read, time.Time{}, nil
	}
	return p.take(func(name string) string {
		if i := slices.Index(p.records.head, name); i >= 0 && i < len(row) {
			return strings.TrimSpace(row[i])
		}
		return ""
	}, p.since)
}

func (p *mapped) take(get func(string) string, place event.Place) (Verdict, time.Time, error) {
	t, has, err := p.m.moment(get(p.m.Time))
	if err != nil {
		return Unreadable, time.Time{}, nil
	}
	at, err := p.clock.whole(t, has, place)
	if err != nil {
		return Unreadable, time.Time{}, err
	}
	p.server = get(p.m.Server)
	for key, values := range p.m.Only {
		if !slices.Contains(values, get(key)) {
			return Read, at, nil
		}
	}
	p.login(get, at, place)
	return Read, at, nil
}

// login is one of a line.
func (p *mapped) login(get func(string) string, at time.Time, place event.Place) {
	e := event.Event{Place: place, At: at, Server: p.server, Account: get(p.m.Account), Form: p.m.Form, Method: get(p.m.Method), Login: true, Outcome: event.Unknown}
	if p.m.ByDevice {
		e.Doubts = append(e.Doubts, event.OfDevice)
	}
	if len(e.Account) > maxName {
		e.Account = e.Account[:maxName]
	}
	mappedAddress(&e, get(p.m.Address))
	switch word := get(p.m.Outcome); {
	case slices.Contains(p.m.Accepted, word):
		e.Outcome = event.Accepted
	case slices.Contains(p.m.Refused, word):
		e.Outcome = event.Refused
	case slices.Contains(p.m.Locked, word):
		e.Outcome = event.Locked
	default:
		p.o.Note(event.NotMapped, place, p.server)
	}
	switch {
	case e.Account != "":
	case e.Outcome.Bad():
		p.o.Note(event.NamesNobody, place, p.server)
	default:
		p.o.Note(event.InUnnamed, place, p.server)
	}
	p.o.Event(e)
	if !e.Address.IsValid() {
		p.o.Note(event.NoAddress, place, p.server)
	}
}

// mostAddresses of one field are kept, the last ones: proxies write behind what
// who asks wrote himself.
const mostAddresses = 16

// mappedAddress reads one with or without a port, or several, as proxies write
// them (X-Forwarded-For, and what stands behind for= in Forwarded, RFC 7239).
// Which of several is true the field does not say.
func mappedAddress(e *event.Event, text string) {
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(", ;\t", r) })
	words = slices.DeleteFunc(words, func(w string) bool {
		name, _, named := strings.Cut(strings.ToLower(w), "=")
		return named && name != "for"
	})
	if len(words) > mostAddresses {
		words, e.OthersUnread = words[len(words)-mostAddresses:], true
	}
	for _, w := range words {
		if len(w) > 4 && strings.EqualFold(w[:4], "for=") {
			w = w[4:]
		}
		a, port := addressAndPort(strings.Trim(w, `"`))
		switch {
		case !a.IsValid():
			e.OthersUnread = true
		case !e.Address.IsValid():
			e.Address, e.Port = a, port
		case a != e.Address && !slices.Contains(e.Others, a):
			e.Others = append(e.Others, a)
		}
	}
	if len(words) > 1 {
		e.Doubts = append(e.Doubts, event.BySaying)
	} else {
		e.OthersUnread = false
	}
}

func addressAndPort(text string) (netip.Addr, uint16) {
	if at, err := netip.ParseAddrPort(text); err == nil {
		return at.Addr().Unmap().WithZone(""), at.Port()
	}
	return address(text), 0
}

// Server is what the line before said.
func (p *mapped) Server() string { return p.server }

// Close ends it.
func (p *mapped) Close() {}
