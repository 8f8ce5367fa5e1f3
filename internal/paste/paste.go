// Package paste writes names from outside into commands that a person is to
// paste: whoever may name a secret, a task or a subscription must not have a
// word in what that person's shell runs.
package paste

import "strings"

// plain are the characters besides letters and digits that mean nothing to a
// shell, wherever they stand in a word.
const plain = "_./:@%+=-,"

// Shell is a word as a POSIX shell reads it back: as it is where it has plain
// characters alone, else in single quotes.
func Shell(word string) string {
	special := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(plain, r)
	}
	if word != "" && strings.IndexFunc(word, special) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// Last is Shell for the last word of a command. One that begins with a dash is
// no flag there.
func Last(word string) string {
	if strings.HasPrefix(word, "-") {
		return "-- " + Shell(word)
	}
	return Shell(word)
}

// SQL is the name of something in a statement (an identifier), in quotes: some
// mean something else without.
func SQL(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
