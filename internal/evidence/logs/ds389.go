package logs

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"rollcall/internal/evidence/event"
)

// The access log of 389 Directory Server. The address is in the connection's
// first line alone. Lines are written by several threads: an answer may stand
// behind the end of its connection. Numbers begin again when the server starts,
// and no line says so; the header stands at the head of each file.
type ds389 struct {
	o Options
	c *conns
}

func newDS389(o Options) Parser {
	p := &ds389{o: o, c: newConns(o)}
	p.c.unmarked = true
	return p
}

const ds389Time = "02/Jan/2006:15:04:05.999999999 -0700"

func cutDS389(line []byte) (at time.Time, rest []byte, ok bool) {
	if len(line) < 28 || line[0] != '[' {
		return at, nil, false
	}
	end := bytes.IndexByte(line, ']')
	if end < 0 || end > 48 || len(line) < end+2 {
		return at, nil, false
	}
	at, err := time.Parse(ds389Time, string(line[1:end]))
	return at, line[end+2:], err == nil
}

var ds389Header = []byte("\t389-Directory/")

func isDS389(line []byte) bool {
	if bytes.HasPrefix(line, ds389Header) {
		return true
	}
	_, rest, ok := cutDS389(line)
	return ok && bytes.HasPrefix(rest, []byte("conn="))
}

func (p *ds389) Line(line []byte, place event.Place) (Verdict, time.Time, error) {
	at, rest, ok := cutDS389(line)
	if !ok {
		switch {
		case bytes.HasPrefix(line, ds389Header):
			return Read, at, nil
		case len(line) == 0, line[0] == '\t':
			return Read, at, nil // the rest of the header
		}
		return Unreadable, at, nil
	}
	r := p.c.at("", "", at)
	rest, ok = bytes.CutPrefix(rest, []byte("conn="))
	if !ok {
		return Read, at, nil
	}
	number, rest, ok := cutNumber(rest)
	if !ok || number < 0 {
		return Read, at, nil // conn=Internal(0)
	}
	if bytes.HasPrefix(rest, []byte("fd=")) {
		text := string(rest)
		if _, from, ok := strings.Cut(text, "onnection from "); ok {
			word, _, _ := strings.Cut(from, " ")
			p.c.opens(r, uint64(number), at, anAddress(word), 0, place)
		}
		return Read, at, nil
	}
	after, ok := bytes.CutPrefix(rest, []byte("op="))
	if !ok {
		return Read, at, nil
	}
	op, body, ok := cutNumber(after)
	switch {
	case !ok:
		return Read, at, nil
	case bytes.HasPrefix(body, []byte("fd=")):
		// 2.x writes Disconnect, and those before it closed.
		if bytes.Contains(body, []byte(" Disconnect")) || bytes.Contains(body, []byte(" closed")) {
			p.c.closes(r, uint64(number), at)
		}
	case bytes.HasPrefix(body, []byte(`BIND dn=`)):
		name := quoted(string(body[8:]), " method=")
		_, method, _ := strings.Cut(string(body), `" method=`)
		method, _, _ = strings.Cut(method, " ")
		if method == "128" {
			method = "simple"
		} else if _, mech, ok := strings.Cut(string(body), " mech="); ok {
			method, name = strings.TrimSpace(mech), ""
		}
		p.c.asks(r, uint64(number), op, place, at, name, method, false)
	case bytes.HasPrefix(body, []byte("MOD dn=")): // in what, no line says
		p.c.changing(r, uint64(number), op, place, at, quoted(string(body[7:]), "")).is(event.Modified)
	case bytes.HasPrefix(body, []byte("ADD dn=")):
		p.c.changing(r, uint64(number), op, place, at, quoted(string(body[7:]), "")).is(event.Made)
	case bytes.HasPrefix(body, []byte("DEL dn=")):
		p.c.changing(r, uint64(number), op, place, at, quoted(string(body[7:]), "")).is(event.Removed)
	case bytes.HasPrefix(body, []byte("MODRDN dn=")):
		p.c.changing(r, uint64(number), op, place, at, quoted(string(body[10:]), " newrdn=")).is(event.Renamed)
	case bytes.HasPrefix(body, []byte("RESULT err=")) && changeTag(body):
		word, _, _ := strings.Cut(string(body[len("RESULT err="):]), " ")
		if code, err := strconv.Atoi(word); err == nil {
			p.c.isChanged(r, uint64(number), op, ofChange(code), "err="+word)
		}
	case bytes.HasPrefix(body, []byte("RESULT err=")) && bytes.Contains(body, []byte(" tag=97 ")):
		p.result(r, uint64(number), op, string(body), at, place)
	}
	return Read, at, nil
}

func (p *ds389) result(r *run, conn uint64, op int64, body string, at time.Time, place event.Place) {
	word, rest, _ := strings.Cut(strings.TrimPrefix(body, "RESULT err="), " ")
	code, err := strconv.Atoi(word)
	if err != nil {
		return
	}
	outcome, more := ldapOutcome(code)
	if more {
		p.c.goesOn(r, conn, op)
		return
	}
	name := ""
	if i := strings.Index(rest, ` dn="`); i >= 0 && outcome == event.Accepted {
		name = quoted(rest[i+4:], "")
	}
	p.c.replies(r, conn, op, place, at, outcome, "err="+word, name)
}

func (p *ds389) Server() string { return "" }

func (p *ds389) Close() { p.c.close() }

// changeTags are those of answers to changes (RFC 4511, 4.6 to 4.9).
var changeTags = []int{103, 105, 107, 109}

// changeTag reports whether an answer is one to a change.
func changeTag(body []byte) bool {
	_, after, _ := bytes.Cut(body, []byte(" tag="))
	tag, _, _ := bytes.Cut(after, []byte(" "))
	n, err := strconv.Atoi(string(tag))
	return err == nil && slices.Contains(changeTags, n)
}

// ofChange is how a change ended.
func ofChange(code int) event.Outcome {
	if code == 0 {
		return event.Accepted
	}
	return event.Failed
}

func anAddress(word string) netip.Addr {
	a, err := netip.ParseAddr(word)
	if err != nil {
		return netip.Addr{}
	}
	return a
}

// The same log as JSON, an object a line (3.x). By its documentation and
// sources; no server of that version was run. Its key names connection and
// server's start, so that numbers cannot be mistaken.
type ds389JSON struct {
	o Options
	c *conns
}

func newDS389JSON(o Options) Parser {
	p := &ds389JSON{o: o, c: newConns(o)}
	p.c.unique = true
	return p
}

// ds389Changes are operations that change an entry, by their names there. Of a
// MODIFY no line says in what.
var ds389Changes = map[string]event.Change{"ADD": event.Made, "DELETE": event.Removed, "MODIFY": event.Modified, "MODRDN": event.Renamed}

type ds389Line struct {
	LocalTime string  `json:"local_time"`
	Header    *string `json:"header"`
	Operation string  `json:"operation"`
	Key       string  `json:"key"`
	Conn      *uint64 `json:"conn_id"`
	Op        *int64  `json:"op_id"`
	ClientIP  string  `json:"client_ip"`
	BindDN    string  `json:"bind_dn"`
	TargetDN  string  `json:"target_dn"`
	Internal  bool    `json:"internal_op"`
	Method    string  `json:"method"`
	Mech      string  `json:"mech"`
	Tag       int     `json:"tag"`
	Err       *int    `json:"err"`
}

func isDS389JSON(line []byte) bool {
	if !bytes.HasPrefix(line, []byte("{")) || !bytes.Contains(line, []byte(`"local_time"`)) {
		return false
	}
	var l ds389Line
	return json.Unmarshal(line, &l) == nil && l.LocalTime != "" && l.Operation != "" && l.Conn != nil && l.Key != ""
}

func (p *ds389JSON) Line(line []byte, place event.Place) (Verdict, time.Time, error) {
	var l ds389Line
	if json.Unmarshal(line, &l) != nil {
		return Unreadable, time.Time{}, nil
	}
	if l.Header != nil {
		return Read, time.Time{}, nil
	}
	at, err := time.Parse("2006-01-02T15:04:05.999999999 -0700", l.LocalTime)
	if err != nil {
		if at, err = time.Parse(time.RFC3339Nano, l.LocalTime); err != nil {
			return Unreadable, time.Time{}, &NoTime{Place: place, Needs: "form that is known: nsslapd-accesslog-json-time-format is not the one that the server comes with"}
		}
	}
	if l.Conn == nil {
		return Read, at, nil
	}
	start, _, _ := strings.Cut(l.Key, "-")
	since, err := strconv.ParseUint(start, 10, 32)
	if err != nil {
		return Unreadable, at, nil
	}
	r := p.c.at("", "", at)
	number := since<<32 | *l.Conn&(1<<32-1)
	switch op := l.Op; {
	case l.Operation == "CONNECTION":
		p.c.opens(r, number, at, anAddress(l.ClientIP), 0, place)
	case op == nil, l.Internal: // a plugin's, of what was asked
	case ds389Changes[l.Operation] != "":
		p.c.changing(r, number, *op, place, at, l.TargetDN).is(ds389Changes[l.Operation])
	case l.Operation == "RESULT" && l.Err != nil && slices.Contains(changeTags, l.Tag):
		p.c.isChanged(r, number, *op, ofChange(*l.Err), "err="+strconv.Itoa(*l.Err))
	case l.Operation == "BIND":
		method, name := l.Method, l.BindDN
		if method == "128" {
			method = "simple"
		} else if l.Mech != "" {
			method, name = l.Mech, ""
		}
		p.c.asks(r, number, *op, place, at, name, method, false)
	case l.Operation == "RESULT" && l.Tag == 97 && l.Err != nil:
		outcome, more := ldapOutcome(*l.Err)
		if more {
			p.c.goesOn(r, number, *op)
			break
		}
		name := ""
		if outcome == event.Accepted {
			name = l.BindDN
		}
		p.c.replies(r, number, *op, place, at, outcome, "err="+strconv.Itoa(*l.Err), name)
	}
	return Read, at, nil
}

func (p *ds389JSON) Server() string { return "" }

func (p *ds389JSON) Close() { p.c.close() }
