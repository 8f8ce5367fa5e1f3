package vault

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"rollcall/internal/credential"
)

// Lead is a host to which a field of a secret sends whoever reads it.
type Lead struct{ Field, Host string }

// Leads are those of a secret, by host and field. A text may be taken
// for a host that is part of a password: compare them, and do not print them.
type Leads []Lead

// Leads are the hosts to which the secret sends whoever reads it: in an address
// with a scheme, where the name of a field or of a setting says that a host
// follows, and where a field holds nothing but an address or a full name. What
// stands where a host should and is written as none counts as one. Of the
// secret's own field what stands around the secret counts; notes, other secrets
// and the fields of Without lead nowhere. Hosts are in lower case, without
// port.
func (l Live) Leads() Leads {
	var out Leads
	for name, value := range l.data {
		own := slices.Contains((credential.Path{Field: l.field}).Fields(), name)
		if name == OwnerField || slices.Contains(l.without, name) {
			continue
		}
		if own {
			as := l
			if l.taken || len(l.users) > 0 { // whichever way it is read
				as = liveTo(Entry{Version: l.Version, Data: l.data}, l.field, nil)
			}
			around, ok := as.surroundings()
			if !ok || around == "" {
				continue
			}
			value = around
		}
		found := hosts{}
		found.in(name, value, own)
		for host := range found {
			out = append(out, Lead{name, host})
		}
	}
	slices.SortFunc(out, func(a, b Lead) int { return strings.Compare(a.Host+"\x00"+a.Field, b.Host+"\x00"+b.Field) })
	return out
}

// Quiet are the fields of the secret that hold something and have none of its
// leads.
func (l Live) Quiet(leads Leads) (out []string) {
	for name, value := range l.data {
		text := strings.ToLower(strings.TrimSpace(textOf(value)))
		if text != "" && !slices.Contains(noHosts, text) && !slices.ContainsFunc(leads, func(lead Lead) bool { return lead.Field == name }) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// Without is l of which those fields lead nowhere: they are other credentials'
// secrets, and change when those are rotated.
func (l Live) Without(fields []string) Live {
	l.without = fields
	return l
}

// Besides is a field with a host that is neither among was nor known; empty
// where there is none.
func (l Leads) Besides(was Leads, known func(host string) bool) (field string) {
	for _, lead := range l {
		if !known(lead.Host) && !slices.ContainsFunc(was, func(w Lead) bool { return w.Host == lead.Host }) {
			return lead.Field
		}
	}
	return ""
}

// Silenced is a field of which nobody can tell any more where it leads: it led
// to a host then, and is quiet by now. Empty where there is none.
func (l Leads) Silenced(was Leads, quiet []string) (field string) {
	for _, lead := range was {
		if slices.Contains(quiet, lead.Field) {
			return lead.Field
		}
	}
	return ""
}

// Unless are the leads to hosts that are not known.
func (l Leads) Unless(known func(host string) bool) (out Leads) {
	for _, lead := range l {
		if !known(lead.Host) {
			out = append(out, lead)
		}
	}
	return out
}

// But are the leads that are not of those fields.
func (l Leads) But(fields []string) (out Leads) {
	for _, lead := range l {
		if !slices.Contains(fields, lead.Field) {
			out = append(out, lead)
		}
	}
	return out
}

// byKey begins a digest that was made with a key. One of an earlier version has
// no such beginning.
const byKey = "k1:"

// Digest tells whether hosts are the same as before; empty where there are
// none. A host may be part of a password, so without the key nobody can tell
// what it is of. Nil: the digest of an earlier version, which is not to be
// kept.
func (l Leads) Digest(key []byte) string {
	if len(l) == 0 {
		return ""
	}
	h, begins, size := sha256.New(), "", 8
	if key != nil {
		h, begins, size = hmac.New(sha256.New, key), byKey, 16
	}
	for i, lead := range l {
		if i == 0 || lead.Host != l[i-1].Host {
			h.Write([]byte(lead.Host + "\x00"))
		}
	}
	return begins + hex.EncodeToString(h.Sum(nil)[:size])
}

// Keyed reports whether a digest was made with a key.
func Keyed(digest string) bool { return strings.HasPrefix(digest, byKey) }

// Same reports whether a digest, as it was kept, is of these hosts. With a key
// that is not the digest's it never is.
func (l Leads) Same(digest string, key []byte) bool {
	if !Keyed(digest) {
		key = nil
	}
	return l.Digest(key) == digest
}

const hostSettings = `(?:(?:^|[^a-z])ips?|hosts?|hostaddr|hostname|fqdn|servers?|nodes?|address(?:es)?|addr|endpoints?|urls?|uris?|relayhost|smarthost|kdc|peer|gateway)`

var (
	// What people write for each other, and what is a secret itself.
	// Addresses of what people read are among it, and other hosts are not.
	people    = regexp.MustCompile(`note|comment|descr|ticket|owner|remark|wiki|runbook|docs|(?:updated|generated|created)_`)
	toRead    = regexp.MustCompile(`(?:note|doc|wiki|runbook|comment|remark)s?_?(?:page_?)?(?:ur[li]s?|link)$`)
	secret    = regexp.MustCompile(`pass|pwd|secret|token|key$|psk|community|(?:^|[^a-z])pw|cred`)
	hostField = regexp.MustCompile(hostSettings + `[0-9]*$`)
	// The part of an address in which its hosts are, with a user before them.
	// Oracle's thin driver has no more than an @ before it. Each is looked for
	// by itself: in one expression a text could be read again from every match.
	addressed = regexp.MustCompile(`://+([^/?#\s"<>]*)`)
	thin      = regexp.MustCompile(`thin:[^@\s]*@(?://)?([^/?#\s"<>]*)`)
	// Addresses and settings in a list of hosts: what stands in them, up to
	// what divides a list, may be a password.
	noItem = regexp.MustCompile(`://+[^/?#\s"<>]*(?:/[^?#,;\s"<>]*)?(?:[?#][^\s,;]*)?|[^\s=/?#,;"]+=[^\s,;]*`)
	// A list, or one value, in quotes or not; a line of .netrc; the middle of
	// an element.
	hostSetting = regexp.MustCompile(hostSettings + `["']?\s*(?:[=:>]|\\?"\s*:)\s*(\[[^\[\]]*\]|"[^"]*"|'[^']*'|[^\s;&"'{}()<]+)`)
	netrc       = regexp.MustCompile(`(?:^|\s)(?:machine|nameserver|hostname|host)\s+(\S+)`)
	listItem    = regexp.MustCompile(`(?m)^\s*-\s+["']?([^\s"':]+(?::\d+)?)["']?\s*$`)
	pgpass      = regexp.MustCompile(`(?m)^([^:\s#]+):(?:\d+|\*):[^:\n]*:[^:\n]*:`)
	fullName    = regexp.MustCompile(`^(?:[\p{L}\p{N}]|[\p{L}\p{N}][\p{L}\p{N}-]*[\p{L}\p{N}])(?:\.(?:[\p{L}\p{N}]|[\p{L}\p{N}][\p{L}\p{N}-]*[\p{L}\p{N}])){2,}\.?(?::\d*)?$`)
	hostPort    = regexp.MustCompile(`^[^\s:]*\.[^\s:]+:\d+$`)
	lastLabel   = regexp.MustCompile(`\.[\p{L}][\p{L}-]*\.?$`)
	portEnd     = regexp.MustCompile(`:\d*$`)
	between     = regexp.MustCompile(`[,;\s"'\[\]]+`)
	bracketed   = regexp.MustCompile(`\[([0-9a-f:.]+(?:%[^\]]*)?)\]`)
	mostlyPort  = regexp.MustCompile(`^\d{1,5}$`)
)

// noHosts are words that settings have in place of one.
var noHosts = []string{"true", "false", "yes", "no", "none", "null", "on", "off", "auto", "default", "tcp", "ssl", "tls"}

// hosts are those that were found.
type hosts map[string]bool

// in looks through what a field, or a setting, of that name holds.
// Of own the name says nothing.
func (h hosts) in(name string, value any, own bool) {
	switch v := value.(type) {
	case map[string]any:
		for key, below := range v {
			h.in(key, below, false)
		}
	case []any:
		for _, below := range v {
			h.in(name, below, own)
		}
	case nil, bool:
	default:
		text := strings.TrimSpace(textOf(v))
		var doc any
		if strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
			d := json.NewDecoder(strings.NewReader(text))
			d.UseNumber()
			if d.Decode(&doc) == nil && !d.More() {
				h.in(name, doc, own)
				return
			}
		}
		name = strings.ToLower(name)
		if !own && (toRead.MatchString(name) || (people.MatchString(name) || secret.MatchString(name)) && !hostField.MatchString(name)) {
			return
		}
		h.inText(name, text)
	}
}

// settingSigns: each address with a scheme, each setting and each line of
// .netrc and .pgpass has one of these. Most passwords have none.
const settingSigns = "=:> \t\n\f\r"

func (h hosts) inText(name, written string) {
	text := strings.ToLower(written)
	if strings.ContainsAny(text, settingSigns) {
		for _, m := range slices.Concat(addressed.FindAllStringSubmatch(text, -1), thin.FindAllStringSubmatch(text, -1)) {
			// Readers differ in what a backslash ends.
			for _, part := range append([]string{m[1]}, strings.Split(m[1], `\`)...) {
				for _, word := range strings.Split(part[strings.LastIndex(part, "@")+1:], ",") {
					h.add(word)
				}
			}
		}
		for _, re := range []*regexp.Regexp{hostSetting, netrc, pgpass} {
			for _, m := range re.FindAllStringSubmatch(text, -1) {
				h.addAll(m[1])
			}
		}
	}
	switch isHost := hostField.MatchString(name); {
	case strings.Contains(text, "\n"):
		for _, m := range listItem.FindAllStringSubmatch(text, -1) {
			h.addAll(m[1])
		}
		for line := range strings.Lines(text) {
			// What is a setting has a name of its own.
			if first, _, _ := strings.Cut(strings.TrimSpace(line), " "); isHost && !strings.HasSuffix(first, ":") {
				h.addAll(noItem.ReplaceAllString(line, "://"))
			} else if isHost {
				h.addAll(first)
			}
		}
		return
	case isHost:
		h.addAll(noItem.ReplaceAllString(text, "://"))
		return
	}
	_, err := netip.ParseAddr(portEnd.ReplaceAllString(strings.Trim(text, "[]"), ""))
	switch {
	case strings.ContainsAny(text, "=<") || strings.Contains(text, "://"):
	case err == nil, !strings.Contains(text, "@") && lastLabel.MatchString(portEnd.ReplaceAllString(text, "")) && (fullName.MatchString(text) || hostPort.MatchString(text)):
		h.add(text)
	}
}

// addAll adds the words of a list, but for settings and addresses with a
// scheme. An IPv6 address may be in brackets, as lists are. Readers put what
// stands there into addresses of their own, and what follows a host then may be
// anything.
func (h hosts) addAll(list string) {
	rest := bracketed.ReplaceAllStringFunc(list, func(m string) string {
		h.add(m[1 : len(m)-1])
		return ""
	})
	for _, word := range between.Split(rest, -1) {
		if i := strings.IndexAny(word, "?#<"); i >= 0 {
			word = word[:i]
		}
		host, rest, _ := strings.Cut(strings.TrimLeft(word, `/\`), "/")
		scheme := strings.HasSuffix(host, ":") && strings.HasPrefix(rest, "/")
		if !scheme && !strings.Contains(host, "=") && !mostlyPort.MatchString(word) {
			h.add(word)
		}
	}
}

// add adds the host of a word: an address, a name, one with its port or with a
// path behind it. A word that is none is taken as it is, for whoever reads it
// may know what to do with it.
func (h hosts) add(word string) {
	if m := bracketed.FindStringSubmatch(word); m != nil && strings.HasPrefix(word, "[") {
		word = m[1]
	}
	word = strings.TrimPrefix(word, "tcp:")
	if addr, err := netip.ParseAddr(word); err == nil {
		h[addr.Unmap().String()] = true
		return
	}
	word = strings.TrimLeft(word, `/\`)
	if i := strings.IndexAny(word, `/\`); i >= 0 {
		word = word[:i]
	}
	word = word[strings.LastIndex(word, "@")+1:]
	word = portEnd.ReplaceAllString(word, "")
	if strings.Count(word, ":") > 0 {
		if _, err := netip.ParseAddr(word); err != nil {
			word, _, _ = strings.Cut(word, ":") // a service of Oracle's behind the port
		}
	}
	word = strings.TrimRight(strings.Trim(word, `"'()`), ".,")
	if addr, err := netip.ParseAddr(word); err == nil {
		word = addr.Unmap().String()
	}
	if strings.ContainsFunc(word, alphanumeric) && !slices.Contains(noHosts, word) {
		h[word] = true
	}
}

func alphanumeric(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
