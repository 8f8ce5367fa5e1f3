package logs

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"rollcall/internal/evidence/event"
)

// slapd's stats level (slapd.conf(5), loglevel). The address is in ACCEPT
// alone, the name in BIND, the answer in RESULT; see conns. What was typed is
// in the first BIND line, the name as slapd has it in the second, which only a
// good login has. A refused SASL login names nobody.
type openLDAP struct {
	o      Options
	c      *conns
	y      *Clock
	server string
	banner bool // the line before was slapd's own banner, which goes on
	before slapdBefore
	// host and pid are those of the line before, and key is made of them.
	host, pid, key string
}

func newOpenLDAP(o Options) Parser {
	return &openLDAP{o: o, c: newConns(o), y: o.clock()}
}

func isDebug(line []byte) bool { _, _, ok := cutDebug(line); return ok }

func isOpenLDAP(line []byte) bool {
	if _, text, ok := cutDebug(line); ok {
		return slapdText(text)
	}
	h, ok := (&stamps{}).syslogOf(line)
	return ok && string(h.program) == "slapd" && slapdText(h.text)
}

func slapdText(text []byte) bool {
	return bytes.HasPrefix(text, []byte("conn=")) || bytes.HasPrefix(text, []byte("slapd starting")) || bytes.HasPrefix(text, []byte("@(#) $OpenLDAP"))
}

// Cuts is that of Ahead.
func (p *openLDAP) Cuts() Cuts { return &slapdCuts{} }

// Cut is that of Ahead.
func (p *openLDAP) Cut(of Cuts, i int, line []byte, place event.Place) (Verdict, time.Time, error) {
	return p.line(&of.(*slapdCuts).all[i], line, place)
}

func (p *openLDAP) Line(line []byte, place event.Place) (Verdict, time.Time, error) {
	var l slapdLine
	l.cut(line, &p.before)
	return p.line(&l, line, place)
}

// line reads a line, in its turn.
func (p *openLDAP) line(l *slapdLine, line []byte, place event.Place) (Verdict, time.Time, error) {
	switch l.head {
	case ofDebug:
		p.banner = l.banner
		return p.said(p.c.at("", "", l.at), l, l.at, place), l.at, nil
	case notSlapds:
		if p.banner && bytes.HasPrefix(line, []byte("\t")) {
			return Aside, time.Time{}, nil
		}
		p.banner = false
		return Unreadable, time.Time{}, nil
	}
	at, err := p.y.whole(l.at, l.has, place)
	switch {
	case err != nil:
		return Unreadable, time.Time{}, err
	case l.head == ofAnother:
		return Foreign, at, nil
	}
	if p.key == "" || string(l.host) != p.host || string(l.pid) != p.pid {
		p.host, p.pid = string(l.host), string(l.pid)
		p.key = p.host + "\x00" + p.pid
	}
	p.server = p.host
	return p.said(p.c.at(p.key, p.host, at), l, at, place), at, nil
}

// Server is the host of a line of syslog.
func (p *openLDAP) Server() string { return p.server }

// Close ends it.
func (p *openLDAP) Close() { p.c.close() }

func (p *openLDAP) said(r *run, l *slapdLine, at time.Time, place event.Place) Verdict {
	switch l.says {
	case saysStart:
		p.c.starts(r)
	case saysAccept:
		p.c.opens(r, l.conn, at, l.address, l.port, place)
	case saysClosed:
		p.c.closes(r, l.conn, at)
	case saysBind:
		p.c.asks(r, l.conn, l.op, place, at, l.name, l.method, l.named)
	case saysResult:
		if l.more {
			p.c.goesOn(r, l.conn, l.op)
			break
		}
		p.c.replies(r, l.conn, l.op, place, at, l.outcome, l.code, "")
	case saysChanged:
		p.c.isChanged(r, l.conn, l.op, l.outcome, l.code)
	case saysMod:
		p.modify(r, l.conn, l.op, string(l.body), at, place)
	case saysEntry:
		p.c.changing(r, l.conn, l.op, place, at, quoted(string(l.body), "")).is(l.change)
	case saysPassmod:
		p.passmod(r, l.conn, l.op, string(l.body), at, place)
	case saysGarbled:
		return Unreadable
	}
	if l.aside {
		return Aside
	}
	return Read
}

// modify reads the entry of a change, and the names of its attributes on the
// lines behind: values are not in the log.
func (p *openLDAP) modify(r *run, conn uint64, op int64, body string, at time.Time, place event.Place) {
	if target, ok := strings.CutPrefix(body, "dn="); ok {
		p.c.changing(r, conn, op, place, at, quoted(target, ""))
		return
	}
	names, ok := strings.CutPrefix(body, "attr=")
	if !ok {
		return
	}
	x := p.c.changing(r, conn, op, place, at, "")
	for _, name := range strings.Fields(names) {
		if what := ofAttribute(name); what != "" {
			x.is(what)
		}
	}
}

// ofAttribute is what a change of an attribute is, of those that decide who is
// let in; "" of others.
func ofAttribute(name string) event.Change {
	name, _, _ = strings.Cut(strings.ToLower(name), ";") // userCertificate;binary
	switch name {
	case "userpassword":
		return event.Reset
	case "member", "uniquemember", "memberuid":
		return event.NewMember
	case "sshpublickey", "ipasshpubkey", "usercertificate", "usersmimecertificate", "userpkcs12", "msds-keycredentiallink", "altsecurityidentities":
		return event.NewKey
	}
	return ""
}

// passmod is a change of a password by the operation that is for it (RFC 3062);
// without an id it is that of who asks.
func (p *openLDAP) passmod(r *run, conn uint64, op int64, body string, at time.Time, place event.Place) {
	_, text, ok := strings.Cut(body, ` id="`)
	end := strings.LastIndex(text, `"`)
	if !ok || end < 0 {
		p.c.changing(r, conn, op, place, at, "").is(event.OwnChange)
		return
	}
	what := event.Reset
	if strings.Contains(text[end:], " old") {
		what = event.OwnChange
	}
	p.c.changing(r, conn, op, place, at, text[:end]).is(what)
}

// quoted is the text between quotes, to the last one before what follows it: a
// name may have quotes in it.
func quoted(s, before string) string {
	s, ok := strings.CutPrefix(s, `"`)
	if !ok {
		name, _, _ := strings.Cut(s, " ")
		return name
	}
	if i := strings.LastIndex(s, `"`+before); i >= 0 {
		return s[:i]
	}
	return strings.TrimSuffix(s, `"`)
}

// peer reads IP=127.0.0.1:52592 and IP=[::1]:52592. A PATH= (a socket of the
// machine) has no address.
func peer(from []byte) (netip.Addr, uint16) {
	word, _, _ := strings.Cut(string(from), " ")
	word, ok := strings.CutPrefix(word, "IP=")
	if !ok {
		return netip.Addr{}, 0
	}
	a, err := netip.ParseAddrPort(word)
	if err != nil {
		return netip.Addr{}, 0
	}
	return a.Addr(), a.Port()
}

// cutNumber reads a number and the blank behind it.
func cutNumber(b []byte) (n int64, rest []byte, ok bool) {
	const sure = 18 // so many digits are no overflow
	end := 0
	for ; end < len(b) && end < sure && b[end] >= '0' && b[end] <= '9'; end++ {
		n = n*10 + int64(b[end]-'0')
	}
	switch {
	case end > 0 && end == len(b):
		return n, nil, true
	case end > 0 && b[end] == ' ':
		return n, b[end+1:], true
	}
	word, rest, _ := bytes.Cut(b, []byte(" "))
	n, err := strconv.ParseInt(string(word), 10, 64)
	return n, rest, err == nil
}
