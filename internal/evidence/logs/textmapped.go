package logs

import (
	"bytes"
	"regexp"
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
}

func newText(m Mapping, o Options) Parser {
	return &text{m: m, of: mapped{m: m, o: o, clock: o.clock()}, matches: wholeLines(m.Patterns), others: wholeLines(m.Ignore), whole: m.timed()}
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

func (p *text) Line(line []byte, place event.Place) (Verdict, time.Time, error) {
	if p.whole {
		if get, ok := match(p.matches, line); ok {
			return p.of.take(get, place)
		}
		if _, ok := match(p.others, line); ok || len(bytes.TrimSpace(line)) == 0 {
			return Read, time.Time{}, nil
		}
		return Unreadable, time.Time{}, nil
	}
	h, has, ok := cutSyslog(line)
	if !ok {
		return Unreadable, time.Time{}, nil
	}
	at, err := p.of.clock.whole(h.at, has, place)
	if err != nil {
		return Unreadable, time.Time{}, err
	}
	if !p.m.reads(h.program) {
		return Foreign, at, nil
	}
	p.of.server = h.host
	if get, ok := match(p.matches, h.text); ok {
		p.of.login(get, at, place)
		return Read, at, nil
	}
	if _, ok := match(p.others, h.text); ok {
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
