package config

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// checkFilter checks the syntax of an LDAP search filter (RFC 4515), so that
// a slip is found on the line where it was written and not in the middle of a
// listing. The error counts characters and quotes nothing.
func checkFilter(s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("not UTF-8; write other bytes as \\xx, each with two hex digits")
	}
	p := filterParser{s: s}
	if err := p.filter(0); err != nil {
		return err
	}
	if p.i != len(s) {
		return fmt.Errorf("text after the closing parenthesis, at character %d", p.i+1)
	}
	return nil
}

type filterParser struct {
	s string
	i int
}

func (p *filterParser) peek() byte {
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

func (p *filterParser) expect(c byte) error {
	if p.peek() != c {
		return fmt.Errorf("expected %q at character %d", c, p.i+1)
	}
	p.i++
	return nil
}

// deepest is far beyond what people write and keeps a hostile file off the
// stack.
const deepest = 100

func (p *filterParser) filter(depth int) error {
	if depth > deepest {
		return fmt.Errorf("nested deeper than %d", deepest)
	}
	if err := p.expect('('); err != nil {
		return err
	}
	switch p.peek() {
	case '&', '|':
		p.i++
		if p.peek() != '(' {
			return fmt.Errorf("an empty list of conditions at character %d", p.i+1)
		}
		for p.peek() == '(' {
			if err := p.filter(depth + 1); err != nil {
				return err
			}
		}
	case '!':
		p.i++
		if err := p.filter(depth + 1); err != nil {
			return err
		}
	default:
		if err := p.item(); err != nil {
			return err
		}
	}
	return p.expect(')')
}

// item is attribute, one of = >= <= ~= :=, and a value whose special
// characters are written as \xx.
func (p *filterParser) item() error {
	start := p.i
	for isAttribute(p.peek()) {
		p.i++
	}
	attr := p.s[start:p.i]
	if p.peek() == '>' || p.peek() == '<' || p.peek() == '~' {
		p.i++
	}
	if strings.Trim(attr, ":") == "" {
		return fmt.Errorf("expected an attribute name at character %d", start+1)
	}
	if strings.Contains(strings.TrimSuffix(attr, ":"), "::") {
		return fmt.Errorf("a matching rule without a name at character %d", start+1)
	}
	if err := p.expect('='); err != nil {
		return err
	}
	from := p.i
	for p.i < len(p.s) && p.s[p.i] != ')' {
		switch p.s[p.i] {
		case '(', 0:
			return fmt.Errorf("character %d must be written as \\%02x in a value", p.i+1, p.s[p.i])
		case '\\':
			if p.i+2 >= len(p.s) || !isHex(p.s[p.i+1]) || !isHex(p.s[p.i+2]) {
				return fmt.Errorf("the backslash at character %d must be followed by two hex digits", p.i+1)
			}
			p.i += 2
		}
		p.i++
	}
	if strings.HasSuffix(attr, ":") && p.i == from {
		return fmt.Errorf("no value at character %d", p.i+1)
	}
	return nil
}

func isAttribute(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == ';' || c == '.' || c == ':'
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
