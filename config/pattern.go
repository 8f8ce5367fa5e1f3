package config

import (
	"fmt"
	"path"
	"unicode/utf8"
)

// Matches reports whether a name is as a pattern says. Patterns are written as
// for path.Match, but names are no paths: * and ? take a slash too, which names
// of roles and principals have in them (HTTP/www@EXAMPLE.ORG).
func Matches(pattern, name string) (bool, error) {
	if _, err := path.Match(pattern, ""); err != nil {
		return false, fmt.Errorf("pattern %q: %w", pattern, err)
	}
	var want []string // a star, or what is one character
	for rest := pattern; rest != ""; {
		n := element(rest)
		want, rest = append(want, rest[:n]), rest[n:]
	}
	at, star, from := 0, -1, 0 // from: where the text of the last star ends, if all matches
	for i := 0; i < len(name) || at < len(want); {
		switch {
		case at < len(want) && want[at] == "*":
			star, from = at, i
			at++
			continue
		case at < len(want) && i < len(name):
			_, size := utf8.DecodeRuneInString(name[i:])
			if ok, _ := path.Match(want[at], name[i:i+size]); ok || want[at] == "?" {
				i, at = i+size, at+1
				continue
			}
		}
		if star < 0 || from >= len(name) {
			return false, nil
		}
		_, size := utf8.DecodeRuneInString(name[from:])
		from += size
		i, at = from, star+1
	}
	return true, nil
}

// element is the length of the first element of a pattern that is one.
func element(pattern string) int {
	_, size := utf8.DecodeRuneInString(pattern)
	switch pattern[0] {
	case '\\':
		_, escaped := utf8.DecodeRuneInString(pattern[1:])
		return 1 + escaped
	case '[':
		for size < len(pattern) && pattern[size] != ']' {
			if pattern[size] == '\\' {
				size++
			}
			size++
		}
		return size + 1
	}
	return size
}
