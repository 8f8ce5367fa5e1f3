package vault

import (
	"encoding/json"
	"encoding/pem"
	"regexp"
	"slices"
	"strings"

	"rollcall/internal/credential"
)

// opening are texts that are credentials by their form, whatever they are
// called.
var opening = regexp.MustCompile(`^(?:(?i:authorization:\s*)?(?i:basic|bearer|token|apikey)\s+\S{8,}` +
	`|hv[sbr]\.\S{20,}|s\.[A-Za-z0-9]{24}|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|xox[a-z]-[\w-]{10,}|AKIA[0-9A-Z]{16}` +
	`|[sr]k_live_\w{16,}|AIza[\w-]{35}|SG\.[\w-]{16,}\.[\w-]{16,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*` +
	`|https://hooks\.slack\.com/services/\S+|https://(?:\w+\.)?discord(?:app)?\.com/api/webhooks/\S+)$`)

// leastOpening is the length of the shortest of these.
const leastOpening = len("basic ") + 8

var (
	// userinfo is a password in an address, wherever that stands.
	userinfo = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^/\s:@?#"']*:([^/\s@?#"']+)@`)
	// userAlone is an address with a user and no password, who may be a key.
	userAlone = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://[^/\s:@?#]+@`)
	// element is a text of XML, with its name.
	element = regexp.MustCompile(`<([A-Za-z][\w.:-]*)[^<>]*>([^<>]+)<`)
	// attribute is one of XML.
	attribute = regexp.MustCompile(`\s([A-Za-z][\w.:-]*)=["']([^"'<>]+)["']`)
)

// Credentials are the fields of the secret, sorted, that hold what looks like a
// credential: by its form, as an address with a password or a private key, or
// because named says so of its name and value, which may be those of a setting
// within a document. more: the field that l was read from holds one besides
// Value; false where that is not a bare secret.
func (l Live) Credentials(named func(name, value string) bool) (fields []string, more bool) {
	for name, v := range l.data {
		if name == OwnerField {
			continue
		}
		o := opens{named: named}
		o.in(name, v, 0)
		if len(o.found) == 0 {
			continue
		}
		fields = append(fields, name)
		if name == l.field && l.Problem == "" {
			more = slices.ContainsFunc(o.found, func(v string) bool { return !l.covers(v) })
		}
	}
	slices.Sort(fields)
	return fields, more
}

// covers reports whether a text is the secret of l, perhaps in another form.
func (l Live) covers(text string) bool {
	return slices.ContainsFunc([]credential.Secret{l.Value, l.Other}, func(s credential.Secret) bool {
		bare := strings.TrimRight(s.Reveal(), "\r\n")
		return bare != "" && (strings.HasSuffix(text, strings.TrimSpace(bare)) || len(bare) >= telling && len(text) < len(bare)+maxUser && shows(text, bare))
	})
}

// opens gathers values that look like credentials.
type opens struct {
	named func(name, value string) bool
	found []string
}

// mostNested bounds what is looked at within what.
const mostNested = 8

// plainly are names under which documents keep the value of what is called by
// the name above: "credentials": {"value": …}.
var plainly = []string{"value", "data", "text", "current", "content", "default", "plain", "plaintext"}

func (o *opens) in(name string, v any, depth int) {
	if depth > mostNested {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		for key, below := range v {
			if slices.Contains(plainly, strings.ToLower(key)) {
				key = name
			}
			o.in(key, below, depth+1)
		}
	case []any:
		for _, below := range v {
			o.in(name, below, depth+1)
		}
	case json.Number:
		o.byName(name, v.String())
	case string:
		o.inText(name, strings.TrimSpace(v), depth)
	}
}

func (o *opens) byName(name, value string) bool {
	is := name != "" && value != "" && (isSecretKey(name) && !nothing(value) || o.named(name, value))
	if is {
		o.found = append(o.found, value)
	}
	return is
}

// nothing reports whether a text says that there is no value, or is a switch.
func nothing(value string) bool {
	return slices.Contains([]string{"", "none", "null", "nil", "-", "true", "false", "yes", "no", "on", "off"}, strings.ToLower(value))
}

// inText looks at what a text is made of; only what is made of nothing else is
// taken by its name.
func (o *opens) inText(name, text string, depth int) {
	if depth > mostNested || text == "" {
		return
	}
	if len(text) >= leastOpening && opening.MatchString(text) || strings.Contains(text, "PRIVATE KEY-----") || strings.HasPrefix(text, "PuTTY-User-Key-File") {
		o.found = append(o.found, text)
		return
	}
	if b, _ := pem.Decode([]byte(text)); b != nil || strings.HasPrefix(text, "ssh-rsa ") || strings.HasPrefix(text, "ssh-ed25519 ") || strings.HasPrefix(text, "ecdsa-sha2-") {
		return // a certificate, a public key
	}
	var doc any
	if (strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[")) && json.Unmarshal([]byte(text), &doc) == nil {
		o.in(name, doc, depth+1)
		return
	}
	before := len(o.found)
	if strings.Contains(text, "://") {
		for _, m := range userinfo.FindAllStringSubmatch(text, -1) {
			o.found = append(o.found, m[1])
		}
	}
	o.inParts(text, depth)
	if len(o.found) > before || isAddress(text) && !userAlone.MatchString(text) || o.byName(name, text) {
		return
	}
	if plain, ok := decoded(text); ok && strings.ContainsAny(plain, ":={<") {
		o.inText("", strings.TrimSpace(plain), depth+1)
	}
}

// inParts looks at the settings, parameters and elements of a text.
func (o *opens) inParts(text string, depth int) {
	if m := oracle.FindStringSubmatch(text); m != nil {
		o.found = append(o.found, m[2])
	}
	if isAddress(text) {
		for _, m := range params.FindAllStringSubmatch(text, -1) {
			o.byName(m[1], m[2])
		}
		return
	}
	if strings.HasPrefix(text, "<") {
		for _, m := range append(element.FindAllStringSubmatch(text, -1), attribute.FindAllStringSubmatch(text, -1)...) {
			o.byName(m[1], strings.TrimSpace(m[2]))
		}
		return
	}
	if !strings.ContainsAny(text, "=:") {
		return
	}
	if all := pairs(text); len(all) > 1 {
		for _, p := range all {
			o.byName(p.key, strings.Trim(p.value, `'"{}`))
		}
		return
	}
	for line := range strings.Lines(text) {
		if m := setting.FindStringSubmatch(strings.TrimRight(line, "\r\n")); m != nil && !strings.Contains(m[1], " ") {
			o.inText(m[1], strings.TrimSpace(strings.Trim(m[2], `'"`)), depth+1)
		}
	}
}
