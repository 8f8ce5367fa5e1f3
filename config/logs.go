package config

import (
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Log says how a log of the operator's own is read: one login on each line of
// JSON or of text, or in each record of CSV.
type Log struct {
	Name      string `json:"name"`
	Line      int    `json:"line"` // of the campaign file
	Type      string `json:"type"`
	Separator string `json:"separator,omitempty"` // of CSV
	// Columns, or keys; what is behind a dot is in the object before it.
	Account string `json:"account,omitempty"`
	Address string `json:"address,omitempty"`
	Time    string `json:"time,omitempty"`
	Outcome string `json:"outcome,omitempty"`
	Server  string `json:"server,omitempty"`
	Method  string `json:"method,omitempty"`

	// Patterns of text, with groups in place of columns, and those of lines
	// that are no logins. Program is whose lines of a syslog they are.
	Patterns []string `json:"pattern,omitempty"`
	Ignore   []string `json:"ignore,omitempty"`
	Program  string   `json:"program,omitempty"`
	// WrittenByDevice: who held the device could write its lines too.
	WrittenByDevice bool `json:"written_by_device,omitempty"`

	Form string `json:"form"`
	// TimeFormat is rfc3339, unix, unix-ms, or a layout of Go's.
	TimeFormat string `json:"time_format"`
	// Values of Outcome.
	Accepted []string `json:"accepted"`
	Refused  []string `json:"refused,omitempty"`
	Locked   []string `json:"locked,omitempty"`
	// Only lines whose columns have one of these values are logins.
	Only map[string][]string `json:"only,omitempty"`
}

// Types of logs, and forms of their times.
const (
	LogCSV      = "csv"
	LogJSONL    = "jsonl"
	LogText     = "text"
	TimeRFC3339 = "rfc3339"
	TimeUnix    = "unix"
	TimeUnixMS  = "unix-ms"
)

// logs reads how logs of the operator's own are read (docs/evidence.md).
func (l *loader) logs(top fields) (out []Log) {
	all := l.mapping(top.vals["logs"], "logs")
	for _, name := range slices.Sorted(maps.Keys(all.vals)) {
		if !nameForm.MatchString(name) {
			all.problem(name, nameRule)
		}
		f := l.mapping(all.vals[name], "logs."+name, "type", "separator", "account", "form", "address", "time", "time_format", "outcome", "accepted", "refused", "locked", "server", "method", "only", "pattern", "ignore", "program", "written_by_device")
		out = append(out, f.logMapping(name))
	}
	return out
}

func (f fields) logMapping(name string) Log {
	m := Log{Name: name, Line: f.line,
		Type: f.oneOf("type", "", []string{LogCSV, LogJSONL, LogText}),
		Form: f.oneOf("form", "login", []string{"login", "dn", "vault-login"}), WrittenByDevice: f.boolean("written_by_device"),
	}
	if !f.has("type") {
		f.problem("type", "missing: %s, %s or %s", LogCSV, LogJSONL, LogText)
	}
	if m.Type == LogText {
		f.textLog(&m)
	} else {
		f.columns(&m)
	}
	if m.TimeFormat = f.str("time_format"); m.TimeFormat == "" {
		m.TimeFormat = TimeRFC3339
	}
	if !timeFormat(m.TimeFormat) {
		f.problem("time_format", "is %s, %s, %s, or 2 January 2006, 15:04:05 as the log would write it", TimeRFC3339, TimeUnix, TimeUnixMS)
	}
	said := map[string]string{}
	words := func(key string) []string {
		out := f.words(key)
		for _, w := range out {
			if before, ok := said[w]; ok {
				f.problem(key, "%s is in %s already", shown(w), before)
			}
			said[w] = key
		}
		return out
	}
	m.Accepted, m.Refused, m.Locked = words("accepted"), words("refused"), words("locked")
	if len(m.Accepted) == 0 {
		f.problem("accepted", "missing: list what stands in outcome where somebody was let in")
	}
	if m.Type == LogText {
		return m
	}
	only := f.l.mapping(f.vals["only"], f.at("only"))
	for _, key := range slices.Sorted(maps.Keys(only.vals)) {
		if m.Only == nil {
			m.Only = map[string][]string{}
		}
		if m.Only[key] = only.words(key); len(m.Only[key]) == 0 {
			only.problem(key, "list the values of lines that are logins")
		}
	}
	return m
}

// columns reads what columns or keys hold.
func (f fields) columns(m *Log) {
	m.Account = f.required("account", "name the column or key that holds who logged in")
	m.Time = f.required("time", "name the column or key that holds when")
	m.Outcome = f.required("outcome", "name the column or key that says whether he was let in")
	m.Address, m.Server, m.Method = f.str("address"), f.str("server"), f.str("method")
	m.Separator = f.separator(m.Type)
	for _, key := range []string{"pattern", "ignore", "program"} {
		if f.has(key) {
			f.problem(key, "is of type %s alone", LogText)
		}
	}
}

// timeFormat reports whether times of that form can be read.
func timeFormat(layout string) bool {
	if slices.Contains([]string{TimeRFC3339, TimeUnix, TimeUnixMS}, layout) {
		return true
	}
	at := time.Date(2022, 11, 28, 17, 36, 49, 0, time.UTC)
	got, err := time.Parse(layout, at.Format(layout))
	return err == nil && got.Month() == at.Month() && got.Day() == at.Day() && got.Hour() == at.Hour() && got.Minute() == at.Minute()
}

func (f fields) separator(kind string) string {
	s := f.str("separator")
	r, n := utf8.DecodeRuneInString(s)
	switch {
	case s == "":
		return ","
	case kind == LogJSONL:
		f.problem("separator", "has no meaning for %s; remove it", LogJSONL)
	case n != len(s) || strings.ContainsRune("\"\r\n\ufffd", r):
		f.problem("separator", "must be one character, and no quote")
	}
	return s
}

// words are the texts of a list.
func (f fields) words(key string) (out []string) {
	for _, n := range f.list(key) {
		if s, ok := f.l.text(n, f.at(key)); ok {
			out = append(out, s)
		}
	}
	return out
}
