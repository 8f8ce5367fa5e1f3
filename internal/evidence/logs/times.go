package logs

import (
	"bytes"
	"strconv"
	"time"
)

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

// stamps read times of RFC 3339, and what stands behind a time: lines that
// follow each other are mostly of one second, and of one program.
type stamps struct {
	second []byte // 2006-01-02T15:04:05 of the time before
	zone   []byte // what stands behind its fraction
	at     time.Time
	tag    tag // of the line before
}

// tag is `host program[pid]: `, and where its parts stand in it.
type tag struct {
	text                []byte
	host                int // ends
	program, programEnd int
	pid, pidEnd         int
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
		ok = s.behind(&h, after)
		return h, ok
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
		if s.behind(&h, line[end+1:]) {
			return h, true
		}
	}
	return otherOf(line)
}

// behind reads what stands behind the time, as from does.
func (s *stamps) behind(h *syslogParts, rest []byte) bool {
	if len(s.tag.text) == 0 || !bytes.HasPrefix(rest, s.tag.text) {
		t, ok := tagOf(rest)
		if !ok {
			return false
		}
		t.text = append(s.tag.text[:0], t.text...)
		s.tag = t
	}
	h.is(&s.tag, rest)
	return true
}

// from reads what stands behind the time: host program[pid]: text.
func (h *syslogParts) from(rest []byte) bool {
	t, ok := tagOf(rest)
	if ok {
		h.is(&t, rest)
	}
	return ok
}

// is takes the parts of a line that begins with a tag.
func (h *syslogParts) is(t *tag, rest []byte) {
	h.host, h.program, h.pid = rest[:t.host], rest[t.program:t.programEnd], rest[t.pid:t.pidEnd]
	h.text = withoutID(rest[len(t.text):])
}

// tagOf finds the tag with which a line goes on behind its time. Nothing behind
// the tag bears on what it is.
func tagOf(rest []byte) (t tag, ok bool) {
	if t.host = bytes.IndexByte(rest, ' '); t.host < 0 || bytes.HasSuffix(rest[:t.host], []byte(":")) {
		return t, false // Dovecot's own file has no host
	}
	// An Email Security Gateway writes two blanks behind the host.
	for t.program = t.host + 1; t.program < len(rest) && rest[t.program] == ' '; {
		t.program++
	}
	// The tag ends with the first colon that a blank follows.
	end := t.program
	for {
		i := bytes.IndexByte(rest[end:], ':')
		if end += i; i < 0 || end+1 >= len(rest) {
			return t, false
		}
		if rest[end+1] == ' ' {
			break
		}
		end++
	}
	name := rest[t.program:end]
	if bytes.IndexByte(name, ' ') >= 0 || bytes.IndexByte(name, '=') >= 0 {
		return t, false
	}
	t.text = rest[:end+2]
	name = bytes.TrimSuffix(name, []byte("]"))
	t.programEnd = t.program + len(name)
	if i := bytes.IndexByte(name, '['); i >= 0 {
		t.pid, t.pidEnd = t.program+i+1, t.programEnd
		t.programEnd = t.program + i
	}
	return t, true
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
