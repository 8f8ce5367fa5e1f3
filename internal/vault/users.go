package vault

import (
	"encoding/json"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// userKeys end the names under which secrets and documents keep whose password
// it is: user, smtp_user, LDAP_BIND_DN, spring.datasource.username.
var userKeys = []string{"user", "username", "userid", "uid", "login", "loginname", "account", "accountname", "dn", "principal", "serviceaccount"}

func isUserKey(name string) bool {
	name = strings.ToLower(noSigns.Replace(name))
	return slices.ContainsFunc(userKeys, func(end string) bool { return strings.HasSuffix(name, end) })
}

const (
	maxUsers     = 4096 // a list of all that a device knows is one secret
	maxUserBytes = 512  // a DN
)

// setting is a line of a .env file, of properties, of YAML or of an INI file.
var setting = regexp.MustCompile(`^\s*(?:export\s+|-\s+)?["']?([A-Za-z][\w. -]*?)["']?\s*[=:]\s*(.+?)\s*,?$`)

// Users are what the secret says of a user: in a field with such a name, in an
// address, a connection string or a document. Nobody vouches for it. It may be
// anything, a password that lies in the wrong field too: compare it, and do not
// print it.
func (l Live) Users() []string {
	found, _ := l.names()
	return found
}

// Said is a text of Users, and the field that has it.
type Said struct{ Field, Name string }

// Says are Users with their fields, sorted.
func (l Live) Says() (out []Said) {
	for _, key := range slices.Sorted(maps.Keys(l.data)) {
		u := users{}
		u.in(key, l.data[key])
		slices.Sort(u.found)
		for _, name := range slices.Compact(u.found) {
			out = append(out, Said{key, name})
		}
	}
	return out
}

// Custom is the secret's custom_metadata, where Vault tells it with the secret.
func (l Live) Custom(key string) string { return l.custom[key] }

// MayBeAsked reports whether an authority may be asked who is called so: what
// may be a password is not shown to one. Where the field of the password holds
// what is written as names are, the two may lie in each other's place; then
// only what next to no password looks like may be.
func (l Live) MayBeAsked(name string) bool {
	return nameShaped(name) && !l.holdsToo("", name) && (!l.exchanged(l.field) || dnForm.MatchString(name) || name == strings.ToLower(name))
}

// NameShaped reports whether a text is written as names of accounts are, and as
// hardly any password.
func NameShaped(text string) bool { return nameShaped(text) }

// nameShaped reports whether a text is written as names of accounts are, and as
// hardly any password: servers write into their logs what they are asked for.
// DOMAIN\name, a name or an address is words of letters with perhaps a number
// behind them, joined by signs; a DN is what its form says.
func nameShaped(text string) bool {
	if dnForm.MatchString(text) {
		return true
	}
	if domain, name, ok := strings.Cut(text, `\`); ok {
		return wordy(domain) && wordy(name)
	}
	if name, domain, ok := strings.Cut(text, "@"); ok {
		return wordy(name) && wordy(domain) && strings.Contains(domain, ".")
	}
	return wordy(strings.TrimSuffix(text, "$"))
}

var (
	dnForm    = regexp.MustCompile(`^[A-Za-z][\w-]*=[^,=+]+(, ?[A-Za-z][\w-]*=[^,=+]+)+$`)
	nameWords = regexp.MustCompile(`^\pL+\d*([._/-](\pL+\d*|\d+))*$`)
	nameSigns = regexp.MustCompile(`[._/-]`)
	digit     = regexp.MustCompile(`\d`)
)

// longestWord of a name; the name of a domain's account has no more in all.
const longestWord = 20

// wordy: no word of it is long, or has small letters, capitals and digits, as
// passwords have that must have some of each.
func wordy(text string) bool {
	return nameWords.MatchString(text) && !slices.ContainsFunc(nameSigns.Split(text, -1), func(w string) bool {
		return utf8.RuneCountInString(w) > longestWord || digit.MatchString(w) && w != strings.ToLower(w) && w != strings.ToUpper(w)
	})
}

var (
	nameRuns = regexp.MustCompile(`[\pL\pN]+`)
	nameRest = regexp.MustCompile(`^[\s.,:=@/\\_+$()*'-]*$`)
	digits   = regexp.MustCompile(`^\pN+$`)
)

// Repeatable reports whether a name from outside may be shown although nobody
// has vouched for it: nothing in it is written as passwords are that must have
// letters of both cases and digits, or other signs.
func Repeatable(text string) bool {
	return nameRest.MatchString(nameRuns.ReplaceAllString(text, "")) &&
		!slices.ContainsFunc(nameRuns.FindAllString(text, -1), func(run string) bool { return !digits.MatchString(run) && !wordy(run) })
}

// Tells reports whether a text beside the secret, such as its custom metadata,
// gives it away: it is what a field of it holds that looks like a credential
// (see Credentials), or has that within it, unless whole.
func (l Live) Tells(text string, whole bool, named func(name, value string) bool) bool {
	text = strings.TrimSpace(text)
	fields, _ := l.Credentials(named)
	return slices.ContainsFunc(fields, func(field string) bool {
		value, _ := l.data[field].(string)
		value = strings.TrimSpace(value)
		return value != "" && (value == text || !whole && len(value) >= telling && strings.Contains(text, value))
	})
}

// exchanged reports whether a field that should hold a password holds what is
// written as names are: then a user beside it may be the password.
func (l Live) exchanged(password string) bool {
	text, _ := l.data[password].(string)
	return nameShaped(strings.TrimSpace(text)) || password == l.field && nameShaped(strings.TrimSpace(l.Value.Reveal()))
}

// UserIn is what one field says of a user. Empty: it holds no text that could
// be a name, or it may be a password in the wrong place; why says which. It is
// not to be shown before an authority knows an account of that name.
func (l Live) UserIn(field string) (user, why string) {
	v, has := l.data[field]
	text, isText := v.(string)
	text = strings.TrimSpace(text)
	switch {
	case field == l.field:
		return "", "it is the field of the password"
	case l.data != nil && !has:
		return "", "the secret has no such field"
	case !isText, text == "", len(text) > maxUserBytes, strings.ContainsFunc(text, unicode.IsControl):
		return "", "it holds no name"
	case l.holdsToo(field, text):
		return "", "another field of the secret holds the same text, so that it may be a password"
	case !nameShaped(text):
		return "", "it is not written as names of accounts are, so that it may be a password"
	case l.exchanged(l.field):
		return "", "the password beside it is written as names are, so that the two may lie in each other's place"
	}
	return text, ""
}

// holdsToo reports whether a field that is not of a user holds a text.
func (l Live) holdsToo(but, text string) bool {
	for key, v := range l.data {
		if other, is := v.(string); key != but && is && !isUserKey(key) && strings.TrimSpace(other) == text {
			return true
		}
	}
	return l.Value.Reveal() == text && but != l.field
}

// Exchanged reports whether what a field of the password holds is written as
// names of accounts are, so that it and a name beside it may lie in each
// other's place.
func (l Live) Exchanged(password string) bool { return l.exchanged(password) }

// Named is Users without what may be a password: texts that a field that is not
// of a user holds as well, or that are not written as names of accounts are,
// and all of them where what the field of the password holds is.
func (l Live) Named(password string) []string {
	if l.exchanged(password) {
		return nil
	}
	return slices.DeleteFunc(l.Users(), func(text string) bool { return l.holdsToo("", text) || !nameShaped(text) })
}

// Others are the secret itself and what fields hold that are not of a user.
// Passwords are among them: compare them, and do not print them.
func (l Live) Others() []string {
	out := []string{l.Value.Reveal()}
	for key, v := range l.data {
		if text, is := v.(string); is && !isUserKey(key) {
			out = append(out, strings.TrimSpace(text))
		}
	}
	return out
}

// Settings are the names of what documents and settings in the secret's fields
// have a text for: one may be a list of accounts, with the password of each.
func (l Live) Settings() []string {
	_, settings := l.names()
	return settings
}

func (l Live) names() (found, settings []string) {
	u := users{}
	for key, v := range l.data {
		u.in(key, v)
	}
	slices.Sort(u.found)
	slices.Sort(u.names)
	return slices.Compact(u.found), slices.Compact(u.names)
}

type users struct{ found, names []string }

func (u *users) add(text string) {
	text = strings.TrimSpace(strings.Trim(strings.TrimSpace(text), `'"{}`))
	if text != "" && len(text) <= maxUserBytes && len(u.found) < maxUsers {
		u.found = append(u.found, text)
	}
}

func (u *users) in(key string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, below := range v {
			if _, ok := below.(string); ok {
				u.names = append(u.names, k)
			}
			u.in(k, below)
		}
	case []any:
		for _, below := range v {
			u.in(key, below)
		}
	case string:
		if isUserKey(key) {
			u.add(v)
		}
		u.inText(strings.TrimSpace(v))
	}
}

func (u *users) inText(text string) {
	var doc any
	if (strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[")) && json.Unmarshal([]byte(text), &doc) == nil {
		u.in("", doc)
		return
	}
	if isAddress(text) {
		u.inAddress(text)
		return
	}
	if strings.ContainsAny(text, "\r\n") {
		for line := range strings.Lines(text) {
			if m := setting.FindStringSubmatch(strings.TrimRight(line, "\r\n")); m != nil {
				u.names = append(u.names, m[1])
				u.in(m[1], strings.Trim(m[2], `'"`))
			}
		}
		return
	}
	found := pairs(text)
	for _, p := range found {
		if len(found) > 1 && isUserKey(p.key) {
			u.add(p.value)
		}
	}
}

// inAddress finds the userinfo (RFC 3986 section 3.2.1), and what drivers take
// as a query.
func (u *users) inAddress(text string) {
	_, rest, _ := strings.Cut(text, "//")
	rest, query, _ := strings.Cut(rest, "?")
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		user, _, _ := strings.Cut(rest[:at], ":")
		if plain, err := url.PathUnescape(user); err == nil {
			u.add(plain)
		}
	}
	for _, pair := range strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' }) {
		key, value, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(value); err == nil && isUserKey(key) {
			u.add(plain)
		}
	}
	for _, pair := range strings.Split(rest, ";")[1:] { // jdbc:sqlserver://host;user=x
		if key, value, _ := strings.Cut(pair, "="); isUserKey(key) {
			u.add(value)
		}
	}
}
