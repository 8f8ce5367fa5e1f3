package judge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
)

// Bounds on a bundle of STIX, which is held whole.
const (
	maxBundle  = 64 << 20
	maxPattern = 1 << 20
	maxNested  = 64 // parentheses
)

// readSTIX takes the indicators of a bundle of STIX 2.1
// (https://docs.oasis-open.org/cti/stix/v2.1/): of their patterns those that
// compare addresses, networks and domains, one or several joined by OR. What
// patterns compare besides is counted by its type, and so are patterns of which
// only the whole means anything (AND, NOT, FOLLOWEDBY, what has a time).
func (x *Indicators) readSTIX(name string, in io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(in, maxBundle+1))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if len(text) > maxBundle {
		return fmt.Errorf("%s: a bundle of more than %d MiB: part it", name, maxBundle>>20)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	line := func(offset int64) string {
		return fmt.Sprintf("%s line %d", name, 1+bytes.Count(text[:min(int(offset), len(text))], []byte("\n")))
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	broken := func(err error) error {
		var syntax *json.SyntaxError
		if at := dec.InputOffset(); !errors.As(err, &syntax) {
			return fmt.Errorf("%s: %w", line(at), err)
		}
		return fmt.Errorf("%s: it is no JSON: %w", line(syntax.Offset), err)
	}
	if _, err := dec.Token(); err != nil { // {
		return broken(err)
	}
	isBundle := false
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return broken(err)
		}
		if key != "objects" {
			var value any
			if err := dec.Decode(&value); err != nil {
				return broken(err)
			}
			isBundle = isBundle || key == "type" && value == "bundle"
			continue
		}
		if open, err := dec.Token(); err != nil || open != json.Delim('[') {
			return broken(orSays(err, "objects is no list"))
		}
		for dec.More() {
			var o stixObject
			before := skipBlanks(text, dec.InputOffset())
			if err := dec.Decode(&o); err != nil {
				return broken(err)
			}
			if err := x.object(o, line(before+patternIn(text[before:dec.InputOffset()]))); err != nil {
				return err
			}
		}
		if _, err := dec.Token(); err != nil { // ]
			return broken(err)
		}
	}
	if _, err := dec.Token(); err != nil { // }
		return broken(err)
	}
	if !isBundle {
		return fmt.Errorf("%s: it is JSON, and no bundle of STIX 2.1", name)
	}
	return nil
}

func orSays(err error, says string) error {
	if err != nil {
		return err
	}
	return errors.New(says)
}

// skipBlanks is where the next object begins.
func skipBlanks(text []byte, at int64) int64 {
	rest := text[at:]
	return at + int64(len(rest)-len(bytes.TrimLeft(rest, " \t\r\n,")))
}

// patternIn is where in an object its pattern stands.
func patternIn(object []byte) int64 { return int64(max(0, bytes.Index(object, []byte(`"pattern"`)))) }

type stixObject struct {
	Type        string `json:"type"`
	Pattern     string `json:"pattern"`
	PatternType string `json:"pattern_type"`
	Revoked     bool   `json:"revoked"`
}

func (x *Indicators) object(o stixObject, at string) error {
	switch {
	case o.Type != "indicator":
		return nil // who, what and how they belong together
	case o.Revoked:
		x.LeftOut["revoked"]++
		return nil
	case o.PatternType != "" && o.PatternType != "stix":
		x.LeftOut["pattern of "+short(o.PatternType)]++
		return nil
	}
	if len(o.Pattern) > maxPattern {
		return fmt.Errorf("%s: a pattern of more than %d KiB", at, maxPattern>>10)
	}
	p := pattern{rest: o.Pattern}
	found, whole, err := p.read()
	switch {
	case err != nil:
		return fmt.Errorf("%s: the pattern %s: %w", at, short(o.Pattern), err)
	case !whole:
		x.LeftOut["pattern of several conditions"]++
		return nil
	}
	for _, c := range found {
		switch kind, _, _ := strings.Cut(c.path, ":"); {
		case slices.Contains(stixTaken, c.path):
			if err := x.add(c.value, kind, at); err != nil {
				return err
			}
		case slices.Contains(stixEnds, c.path) && isAddress(c.value):
			if err := x.add(c.value, kind, at); err != nil {
				return err
			}
		default:
			x.LeftOut[short(kind)]++
		}
	}
	return nil
}

// What is compared with an address, a network or a name.
var (
	stixTaken = []string{"ipv4-addr:value", "ipv6-addr:value", "domain-name:value"}
	stixEnds  = []string{"network-traffic:src_ref.value", "network-traffic:dst_ref.value"}
)

func isAddress(text string) bool {
	_, err := netip.ParseAddr(text)
	_, errNet := netip.ParsePrefix(text)
	return err == nil || errNet == nil
}

// pattern reads a pattern of STIX 2.1, section 9.
type pattern struct {
	rest  string
	token string // a word, or one of [ ] ( ) , = and other operators
	text  string // of a literal, without its quotes
	found []compared
	whole bool // each alternative by itself is what the pattern looks for
	deep  int
}

// compared is one comparison.
type compared struct{ path, value string }

// read is what a pattern compares. whole is false where it takes more than one
// of its comparisons to be met.
func (p *pattern) read() (found []compared, whole bool, err error) {
	p.whole = true
	if err := p.next(); err != nil {
		return nil, false, err
	}
	if err := p.observations(); err != nil {
		return nil, false, err
	}
	if p.token != "" {
		return nil, false, fmt.Errorf("%q is not expected", p.token)
	}
	return p.found, p.whole, nil
}

const literal = "'"

// next reads the next word or sign.
func (p *pattern) next() error {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	p.token, p.text = "", ""
	if p.rest == "" {
		return nil
	}
	switch c := p.rest[0]; {
	case c == '\'':
		return p.quoted()
	case strings.IndexByte("[](),", c) >= 0:
		p.token, p.rest = p.rest[:1], p.rest[1:]
	case strings.IndexByte("=!<>", c) >= 0:
		n := len(p.rest) - len(strings.TrimLeft(p.rest, "=!<>"))
		p.token, p.rest = p.rest[:n], p.rest[n:]
	default:
		return p.word()
	}
	return nil
}

func (p *pattern) quoted() error {
	var out strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '\\' && i+1 < len(p.rest):
			i++
			out.WriteByte(p.rest[i])
		case c == '\'':
			p.token, p.text, p.rest = literal, out.String(), p.rest[i+1:]
			return nil
		default:
			out.WriteByte(c)
		}
	}
	return errors.New("a quote has no end")
}

// word reads a word, or a path of an object, which may have quotes and brackets
// in it.
func (p *pattern) word() error {
	i := 0
	for i < len(p.rest) && strings.IndexByte(" \t\r\n](),=!<>", p.rest[i]) < 0 {
		switch p.rest[i] {
		case '\'':
			end := strings.IndexByte(p.rest[i+1:], '\'')
			if end < 0 {
				return errors.New("a quote has no end")
			}
			i += end + 1
		case '[':
			end := strings.IndexByte(p.rest[i:], ']')
			if end < 0 {
				return errors.New("a bracket has no end")
			}
			i += end
		}
		i++
	}
	if i == 0 {
		return fmt.Errorf("%q is not expected", p.rest[:1])
	}
	p.token, p.rest = p.rest[:i], p.rest[i:]
	return nil
}

func (p *pattern) take(token string) error {
	if p.token != token {
		return fmt.Errorf("%s is expected, and %q stands there", token, p.token)
	}
	return p.next()
}

// joined reads parts with AND, OR or FOLLOWEDBY between them.
func (p *pattern) joined(part func() error, words ...string) error {
	for {
		if err := part(); err != nil {
			return err
		}
		if !slices.Contains(words, p.token) {
			return nil
		}
		p.whole = p.whole && p.token != "AND" && p.token != "FOLLOWEDBY"
		if err := p.next(); err != nil {
			return err
		}
	}
}

// inner reads what stands in parentheses or brackets.
func (p *pattern) inner(open, closed string, what func() error) error {
	if p.deep++; p.deep > maxNested {
		return errors.New("too many parentheses")
	}
	defer func() { p.deep-- }()
	if err := p.take(open); err != nil {
		return err
	}
	if err := what(); err != nil {
		return err
	}
	return p.take(closed)
}

func (p *pattern) observations() error {
	return p.joined(func() (err error) {
		if p.token == "(" {
			err = p.inner("(", ")", p.observations)
		} else {
			err = p.inner("[", "]", p.comparisons)
		}
		for err == nil && slices.Contains([]string{"WITHIN", "REPEATS", "START", "STOP"}, p.token) {
			p.whole = false // and what stands behind it, to the next part
			for err == nil && p.token != "" && !slices.Contains([]string{"AND", "OR", "FOLLOWEDBY", ")"}, p.token) {
				err = p.next()
			}
		}
		return err
	}, "AND", "OR", "FOLLOWEDBY")
}

func (p *pattern) comparisons() error {
	return p.joined(func() error {
		if p.token == "(" {
			return p.inner("(", ")", p.comparisons)
		}
		return p.comparison()
	}, "AND", "OR")
}

func (p *pattern) comparison() error {
	if p.token == "NOT" || p.token == "EXISTS" {
		p.whole = false
		if err := p.next(); err != nil {
			return err
		}
	}
	path := p.token
	if !strings.Contains(path, ":") {
		return fmt.Errorf("%q is no path of an object", path)
	}
	if err := p.next(); err != nil {
		return err
	}
	if p.token == "NOT" {
		p.whole = false
		if err := p.next(); err != nil {
			return err
		}
	}
	how := p.token
	if how == "]" && !p.whole {
		return nil // EXISTS has no value
	}
	if !slices.Contains([]string{"=", "==", "!=", "<>", "<", ">", "<=", ">=", "IN", "LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET"}, how) {
		return fmt.Errorf("%q is no comparison", how)
	}
	if err := p.next(); err != nil {
		return err
	}
	value := func() error {
		if p.token == "" || strings.Contains("[](),", p.token) {
			return fmt.Errorf("a value is missing behind %s", how)
		}
		if c := (compared{path, p.text}); slices.Contains([]string{"=", "==", "IN", "ISSUBSET"}, how) {
			p.found = append(p.found, c)
		} else {
			p.found = append(p.found, compared{strings.TrimSuffix(path, "value") + how, ""})
		}
		return p.next()
	}
	if how == "IN" {
		return p.inner("(", ")", func() error { return p.joined(value, ",") })
	}
	return value()
}
