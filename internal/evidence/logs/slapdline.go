package logs

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"rollcall/internal/evidence/event"
)

// slapdLine is a line, taken apart.
type slapdLine struct {
	head   slapdHead
	at     time.Time
	has    dated
	host   []byte
	pid    []byte
	says   slapdSays
	conn   uint64
	op     int64
	body   []byte // of a change: what is said of it
	banner bool
	aside  bool         // of no connection: slapd writes such at every level
	change event.Change // of an entry

	address netip.Addr // of a connection's first line
	port    uint16
	name    string // of a login
	method  string
	named   bool          // the server itself has written the name, not as typed
	outcome event.Outcome // of a reply
	more    bool          // and it is none yet
	code    string
}

// slapdHead is how a line begins.
type slapdHead int

const (
	notSlapds slapdHead = iota // no line of slapd's, nor of a syslog
	ofDebug                    // as -d prints
	ofSyslog                   // slapd's, by syslog
	ofAnother                  // another program's
)

// slapdSays is what a line says, as far as anything is made of it.
type slapdSays int

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
	stamps stamps
}

func (c *slapdCuts) Add(line []byte) {
	c.all = append(c.all, slapdLine{})
	c.all[len(c.all)-1].cut(line, &c.stamps)
}

func (c *slapdCuts) Reset() { c.all = c.all[:0] }

// cut takes a line apart.
func (l *slapdLine) cut(line []byte, stamps *stamps) {
	at, text, ok := cutDebug(line)
	if ok {
		l.head, l.at = ofDebug, at
		l.banner = bytes.HasPrefix(text, []byte("@(#)"))
		l.text(text)
		return
	}
	h, ok := stamps.syslogOf(line)
	if !ok {
		return
	}
	l.at, l.has = h.at, h.has
	if string(h.program) != "slapd" {
		l.head = ofAnother
		return
	}
	l.head, l.host, l.pid = ofSyslog, h.host, h.pid
	l.text(h.text)
}

// text takes apart what slapd says.
func (l *slapdLine) text(text []byte) {
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
			l.login(string(l.body))
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

// login reads what is behind BIND.
func (l *slapdLine) login(body string) {
	switch {
	case strings.HasPrefix(body, "authcid="):
		l.name = quoted(body[8:], " authzid=")
	case strings.HasPrefix(body, "dn="):
		l.name, l.method = quoted(body[3:], " m"), "simple"
		if strings.Contains(body[3:], `" method=163`) {
			l.method, l.name = "sasl", ""
			return
		}
		if i := strings.LastIndex(body, `" mech=`); i >= 0 {
			l.named = true
			l.method, _, _ = strings.Cut(body[i+7:], " ")
			if l.method == "SIMPLE" {
				l.method = "simple"
			}
		}
	default:
		// Anonymous: before a login on a connection that has one, the old one
		// ends.
		l.says = saysNothing
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
