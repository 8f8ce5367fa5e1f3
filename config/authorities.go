package config

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"time"

	"go.yaml.in/yaml/v4"

	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/postgres/settings"
)

// sections has one line for each type of authority besides directories and
// Vault. The section's package reads and checks it.
var sections = []authority.Section{settings.Section}

// Systems are authorities by name. Marshalled, each has its type beside it.
type Systems map[string]authority.Settings

// Authority is what the file says of an authority by its name, whatever its
// type; nil if it names none, as with Vault.
func (c *Campaign) Authority(name string) authority.Settings {
	if d, ok := c.Directories[name]; ok {
		return d
	}
	if s, ok := c.Systems[name]; ok {
		return s
	}
	return nil
}

// Authorities are the names of all authorities of the file, sorted.
func (c *Campaign) Authorities() []string {
	return slices.Sorted(slices.Values(slices.Concat(slices.Collect(maps.Keys(c.Directories)), slices.Collect(maps.Keys(c.Systems)))))
}

// Called is what messages call an authority: its name, with what it is before
// it.
func (c *Campaign) Called(name string) string {
	if s, ok := c.Systems[name]; ok {
		return sectionOf(s.Type()).What + " " + name
	}
	if _, ok := c.Directories[name]; ok {
		return "directory " + name
	}
	return name
}

// sectionOf is the section of that type; the zero value if there is none.
func sectionOf(kind string) authority.Section {
	i := slices.IndexFunc(sections, func(s authority.Section) bool { return s.Type == kind })
	if i < 0 {
		return authority.Section{}
	}
	return sections[i]
}

// KindOf is the kind of credential that an authority's accounts have unless
// something says otherwise; empty if the file names no such authority.
func (c *Campaign) KindOf(name string) credential.Kind {
	if a := c.Authority(name); a != nil && len(a.Kinds()) > 0 {
		return a.Kinds()[0]
	}
	return ""
}

// Type is authority.Settings.
func (d Directory) Type() string { return "directories" }

// Kinds is authority.Settings.
func (d Directory) Kinds() []credential.Kind { return drivers[d.Driver].kinds }

// ServerNames is authority.Settings.
func (d Directory) ServerNames() []string { return d.Servers }

// WithServers is authority.Settings.
func (d Directory) WithServers(names []string, addresses map[string]string) authority.Settings {
	d.Servers, d.Addresses = names, addresses
	return d
}

// DialledAt is authority.Settings.
func (d Directory) DialledAt(server string) string { return d.Addresses[server] }

// Logins is authority.Settings.
func (d Directory) Logins() (out []authority.Login) {
	for _, b := range d.Identities() {
		out = append(out, authority.Login{Name: b.DN, Secret: b.Password})
	}
	return out
}

// Passwords is authority.Settings.
func (d Directory) Passwords() PasswordPolicy { return d.Password }

// FormerServers is authority.Settings.
func (d Directory) FormerServers() []string { return d.Formerly }

// Limits is authority.Settings.
func (d Directory) Limits() authority.Limits {
	return authority.Limits{RatePerSecond: d.RatePerSecond, Connections: cmp.Or(d.Connections, 8)}
}

// ClearText is authority.Settings.
func (d Directory) ClearText() bool { return d.Insecure }

type typed struct {
	Type     string          `json:"type"`
	Settings json.RawMessage `json:"settings"`
}

// MarshalJSON writes each with its type.
func (s Systems) MarshalJSON() ([]byte, error) {
	out := map[string]typed{}
	for name, a := range s {
		text, err := json.Marshal(a)
		if err != nil {
			return nil, err
		}
		out[name] = typed{a.Type(), text}
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON has written. A type that this build does
// not know is an error: the campaign needs workers that do.
func (s *Systems) UnmarshalJSON(text []byte) error {
	var all map[string]typed
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	*s = Systems{}
	for name, t := range all {
		section := sectionOf(t.Type)
		if section.Decode == nil {
			return fmt.Errorf("%s: this build knows no authority of type %s; let a worker of the newer build take the campaign", name, t.Type)
		}
		a, err := section.Decode(t.Settings)
		if err != nil {
			return fmt.Errorf("%s, of type %s: %w", name, t.Type, err)
		}
		(*s)[name] = a
	}
	return nil
}

// Sections are the types of authority besides directories and Vault: the keys
// at the top of the file below which they are named.
func Sections() (keys []string) {
	for _, s := range sections {
		keys = append(keys, s.Type)
	}
	return keys
}

// systems reads all sections. An authority's name is one of a kind in the file:
// ids, staged values and the ledger go by it.
func (l *loader) systems(top fields, directories map[string]Directory) Systems {
	var out Systems
	for _, section := range sections {
		all := l.mapping(top.vals[section.Type], section.Type)
		names := slices.Collect(maps.Keys(all.vals))
		sort.Strings(names)
		for _, name := range names {
			n := all.vals[name]
			where := section.Type + "." + shown(name)
			l.authorityName(n, where, name)
			if _, taken := directories[name]; taken || out[name] != nil {
				l.problem(n.Line, "%s: another authority of the file has this name already; give one of them another", where)
				continue
			}
			if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
				l.problem(n.Line, "%s: has no settings", where)
				continue
			}
			f := l.mapping(n, where, section.Keys...)
			if n.Kind != yaml.MappingNode {
				continue
			}
			if out == nil {
				out = Systems{}
			}
			out[name] = section.Read(sectionFields{f})
		}
	}
	return out
}

// authorityName checks the name of an authority.
func (l *loader) authorityName(n *yaml.Node, where, name string) {
	switch {
	case name == credential.VaultAuthority || name == credential.PersonAuthority || name == unmatched:
		l.problem(n.Line, "%s: this name is taken by Rollcall itself; choose another", where)
	case !nameForm.MatchString(name):
		l.problem(n.Line, "%s: the name %s", where, nameRule)
	}
}

// sectionFields are fields for the package of a section.
type sectionFields struct{ f fields }

func (s sectionFields) Has(key string) bool                   { return s.f.has(key) }
func (s sectionFields) Text(key string) string                { return s.f.str(key) }
func (s sectionFields) Required(key, why string) string       { return s.f.required(key, why) }
func (s sectionFields) Boolean(key string) bool               { return s.f.boolean(key) }
func (s sectionFields) CA(key string) string                  { return s.f.certificates(key) }
func (s sectionFields) Problem(key, f string, a ...any)       { s.f.problem(key, f, a...) }
func (s sectionFields) Passwords() PasswordPolicy             { return s.f.l.passwordPolicy(s.f) }
func (s sectionFields) Rehearsal() authority.Rehearsal        { return s.f.rehearsal(keyCreate) }
func (s sectionFields) Number(key string, hi float64) float64 { return s.f.number(key, hi) }
func (s sectionFields) OneOf(key, def string, words []string) string {
	return s.f.oneOf(key, def, words)
}
func (s sectionFields) Integer(key string, def, lo, hi int) int { return s.f.integer(key, def, lo, hi) }
func (s sectionFields) Duration(key string, def, lo, hi time.Duration) time.Duration {
	return time.Duration(s.f.duration(key, def, lo, hi))
}

// Servers reads a list of servers.
func (s sectionFields) Servers(key string, ports map[string]string, example string) []string {
	if !s.f.has(key) {
		return nil
	}
	items := s.f.list(key)
	if s.f.vals[key].Kind == yaml.SequenceNode && len(items) == 0 {
		s.f.problem(key, "is empty: name the servers, for example [%s]", example)
	}
	var out []string
	seen := map[string]int{}
	for _, n := range items {
		text, ok := s.f.l.text(n, s.f.at(key))
		if !ok {
			continue
		}
		u, address, what := parseURL(text, ports, "must be a URL like "+example, "what else there is to say has keys of its own")
		if what != "" {
			s.f.l.problem(n.Line, "%s: %s", s.f.at(key), what)
			continue
		}
		if first := seen[u.Host+"@"+address]; first > 0 {
			s.f.l.problem(n.Line, "%s: the same server as on line %d", s.f.at(key), first)
			continue
		}
		seen[u.Host+"@"+address] = n.Line
		out = append(out, ServerAt(u.String(), address))
	}
	return out
}

// Logins reads one login, or a pair of them.
func (s sectionFields) Logins(key, name, why string) []authority.Login {
	n := s.f.vals[key]
	switch {
	case n == nil:
		s.f.problem(key, "missing: %s, as %s and password (a Vault reference), or a list of two that can reset each other", why, name)
		return nil
	case n.Kind != yaml.SequenceNode:
		return []authority.Login{s.login(n, s.f.at(key), name, why)}
	case len(n.Content) != 2:
		s.f.problem(key, "is a list of %d; it must name exactly two logins, which can reset each other; for a single one write %s and password without a list", len(n.Content), name)
		return nil
	}
	var out []authority.Login
	for i, item := range n.Content {
		out = append(out, s.login(item, s.f.at(key)+"["+strconv.Itoa(i)+"]", name, why))
	}
	second := s.f.at(key) + "[1]"
	if out[0].Name != "" && out[0].Name == out[1].Name {
		s.f.l.problem(n.Content[1].Line, "%s: is the same login as the one on line %d; a login cannot reset itself", second, n.Content[0].Line)
	}
	if out[0].Secret == out[1].Secret && out[0].Secret != (credential.Path{}) {
		s.f.l.problem(n.Content[1].Line, "%s: has its password in the same place as the one on line %d, which can hold the value of one", second, n.Content[0].Line)
	}
	return out
}

func (s sectionFields) login(n *yaml.Node, where, name, why string) (out authority.Login) {
	f := s.f.l.mapping(n, where, name, "password")
	if n.Kind == yaml.MappingNode {
		out.Name = f.required(name, why)
		out.Secret = f.reference("password", "where Vault holds its password, as mount/path#field")
	}
	return out
}
