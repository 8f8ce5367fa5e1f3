package logs

import (
	"bytes"
	"regexp"
	"regexp/syntax"
	"slices"
	"time"

	"rollcall/internal/evidence/event"
)

// longestMatched is the most of a line that is held against a pattern. Patterns
// of Go take time in proportion to it (RE2).
const longestMatched = 16 << 10

// text reads a log of lines of text by patterns. It stands behind the head of a
// syslog, whose time and host count; or a pattern has a group time, and is of
// the whole line.
type text struct {
	m       Mapping
	of      mapped
	matches []*regexp.Regexp // of lines that are logins
	others  []*regexp.Regexp // of lines that are known to be none
	whole   bool
	stamps  stamps
}

func newText(m Mapping, o Options) Parser {
	return &text{m: m, of: mapped{m: m, o: o, clock: o.clock()}, matches: wholeLines(m.Patterns), others: startsOf(m.Ignore), whole: m.timed()}
}

// timed reports whether a pattern has the time.
func (m Mapping) timed() bool {
	return slices.ContainsFunc(m.Patterns, func(p string) bool {
		is, err := regexp.Compile(p)
		return err == nil && is.SubexpIndex(groupTime) >= 0
	})
}

// wholeLines compiles patterns so that each is of all that it is held against.
// The campaign file's were compiled when it was read.
func wholeLines(patterns []string) (out []*regexp.Regexp) {
	for _, p := range patterns {
		out = append(out, regexp.MustCompile(`\A(?:`+p+`)\z`))
	}
	return out
}

// startsOf compiles patterns so that each is of all that it is held against,
// which is a line. Where a pattern ends with whatever may come, the rest of the
// line is not looked at.
func startsOf(patterns []string) (out []*regexp.Regexp) {
	for _, p := range patterns {
		if re, err := syntax.Parse(p, syntax.Perl); err == nil && re.Op == syntax.OpConcat {
			last := len(re.Sub) - 1
			if end := re.Sub[last]; end.Op == syntax.OpStar && (end.Sub[0].Op == syntax.OpAnyCharNotNL || end.Sub[0].Op == syntax.OpAnyChar) {
				re.Sub = re.Sub[:last]
				out = append(out, regexp.MustCompile(`\A(?:`+re.String()+`)`))
				continue
			}
		}
		out = append(out, wholeLines([]string{p})...)
	}
	return out
}

// Groups of a pattern.
const (
	groupAccount = "account"
	groupAddress = "address"
	groupTime    = "time"
	groupOutcome = "outcome"
	groupServer  = "server"
	groupMethod  = "method"
)

// ofText is a mapping whose columns are the groups of patterns.
func (m Mapping) ofText() Mapping {
	m.Account, m.Address, m.Outcome, m.Method = groupAccount, groupAddress, groupOutcome, groupMethod
	m.Server, m.Time = "", ""
	if m.timed() {
		m.Server, m.Time = groupServer, groupTime
	}
	return m
}

// matches reports whether one of them fits.
func matches(all []*regexp.Regexp, text []byte) bool {
	return len(text) <= longestMatched && slices.ContainsFunc(all, func(is *regexp.Regexp) bool { return is.Match(text) })
}

// match gives the groups of a text by their names.
func match(all []*regexp.Regexp, text []byte) (get func(string) string, ok bool) {
	if len(text) > longestMatched {
		return nil, false
	}
	for _, is := range all {
		at := is.FindSubmatchIndex(text)
		if at == nil {
			continue
		}
		return func(name string) string {
			i := is.SubexpIndex(name)
			if name == "" || i < 0 || at[2*i] < 0 {
				return ""
			}
			return string(bytes.TrimSpace(text[at[2*i]:at[2*i+1]]))
		}, true
	}
	return nil, false
}

// textLine is a line, taken apart.
type textLine struct {
	head    bool // it has that of a syslog
	of      syslogParts
	foreign bool                // another program's
	login   func(string) string // the groups of a login
	other   bool                // it is known to be none, or empty
}

type textCuts struct {
	p      *text
	all    []textLine
	stamps stamps
}

func (c *textCuts) Add(line []byte) { c.all = append(c.all, c.p.cut(line, &c.stamps)) }
func (c *textCuts) Reset()          { c.all = c.all[:0] }

// Cuts is that of Ahead.
func (p *text) Cuts() Cuts { return &textCuts{p: p} }

// Cut is that of Ahead.
func (p *text) Cut(of Cuts, i int, _ []byte, place event.Place) (Verdict, time.Time, error) {
	return p.line(&of.(*textCuts).all[i], place)
}

func (p *text) Line(line []byte, place event.Place) (Verdict, time.Time, error) {
	l := p.cut(line, &p.stamps)
	return p.line(&l, place)
}

// cut takes a line apart, for which it reads of p what never changes.
func (p *text) cut(line []byte, before *stamps) (l textLine) {
	text := line
	if !p.whole {
		if l.of, l.head = before.syslogOf(line); !l.head {
			return l
		}
		if l.foreign = !p.m.reads(string(l.of.program)); l.foreign {
			return l
		}
		text = l.of.text
	}
	if get, ok := match(p.matches, text); ok {
		l.login = get
		return l
	}
	l.other = p.whole && len(bytes.TrimSpace(line)) == 0 || matches(p.others, text)
	return l
}

// line reads a line, in its turn.
func (p *text) line(l *textLine, place event.Place) (Verdict, time.Time, error) {
	if p.whole {
		switch {
		case l.login != nil:
			return p.of.take(l.login, place)
		case l.other:
			return Read, time.Time{}, nil
		}
		return Unreadable, time.Time{}, nil
	}
	if !l.head {
		return Unreadable, time.Time{}, nil
	}
	at, err := p.of.clock.whole(l.of.at, l.of.has, place)
	switch {
	case err != nil:
		return Unreadable, time.Time{}, err
	case l.foreign:
		return Foreign, at, nil
	}
	if p.of.server != string(l.of.host) {
		p.of.server = string(l.of.host)
	}
	switch {
	case l.login != nil:
		p.of.login(l.login, at, place)
		return Read, at, nil
	case l.other:
		return Read, at, nil
	}
	return Unreadable, at, nil
}

// recognises reports whether a line is a login: nothing less says that a file
// is this log, for a pattern may be as wide as its writer made it.
func (m Mapping) recognisesText() func(line []byte) bool {
	matches, whole := wholeLines(m.Patterns), m.timed()
	return func(line []byte) bool {
		text := line
		if !whole {
			h, _, ok := cutSyslog(line)
			if !ok || !m.reads(h.program) {
				return false
			}
			text = h.text
		}
		get, ok := match(matches, text)
		if !ok || get(groupAccount) == "" || !slices.Contains(slices.Concat(m.Accepted, m.Refused, m.Locked), get(groupOutcome)) {
			return false
		}
		if !whole {
			return true
		}
		_, _, err := m.moment(get(groupTime))
		return err == nil
	}
}

// Server is the host of a line of syslog, or what the line before said.
func (p *text) Server() string { return p.of.server }

// Close ends it.
func (p *text) Close() {}
