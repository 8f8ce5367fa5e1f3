package vault

import (
	"regexp"
	"strings"
)

// pair is one key=value of a connection string, as in ODBC and ADO.NET
// ("Server=db;Pwd=x") and libpq ("host=db password=x"). from and to bound its
// value in the text, quotes included.
type pair struct {
	key, value string
	from, to   int
}

var (
	semicolons = regexp.MustCompile(`^\s*([A-Za-z][A-Za-z0-9 _-]*?)\s*=\s*("(?:[^"]|"")*"|'(?:[^']|'')*'|\{(?:[^}]|\}\})*\}|[^;]*)\s*(?:;|$)`)
	blanks     = regexp.MustCompile(`^\s*([a-z][a-z0-9_]*)\s*=\s*('(?:[^'\\]|\\.)*'|[^\s']*)(?:\s+|$)`)
)

// pairs reads all of text as key=value pairs, or nothing.
func pairs(text string) []pair {
	if !strings.Contains(text, "=") {
		return nil // most secrets, at no cost
	}
	if ps := pairsIn(text, blanks); len(ps) > 1 {
		return ps
	}
	return pairsIn(text, semicolons)
}

func pairsIn(text string, form *regexp.Regexp) []pair {
	var out []pair
	for at := 0; at < len(text); {
		m := form.FindStringSubmatchIndex(text[at:])
		if m == nil || m[1] == 0 {
			return nil
		}
		out = append(out, pair{
			key:   strings.ToLower(text[at+m[2] : at+m[3]]),
			value: text[at+m[4] : at+m[5]],
			from:  at + m[4], to: at + m[5],
		})
		at += m[1]
	}
	return out
}

// connects reports whether pairs name a server or a user, as a connection
// string does and a password that happens to hold "=" does not.
func connects(ps []pair) bool {
	for _, p := range ps {
		switch strings.NewReplacer(" ", "", "_", "", "-", "").Replace(p.key) {
		case "server", "host", "hostaddr", "datasource", "addr", "address", "driver", "dsn", "uid", "user", "username", "userid", "database", "dbname", "initialcatalog":
			return true
		}
	}
	return false
}

// pairSecret is the value of the one password among pairs.
type pairSecret struct {
	text     string
	from, to int
	libpq    bool
}

func inPairs(text string) (string, wrapping) {
	if strings.Count(text, "=") < 2 {
		return "", nil
	}
	if s, w := inPairsOf(text, blanks); w != nil {
		return s, w
	}
	return inPairsOf(text, semicolons)
}

func inPairsOf(text string, form *regexp.Regexp) (string, wrapping) {
	ps := pairsIn(text, form)
	if len(ps) < 2 || !connects(ps) {
		return "", nil
	}
	var found []pair
	for _, p := range ps {
		if isSecretKey(p.key) {
			found = append(found, p)
		}
	}
	if len(found) != 1 {
		return "", nil
	}
	w := pairSecret{text, found[0].from, found[0].to, form == blanks}
	secret := w.plain(found[0].value)
	if secret == "" {
		return "", nil
	}
	return secret, w
}

// plain takes the quotes off a value.
func (p pairSecret) plain(value string) string {
	if len(value) < 2 {
		return value
	}
	inner := value[1 : len(value)-1]
	switch {
	case p.libpq && value[0] == '\'':
		return regexp.MustCompile(`\\(.)`).ReplaceAllString(inner, "$1")
	case p.libpq:
		return value
	case value[0] == '"' && value[len(value)-1] == '"':
		return strings.ReplaceAll(inner, `""`, `"`)
	case value[0] == '\'' && value[len(value)-1] == '\'':
		return strings.ReplaceAll(inner, `''`, `'`)
	case value[0] == '{' && value[len(value)-1] == '}':
		return strings.ReplaceAll(inner, `}}`, `}`)
	}
	return value
}

func (p pairSecret) around(secret string) (string, bool) {
	quoted := secret
	switch old := p.text[p.from:p.to]; {
	case p.libpq && (strings.HasPrefix(old, "'") || strings.ContainsAny(secret, ` '\`)):
		quoted = "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(secret) + "'"
	case p.libpq:
	case strings.HasPrefix(old, "{"):
		quoted = "{" + strings.ReplaceAll(secret, "}", "}}") + "}"
	case strings.HasPrefix(old, "'"):
		quoted = "'" + strings.ReplaceAll(secret, "'", "''") + "'"
	case strings.HasPrefix(old, `"`), strings.ContainsAny(secret, ";'\"{} ="):
		quoted = `"` + strings.ReplaceAll(secret, `"`, `""`) + `"`
	}
	text := p.text[:p.from] + quoted + p.text[p.to:]
	form := semicolons
	if p.libpq {
		form = blanks
	}
	back, w := inPairsOf(text, form)
	return text, w != nil && back == secret
}
