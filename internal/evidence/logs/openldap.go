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
}

func newOpenLDAP(o Options) Parser {
	return &openLDAP{o: o, c: newConns(o), y: o.clock()}
}

func isDebug(line []byte) bool { _, _, ok := cutDebug(line); return ok }

func isOpenLDAP(line []byte) bool {
	if _, text, ok := cutDebug(line); ok {
		return slapdText(text)
	}
	h, _, ok := cutSyslog(line)
	return ok && h.program == "slapd" && slapdText(h.text)
}

func slapdText(text []byte) bool {
	return bytes.HasPrefix(text, []byte("conn=")) || bytes.HasPrefix(text, []byte("slapd starting")) || bytes.HasPrefix(text, []byte("@(#) $OpenLDAP"))
}

func (p *openLDAP) Line(line []byte, place event.Place) (Verdict, time.Time, error) {
	if at, text, ok := cutDebug(line); ok {
		p.banner = bytes.HasPrefix(text, []byte("@(#)"))
		return p.text(p.c.at("", "", at), text, at, place), at, nil
	}
	h, has, ok := cutSyslog(line)
	if !ok {
		if p.banner && bytes.HasPrefix(line, []byte("\t")) {
			return Read, time.Time{}, nil
		}
		p.banner = false
		return Unreadable, time.Time{}, nil
	}
	at, err := p.y.whole(h.at, has, place)
	if err != nil {
		return Unreadable, time.Time{}, err
	}
	if h.program != "slapd" {
		return Foreign, at, nil
	}
	p.server = h.host
	return p.text(p.c.at(h.host+"\x00"+h.pid, h.host, at), h.text, at, place), at, nil
}

// Server is the host of a line of syslog.
func (p *openLDAP) Server() string { return p.server }

// Close ends it.
func (p *openLDAP) Close() { p.c.close() }

func (p *openLDAP) text(r *run, text []byte, at time.Time, place event.Place) Verdict {
	if bytes.HasPrefix(text, []byte("slapd starting")) {
		p.c.starts(r)
		return Read
	}
	rest, ok := bytes.CutPrefix(text, []byte("conn="))
	if !ok {
		return Read
	}
	number, rest, ok := cutNumber(rest)
	if !ok || number < 0 { // conn=-1 is slapd's own
		return Read
	}
	id := uint64(number)
	if after, ok := bytes.CutPrefix(rest, []byte("fd=")); ok {
		_, after, _ = bytes.Cut(after, []byte(" "))
		if from, ok := bytes.CutPrefix(after, []byte("ACCEPT from ")); ok {
			address, port := peer(from)
			p.c.opens(r, id, at, address, port, place)
		}
		return Read
	}
	after, ok := bytes.CutPrefix(rest, []byte("op="))
	if !ok {
		return Read
	}
	op, body, ok := cutNumber(after)
	if !ok {
		return Unreadable
	}
	switch {
	case bytes.HasPrefix(body, []byte("BIND ")):
		p.bind(r, id, op, string(body[5:]), at, place)
	case bytes.HasPrefix(body, []byte("do_bind: invalid dn (")):
		typed := strings.TrimSuffix(string(body[21:]), ")")
		p.c.asks(r, id, op, place, at, typed, "simple", false)
	case bytes.HasPrefix(body, []byte("RESULT tag=97 ")):
		p.result(r, id, op, string(body), at, place)
	case bytes.HasPrefix(body, []byte("RESULT tag=103 ")), bytes.HasPrefix(body, []byte("RESULT oid=")):
		if code, word, ok := resultCode(string(body)); ok {
			p.c.isChanged(r, id, op, code, word)
		}
	case bytes.HasPrefix(body, []byte("MOD ")):
		p.modify(r, id, op, string(body[4:]), at, place)
	case bytes.HasPrefix(body, []byte("PASSMOD")):
		p.passmod(r, id, op, string(body), at, place)
	}
	return Read
}

func (p *openLDAP) bind(r *run, conn uint64, op int64, body string, at time.Time, place event.Place) {
	switch {
	case strings.HasPrefix(body, "anonymous "):
		// Before a login on a connection that has one: the old one ends.
	case strings.HasPrefix(body, "authcid="):
		name := quoted(body[8:], " authzid=")
		p.c.asks(r, conn, op, place, at, name, "", false)
	case strings.HasPrefix(body, "dn="):
		name := quoted(body[3:], " m")
		method, named := "simple", false
		switch {
		case strings.Contains(body[3:], `" method=163`):
			method, name = "sasl", ""
		default:
			if i := strings.LastIndex(body, `" mech=`); i >= 0 {
				named = true
				method, _, _ = strings.Cut(body[i+7:], " ")
				if method == "SIMPLE" {
					method = "simple"
				}
			}
		}
		p.c.asks(r, conn, op, place, at, name, method, named)
	}
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
	e := p.c.changing(r, conn, op, place, at, "")
	for _, name := range strings.Fields(strings.ToLower(names)) {
		switch name {
		case "userpassword":
			e.Change = event.Reset
		case "member", "uniquemember", "memberuid":
			if e.Change == "" {
				e.Change, e.Group, e.Target = event.NewMember, e.Target, ""
			}
		}
	}
}

// passmod is a change of a password by the operation that is for it (RFC 3062);
// without an id it is that of who asks.
func (p *openLDAP) passmod(r *run, conn uint64, op int64, body string, at time.Time, place event.Place) {
	_, text, ok := strings.Cut(body, ` id="`)
	end := strings.LastIndex(text, `"`)
	if !ok || end < 0 {
		e := p.c.changing(r, conn, op, place, at, "")
		e.Change, e.Target = event.OwnChange, e.Account
		return
	}
	e := p.c.changing(r, conn, op, place, at, text[:end])
	if e.Change = event.Reset; strings.Contains(text[end:], " old") {
		e.Change = event.OwnChange
	}
}

func resultCode(body string) (code int, word string, ok bool) {
	_, after, _ := strings.Cut(body, " err=")
	word, _, _ = strings.Cut(after, " ")
	code, err := strconv.Atoi(word)
	return code, word, err == nil
}

func (p *openLDAP) result(r *run, conn uint64, op int64, body string, at time.Time, place event.Place) {
	code, word, ok := resultCode(body)
	if !ok {
		return
	}
	outcome, more := ldapOutcome(code)
	if more {
		p.c.goesOn(r, conn, op)
		return
	}
	p.c.replies(r, conn, op, place, at, outcome, "err="+word, "")
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
	word, rest, _ := bytes.Cut(b, []byte(" "))
	n, err := strconv.ParseInt(string(word), 10, 64)
	return n, rest, err == nil
}
