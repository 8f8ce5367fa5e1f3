package logs

import (
	"bytes"
	"strconv"
	"time"
)

// protocolOf reads a line of RFC 5424 behind its priority and version, as
// rsyslog's RSYSLOG_SyslogProtocol23Format and syslog-ng's
// flags(syslog-protocol) write it: time host program pid msgid data text.
func (s *stamps) protocolOf(line []byte) (h syslogParts, ok bool) {
	var words [5][]byte
	for i := range words {
		if words[i], line, ok = bytes.Cut(line, []byte(" ")); !ok {
			return h, false
		}
	}
	if h.at, ok = s.stamp(words[0]); !ok {
		return h, false
	}
	h.has, h.host, h.program = zoned, words[1], words[2]
	if string(words[3]) != "-" {
		h.pid = words[3]
	}
	if line, ok = behindData(line); !ok {
		return h, false
	}
	// rsyslog keeps the blank that stood behind the colon of the program.
	h.text = withoutID(bytes.TrimPrefix(bytes.TrimLeft(line, " "), []byte("\xef\xbb\xbf")))
	return h, true
}

// behindData is what follows the structured data: - or [id name="value"]…,
// where a value has \" for a quote.
func behindData(line []byte) ([]byte, bool) {
	if rest, ok := bytes.CutPrefix(line, []byte("-")); ok {
		return rest, true
	}
	quoted, in := false, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quoted && c == '\\':
			i++
		case in && c == '"':
			quoted = !quoted
		case !quoted && c == '[':
			in = true
		case !quoted && c == ']':
			in = false
		case !in:
			return line[i:], i > 0 && c == ' '
		}
	}
	return nil, false
}

// otherTimes are what stands before the host in rarer forms, as time.Parse has
// it. A zone's letters are several zones' but for UTC: the operator says which.
var otherTimes = []struct {
	layout string
	has    dated
}{
	{"Mon 2006-01-02 15:04:05 UTC", zoned},   // journalctl -o short-full (journalctl(1))
	{"Mon 2006-01-02 15:04:05 MST", unzoned}, //
	{"2006-01-02 15:04:05", unzoned},         // a template of its own
	{"Jan _2 15:04:05 2006", unzoned},        // syslog-ng, ts_format(full) has the year before
	{"2006 Jan _2 15:04:05", unzoned},        //
	{"Jan _2 2006 15:04:05", unzoned},        // Cisco's
}

// otherOf reads a line whose time is written in such a form, or as seconds
// since 1970 with a fraction (journalctl -o short-unix).
func otherOf(line []byte) (h syslogParts, ok bool) {
	const most = 5 // words of a time
	for end, words := 0, 0; words < most; words++ {
		i := bytes.IndexByte(line[end:], ' ')
		if i < 0 {
			return h, false
		}
		end += i
		if h.at, h.has, ok = otherTime(line[:end]); ok && h.from(line[end+1:]) {
			return h, true
		}
		end++
	}
	return h, false
}

func otherTime(text []byte) (at time.Time, has dated, ok bool) {
	if len(text) < len("1665568800.0") || len(text) > len("Wed 2022-10-12 10:00:01.000000000 AEST ") {
		return at, has, false
	}
	if second, fraction, found := bytes.Cut(text, []byte(".")); found && len(second) == 10 {
		sec, err := strconv.ParseInt(string(second), 10, 64)
		micro, err2 := strconv.ParseInt(string(fraction), 10, 64)
		if err == nil && err2 == nil && len(fraction) == 6 && micro >= 0 {
			return time.Unix(sec, micro*1000).UTC(), zoned, true
		}
	}
	for _, form := range otherTimes {
		if at, err := time.Parse(form.layout, string(text)); err == nil {
			return at, form.has, true
		}
	}
	return at, has, false
}

// withoutID is the text behind the number that syslogd of Solaris puts before
// it ([ID 702911 local4.debug]; syslogd(8), msgid in log(4D)).
func withoutID(text []byte) []byte {
	rest, ok := bytes.CutPrefix(text, []byte("[ID "))
	if !ok {
		return text
	}
	number, rest, ok := bytes.Cut(rest, []byte(" "))
	of, rest, ok2 := bytes.Cut(rest, []byte("] "))
	if _, err := strconv.ParseUint(string(number), 10, 32); err != nil || !ok || !ok2 || bytes.IndexByte(of, ' ') >= 0 || bytes.IndexByte(of, '.') < 0 {
		return text
	}
	return rest
}
