package vault

import (
	"encoding/base64"
	"encoding/hex"
	"html"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// more says why a value looks like more than a bare secret, or is empty: who
// reads it takes a part of it, or undoes a form of it. It is asked only of what
// an account refuses as it stands, for a password may look like anything;
// whatever is in doubt is more, because a bare value written over it would cut
// its readers off. plain: next to no random password looks so, which is worth
// saying before the account was asked.
func more(text string) (why string, plain bool) {
	text = strings.TrimRight(text, "\r\n") // the end of a line is the rotation's to try
	if text == "" {
		return "", false
	}
	if len(text) > longest {
		return "longer than a password is", true
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
		return "control characters or a byte order mark", true
	}
	var m []string
	if strings.ContainsAny(text, "=:;,|\t") {
		m = keyed.FindStringSubmatch(text)
	}
	if m != nil && (isSecretKey(m[1]) || isUserKey(m[1])) {
		return "a name before it", true
	}
	for _, look := range looks {
		if strings.ContainsAny(text, look.has) && look.form.MatchString(text) {
			return look.why, look.plain
		}
	}
	if m != nil {
		return "a name before it", false
	}
	if strings.ContainsFunc(text, unicode.IsSpace) {
		return "blanks", true
	}
	if html.UnescapeString(text) != text {
		return "HTML or XML escapes", false
	}
	if bare, err := url.PathUnescape(text); err == nil && bare != text {
		return "percent-encoding", false
	}
	if _, ok := decoded(text); ok {
		return "an encoding of text (base64 or hex)", true
	}
	return "", false
}

// longest is how many bytes a password has at most. No server of a directory
// keeps more (Active Directory 256 characters, PostgreSQL 1,000), and slapd
// ends the connection at 256 KiB before a login.
const longest = 4096

// looks are signs of a form, the most telling first. has are characters of
// which any text of the form has one: nearly every password is done with after
// a search for those.
var looks = []struct {
	why   string
	plain bool
	has   string
	form  *regexp.Regexp
}{
	{"a scheme of authentication before it", true, "\t\n\f\r ", regexp.MustCompile(`^(?i:basic|bearer|negotiate|digest|token|apikey)\s`)},
	{"quotes, brackets or braces around it", true, "\"'`“‘«<{[(", regexp.MustCompile("^([\"'`“‘«]).*[\"'`”’»],?$|^<.*>$|^\\{.*\\}$|^\\[.*\\]$|^\\(.*\\)$")},
	{"an address or a file's name", true, "/", regexp.MustCompile(`://|^(?:~|\.{1,2})?(?:/[\w.-]+){2}`)},
	{"a quote, bracket or brace at an end of it", false, "\"'`“‘«<({[”’»>)}],;", regexp.MustCompile("^[\"'`“‘«<({\\[]|[\"'`”’»>)}\\],;]$")},
	{"the mark of an encoded, encrypted or hashed value", false, "eH$!&@%(", regexp.MustCompile(`^(?:eyJ|H4sI|[$!&@%]\w+|\$[\w-]+\$|[A-Za-z]+\()`)},
	{"a doubled percent sign, which some readers take for one", false, "%", regexp.MustCompile(`%%`)},
	{"a backslash", false, `\`, regexp.MustCompile(`\\`)},
	{"a user's name before it", false, "@", regexp.MustCompile(`^[\pL_][\pL\pN_.-]*/[^@]+@`)},
}

// keyed is text after a name and a sign that commonly ends one.
var keyed = regexp.MustCompile(`^([\pL\pN_.@$%/+ -]*[\pL\pN_])\s*(?:=>|:=|[=:;,|\t])\s*[^=\s]`)

// tokens are what may be base64, in its usual and its URL alphabet (RFC 4648).
var tokens = regexp.MustCompile(`[A-Za-z0-9+/_-]{8,}={0,2}`)

var usualAlphabet = strings.NewReplacer("-", "+", "_", "/")

// decoded is the text that a value is the base64 or hex form of. Of random
// values next to none gives text.
func decoded(text string) (string, bool) {
	if len(text) < 8 {
		return "", false
	}
	if b, err := hex.DecodeString(text); err == nil {
		if plain, ok := printable(b); ok {
			return plain, true
		}
	}
	bare := usualAlphabet.Replace(strings.TrimRight(text, "="))
	if b, err := base64.RawStdEncoding.DecodeString(bare); err == nil {
		return printable(b)
	}
	return "", false
}

// printable is the text of some bytes, in UTF-8 or in the UTF-16LE of Windows.
func printable(b []byte) (string, bool) {
	if len(b) >= 4 && len(b)%2 == 0 {
		var narrow []byte
		for i := 0; i < len(b) && b[i+1] == 0; i += 2 {
			narrow = append(narrow, b[i])
		}
		if len(narrow) == len(b)/2 {
			b = narrow
		}
	}
	text := string(b)
	fit := utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) && !strings.ContainsRune("\r\n\t", r) })
	return text, fit && len(text) >= 4
}

// shows reports whether a secret can be read in a text: as it stands, or after
// the forms in which configurations write one are undone, some of them one
// within another.
func shows(text, secret string) bool { return showsIn(text, secret, 3) }

func showsIn(text, secret string, depth int) bool {
	if strings.Contains(text, secret) {
		return true
	}
	if depth == 0 {
		return false
	}
	views := []string{html.UnescapeString(text)}
	if strings.Contains(text, `\`) {
		views = append(views, unescaped(text))
	}
	if strings.Contains(text, "%") {
		views = append(views, percents.ReplaceAllStringFunc(text, percent))
	}
	parts := tokens.FindAllString(text, -1)
	if len(parts) != 1 || parts[0] != text {
		parts = append(parts, text)
	}
	for _, token := range parts {
		if plain, ok := decoded(token); ok {
			views = append(views, plain)
		}
	}
	for _, view := range views {
		if view != text && showsIn(view, secret, depth-1) {
			return true
		}
	}
	return false
}

var (
	percents = regexp.MustCompile(`(?:%[0-9A-Fa-f]{2})+`)
	escapes  = regexp.MustCompile(`\\(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|.)`)
)

func percent(form string) string {
	plain, err := url.PathUnescape(form)
	if err != nil {
		return form
	}
	return plain
}

// unescaped undoes a backslash as JSON, YAML, C and shells write it.
func unescaped(text string) string {
	return escapes.ReplaceAllStringFunc(text, func(form string) string {
		if len(form) > 2 && (form[1] == 'u' || form[1] == 'x') {
			if r, err := strconv.ParseUint(form[2:], 16, 16); err == nil {
				return string(rune(r))
			}
		}
		return form[1:]
	})
}
