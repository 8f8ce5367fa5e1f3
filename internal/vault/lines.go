package vault

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// spliced is a secret that stands in a text between two others. put writes a
// value as that place takes it, or reports that it cannot.
type spliced struct {
	before, after string
	put           func(secret string) (string, bool)
}

func (s spliced) around(secret string) (string, bool) {
	text, ok := s.put(secret)
	if !ok {
		return "", false
	}
	text = s.before + text + s.after
	back, w := locate(text)
	return text, w != nil && back == secret
}

// assigned is a line that gives a name a value, as env files, properties, INI,
// TOML and simple YAML write it: what stands before the value, the name, the
// sign, the value, the end.
var assigned = regexp.MustCompile(`^([ \t]*(?:export[ \t]+)?"?([A-Za-z_][A-Za-z0-9_.-]*)"?([ \t]*[=:][ \t]*))(.*?)([ \t]*)$`)

// aside is a line that sets nothing: blank, a comment, the name of a section,
// the start of a YAML document.
var aside = regexp.MustCompile(`^[ \t]*(?:$|[#;!]|\[[^\]]*\][ \t]*$|---[ \t]*$)`)

// lastWord is what a name with several words ends in: SMTP_PASS, ldap.bind.pw.
var lastWord = regexp.MustCompile(`[A-Za-z0-9]+$`)

// inLines finds the one secret among settings, a line each. Every line has to
// be understood, and one name alone has to be a secret's: which of two is meant
// the account could tell, by a wrong login for each.
func inLines(text string) (string, wrapping) {
	var found spliced
	secret, strict := "", 0
	for at := 0; at < len(text); {
		line, end := text[at:], ""
		if i := strings.IndexByte(line, '\n'); i >= 0 {
			line, end = line[:i], "\n"
			if strings.HasSuffix(line, "\r") {
				line, end = line[:i-1], "\r\n"
			}
		}
		from, next := at, at+len(line)+len(end)
		at = next
		if aside.MatchString(line) {
			continue
		}
		m := assigned.FindStringSubmatch(line)
		if m == nil || strings.ContainsRune(line, '\r') || strings.HasSuffix(line, `\`) {
			return "", nil
		}
		if !isSecretKey(m[2]) && !isSecretKey(lastWord.FindString(m[2])) || m[4] == "" {
			continue
		}
		if strict++; strict > 1 || deeper(text[next:], line) {
			return "", nil
		}
		s, value, rest, put := valueOf(m[4], m[3])
		if put == nil || len(m[2]) < 3 && m[4] == value && m[3] == "=" {
			return "", nil // "pw=…" may be the beginning of a password
		}
		secret = s
		found = spliced{text[:from] + m[1], rest + m[5] + end + text[next:], put}
	}
	if strict != 1 {
		return "", nil
	}
	return percentsOf(secret, found, text)
}

// deeper reports whether the next line that says something belongs to the value
// of this one, as YAML's values of several lines do.
func deeper(rest, line string) bool {
	indent := func(s string) int { return len(s) - len(strings.TrimLeft(s, " \t")) }
	for next := range strings.Lines(rest) {
		if next = strings.TrimRight(next, "\r\n"); !aside.MatchString(next) {
			return indent(next) > indent(line)
		}
	}
	return false
}

var (
	quotedValue = regexp.MustCompile(`^("[^"\\$` + "`" + `]+"|'[^'\\]+')([ \t]*(?:[ \t]#.*|[;,])?)$`)
	// plainValue is one that shells, dotenv files, properties and YAML read
	// alike.
	plainValue = regexp.MustCompile(`^([^\s"'#\\$` + "`" + `|>&*{}\[\]()<;,]+)((?:[ \t]+#.*)?)$`)
	// words are values of several words, which no shell takes; a name before
	// "=" or ":" would be another setting.
	words = regexp.MustCompile(`^([^\s"'#\\$` + "`" + `|>&*!%@{}\[\]()<;,][^"'#\\$` + "`" + `;,=]*[^\s"'#\\$` + "`" + `:;,=])$`)
	// safe are the values that are written without quotes: those which every
	// reader of such files takes as they stand. Python's configparser and
	// systemd expand "%", PHP's INI files compute with "~", "^", "!" and "=".
	safe = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+@/:-]*$`)
)

// valueOf reads what stands behind a setting's sign: the secret, its text, what
// follows it on the line, and how another one is written there. put is nil
// where readers may differ.
func valueOf(text, sign string) (secret, value, rest string, put func(string) (string, bool)) {
	if m := quotedValue.FindStringSubmatch(text); m != nil {
		return m[1][1 : len(m[1])-1], m[1], m[2], inQuotesOf(m[1][:1])
	}
	yamls := strings.Contains(sign, ": ") // without a blank YAML sees no name
	m := plainValue.FindStringSubmatch(text)
	if m == nil && yamls && words.MatchString(text) && !strings.Contains(text, ": ") {
		m = []string{text, text, ""}
	}
	if m == nil || yamls && !isYAML(m[1]) {
		return "", "", "", nil
	}
	return m[1], m[1], m[2], func(secret string) (string, bool) {
		return secret, safe.MatchString(secret) && (!yamls || isYAMLText(secret))
	}
}

// inQuotesOf writes a secret into quotes, if it needs no escape there that
// readers do not share: INI files expand "%" between quotes too.
func inQuotesOf(quote string) func(string) (string, bool) {
	return func(secret string) (string, bool) {
		ok := secret != "" && !strings.ContainsAny(secret, quote+"\\\r\n%") && (quote == "'" || !strings.ContainsAny(secret, "$`"))
		return quote + secret + quote, ok
	}
}

// isYAML reports whether YAML takes a value as it stands, as text or as another
// scalar.
func isYAML(value string) bool {
	n := yamlScalar(value)
	return n != nil && n.Value == value
}

// isYAMLText reports whether YAML takes it for text: 0123 and 1e5 would be
// numbers.
func isYAMLText(value string) bool {
	n := yamlScalar(value)
	return n != nil && n.Value == value && n.Tag == "!!str"
}

func yamlScalar(value string) *yaml.Node {
	var doc yaml.Node
	if yaml.Unmarshal([]byte("k: "+value), &doc) != nil || len(doc.Content) != 1 || len(doc.Content[0].Content) != 2 {
		return nil
	}
	if n := doc.Content[0].Content[1]; n.Kind == yaml.ScalarNode && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
		return n
	}
	return nil
}
