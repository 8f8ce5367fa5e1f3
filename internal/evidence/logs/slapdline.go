package logs

import (
	"bytes"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"rollcall/internal/evidence/event"
)

// slapdLine is a line, taken apart.
type slapdLine struct {
	at     time.Time
	has    dated
	head   slapdHead
	says   slapdSays
	banner bool
	aside  bool // of no connection: slapd writes such at every level
	named  bool // the server itself has written the name of a login, not as typed
	more   bool // a reply is none yet
	port   uint16
	host   []byte
	pid    []byte
	conn   uint64
	op     int64
	body   []byte       // of a change: what is said of it
	change event.Change // of an entry

	address netip.Addr // of a connection's first line
	name    string     // of a login
	method  string
	outcome event.Outcome // of a reply
	code    string
}

// slapdHead is how a line begins.
type slapdHead uint8

const (
	notSlapds slapdHead = iota // no line of slapd's, nor of a syslog
	ofDebug                    // as -d prints
	ofSyslog                   // slapd's, by syslog
	ofAnother                  // another program's
)

// slapdSays is what a line says, as far as anything is made of it.
type slapdSays uint8

const (
	saysNothing slapdSays = iota
	saysStart
	saysAccept
	saysClosed
	saysBind
	saysResult
	saysChanged
	saysMod
	saysEntry // that it was made, removed or renamed
	saysPassmod
	saysGarbled
)

type slapdCuts struct {
	all    []slapdLine
	before slapdBefore
}

// slapdBefore is what a line mostly has of the one before.
type slapdBefore struct {
	stamps stamps
	name   string // of a login
}

func (c *slapdCuts) Add(line []byte) {
	n := len(c.all)
	c.all = slices.Grow(c.all, 1)[:n+1]
	c.all[n] = slapdLine{}
	c.all[n].cut(line, &c.before)
}

func (c *slapdCuts) Reset() { c.all = c.all[:0] }

// cut takes a line apart.
func (l *slapdLine) cut(line []byte, before *slapdBefore) {
	at, text, ok := cutDebug(line)
	if ok {
		l.head, l.at = ofDebug, at
		l.banner = bytes.HasPrefix(text, []byte("@(#)"))
		l.text(text, &before.name)
		return
	}
	h, ok := before.stamps.syslogOf(line)
	if !ok {
		return
	}
	l.at, l.has = h.at, h.has
	if string(h.program) != "slapd" {
		l.head = ofAnother
		return
	}
	l.head, l.host, l.pid = ofSyslog, h.host, h.pid
	l.text(h.text, &before.name)
}

// text takes apart what slapd says; name is that of the login line before.
func (l *slapdLine) text(text []byte, name *string) {
	if bytes.HasPrefix(text, []byte("slapd starting")) {
		l.says, l.aside = saysStart, true
		return
	}
	rest, ok := bytes.CutPrefix(text, []byte("conn="))
	if l.aside = !ok; !ok {
		return
	}
	number, rest, ok := cutNumber(rest)
	if !ok || number < 0 { // conn=-1 is slapd's own
		return
	}
	l.conn = uint64(number)
	if after, ok := bytes.CutPrefix(rest, []byte("fd=")); ok {
		_, after, _ = bytes.Cut(after, []byte(" "))
		if l.body, ok = bytes.CutPrefix(after, []byte("ACCEPT from ")); ok {
			l.says = saysAccept
			l.address, l.port = peer(l.body)
		} else if bytes.HasPrefix(after, []byte("closed")) {
			l.says = saysClosed
		}
		return
	}
	after, ok := bytes.CutPrefix(rest, []byte("op="))
	if !ok {
		return
	}
	op, body, ok := cutNumber(after)
	if !ok {
		l.says = saysGarbled
		return
	}
	l.op, l.body = op, body
	cutAs := func(says slapdSays, before string) bool {
		if len(body) < len(before) || string(body[:len(before)]) != before {
			return false
		}
		l.says, l.body = says, body[len(before):]
		return true
	}
	if len(body) == 0 {
		return
	}
	switch body[0] {
	case 'B':
		if cutAs(saysBind, "BIND ") {
			l.login(l.body, name)
		}
	case 'd':
		if cutAs(saysBind, "do_bind: invalid dn (") {
			l.name, l.method = strings.TrimSuffix(string(l.body), ")"), "simple"
		}
	case 'R':
		switch {
		case cutAs(saysResult, "RESULT tag=97 "):
			l.reply(body, false)
		case cutAs(saysChanged, "RESULT tag=103 "), cutAs(saysChanged, "RESULT tag=105 "), cutAs(saysChanged, "RESULT tag=107 "),
			cutAs(saysChanged, "RESULT tag=109 "), cutAs(saysChanged, "RESULT oid="):
			l.reply(body, true)
		}
	case 'M':
		if !cutAs(saysMod, "MOD ") && cutAs(saysEntry, "MODRDN dn=") {
			l.change = event.Renamed
		}
	case 'A':
		if cutAs(saysEntry, "ADD dn=") {
			l.change = event.Made
		}
	case 'D':
		if cutAs(saysEntry, "DEL dn=") {
			l.change = event.Removed
		}
	case 'P':
		cutAs(saysPassmod, "PASSMOD")
		l.body = body
	}
}

// login reads what is behind BIND. A name is mostly that of the login line
// before: of that the text is taken.
func (l *slapdLine) login(body []byte, of *string) {
	switch {
	case bytes.HasPrefix(body, []byte("authcid=")):
		l.name = quoted(string(body[8:]), " authzid=")
	case bytes.HasPrefix(body, []byte("dn=")):
		name, rest := quotedBefore(body[3:], " m")
		if bytes.HasPrefix(rest, []byte(" method=163")) {
			l.method = "sasl"
			return
		}
		if string(name) != *of {
			*of = string(name)
		}
		l.name, l.method = *of, "simple"
		if mech, ok := bytes.CutPrefix(rest, []byte(" mech=")); ok {
			l.named = true
			if word, _, _ := bytes.Cut(mech, []byte(" ")); string(word) != "SIMPLE" {
				l.method = string(word)
			}
		}
	default:
		// Anonymous: before a login on a connection that has one, the old one
		// ends.
		l.says = saysNothing
	}
}

// quotedBefore is the text between quotes, to the last one before what follows
// it, and the rest behind that quote; a name may have quotes in it.
func quotedBefore(b []byte, follows string) (text, rest []byte) {
	b, ok := bytes.CutPrefix(b, []byte(`"`))
	if !ok {
		text, _, _ = bytes.Cut(b, []byte(" "))
		return text, nil
	}
	for end := len(b); ; {
		if end = bytes.LastIndexByte(b[:end], '"'); end < 0 {
			return bytes.TrimSuffix(b, []byte(`"`)), nil
		}
		if len(b) > end+len(follows) && string(b[end+1:end+1+len(follows)]) == follows {
			return b[:end], b[end+1:]
		}
	}
}

// reply reads the code of a reply, to a login or to a change.
func (l *slapdLine) reply(body []byte, change bool) {
	_, after, _ := bytes.Cut(body, []byte(" err="))
	word, _, _ := bytes.Cut(after, []byte(" "))
	code, err := strconv.Atoi(string(word))
	if err != nil {
		l.says = saysNothing
		return
	}
	l.code = codeText(word)
	if change {
		l.outcome = ofChange(code)
		return
	}
	l.outcome, l.more = ldapOutcome(code)
}

// codeText is err= and the code; those that mostly come take no memory.
func codeText(word []byte) string {
	switch string(word) {
	case "0":
		return "err=0"
	case "49":
		return "err=49"
	}
	return "err=" + string(word)
}
