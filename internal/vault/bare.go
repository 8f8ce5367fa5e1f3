package vault

import (
	"bytes"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// wrapping is what surrounds a secret in a field that holds more than it: a
// connection string, a JSON document. Nil surrounds nothing.
type wrapping interface {
	// around is the field's text with another secret in it, and all else as it
	// was.
	around(secret string) (string, bool)
}

// unwrap finds the secret in the text of a field. bare is false for a document
// in which it cannot be told which part is the secret: whoever replaced that as
// a whole would destroy the rest. Text with no structure is a bare secret; what
// looks like an odd one ("a;b", "x://y") is left to the account, which accepts
// it or not.
func unwrap(text string) (secret string, w wrapping, bare bool) {
	secret, w = locate(text)
	if w == nil {
		return text, nil, !isDocument(strings.TrimSpace(text))
	}
	if !once(secret, w) {
		return "", nil, false
	}
	return secret, w, true
}

// forms are what is known, in the order in which a text is held against them.
// Without a character of sign it is not that one, which spares nearly every
// password the rest.
var forms []form

type form struct {
	sign string
	in   func(text string) (string, wrapping)
}

func init() { // what is within one is held against all of them
	forms = []form{{"{", inJSON}, {"/", inURL}, {"/;", inQuery}, {"=:", inLines}, {";\r\n\t ", inPairs}, {`"'`, inQuotes}, {" \t", inBasic}, {"", inBase64}}
}

// byteOrderMark is the byte order mark that some editors put before a text.
const byteOrderMark = "\ufeff"

// locate is unwrap without a look at how often the secret is there. Of what a
// text may mean it takes one reading, by the text alone: each other one would
// be a wrong login. nil: none is certain.
func locate(text string) (secret string, w wrapping) {
	trimmed := strings.TrimSpace(strings.TrimPrefix(text, byteOrderMark))
	if trimmed == "" {
		return "", nil
	}
	at := strings.Index(text, trimmed)
	lead, trail := text[:at], text[at+len(trimmed):]
	for _, known := range forms {
		if known.sign != "" && !strings.ContainsAny(trimmed, known.sign) {
			continue
		}
		if s, w := known.in(trimmed); w != nil {
			return s, padded{lead, w, trail}
		}
	}
	if (lead != "" || strings.Trim(trail, "\r\n") != "") && !isDocument(trimmed) {
		return trimmed, padded{lead, itself{}, trail}
	}
	return "", nil // the end of a line is the rotation's to try
}

// another stands for a secret of which no part is in the one that is looked
// for.
const another = "0zKq7vPmX3"

// aroundAnother is a text with another secret in it; some take a secret of
// certain lengths only.
func aroundAnother(w wrapping) (text string, ok bool) {
	for _, more := range []string{"", "x", "xx"} {
		if text, ok = w.around(another + more); ok {
			break
		}
	}
	return text, ok
}

// once reports whether a document holds a secret in the one place that is
// known, so that none is left behind in another one.
func once(secret string, w wrapping) bool {
	rest, ok := aroundAnother(w)
	if !ok {
		return false
	}
	for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), strconv.Quote(secret)} {
		if len(secret) > 3 && strings.Contains(rest, strings.Trim(form, `"`)) {
			return false
		}
	}
	return !encodedToo(rest, secret) && (len(secret) < telling || !shows(rest, secret))
}

// encodedToo reports whether a text holds a secret once more in base64 or hex,
// alone or behind a name and a colon, as the auth of a registry's login does:
// so written, a short one is no chance either.
func encodedToo(text, secret string) bool {
	return slices.ContainsFunc(tokens.FindAllString(text, -1), func(token string) bool {
		plain, ok := decoded(token)
		plain = strings.TrimRight(plain, "\r\n")
		return ok && (plain == secret || strings.HasSuffix(plain, ":"+secret))
	})
}

// padded keeps the white space around a document.
type padded struct {
	lead string
	wrapping
	trail string
}

func (p padded) around(secret string) (string, bool) {
	text, ok := p.wrapping.around(secret)
	return p.lead + text + p.trail, ok
}

// within names what surrounds a secret that may be a part of it: who has an odd
// password has all of it there.
func (p padded) within() string {
	if in, ok := p.wrapping.(interface{ within() string }); ok {
		return in.within()
	}
	return ""
}

// itself is a secret with nothing but blanks around it.
type itself struct{}

func (itself) around(secret string) (string, bool) {
	_, w := locate(secret)
	return secret, secret != "" && w == nil && !isDocument(secret) && strings.TrimSpace(secret) == secret
}

func (itself) within() string { return "blanks or a byte order mark" }

// encoded is a secret in an address, where it stands percent-encoded. Who reads
// it may take that form as it is.
type encoded interface {
	// literal is that form, and what surrounds it.
	literal() (secret string, in asItIs)
}

// literally reads an address so: where that is another secret.
func (p padded) literally(secret string) (string, wrapping) {
	if e, is := p.wrapping.(encoded); is {
		if was, in := e.literal(); was != secret {
			return was, padded{p.lead, in, p.trail}
		}
	}
	return "", nil
}

// asItIs is the rest of an address in which the secret stands as it is.
type asItIs struct{ before, after string }

// unreserved are characters that nobody has to encode (RFC 3986 section 2.3).
var unreserved = regexp.MustCompile(`^[A-Za-z0-9._~-]+$`)

func (a asItIs) around(secret string) (string, bool) {
	text := a.before + secret + a.after
	back, w := locate(text)
	return text, unreserved.MatchString(secret) && w != nil && back == secret
}

// isDocument reports whether text has several lines or parts, or is an address.
func isDocument(text string) bool {
	if strings.ContainsAny(text, "\r\n") || strings.HasPrefix(text, "-----BEGIN ") || isAddress(text) {
		return true
	}
	if strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		if json.Valid([]byte(text)) {
			return true
		}
		var node yaml.Node
		if yaml.Unmarshal([]byte(text), &node) == nil && len(node.Content) == 1 {
			return node.Content[0].Kind == yaml.MappingNode && len(node.Content[0].Content) > 2
		}
	}
	return strings.Count(text, "=") > 1 && len(pairs(text)) > 1 && connects(pairs(text))
}

// secretKeys are the names under which documents keep a password.
var secretKeys = []string{"password", "passwd", "pwd", "pass", "pw", "secret", "bindpassword", "bindpw", "bindpasswd", "credentials", "secretid"}

// noSigns takes out of a name what people write in it one way or another.
var noSigns = strings.NewReplacer("_", "", "-", "", ".", "", " ", "")

func isSecretKey(name string) bool {
	name = strings.ToLower(noSigns.Replace(name))
	return slices.Contains(secretKeys, name) || strings.HasSuffix(name, "password")
}

// schemes begin an address (RFC 3986 section 3.1). A password that begins so is
// rare, and left open rather than an address overwritten.
var schemes = regexp.MustCompile(`^(?i:jdbc:[a-z0-9]+:|[a-z][a-z0-9+.-]*:)//\S`)

func isAddress(text string) bool { return strings.Contains(text, "://") && schemes.MatchString(text) }

// urlSecret is the userinfo's password of an address (RFC 3986 section 3.2.1).
type urlSecret struct{ before, was, after string }

var urlForm = regexp.MustCompile(`^((?:jdbc:)?[A-Za-z][A-Za-z0-9+.-]*:(?:[a-z0-9]+:)?//[^/?#@:]*:)([^/?#]+)(@[^/?#@]+(?:[/?#].*)?)$`)

func inURL(text string) (string, wrapping) {
	if !strings.Contains(text, "://") {
		return "", nil
	}
	m := urlForm.FindStringSubmatch(text)
	if m == nil || strings.Count(text, "://") > 1 {
		return "", nil
	}
	if _, query, has := strings.Cut(m[3], "?"); has {
		for _, pair := range strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' }) {
			if key, _, _ := strings.Cut(pair, "="); isSecretKey(key) {
				return "", nil // which of the two counts is the reader's choice
			}
		}
	}
	secret, err := url.PathUnescape(m[2])
	if err != nil || secret == "" {
		return "", nil
	}
	return secret, urlSecret{m[1], m[2], m[3]}
}

func (u urlSecret) around(secret string) (string, bool) {
	text := u.before + strings.ReplaceAll(url.QueryEscape(secret), "+", "%20") + u.after
	back, w := inURL(text)
	return text, w != nil && back == secret
}

func (u urlSecret) literal() (string, asItIs) { return u.was, asItIs{u.before, u.after} }

// jsonSecret is the one string below a secret's name in a JSON object.
type jsonSecret struct{ text, at string } // at: a JSON pointer (RFC 6901)

func inJSON(text string) (string, wrapping) {
	if !strings.HasPrefix(text, "{") {
		return "", nil
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var doc map[string]any
	if d.Decode(&doc) != nil || d.More() {
		return "", nil
	}
	var places, values []string
	findSecrets(doc, "", &places, &values)
	if len(places) != 1 || values[0] == "" {
		return "", nil
	}
	if repeats(text) {
		return "", nil // one name twice: which one counts is the reader's choice
	}
	return values[0], jsonSecret{text, places[0]}
}

func findSecrets(v any, at string, places, values *[]string) {
	switch v := v.(type) {
	case map[string]any:
		for key, below := range v {
			here := at + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
			if isSecretKey(key) {
				s, _ := below.(string) // one that is no text makes it unknown which is meant
				*places, *values = append(*places, here), append(*values, s)
			}
			findSecrets(below, here, places, values)
		}
	case []any:
		for _, below := range v {
			before := len(*places)
			findSecrets(below, at+"/-", places, values)
			if len(*places) > before {
				// Which element is the account's cannot be told.
				*places, *values = append(*places, at), append(*values, "")
			}
		}
	}
}

// repeats reports whether an object of a JSON document has one name twice.
func repeats(text string) bool {
	var node yaml.Node // YAML's parser keeps what encoding/json drops
	if yaml.Unmarshal([]byte(text), &node) != nil {
		return true
	}
	return repeated(&node)
}

func repeated(n *yaml.Node) bool {
	if n.Kind == yaml.MappingNode {
		seen := map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if seen[n.Content[i].Value] {
				return true
			}
			seen[n.Content[i].Value] = true
		}
	}
	return slices.ContainsFunc(n.Content, repeated)
}

// around replaces the bytes of that one string, so that order, blanks and
// numbers stay.
func (j jsonSecret) around(secret string) (string, bool) {
	from, to, ok := spanOf(j.text, j.at)
	if !ok {
		return "", false
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(secret) != nil {
		return "", false
	}
	text := j.text[:from] + strings.TrimSuffix(b.String(), "\n") + j.text[to:]
	back, w := inJSON(text)
	return text, w != nil && back == secret
}

// spanOf finds where in the text of a JSON document the value at a pointer
// lies.
func spanOf(text, pointer string) (from, to int, ok bool) {
	d := json.NewDecoder(strings.NewReader(text))
	var walk func(at string) bool
	walk = func(at string) bool {
		tok, err := d.Token()
		if err != nil {
			return false
		}
		delim, nested := tok.(json.Delim)
		if !nested {
			return true
		}
		for d.More() {
			here := at + "/-"
			if delim == '{' {
				key, err := d.Token()
				name, isName := key.(string)
				if err != nil || !isName {
					return false
				}
				here = at + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
			}
			if here == pointer {
				start := int(d.InputOffset())
				if !walk(here) {
					return false
				}
				to = int(d.InputOffset())
				from = start + strings.IndexByte(text[start:to], '"')
				ok = from >= start
				continue
			}
			if !walk(here) {
				return false
			}
		}
		_, err = d.Token()
		return err == nil
	}
	return from, to, walk("") && ok
}
