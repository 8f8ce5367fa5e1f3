package vault

import (
	"regexp"
	"strings"
)

// "svc:hunter2" may be a password as it stands, or a user and a password; so
// may what stands in quotes, in base64 or in a document. It is taken for the
// latter where the name is one of the account's own, and the account has to
// accept the part (or all of it: Live.Other).

// afterUser is a secret behind the account's name.
type afterUser struct {
	before string // the name, the separator, and blanks around that
	in     wrapping
}

// separator is what stands between a user and a password; it begins with one of
// separators.
var separator = regexp.MustCompile(`^(?:[ \t]*[:/;,|#%][ \t]*|[ \t]+)`)

const separators = " \t:/;,|#%"

// behindUser takes one of the account's names and what separates it off a
// secret. in is what surrounds that.
func behindUser(secret string, in wrapping, users []string) (string, wrapping) {
	for _, user := range users {
		rest, begins := strings.CutPrefix(secret, user)
		sign := separator.FindString(rest)
		if !begins || user == "" || sign == "" {
			continue
		}
		rest = strings.TrimPrefix(rest, sign)
		bare := strings.TrimRight(rest, "\r\n")
		if in == nil && bare != rest { // the end of a line is kept as it is
			in, rest = lineEnd(rest[len(bare):]), bare
		}
		w := afterUser{user + sign, in}
		if rest != "" && !strings.ContainsAny(rest, " \t\r\n\"'") && once(rest, w) {
			return rest, w
		}
	}
	return secret, in
}

// around refuses what a reader may take for one more separator.
func (a afterUser) around(secret string) (string, bool) {
	if secret == "" || strings.ContainsAny(secret, ":/;,|#% \t\r\n\"'\\") {
		return "", false
	}
	if a.in == nil {
		return a.before + secret, true
	}
	return a.in.around(a.before + secret)
}

// lineEnd is what editors put behind a text.
type lineEnd string

func (l lineEnd) around(secret string) (string, bool) { return secret + string(l), true }

// maxUser is how long what may be a user's name is at most.
const maxUser = 256

// Before are what may be a user's name before the secret, each as the text has
// it. It may be a part of a password: compare it, and do not print it.
func (l Live) Before() (names []string) {
	text := l.Value.Reveal()
	for i := range text {
		if i > maxUser {
			break
		}
		if i > 0 && strings.IndexByte(separators, text[i]) >= 0 && separator.MatchString(text[i:]) && !separator.MatchString(text[i-1:i]) {
			names = append(names, text[:i])
		}
	}
	return names
}
