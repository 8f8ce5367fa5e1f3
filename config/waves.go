package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"rollcall/internal/credential"
)

func (l *loader) exclude(top fields) []Exclude {
	var out []Exclude
	for i, n := range top.list("exclude") {
		f := l.mapping(n, fmt.Sprintf("exclude[%d]", i), "account", "path", "campaign", "reason")
		if n.Kind != yaml.MappingNode {
			continue
		}
		e := Exclude{
			Account: f.str("account"), Campaign: f.str("campaign"),
			Reason: f.required("reason", "say why a credential that the device knew may stay as it is"),
		}
		if f.has("path") {
			e.Path = f.place("path")
		}
		named := 0
		for _, key := range []string{"account", "path", "campaign"} {
			if f.has(key) {
				named++
			}
		}
		if named != 1 {
			l.problem(n.Line, "%s: needs one of account, path, and campaign (which left open what no source names any more)", f.where)
		}
		if f.has("campaign") && e.Campaign == "" {
			f.problem("campaign", "must name a campaign, as its finding does")
		}
		if f.has("account") && e.Account == "" {
			f.problem("account", "must name an account: DN, immutable id (entryUUID, objectGUID), uid or sAMAccountName, or mount/name of a login to Vault (approle/esg-01)")
		}
		out = append(out, e)
	}
	return out
}

// place is a field of a secret, or without #field the secret as a whole.
func (f fields) place(key string) string {
	s, _ := f.scalar(key)
	if s != "" && !strings.Contains(s, "#") {
		if p, ok := ParseReference(s + "#field"); ok {
			return p.Secret()
		}
	}
	return f.reference(key, "a place in Vault: mount/path#field, or mount/path for the secret as a whole").String()
}

func (l *loader) waves(top fields, c *Campaign) []Wave {
	var out []Wave
	names := map[string]int{}
	other := "" // a wave before this one that is not of logins to Vault
	for i, n := range top.list("waves") {
		f := l.mapping(n, fmt.Sprintf("waves[%d]", i), "name", "kind", "directory", "source", "account", "batch", "wait")
		if n.Kind != yaml.MappingNode {
			continue
		}
		w := Wave{
			Name:      f.required("name", "a name for progress and reports"),
			Kind:      credential.Kind(f.oneOf("kind", "", kindNames(func(t credential.Traits) bool { return t.ByHand == nil }))),
			Directory: f.str("directory"),
			Source:    f.str("source"),
			Account:   f.str("account"),
			Batch:     f.integer("batch", 0, 1, 500),
			Wait:      f.oneOf("wait", "", []string{WaitPass, WaitProof}),
		}
		if w.Name != "" && !nameForm.MatchString(w.Name) {
			f.problem("name", nameRule)
		}
		if first := names[w.Name]; first > 0 && w.Name != "" {
			f.problem("name", "the wave on line %d has this name already", first)
		}
		names[w.Name] = n.Line
		if w.Directory != "" && c.Authority(w.Directory) == nil && w.Directory != credential.VaultAuthority {
			f.unknownDirectory(c, w.Directory, append(slices.Collect(maps.Keys(c.Systems)), credential.VaultAuthority)...)
		}
		if w.Source != "" && !c.hasSource(w.Source) {
			f.problem("source", "no source is called %s", shown(w.Source))
		}
		if _, err := Matches(w.Account, ""); err != nil {
			f.problem("account", "not a valid pattern: * stands for any text, ? for one character, [a-z] for one of a set")
		}
		switch {
		case w.OfLogins() && other != "":
			f.problem("name", "takes logins to Vault, and %s comes before it: with a stolen login that still works the thief reads each new value as it is written; put the waves of logins first, or leave them out, for logins go first by themselves", shown(other))
		case !w.OfLogins() && other == "":
			other = w.Name
		}
		out = append(out, w)
	}
	return out
}

func (c *Campaign) hasSource(name string) bool {
	for _, s := range c.Sources {
		if s.Name == name {
			return true
		}
	}
	return false
}

func (l *loader) limits(top fields) Limits {
	f := l.mapping(top.vals["limits"], "limits",
		"batch", "parallel", "concurrency", "retry_min", "retry_max", "deadline")
	const longest = 90 * 24 * time.Hour
	lim := Limits{
		Batch:       f.integer("batch", 0, 1, 500),
		Parallel:    f.integer("parallel", 4, 1, 1000),
		Concurrency: f.integer("concurrency", 16, 1, 500),
		RetryMin:    f.duration("retry_min", 5*time.Second, 10*time.Millisecond, longest),
		RetryMax:    f.duration("retry_max", 5*time.Minute, 10*time.Millisecond, longest),
		Deadline:    f.duration("deadline", 4*time.Hour, time.Second, longest),
	}
	if lim.RetryMax < lim.RetryMin {
		f.problem("retry_max", "is shorter than retry_min, which is %s", lim.RetryMin)
	}
	return lim
}
