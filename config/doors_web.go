package config

import (
	"net/url"
	"regexp"
	"strings"

	"rollcall/internal/door"
)

// fieldName is a token (RFC 9110, 5.6.2).
var fieldName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// doorHeader is the name of the field that the value is shown in.
func (f fields) doorHeader(as door.Auth) string {
	const form = "the name of the field that holds the value, for example X-Api-Key"
	if as != door.ByHeader {
		f.noUse("auth: header", "header")
		return ""
	}
	s := f.required("header", form)
	switch name := strings.ToLower(s); {
	case s == "":
	case !fieldName.MatchString(s):
		f.problem("header", "must be %s", form)
	case name == "authorization":
		f.problem("header", "holds more than the value: auth: basic or auth: bearer is what goes there")
	case name == "host" || name == "cookie" || name == "connection" || name == "content-length" || name == "transfer-encoding" || name == "user-agent":
		f.problem("header", "is a field of the request itself: %s", form)
	}
	return s
}

// noUse complains of keys that go with another one.
func (f fields) noUse(with string, keys ...string) {
	for _, key := range keys {
		if f.has(key) {
			f.problem(key, "goes with %s", with)
		}
	}
}

// doorForm is a login form, and how its answers are told apart.
func (f fields) doorForm(as door.Auth) *door.Form {
	if as != door.ByForm {
		f.noUse("auth: form", "form", "action", "success", "failure")
		return nil
	}
	out := &door.Form{Body: f.formBody(), Success: f.mark("success", "a good"), Failure: f.mark("failure", "a bad")}
	if f.has("action") {
		out.Action = f.doorPath("action")
	}
	if out.Success == out.Failure && out.Success != (door.Mark{}) {
		f.problem("failure", "is the same as success: a good login must be told from a bad one")
	}
	if m := out.Failure; m != (door.Mark{}) && m.Location == "" && m.Body == "" {
		f.problem("failure", "needs body or location: a page that asks for a second factor, or for a new password, has that status too, and says that the value was right")
	}
	return out
}

// formBody is the text of a form, in which no value stands.
func (f fields) formBody() string {
	const form = "what the form sends, with {login} and {value} in it, for example user={login}&password={value}"
	s := f.required("form", form)
	if s == "" {
		return ""
	}
	if strings.Count(s, "{value}") != 1 || strings.ContainsAny(strings.NewReplacer("{login}", "", "{value}", "").Replace(s), "{}") ||
		strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		f.problem("form", "must be %s", form)
		return ""
	}
	for pair := range strings.SplitSeq(s, "&") {
		name, value, found := strings.Cut(pair, "=")
		plain, err := url.QueryUnescape(name)
		if _, bad := url.QueryUnescape(value); err != nil || bad != nil || !found || name == "" {
			f.problem("form", "must be %s", form)
			return ""
		}
		if SecretName(plain) && value != "" && !strings.Contains(value, "{value}") {
			f.problem("form", "a secret may not be written into this file: {value} stands for it, and hidden fields of the page are sent along by themselves. If that value was a real secret, treat it as disclosed and change it")
			return ""
		}
	}
	return s
}

// mark is what tells one kind of answer.
func (f fields) mark(key, which string) (m door.Mark) {
	form := "what tells the answer to " + which + " login from others: one or more of status (a number), location (where a redirect leads: /path, or a URL; with * at the end for all that begin so) and body (a text in the page)"
	if !f.has(key) {
		f.problem(key, "missing: %s", form)
		return m
	}
	n := f.l.mapping(f.vals[key], f.at(key), "status", "location", "body")
	m = door.Mark{Status: n.integer("status", 0, 200, 499), Location: n.str("location"), Body: n.str("body")}
	switch {
	case m == (door.Mark{}):
		f.problem(key, "is empty: %s", form)
	case m.Location != "" && !strings.HasPrefix(m.Location, "/") && !strings.HasPrefix(m.Location, "https://") && !strings.HasPrefix(m.Location, "http://"):
		n.problem("location", "must be /path or a URL")
	}
	return m
}
