package logs

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// winEvent is what is read of one event of Windows as XML. Its texts hold while
// the event's do.
type winEvent struct {
	id, provider, created, computer, keywords []byte
	data                                      []winDatum
}

// winDatum is one of its data; name is nil where it has none.
type winDatum struct{ name, value []byte }

// Bounds on an event: none that Windows writes comes near.
const (
	maxDeep = 16
	maxData = 1_000
)

// winScanner reads events of the shape that Windows gives them: elements,
// attributes in quotes, text with the references that XML has. What else XML
// may hold (comments, sections, instructions) and what is not well-formed it
// refuses, as it does what it would not know which to take of: a second
// EventID, say. encoding/xml reads the same of whatever it takes
// (FuzzWinScannerAndEncodingXML), and is a tenth as fast. One difference is
// meant: a character that XML forbids is read as it is, since a name is as it
// was typed, and an event that has one must not be lost.
type winScanner struct {
	text  []byte
	at    int
	stack [maxDeep][]byte // names of elements that are open
	deep  int
	inner winPart // in which part of the event
	plain bool    // no reference in it, and no return

	seen winSeen
	ev   *winEvent
}

type winPart int

const (
	winElsewhere winPart = iota
	winSystemPart
	winDataPart
)

// winSeen are parts that may come once.
type winSeen struct{ system, data, id, provider, created, computer, keywords bool }

// scanWin reads an event, from its first < to its last >. Its data are put into
// those that ev has room for.
func scanWin(text []byte, ev *winEvent) bool {
	*ev = winEvent{data: ev.data[:0]}
	s := winScanner{text: text, ev: ev}
	if !s.references() || bytes.Contains(text, []byte("]]>")) {
		return false
	}
	for s.at < len(text) && text[s.at] == '<' {
		if s.at+1 >= len(text) {
			return false
		}
		if s.plainDatum() {
			continue
		}
		ok := false
		if text[s.at+1] == '/' {
			ok = s.end()
		} else {
			ok = s.start()
		}
		if !ok {
			return false
		}
		if s.deep == 0 {
			return len(bytes.Trim(text[s.at:], " \t\r\n")) == 0 && s.seen.id && s.seen.created
		}
		i := bytes.IndexByte(text[s.at:], '<')
		if i < 0 {
			return false
		}
		s.at += i
	}
	return false
}

// plainDatum reads <Data Name='x'>y</Data> to the next <, as Windows writes
// most of an event; what is written otherwise it leaves to start.
func (s *winScanner) plainDatum() bool {
	const before, after = "<Data Name='", "</Data>"
	text := s.text[s.at:]
	if s.inner != winDataPart || s.deep != 2 || len(text) < len(before) || string(text[:len(before)]) != before {
		return false
	}
	text = text[len(before):]
	end := bytes.IndexByte(text, '\'')
	if end < 0 || end+1 >= len(text) || text[end+1] != '>' || bytes.IndexByte(text[:end], '<') >= 0 {
		return false
	}
	name, rest := text[:end], text[end+2:]
	end = bytes.IndexByte(rest, '<')
	if end < 0 || len(rest) < end+len(after) || string(rest[end:end+len(after)]) != after || len(s.ev.data) == maxData {
		return false
	}
	value, rest := rest[:end], rest[end+len(after):]
	next := bytes.IndexByte(rest, '<')
	if next < 0 {
		return false
	}
	s.ev.data = append(s.ev.data, winDatum{s.value(name), s.value(value)})
	s.at = len(s.text) - len(rest) + next
	return true
}

// references looks whether all that begin with & are ones that XML has.
func (s *winScanner) references() bool {
	s.plain = true
	rest := s.text
	for {
		i := bytes.IndexByte(rest, '&')
		if i < 0 {
			break
		}
		s.plain = false
		rest = rest[i+1:]
		_, n := reference(rest)
		if n == 0 {
			return false
		}
		rest = rest[n:]
	}
	if bytes.IndexByte(s.text, '\r') >= 0 {
		s.plain = false
	}
	return true
}

// reference reads what stands behind &, and how long it is; 0 is none.
func reference(b []byte) (r rune, n int) {
	const longest = 10
	end := bytes.IndexByte(b[:min(len(b), longest)], ';')
	if end < 1 {
		return 0, 0
	}
	switch name := string(b[:end]); {
	case name == "lt":
		return '<', end + 1
	case name == "gt":
		return '>', end + 1
	case name == "amp":
		return '&', end + 1
	case name == "apos":
		return '\'', end + 1
	case name == "quot":
		return '"', end + 1
	case name[0] == '#':
		digits, base := name[1:], 10
		if strings.HasPrefix(digits, "x") {
			digits, base = digits[1:], 16
		}
		code, err := strconv.ParseUint(digits, base, 32)
		if err == nil && code <= utf8.MaxRune {
			return rune(code), end + 1
		}
	}
	return 0, 0
}

// value is a text as it is meant. A return is an end of line (XML 1.0, 2.11).
func (s *winScanner) value(b []byte) []byte {
	if s.plain || bytes.IndexByte(b, '&') < 0 && bytes.IndexByte(b, '\r') < 0 {
		return b
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == '&':
			r, n := reference(b[i+1:])
			out = utf8.AppendRune(out, r)
			i += n
		case b[i] == '\r':
			if out = append(out, '\n'); i+1 < len(b) && b[i+1] == '\n' {
				i++
			}
		default:
			out = append(out, b[i])
		}
	}
	return out
}

func isNameStart(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' }

func isName(c byte) bool { return isNameStart(c) || c >= '0' && c <= '9' || c == '-' || c == '.' }

// word reads a name. Of an element it has no prefix.
func (s *winScanner) word(prefix bool) []byte {
	from := s.at
	if s.at >= len(s.text) || !isNameStart(s.text[s.at]) {
		return nil
	}
	for s.at < len(s.text) && isName(s.text[s.at]) {
		s.at++
	}
	if prefix && s.at+1 < len(s.text) && s.text[s.at] == ':' && isNameStart(s.text[s.at+1]) {
		s.at++
		s.word(false)
	}
	return s.text[from:s.at]
}

func (s *winScanner) blanks() (some bool) {
	for s.at < len(s.text) && (s.text[s.at] == ' ' || s.text[s.at] == '\n' || s.text[s.at] == '\t' || s.text[s.at] == '\r') {
		s.at++
		some = true
	}
	return some
}

// end reads the end of the element that is open.
func (s *winScanner) end() bool {
	s.at += 2
	if s.deep == 0 {
		return false
	}
	name := s.stack[s.deep-1]
	if !bytes.HasPrefix(s.text[s.at:], name) {
		return false
	}
	s.at += len(name)
	s.blanks()
	if s.at >= len(s.text) || s.text[s.at] != '>' {
		return false
	}
	s.at++
	if s.deep--; s.deep == 1 {
		s.inner = winElsewhere
	}
	return true
}

// start reads the start of an element, and its text where that is wanted.
func (s *winScanner) start() bool {
	s.at++
	name := s.word(false)
	if name == nil || s.deep == maxDeep {
		return false
	}
	wants, ok := s.opens(name)
	if !ok {
		return false
	}
	attribute, closed, ok := s.attributes(wants.attribute)
	if !ok {
		return false
	}
	if !closed {
		s.stack[s.deep] = name
		s.deep++
	} else if s.deep == 1 {
		s.inner = winElsewhere
	}
	if s.deep == 0 {
		return false // an event without anything
	}
	if wants.attributeTo != nil {
		*wants.attributeTo = s.value(attribute)
	}
	if wants.text == nil && !wants.datum {
		return true
	}
	var value []byte
	if !closed {
		i := bytes.IndexByte(s.text[s.at:], '<')
		if i < 0 || s.at+i+1 >= len(s.text) || s.text[s.at+i+1] != '/' {
			return false // with an element in it
		}
		value = s.value(s.text[s.at : s.at+i])
		s.at += i
	}
	if wants.datum {
		if attribute != nil {
			attribute = s.value(attribute)
		}
		s.ev.data = append(s.ev.data, winDatum{attribute, value})
		return len(s.ev.data) <= maxData
	}
	*wants.text = value
	return true
}

// winWants is what is read of an element.
type winWants struct {
	attribute   string // the name of one
	attributeTo *[]byte
	text        *[]byte
	datum       bool
}

// opens says what is wanted of an element of that name where it stands. Of what
// may come once it takes one.
func (s *winScanner) opens(name []byte) (w winWants, ok bool) {
	once := func(seen *bool) bool {
		was := *seen
		*seen = true
		return !was
	}
	switch {
	case s.deep == 0:
		return w, string(name) == "Event"
	case s.deep == 1 && string(name) == "System":
		s.inner = winSystemPart
		return w, once(&s.seen.system)
	case s.deep == 1 && string(name) == "EventData":
		s.inner = winDataPart
		return w, once(&s.seen.data)
	case s.deep != 2:
	case s.inner == winDataPart && string(name) == "Data":
		return winWants{attribute: "Name", datum: true}, true
	case s.inner == winSystemPart:
		switch string(name) {
		case "Provider":
			return winWants{attribute: "Name", attributeTo: &s.ev.provider}, once(&s.seen.provider)
		case "EventID":
			return winWants{text: &s.ev.id}, once(&s.seen.id)
		case "TimeCreated":
			return winWants{attribute: "SystemTime", attributeTo: &s.ev.created}, once(&s.seen.created)
		case "Computer":
			return winWants{text: &s.ev.computer}, once(&s.seen.computer)
		case "Keywords":
			return winWants{text: &s.ev.keywords}, once(&s.seen.keywords)
		}
	}
	return w, true
}

// attributes reads those of an element to its end, and the value of one.
func (s *winScanner) attributes(wanted string) (value []byte, closed, ok bool) {
	for {
		apart := s.blanks()
		if s.at >= len(s.text) {
			return nil, false, false
		}
		switch s.text[s.at] {
		case '>':
			s.at++
			return value, false, true
		case '/':
			s.at += 2
			return value, true, s.at <= len(s.text) && s.text[s.at-1] == '>'
		}
		name := s.word(true)
		if !apart || name == nil {
			return nil, false, false
		}
		s.blanks()
		if s.at >= len(s.text) || s.text[s.at] != '=' {
			return nil, false, false
		}
		s.at++
		s.blanks()
		if s.at >= len(s.text) || s.text[s.at] != '\'' && s.text[s.at] != '"' {
			return nil, false, false
		}
		quote := s.text[s.at]
		s.at++
		end := bytes.IndexByte(s.text[s.at:], quote)
		if end < 0 {
			return nil, false, false
		}
		text := s.text[s.at : s.at+end]
		if bytes.IndexByte(text, '<') >= 0 {
			return nil, false, false
		}
		s.at += end + 1
		if wanted != "" && string(name) == wanted {
			if value != nil {
				return nil, false, false // twice
			}
			value = text
			if value == nil {
				value = []byte{}
			}
		}
	}
}
