package postgres

import (
	"strings"
	"unicode/utf8"

	"github.com/xdg-go/stringprep"
	"golang.org/x/text/secure/precis"

	"rollcall/internal/credential"
)

// saslprep is RFC 4013 as PostgreSQL has it (src/common/saslprep.c): U+200B,
// which is in two tables, is a space.
var saslprep = func() stringprep.Profile {
	spaces := stringprep.Mapping{}
	for _, r := range "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u202f\u205f\u3000" {
		spaces[r] = []rune{' '}
	}
	p := stringprep.SASLprep
	p.Mappings = []stringprep.Mapping{spaces, stringprep.TableB1}
	return p
}()

// prepare gives what a server hashes of a password for SCRAM: SASLprep, or the
// bytes as they are where that refuses them.
func prepare(value string) string {
	if ascii(value) || !utf8.ValidString(value) {
		return value
	}
	out, err := saslprep.Prepare(value)
	if err != nil || out == "" {
		return value
	}
	return out
}

// survives reports whether the client library leaves a prepared value as it is.
// It applies another profile of its own (RFC 8265, OpaqueString), which does
// not do what servers do.
func survives(prepared string) bool {
	out, err := precis.OpaqueString.String(prepared)
	return err != nil || out == prepared
}

// CannotOffer says why a login from here cannot carry a value, or is empty: in
// clear text a value ends at a zero byte (it is a C string), and so does what
// the server prepares.
func CannotOffer(value credential.Secret) string {
	switch text := value.Reveal(); {
	case strings.ContainsRune(text, 0):
		return "no login can carry a zero byte"
	case !survives(prepare(text)):
		return "its characters (marks apart from their letters, beside some that are newer than Unicode 3.2) cannot be offered from here as the server takes them"
	}
	return ""
}

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 127 }) < 0
}
