package judge

import (
	"strings"

	"golang.org/x/net/publicsuffix"
)

// Bounds of names (RFC 1035, 2.3.4).
const (
	longestName  = 253
	longestLabel = 63
)

// metName names the indicator of a name of a client, which is that one or below
// it.
func (x *Indicators) metName(client string) (indicator, at string, ok bool) {
	if client == "" || len(x.Names) == 0 || len(client) > longestName+1 {
		return "", "", false
	}
	name := strings.TrimSuffix(strings.ToLower(client), ".")
	for {
		if at, ok := x.Names[name]; ok {
			return name, at, true
		}
		i := strings.IndexByte(name, '.')
		if i < 0 {
			return "", "", false
		}
		name = name[i+1:]
	}
}

// domainOf is a name of a domain as names are compared, or says what is wrong
// with it. A single word is one of a host alone.
func domainOf(text string, host bool) (name, wrong string) {
	name = strings.TrimSuffix(strings.ToLower(strings.TrimPrefix(text, "*.")), ".")
	if name == "" || len(name) > longestName {
		return "", "its length"
	}
	for _, r := range name {
		if r > 0x7e {
			return "", "write it in ASCII, with xn--"
		}
	}
	labels := strings.Split(name, ".")
	for _, l := range labels {
		if l == "" || len(l) > longestLabel || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" || l[0] == '-' || l[len(l)-1] == '-' {
			return "", "a part of it is none of a name"
		}
	}
	last := labels[len(labels)-1]
	switch {
	case len(labels) == 1 && host:
		return name, ""
	case len(labels) == 1:
		return "", "it is a single word"
	case len(last) < 2 || !strings.HasPrefix(last, "xn--") && strings.Trim(last, "abcdefghijklmnopqrstuvwxyz") != "":
		return "", "it ends as no domain does"
	}
	if suffix, icann := publicsuffix.PublicSuffix(name); suffix == name && icann {
		return "", "it is everybody's below it"
	}
	return name, ""
}
