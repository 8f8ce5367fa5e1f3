package config

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// longestPattern bounds one of a log of text.
const longestPattern = 4096

// groups are the names that the groups of a pattern have.
var groups = []string{"account", "address", "time", "outcome", "server", "method"}

// textLog reads how the lines of a log of text are taken apart: each pattern is
// of a whole line, or of what stands behind the head of a syslog's, and its
// named groups are what columns are elsewhere.
func (f fields) textLog(m *Log) {
	for _, key := range []string{"account", "address", "time", "outcome", "server", "method", "separator", "only"} {
		if f.has(key) {
			f.problem(key, "has no meaning for %s: name it as a group of pattern, (?P<account>…)", LogText)
		}
	}
	m.Patterns, m.Ignore, m.Program = f.patterns("pattern"), f.patterns("ignore"), f.str("program")
	if !f.has("pattern") {
		f.problem("pattern", `missing: how a line of a login is written, as in '\[(?P<address>[^]]*)\] (?P<outcome>LOGIN|FAILED) (?P<account>.*)'`)
	}
	timed := 0
	for i, p := range m.Patterns {
		has := f.groups(p)
		for _, name := range []string{"account", "outcome"} {
			if !slices.Contains(has, name) {
				f.problem("pattern", "number %d has no group (?P<%s>…)", i+1, name)
			}
		}
		if slices.Contains(has, "time") {
			timed++
		} else if slices.Contains(has, "server") {
			f.problem("pattern", "number %d has a group server and none of time: it stands behind the head of a syslog, which names the server", i+1)
		}
	}
	switch {
	case timed > 0 && timed < len(m.Patterns):
		f.problem("pattern", "some have a group time, and are of whole lines, and some have none, and stand behind the head of a syslog: all have it, or none")
	case timed > 0 && f.has("program"):
		f.problem("program", "is of lines of a syslog, whose time stands in its head: leave the group time out of pattern")
	case timed == 0 && f.has("time_format"):
		f.problem("time_format", "is of a group time, which pattern has not got: the head of a syslog has the time")
	}
	if f.has("program") && (m.Program == "" || strings.ContainsAny(m.Program, " \t:[]")) {
		f.problem("program", "is the word before the colon of a syslog's lines, without its number: sshd of `sshd[77]:`")
	}
}

// patterns are one, or a list.
func (f fields) patterns(key string) (out []string) {
	if v := f.vals[key]; v != nil && v.Kind == yaml.ScalarNode {
		if s, ok := f.scalar(key); ok {
			out = []string{s}
		}
	} else {
		out = f.words(key)
	}
	return slices.DeleteFunc(out, func(p string) bool {
		_, err := regexp.Compile(p)
		if err == nil { // as it is read: \Q without \E takes what stands behind it
			_, err = regexp.Compile(`\A(?:` + p + `)\z`)
		}
		var of *syntax.Error
		switch {
		case p == "" || len(p) > longestPattern:
			f.problem(key, "must be a pattern of 1 to %d bytes", longestPattern)
		case errors.As(err, &of):
			f.problem(key, "cannot be read as a pattern: %s (https://pkg.go.dev/regexp/syntax)", of.Code)
		case err != nil:
			f.problem(key, "cannot be read as a pattern: %v", err)
		default:
			return false
		}
		return true
	})
}

// groups are the names of a pattern's groups.
func (f fields) groups(pattern string) (out []string) {
	for _, name := range regexp.MustCompile(pattern).SubexpNames() {
		switch {
		case name == "":
		case !slices.Contains(groups, name):
			f.problem("pattern", "has a group that is called %s%s", shown(name), hint(name, groups))
		default:
			out = append(out, name)
		}
	}
	return out
}
