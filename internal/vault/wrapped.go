package vault

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"strings"
)

// inside is a secret in a text that stands in another one: JSON in base64, an
// address in quotes.
type inside struct {
	wrapping
	outer func(text string) (string, bool)
	kind  string
}

func (i inside) around(secret string) (string, bool) {
	text, ok := i.wrapping.around(secret)
	if !ok {
		return "", false
	}
	return i.outer(text)
}

func (i inside) within() string { return i.kind }

// part reads what was taken out of its wrapping: a bare secret, or a document
// of its own.
func part(text string) (string, wrapping) {
	if s, w := locate(text); w != nil {
		return s, w
	}
	if isDocument(strings.TrimSpace(text)) {
		return "", nil
	}
	end := text[len(strings.TrimRight(text, "\r\n")):] // as `echo x | base64` makes it
	return strings.TrimSuffix(text, end), padded{"", itself{}, end}
}

func inQuotes(text string) (string, wrapping) {
	m := quotedValue.FindStringSubmatch(text)
	if m == nil || m[2] != "" {
		return "", nil
	}
	s, w := part(m[1][1 : len(m[1])-1])
	if w == nil {
		return "", nil
	}
	return s, inside{w, inQuotesOf(m[1][:1]), "quotes"}
}

// basic is the value of an Authorization header (RFC 7617).
var basic = regexp.MustCompile(`^((?i:authorization:[ \t]*)?(?i:basic)[ \t]+)(\S+)$`)

func inBasic(text string) (string, wrapping) {
	m := basic.FindStringSubmatch(text)
	if m == nil {
		return "", nil
	}
	plain, in := encodings(m[2])
	if b, err := base64.StdEncoding.Strict().DecodeString(m[2]); err == nil {
		plain, in = string(b), alphabets{base64.StdEncoding} // as the standard has it
	}
	user, secret, found := strings.Cut(plain, ":")
	if !found || user == "" || secret == "" {
		return "", nil
	}
	if _, ok := printable([]byte(plain)); !ok {
		return "", nil
	}
	return secret, spliced{m[1], "", func(secret string) (string, bool) { return in.encode(user + ":" + secret) }}
}

// alphabets are those of base64 (RFC 4648) by which a text is what they would
// make of its bytes.
type alphabets []*base64.Encoding

// encode writes base64 in the form that was there. Where an older text does not
// show which alphabet it was written in, or whether a longer or a shorter one
// would be padded, only what is the same in all of them is certain.
func (a alphabets) encode(plain string) (string, bool) {
	text := ""
	for i, e := range a {
		now := e.EncodeToString([]byte(plain))
		if i > 0 && now != text {
			return "", false
		}
		text = now
	}
	return text, text != ""
}

// encodings reads base64. in is empty for what is none.
func encodings(text string) (plain string, in alphabets) {
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		b, err := e.Strict().DecodeString(text)
		if err == nil && len(b) > 0 && e.EncodeToString(b) == text {
			plain, in = string(b), append(in, e)
		}
	}
	return plain, in
}

// base64Least is how long base64 without padding is at least: a shorter one may
// be a password by chance.
const base64Least = 16

func inBase64(text string) (string, wrapping) {
	if len(text) < 8 || len(text) < base64Least && !strings.HasSuffix(text, "=") {
		return "", nil
	}
	return outOfBase64(text)
}

func outOfBase64(text string) (string, wrapping) {
	plain, in := encodings(text)
	if shown, ok := printable([]byte(plain)); !ok || shown != plain || len(in) == 0 {
		return "", nil // UTF-16 too is left as it is
	}
	s, w := part(plain)
	if w == nil {
		return "", nil
	}
	return s, inside{w, in.encode, "base64"}
}

// These are where the one password stands password among the parameters of an
// address, as JDBC drivers take it:
// "jdbc:postgresql://db/x?user=svc&password=p",
// "jdbc:sqlserver://db;user=svc;password=p".
var (
	query  = regexp.MustCompile(`^(?:jdbc:)?[A-Za-z][A-Za-z0-9+.-]*:(?:[a-z0-9]+:)?//[^?#@;]+\?[^?#;]+$`)
	mssql  = regexp.MustCompile(`^jdbc:(?:sqlserver|jtds:sqlserver)://[^?#@;]+(?:;[^?#;]*)+$`)
	params = regexp.MustCompile(`[?&;]([A-Za-z][A-Za-z0-9_.-]*)=([^&;]*)`)
	oracle = regexp.MustCompile(`^(jdbc:oracle:(?:thin|oci8?):[^/@:"]+/)([^/@"]+)(@[^"]+)$`)
)

func inQuery(text string) (string, wrapping) {
	if m := oracle.FindStringSubmatch(text); m != nil {
		return m[2], spliced{m[1], m[3], func(secret string) (string, bool) {
			return secret, secret != "" && !strings.ContainsAny(secret, `/@"`)
		}}
	}
	encodes := query.MatchString(text)
	if !encodes && !mssql.MatchString(text) {
		return "", nil
	}
	var at []int
	for _, m := range params.FindAllStringSubmatchIndex(text, -1) {
		if isSecretKey(text[m[2]:m[3]]) {
			if at != nil {
				return "", nil
			}
			at = m
		}
	}
	if at == nil || at[4] == at[5] {
		return "", nil
	}
	put := func(secret string) (string, bool) { return secret, !strings.ContainsAny(secret, "{};\"' \t") }
	secret := text[at[4]:at[5]]
	was := secret
	if encodes {
		plain, err := url.PathUnescape(secret)
		if err != nil || strings.Contains(secret, "+") {
			return "", nil // a blank to some readers
		}
		secret = plain
		put = func(secret string) (string, bool) {
			return strings.ReplaceAll(url.QueryEscape(secret), "+", "%20"), secret != ""
		}
	} else if strings.ContainsAny(secret, `{}"'`) {
		return "", nil
	}
	in := spliced{text[:at[4]], text[at[5]:], put}
	if encodes {
		return secret, inParameter{in, was}
	}
	return secret, in
}

// inParameter is a secret in the query of an address.
type inParameter struct {
	spliced
	was string
}

func (i inParameter) literal() (string, asItIs) { return i.was, asItIs{i.before, i.after} }
