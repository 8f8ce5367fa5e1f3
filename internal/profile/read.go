package profile

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Sizes. A profile's lines go into the ledger, where an entry has 64 KiB.
const (
	maxFile  = 1 << 20
	maxLines = 150
	maxShort = 200 // bytes: what a line is
	maxText  = 600
)

// reader collects what is wrong with one file while it is walked.
type reader struct{ bad Mistakes }

func (r *reader) problem(line int, format string, args ...any) {
	r.bad.List = append(r.bad.List, Problem{line, fmt.Sprintf(format, args...)})
}

// parse reads YAML text as one mapping; nil if it is none, which is said.
func (r *reader) parse(text []byte) *yaml.Node {
	if len(text) > maxFile {
		r.problem(0, "is larger than %d MiB", maxFile>>20)
		return nil
	}
	var n yaml.Node
	err := yaml.Load(text, &n)
	var le *yaml.LoadError
	switch {
	case errors.As(err, &le):
		what := "not valid YAML"
		if !strings.ContainsAny(le.Message, "'\"`") { // it would quote the file
			what += ": " + strings.TrimPrefix(le.Message, "yaml: ")
		}
		r.problem(le.Mark.Line, "%s", what)
		return nil
	case err != nil || len(n.Content) != 1 || n.Content[0].Kind != yaml.MappingNode:
		r.problem(0, "must hold one YAML mapping (key: value)")
		return nil
	}
	return n.Content[0]
}

// object is one mapping of the file.
type object struct {
	r     *reader
	where string // for messages; empty at the top
	line  int
	keys  []string // in the order of the file
	vals  map[string]*yaml.Node
	at    map[string]int // line of each key
}

// object reads a node as a mapping with these keys; with none given, any.
func (r *reader) object(n *yaml.Node, where string, known ...string) object {
	o := object{r: r, where: where, vals: map[string]*yaml.Node{}, at: map[string]int{}}
	if n == nil {
		return o
	}
	o.line = n.Line
	if n.Kind != yaml.MappingNode {
		r.problem(n.Line, "%smust be a mapping (key: value)", o.prefix())
		return o
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		first, twice := o.at[k.Value]
		switch {
		case k.Kind != yaml.ScalarNode || !word.MatchString(k.Value):
			r.problem(k.Line, "%sa key must be a plain word", o.prefix())
		case twice:
			r.problem(k.Line, "%s%s is there twice, first on line %d", o.prefix(), k.Value, first)
		case k.Value == "mark" && slices.Contains(known, "grade"):
			r.problem(k.Line, "%smark is called grade by now, with the same letters: write grade", o.prefix())
		case len(known) > 0 && !slices.Contains(known, k.Value):
			r.problem(k.Line, "%sunknown key %s%s", o.prefix(), k.Value, meant(k.Value, known))
		default:
			o.keys = append(o.keys, k.Value)
			o.vals[k.Value], o.at[k.Value] = v, k.Line
		}
	}
	return o
}

var word = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// idForm is what lines, profiles and questions are called.
var idForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,47}$`)

func (o object) prefix() string {
	if o.where == "" {
		return ""
	}
	return o.where + ": "
}

func (o object) has(key string) bool { return o.vals[key] != nil }

func (o object) lineOf(key string) int {
	if at := o.at[key]; at > 0 {
		return at
	}
	return o.line
}

func (o object) problem(key, format string, args ...any) {
	o.r.problem(o.lineOf(key), "%s%s: %s", o.prefix(), key, fmt.Sprintf(format, args...))
}

// text is the value of a key, of most bytes at most; "" if it has none.
func (o object) text(key string, most int) string {
	v := o.vals[key]
	if v == nil {
		return ""
	}
	return o.scalar(key, v, most)
}

func (o object) scalar(key string, v *yaml.Node, most int) string {
	s := strings.TrimSpace(v.Value)
	switch {
	case v.Kind != yaml.ScalarNode || v.Tag == "!!null" || v.Tag == "!!bool":
		o.problem(key, "must be text")
		return ""
	case len(s) > most:
		o.problem(key, "is longer than %d bytes", most)
		return ""
	case !plain(s):
		o.problem(key, "has characters that do not print")
		return ""
	}
	return s
}

func plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) })
}

func (o object) required(key string, most int, why string) string {
	if !o.has(key) {
		o.problem(key, "missing: %s", why)
		return ""
	}
	before := len(o.r.bad.List)
	s := o.text(key, most)
	if s == "" && len(o.r.bad.List) == before {
		o.problem(key, "is empty: %s", why)
	}
	return s
}

// list is a list of texts, or one text.
func (o object) list(key string, most int) (out []string) {
	v := o.vals[key]
	switch {
	case v == nil:
	case v.Kind == yaml.SequenceNode:
		for _, item := range v.Content {
			if s := o.scalar(key, item, most); s != "" {
				out = append(out, s)
			}
		}
	default:
		if s := o.text(key, most); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// oneOf is one of words.
func oneOf[T ~string](o object, key string, words []T) T {
	s := o.text(key, maxShort)
	if s == "" {
		return ""
	}
	return among(o, key, s, words)
}

func among[T ~string](o object, key, s string, words []T) T {
	if !slices.Contains(words, T(s)) {
		names := make([]string, 0, len(words))
		for _, w := range words {
			names = append(names, string(w))
		}
		o.problem(key, "unknown word %s%s", shown(s), meant(s, names))
		return ""
	}
	return T(s)
}

// someOf are several of words.
func someOf[T ~string](o object, key string, words []T) (out []T) {
	for _, s := range o.list(key, maxShort) {
		if w := among(o, key, s, words); w != "" && !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	return out
}

// day reads a date, or a time as RFC 3339 has it.
func (o object) day(key string) time.Time {
	s := o.text(key, maxShort)
	if s == "" {
		return time.Time{}
	}
	for _, form := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(form, s); err == nil {
			return t.UTC()
		}
	}
	o.problem(key, "must be a date (2026-11-28) or a time (2026-11-28T15:04:05Z)")
	return time.Time{}
}

// number is a whole number from lo to hi, or def if the key is missing.
func (o object) number(key string, def, lo, hi int) int {
	v := o.vals[key]
	if v == nil {
		return def
	}
	n := 0
	if _, err := fmt.Sscanf(v.Value, "%d", &n); v.Kind != yaml.ScalarNode || err != nil || fmt.Sprint(n) != v.Value || n < lo || n > hi {
		o.problem(key, "must be a whole number from %d to %d", lo, hi)
		return def
	}
	return n
}

// shown makes a word of the file fit for a message.
func shown(s string) string {
	if word.MatchString(s) && len(s) <= 40 {
		return s
	}
	return "(of other characters)"
}

// meant says which word was probably meant, or which there are.
func meant(got string, words []string) string {
	best, near := 3, ""
	for _, w := range words {
		if d := Distance(got, w); d < best {
			best, near = d, w
		}
	}
	switch {
	case near != "":
		return "; did you mean " + near + "?"
	case len(words) > 20:
		return ""
	}
	return "; known: " + strings.Join(words, ", ")
}

// Distance is the Levenshtein distance in bytes of two words, for what a person
// may have meant; 64 for longer ones.
func Distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j]+1, row[j+1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
