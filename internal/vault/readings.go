package vault

import (
	"regexp"
	"slices"
	"strings"

	"rollcall/internal/credential"
)

// One text may be read in two ways: "password=x" is a setting, or a password
// that looks like one. The likelier reading is Live.Value, the other one
// Live.Other. Which is meant the account says, by accepting it before Set
// (internal/rotation/observe_readings.go); never more than two, for each that
// is wrong is a wrong login.

// maxOther is how long a text is at most that may be a password as a whole.
const maxOther = 128

// otherOf is the other reading of a field's text, of which secret and w are the
// first one.
func otherOf(text, secret string, w wrapping) (credential.Secret, wrapping) {
	whole := strings.TrimRight(text, "\r\n") // the end of a line is no password's
	if percents := otherPercents(w); percents != "" && once(percents, w) {
		return credential.NewSecret(percents), w
	}
	if p, is := w.(padded); is {
		if was, in := p.literally(secret); in != nil {
			return credential.NewSecret(was), in
		}
	}
	switch {
	case w == nil && len(whole) >= 8 && len(whole) < base64Least:
		// Too short to be taken for base64 by its looks.
		if s, around := outOfBase64(whole); around != nil && once(s, around) {
			return credential.NewSecret(s), padded{"", around, text[len(whole):]}
		}
	case w == nil, whole == secret, len(whole) > maxOther, strings.ContainsAny(whole, "\r\n"),
		strings.Contains(whole, "://"), strings.HasPrefix(strings.TrimSpace(whole), "{"):
	default:
		return credential.NewSecret(whole), nil
	}
	return credential.Secret{}, nil
}

// AsOther is l by its other reading.
func (l Live) AsOther() Live {
	if l.Other.IsZero() {
		return l
	}
	l.Value, l.around, l.taken = l.Other, l.other, true
	l.Within, l.Also = "", alsoIn(l.data, l.field, l.Value.Reveal())
	return l.AsValue()
}

// AsValue is l without its other reading.
func (l Live) AsValue() Live {
	l.Other, l.other = credential.Secret{}, nil
	return l
}

// Of is l as who knows names of the account reads it: what stands behind one of
// them ("svc:x") is the secret. users are names as the text has them.
func (l Live) Of(users []string) Live {
	if len(users) == 0 || l.data == nil || !l.Found || slices.Equal(users, l.users) {
		return l
	}
	out := liveTo(Entry{Version: l.Version, Written: l.Written, ends: l.Ends, Data: l.data}, l.field, users)
	out.Replaced, out.without = l.Replaced, l.without
	return out
}

// Like is l read as another version of the same secret was.
func (l Live) Like(other Live) Live {
	l.without = other.without
	l = l.Of(other.users)
	if other.taken {
		return l.AsOther()
	}
	return l
}

// twoPercents is a setting whose percent signs are all doubled: a reader that
// expands "%" (Python's configparser) takes "a%%b" for "a%b", another one as it
// stands. What is written has none, and means the same to both.
type twoPercents struct {
	spliced
	other string // the second reading
}

// section is the line with a section's name, which only INI files have.
var section = regexp.MustCompile(`(?m)^[ \t]*\[[^\]\r\n]+\][ \t]*\r?$`)

// percentsOf reads a setting by its percent signs, the likelier way first:
// among sections they are doubled because they have to be.
func percentsOf(secret string, in spliced, text string) (string, wrapping) {
	halved := strings.ReplaceAll(secret, "%%", "%")
	switch {
	case halved == secret, strings.Contains(strings.ReplaceAll(secret, "%%", ""), "%"):
		return secret, in // no such reader would take it
	case section.MatchString(text):
		return halved, twoPercents{in, secret}
	}
	return secret, twoPercents{in, halved}
}

// otherPercents is the second reading of such a setting, wherever that stands;
// empty if there is none.
func otherPercents(w wrapping) string {
	switch w := w.(type) {
	case twoPercents:
		return w.other
	case padded:
		return otherPercents(w.wrapping)
	case inside:
		return otherPercents(w.wrapping)
	case afterUser:
		rest, ok := strings.CutPrefix(otherPercents(w.in), w.before)
		if ok {
			return rest
		}
	}
	return ""
}
