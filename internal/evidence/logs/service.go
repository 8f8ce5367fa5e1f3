package logs

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"rollcall/internal/evidence/event"
)

// service reads a server that writes a login on one line: by syslog, among
// other programs, or to a file of its own.
type service struct {
	o     Options
	clock *Clock
	// mine tells its lines in a syslog.
	mine func(program string) bool
	// own takes a line of its own file apart; nil where that is written as
	// syslog writes.
	own func(line []byte) (h syslogHead, has dated, ok bool)
	// text reads what the server says; known is false for what is no login.
	text func(s *service, text string) (e event.Event, known bool)
	// from is who is connected, as the server itself writes it in a line about
	// no login; no address where it does not.
	from func(text string) (a netip.Addr, name string)

	server string
	// of the line that is being read
	pid   string
	place event.Place
	// named are processes whose connection has a login with a name.
	named *simplelru.LRU[string, bool]
}

func newService(o Options, s service) Parser {
	s.o, s.clock = o, o.clock()
	s.named, _ = simplelru.NewLRU[string, bool](maxConns, nil)
	return &s
}

// cut takes a line apart, of its own file first: such a line may look like one
// of syslog.
func (s *service) cut(line []byte) (h syslogHead, has dated, ok bool) {
	if s.own != nil {
		if h, has, ok = s.own(line); ok {
			return h, has, true
		}
	}
	return cutSyslog(line)
}

func (s *service) Line(line []byte, place event.Place) (Verdict, time.Time, error) {
	h, has, ok := s.cut(line)
	if !ok {
		return Unreadable, time.Time{}, nil
	}
	at, err := s.clock.whole(h.at, has, place)
	if err != nil {
		return Unreadable, time.Time{}, err
	}
	if !s.mine(h.program) {
		return Foreign, at, nil
	}
	s.server, s.pid, s.place = h.host, h.host+"\x00"+h.pid, place
	text, times := repeated(string(h.text))
	e, known := s.text(s, text)
	if !known {
		if e, found := s.looked(string(h.text)); found {
			e.Place, e.At, e.Server = place, at, h.host
			s.o.Event(e)
		}
		return Read, at, nil
	}
	e.Place, e.At, e.Server, e.Login = place, at, h.host, true
	if e.Form == "" {
		e.Form = event.Login
	}
	if len(e.Account) > maxName {
		e.Account = e.Account[:maxName]
	}
	switch {
	case e.Account != "":
	case e.Outcome.Bad():
		s.o.Note(event.NamesNobody, place, h.host)
	default:
		// It is somebody's use, and of nobody who could be told.
		s.o.Note(event.InUnnamed, place, h.host)
		s.o.Event(e)
		return Read, at, nil
	}
	if !e.Address.IsValid() {
		s.o.Note(event.NoAddress, place, h.host)
	}
	if times > maxRepeated {
		s.o.Note(event.TooOften, place, h.host)
	}
	for range min(times, maxRepeated) {
		s.o.Event(e)
	}
	return Read, at, nil
}

// looked gives an address or a name that is looked for, in a line about no
// login. Who asks can have most servers write some: he connected where the
// server itself says so.
func (s *service) looked(text string) (e event.Event, found bool) {
	if s.o.Meets == nil {
		return e, false
	}
	if s.from != nil {
		if a, name := s.from(text); a.IsValid() && s.o.Meets(a, name) {
			return event.Event{Form: event.Other, Method: "connection", Outcome: event.Connected, Address: a, Client: name}, true
		}
	}
	e, found = s.o.Looked(text)
	e.Outcome, e.Method = event.Mentioned, "text"
	return e, found
}

// bracketed is who is connected where the first name[address] of a line is the
// server's own.
func bracketed(text string) (netip.Addr, string) {
	at, _, _ := inBrackets(text)
	return at, clientName(text)
}

// maxRepeated bounds what one line says that there were, and with it the work
// that one makes: whoever can write into a syslog writes any number. A
// connection has few tries.
const maxRepeated = 100

// repeated is the text of a line, and how often it came: rsyslog writes
// `message repeated 3 times: [ text]` in place of lines that are like the one
// before (RepeatedMsgReduction, which Ubuntu comes with).
func repeated(text string) (string, int) {
	rest, ok := strings.CutPrefix(text, "message repeated ")
	if !ok {
		return text, 1
	}
	number, rest, ok := strings.Cut(rest, " times: [")
	said, ends := strings.CutSuffix(rest, "]")
	times, err := strconv.Atoi(number)
	if !ok || !ends || err != nil || times < 1 {
		return text, 1
	}
	return strings.TrimPrefix(said, " "), times
}

// recognises reports whether a line is a login of the server's for certain.
func (s service) recognises(line []byte) bool {
	h, _, ok := s.cut(line)
	if !ok || !s.mine(h.program) {
		return false
	}
	s.o.Note = func(event.Note, event.Place, string) {}
	s.named, _ = simplelru.NewLRU[string, bool](1, nil)
	text, _ := repeated(string(h.text))
	_, known := s.text(&s, text)
	return known
}

// Server is the host of a line of syslog.
func (s *service) Server() string { return s.server }

// Close ends it.
func (s *service) Close() {}

// address reads one as servers write it, with or without brackets; the zero one
// is none.
func address(text string) netip.Addr {
	a, err := netip.ParseAddr(strings.Trim(strings.TrimPrefix(text, "IPv6:"), "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

// inBrackets is the address of name[address], as mail and file servers write
// who is connected, and what stands behind it.
func inBrackets(text string) (at netip.Addr, rest string, ok bool) {
	_, after, ok := strings.Cut(text, "[")
	if !ok {
		return at, "", false
	}
	word, rest, ok := strings.Cut(after, "]")
	return address(word), rest, ok
}

// clientName is the name before such brackets; "" where it is none that the
// server could find.
func clientName(text string) string {
	name, _, ok := strings.Cut(text, "[")
	name = name[strings.LastIndexAny(name, " =(")+1:]
	if _, err := netip.ParseAddr(name); !ok || err == nil || name == "unknown" || len(name) > maxName {
		return ""
	}
	return name
}

// between is the text from the first before to the last behind; ok is false
// where one of them is missing.
func between(text, before, behind string) (name, rest string, ok bool) {
	_, after, ok := strings.Cut(text, before)
	if !ok {
		return "", "", false
	}
	i := strings.LastIndex(after, behind)
	if i < 0 {
		return "", "", false
	}
	return after[:i], after[i+len(behind):], true
}

func port(text string) uint16 {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}

// cutANSI reads the time of ctime(3): Sun Nov 29 22:10:32 2026.
func cutANSI(line []byte) (at time.Time, rest []byte, ok bool) {
	const n = len(time.ANSIC)
	if len(line) <= n || line[3] != ' ' || line[n] != ' ' {
		return at, nil, false
	}
	at, err := time.Parse(time.ANSIC, string(line[:n]))
	return at, line[n+1:], err == nil
}
