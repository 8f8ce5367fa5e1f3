package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// loader collects problems while it walks the file, so that one run shows all
// of them.
type loader struct {
	dir     string // of the campaign file; other files are relative to it
	errs    Errors
	refused refusedSet // values already refused as secrets: no second message
	others  []error    // what is wrong with files that this one names

	profileNamed bool // there is a profile, if perhaps one that cannot be read

	forReading      bool     // see LoadForReading
	withoutEvidence bool     // a source of type evidence that cannot be read is no mistake
	evidenceLeftOut []string // why each such source is left out
}

func (l *loader) problem(line int, format string, args ...any) {
	l.errs.List = append(l.errs.List, Problem{line, fmt.Sprintf(format, args...)})
}

// parse reads YAML text into a node. A syntax error gives its line and the
// parser's words, unless those could carry text of the file.
func (l *loader) parse(text []byte) *yaml.Node {
	var n yaml.Node
	err := yaml.Load(text, &n)
	if err == nil && len(n.Content) == 1 {
		return n.Content[0]
	}
	line, what := 0, "the file must hold one YAML mapping"
	var le *yaml.LoadError
	if errors.As(err, &le) {
		line, what = le.Mark.Line, "not valid YAML"
		if !strings.ContainsAny(le.Message, "'\"`") {
			what += ": " + strings.TrimPrefix(le.Message, "yaml: ")
		}
		if le.ContextMark.Line > 0 && le.ContextMark.Line != line {
			what += fmt.Sprintf(" (in what begins on line %d)", le.ContextMark.Line)
		}
	}
	l.problem(line, "%s", what)
	return nil
}

// fields is one mapping of the file.
type fields struct {
	l     *loader
	where string // "directories.corp", for messages; empty at the top
	line  int
	vals  map[string]*yaml.Node
}

// mapping reads a node as a mapping with these keys; with no keys given, any
// key is allowed. A nil node is an empty mapping.
func (l *loader) mapping(n *yaml.Node, where string, keys ...string) fields {
	f := fields{l: l, where: where, vals: map[string]*yaml.Node{}}
	if n == nil || l.refused[n] {
		return f
	}
	f.line = n.Line
	if n.Kind != yaml.MappingNode {
		l.problem(n.Line, "%s: %s, but this must be a mapping (key: value)", orTop(where), kindOf(n))
		return f
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			l.problem(k.Line, "%s: a key must be a plain word", orTop(where))
			continue
		}
		if first, ok := f.vals[k.Value]; ok {
			l.problem(k.Line, "%s: duplicate key, it was set on line %d already", f.at(shown(k.Value)), first.Line)
			continue
		}
		if len(keys) > 0 && !slices.Contains(keys, k.Value) {
			if !l.refused[v] {
				l.problem(k.Line, "%s: unknown key%s", f.at(shown(k.Value)), hint(k.Value, keys))
			}
			continue
		}
		f.vals[k.Value] = v
	}
	return f
}

func (f fields) at(key string) string {
	if f.where == "" {
		return key
	}
	return f.where + "." + key
}

func (f fields) has(key string) bool { return f.vals[key] != nil }

// lineOf is the line of a key's value, or of the mapping if the key is missing.
func (f fields) lineOf(key string) int {
	if v := f.vals[key]; v != nil {
		return v.Line
	}
	return f.line
}

func (f fields) problem(key, format string, args ...any) {
	if f.l.refused[f.vals[key]] {
		return
	}
	f.l.problem(f.lineOf(key), "%s: %s", f.at(key), fmt.Sprintf(format, args...))
}

// scalar is the text of a key; "" when it is missing or was refused. Numbers
// and dates count as text, true and false do not.
func (f fields) scalar(key string) (string, bool) {
	v := f.vals[key]
	if v == nil || f.l.refused[v] {
		return "", false
	}
	return f.l.text(v, f.at(key))
}

func (l *loader) text(v *yaml.Node, where string) (string, bool) {
	switch {
	case l.refused[v]:
		return "", false
	case v.Kind != yaml.ScalarNode:
		l.problem(v.Line, "%s: %s, but this must be text", where, kindOf(v))
		return "", false
	case v.Tag == "!!null":
		l.problem(v.Line, "%s: has no value; give one or leave the key out", where)
		return "", false
	case v.Tag == "!!bool":
		l.problem(v.Line, "%s: must be text; put the word in quotes if it is meant as text", where)
		return "", false
	}
	return v.Value, true
}

func (f fields) str(key string) string {
	s, _ := f.scalar(key)
	return s
}

func (f fields) required(key, why string) string {
	if !f.has(key) {
		f.problem(key, "missing: %s", why)
		return ""
	}
	s, ok := f.scalar(key)
	if ok && s == "" {
		f.problem(key, "is empty: %s", why)
	}
	return s
}

func (f fields) boolean(key string) bool {
	v := f.vals[key]
	if v == nil {
		return false
	}
	if v.Kind != yaml.ScalarNode || v.Tag != "!!bool" {
		f.problem(key, "must be true or false")
		return false
	}
	return strings.EqualFold(v.Value, "true")
}

// integer is a whole number from lo to hi, or def when the key is missing.
func (f fields) integer(key string, def, lo, hi int) int {
	if !f.has(key) {
		return def
	}
	v := f.vals[key]
	n, err := strconv.Atoi(v.Value)
	if v.Kind != yaml.ScalarNode || err != nil || n < lo || n > hi {
		f.problem(key, "must be a whole number from %d to %d", lo, hi)
		return def
	}
	return n
}

func (f fields) duration(key string, def, lo, hi time.Duration) Duration {
	if !f.has(key) {
		return Duration(def)
	}
	s, ok := f.scalar(key)
	if !ok {
		return Duration(def)
	}
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		f.problem(key, "not a duration: write it like 90s, 5m or 4h")
		return Duration(def)
	case d < lo || d > hi:
		f.problem(key, "must be from %s to %s", Duration(lo), Duration(hi))
		return Duration(def)
	}
	return Duration(d)
}

// list is the items of a sequence.
func (f fields) list(key string) []*yaml.Node {
	v := f.vals[key]
	if v == nil || f.l.refused[v] {
		return nil
	}
	if v.Kind != yaml.SequenceNode {
		f.problem(key, "%s, but this must be a list (lines that start with \"- \")", kindOf(v))
		return nil
	}
	return v.Content
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "is a mapping"
	case yaml.SequenceNode:
		return "is a list"
	case yaml.AliasNode:
		return "is a YAML alias (write the value out)"
	}
	if n.Tag == "!!null" {
		return "has no value"
	}
	return "is a single value"
}

func orTop(where string) string {
	if where == "" {
		return "campaign file"
	}
	return where
}

var word = regexp.MustCompile(`^[A-Za-z0-9._-]{1,40}$`)

// shown makes a word from the file fit for a message: plain short words only,
// because anything else might be a secret in the wrong place.
func shown(s string) string { return Shown(s) }

// Shown is what a message may say of a word that somebody wrote.
func Shown(s string) string {
	if word.MatchString(s) {
		return s
	}
	return "(a word of other characters)"
}
