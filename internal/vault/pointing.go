package vault

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// PointsAt names a field of the secret by which whoever reads it would connect
// to one of those hosts, and the host: in an address with a scheme, or where
// the name of the field, or of a setting in its text, says that a host follows.
// A host that is merely mentioned (whose account it is) is no such place. Both
// are empty where there is none. hosts are in lower case.
func (l Live) PointsAt(hosts []string) (field, host string) {
	if len(hosts) == 0 || l.data == nil {
		return "", ""
	}
	texts := map[string]string{}
	for name, value := range l.data {
		if name != OwnerField {
			texts[name] = strings.ToLower(name + "=" + textOf(value))
		}
	}
	for _, h := range hosts {
		for _, name := range slices.Sorted(maps.Keys(texts)) {
			// Most name no host of the device at all.
			if strings.Contains(texts[name], h) && leadsTo(h).MatchString(texts[name]) {
				return name, h
			}
		}
	}
	return "", ""
}

// leadsTo matches text in lower case that has a connection to a host in it.
func leadsTo(host string) *regexp.Regexp {
	h := regexp.QuoteMeta(host)
	if strings.Contains(host, ":") {
		h = `\[?` + h + `\]?`
	}
	const (
		scheme  = `://(?:[^/\s@]*@)?`
		setting = `(?:host|hostaddr|hostname|server|servers|address|addr|endpoint|url|uri|source)["']?\s*[=:]\s*["'\[]*(?:tcp:)?`
		end     = `(?:$|[^a-z0-9.-]|\.(?:$|[^a-z0-9]))`
	)
	return regexp.MustCompile(`(?:` + scheme + `|` + setting + `)` + h + end)
}

func textOf(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	if b, err := json.Marshal(v); err == nil {
		return string(b)
	}
	return fmt.Sprint(v)
}
