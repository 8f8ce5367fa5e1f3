package vault

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"rollcall/internal/credential"
)

// Lead is a host to which a field of a secret sends whoever reads it.
type Lead struct{ Field, Host string }

// Leads are those of a secret, by host, without repeats. A text may be taken
// for a host that is part of a password: compare them, and do not print them.
type Leads []Lead

// Leads are the hosts to which the secret sends whoever reads it: in an address
// with a scheme, where the name of a field or of a setting says that a host
// follows, and where a field holds nothing but an address or a full name. Of
// the secret's own field what stands around the secret counts. Hosts are in
// lower case, without port.
func (l Live) Leads() Leads {
	var out Leads
	for name, value := range l.data {
		text := textOf(value)
		if name == OwnerField {
			continue
		}
		if slices.Contains((credential.Path{Field: l.field}).Fields(), name) {
			around, ok := l.surroundings()
			if !ok || around == "" {
				continue
			}
			text = around
		}
		for _, host := range hostsIn(name, text) {
			out = append(out, Lead{name, host})
		}
	}
	slices.SortFunc(out, func(a, b Lead) int { return strings.Compare(a.Host+"\x00"+a.Field, b.Host+"\x00"+b.Field) })
	return slices.CompactFunc(out, func(a, b Lead) bool { return a.Host == b.Host })
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

// Digest tells whether hosts are the same as before; empty where there are
// none.
func (l Leads) Digest() string {
	if len(l) == 0 {
		return ""
	}
	h := sha256.New()
	for _, lead := range l {
		h.Write([]byte(lead.Host + "\x00"))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

const hostSettings = `(?:(?:^|[^a-z])ips?|hosts?|hostaddr|hostname|fqdn|servers?|nodes?|address(?:es)?|addr|endpoints?|urls?|uris?|source|target|relay(?:host)?|smarthost|kdc|brokers?|proxy|peer|gateway|registry|upstream|backend)`

var (
	hostField = regexp.MustCompile(hostSettings + `$`)
	// The part of an address in which its hosts are, with a user before them.
	addressed = regexp.MustCompile(`(?:://|@//)([^/?#\s"'<>\\)]*)`)
	// A list, or one value, in quotes or not.
	hostSetting = regexp.MustCompile(hostSettings + `["']?\s*[=:]\s*(\[[^\]]*\]|"[^"]*"|'[^']*'|[^\s;&"'{}()]+)`)
	hostName    = regexp.MustCompile(`^[a-z0-9_](?:[a-z0-9._-]*[a-z0-9])?$`)
	fullName    = regexp.MustCompile(`\.[a-z][a-z-]*[a-z]$`)
	portEnd     = regexp.MustCompile(`:\d+$`)
	between     = regexp.MustCompile(`[,;\s"'\[\]]+`)
	bracketed   = regexp.MustCompile(`\[([0-9a-f:.]+(?:%[^\]]*)?)\]`)
)

// noHosts are words that settings have in place of one.
var noHosts = []string{"true", "false", "yes", "no", "none", "null", "on", "off", "auto", "default", "tcp", "ssl", "tls"}

// hostsIn are the hosts of a field.
func hostsIn(name, text string) (out []string) {
	whole := strings.TrimSpace(text)
	lower := strings.ToLower(whole)
	add := func(word string) {
		if host := hostOf(word); host != "" {
			out = append(out, host)
		}
	}
	for _, m := range addressed.FindAllStringSubmatch(lower, -1) {
		at := m[1][strings.LastIndex(m[1], "@")+1:]
		for _, word := range strings.Split(at, ",") {
			add(word)
		}
	}
	for _, m := range hostSetting.FindAllStringSubmatch(lower, -1) {
		for _, word := range inList(m[1]) {
			add(word)
		}
	}
	switch {
	case hostField.MatchString(strings.ToLower(name)):
		for _, word := range inList(lower) {
			add(word)
		}
	case whole == lower || whole == strings.ToUpper(whole):
		host := hostOf(lower)
		if _, err := netip.ParseAddr(host); err == nil || fullName.MatchString(host) {
			out = append(out, host)
		}
	}
	return out
}

// inList are the words of a list. An IPv6 address may be in brackets, as lists
// are.
func inList(list string) []string {
	var out []string
	rest := bracketed.ReplaceAllStringFunc(list, func(m string) string {
		out = append(out, m[1:len(m)-1])
		return ""
	})
	return append(out, between.Split(rest, -1)...)
}

// hostOf is the host of a word in lower case: an address, a name, one with its
// port; empty for anything else.
func hostOf(word string) string {
	word = strings.TrimPrefix(strings.TrimSpace(word), "tcp:")
	if m := bracketed.FindStringSubmatch(word); m != nil && strings.HasPrefix(word, "[") {
		word = m[1]
	}
	if addr, err := netip.ParseAddr(word); err == nil {
		return addr.Unmap().String()
	}
	word, _, _ = strings.Cut(word, `\`) // an instance of SQL Server
	word = strings.TrimSuffix(portEnd.ReplaceAllString(word, ""), ".")
	if addr, err := netip.ParseAddr(word); err == nil {
		return addr.Unmap().String()
	}
	if !hostName.MatchString(word) || slices.Contains(noHosts, word) || strings.Trim(word, "0123456789.") == "" {
		return ""
	}
	return word
}
