package config

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"rollcall/internal/credential"
	"rollcall/internal/door"
)

// doorKeys are those that a door of any type has.
var doorKeys = []string{"type", "address", "insecure", "ca_file", "server_name", "login", "realm", "for", "timeout", "cache", "software", "machines", "flush"}

// doors reads the services in front of authorities that take a credential too.
func (l *loader) doors(top fields, c *Campaign) map[string]door.Settings {
	all := l.mapping(top.vals["doors"], "doors")
	names := make([]string, 0, len(all.vals))
	for name := range all.vals {
		names = append(names, name)
	}
	sort.Strings(names)
	var out map[string]door.Settings
	places := map[string]string{}
	for _, name := range names {
		n, where := all.vals[name], "doors."+shown(name)
		if !nameForm.MatchString(name) {
			l.problem(n.Line, "%s: the name %s", where, nameRule)
		}
		d, ok := l.door(n, where, c)
		if !ok {
			continue
		}
		if other := places[d.Asked()]; other != "" {
			l.problem(n.Line, "%s: is the same door as doors.%s: give that one several matches under for", where, other)
		}
		places[d.Asked()] = name
		if out == nil {
			out = map[string]door.Settings{}
		}
		out[name] = d
		if c.DoorLines == nil {
			c.DoorLines = map[string]int{}
		}
		c.DoorLines[name] = n.Line
	}
	return out
}

func (l *loader) door(n *yaml.Node, where string, c *Campaign) (d door.Settings, ok bool) {
	f := l.mapping(n, where)
	if n.Kind != yaml.MappingNode {
		return d, false
	}
	if !f.has("type") {
		f.problem("type", "missing: one of %s", strings.Join(door.Names(), ", "))
		return d, false
	}
	if f.meant("type", typesMeant) {
		return d, false
	}
	d.Type = f.oneOf("type", "", door.Names())
	t, known := door.Types[d.Type]
	if !known {
		return d, false
	}
	f = l.mapping(n, where, append(slices.Clone(doorKeys), t.Keys...)...)
	d.Address, d.At = f.doorAddress(t, d.Type, c)
	d.TLS, d.CA, d.ServerName = f.doorTLS(t), f.certificates("ca_file"), f.str("server_name")
	d.Timeout = time.Duration(f.duration("timeout", time.Minute, time.Second, 10*time.Minute))
	d.Auth = f.doorAuth(t)
	d.Login = t.LoginForm()
	if s, has := f.scalar("login"); has && d.Auth.Nameless() {
		f.problem("login", "has no use here: no name goes with the value (auth: %s)", d.Auth)
	} else if has {
		d.Login = s
		bare := strings.NewReplacer("{account}", "", "{name}", "").Replace(s)
		// The id of a role is the same for each secret id, and none is made of
		// an account's name.
		constant := bare == s && (s == "" || d.Auth != door.ByAppRole)
		if constant || strings.ContainsAny(bare, "{}\r\n\x00") {
			f.problem("login", "says how the login name is made of the account's: {account} or {name} (the DN, the role), for example {account}@example.org")
		}
	}
	d.Realm = f.doorRealm(d.Auth)
	d.For = l.doorMatches(f, c)
	if f.has("cache") {
		d.Cache = time.Duration(f.duration("cache", 0, time.Second, 24*time.Hour))
	}
	d.Software = f.doorSoftware(d.Type)
	if d.Software == door.KeepsNone && (f.has("cache") || f.has("flush")) {
		f.problem("software", "none says that nothing is kept there, and cache or flush that something is: take one of them out")
	}
	d.Machines = f.integer("machines", 0, 1, door.MaxLooks)
	if slices.Contains(t.Keys, "processes") {
		d.Processes = f.integer("processes", 0, 1, 1024)
	}
	d.Flush = l.doorFlush(f, c)
	f.doorFurther(t, &d)
	return d, true
}

// doorSoftware is what keeps logins there. One that is not behind doors of
// that type is refused: the door would be asked as that one has to be, which is
// less.
func (f fields) doorSoftware(kind string) string {
	return f.oneOf("software", "", door.KeeperNames(kind))
}

// doorAddress is what is dialled: a name, or an address, or both, as servers
// have it (ServerAt).
func (f fields) doorAddress(t door.Type, kind string, c *Campaign) (address, at string) {
	form := fmt.Sprintf("must be a host, or host:port, for example mail.example.org (port %s is the usual one of %s); behind an @ stands the address of one machine: mail.example.org@10.0.0.5", t.Port, kind)
	s := f.required("address", form)
	if s == "" {
		return "", ""
	}
	if strings.Contains(s, "://") {
		f.problem("address", "%s; the type says what is spoken there", form)
		return "", ""
	}
	s, at, what := parseAddress(s, form)
	if what != "" {
		f.problem("address", "%s", form)
		return "", ""
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = strings.Trim(s, "[]"), t.Port
	}
	number, err := strconv.Atoi(port)
	u, bad := url.Parse("//" + net.JoinHostPort(host, port))
	if err != nil || number < 1 || number > 65535 || bad != nil || u.Hostname() == "" || strings.ContainsAny(host, "/@ ") {
		f.problem("address", "%s", form)
		return "", ""
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if a, err := netip.ParseAddr(host); err == nil {
		if host = a.Unmap().String(); at != "" {
			f.problem("address", "names two addresses; before the @ stands the name that the certificate has, behind it the address of the machine")
			return "", ""
		}
	}
	if c.Containment != nil {
		for _, h := range []string{host, at} {
			if slices.Contains(c.Containment.Addresses, h) {
				f.problem("address", "is an address of the device (containment.addresses): what answers there may be the thief's, and would be shown new values")
				return "", ""
			}
		}
	}
	return net.JoinHostPort(host, port), at
}

// doorTLS is how the connection is secured. Who offers a value in clear text
// has to say that he means it.
func (f fields) doorTLS(t door.Type) door.TLS {
	insecure := f.boolean("insecure")
	switch {
	case insecure && !slices.Contains(t.TLS, door.ClearText):
		f.problem("insecure", "this type has no clear text: leave the key out")
	case insecure && f.has("ca_file"):
		f.problem("insecure", "leaves ca_file without a use: with insecure: true nothing is encrypted, and everybody on the way reads the new value")
	case insecure:
		return door.ClearText
	case t.TLS[0] == door.ClearText:
		f.problem("insecure", "this type crosses the network in clear text, where others read the new value: insecure: true says that this is meant")
	}
	return t.TLS[0]
}

// doorMatches say whose door it is.
func (l *loader) doorMatches(f fields, c *Campaign) (out []door.Match) {
	const why = "whose door it is, as a list: [{directory: corp}], each with one or more of directory, kind, account (a pattern), line and end; or rows, where rows of manifests and metadata name it alone"
	if !f.has("for") {
		f.problem("for", "missing: %s", why)
		return nil
	}
	if n := f.vals["for"]; n.Kind == yaml.ScalarNode && n.Value == "rows" {
		return nil // rows of manifests and metadata name it
	}
	items := f.list("for")
	if f.vals["for"].Kind == yaml.SequenceNode && len(items) == 0 {
		f.problem("for", "is empty: %s", why)
	}
	for i, n := range items {
		before := len(l.errs.List)
		m := l.mapping(n, fmt.Sprintf("%s[%d]", f.at("for"), i), "directory", "kind", "account", "line", "end")
		if n.Kind != yaml.MappingNode {
			continue
		}
		match := door.Match{
			Directory: m.str("directory"), Account: m.str("account"), Line: m.str("line"), End: m.str("end"),
			Kind: credential.Kind(m.oneOf("kind", "", kindNames(func(t credential.Traits) bool { return true }))),
		}
		if match.Kind.OnlyEnds() {
			m.problem("kind", "%s", NoDoorFor(match.Kind))
		}
		if match == (door.Match{}) && len(l.errs.List) == before {
			l.problem(n.Line, "%s: takes every credential: say %s", m.where, why)
		}
		if match.Directory != "" && match.Directory != credential.VaultAuthority && c.Authority(match.Directory) == nil {
			m.unknownDirectory(c, match.Directory)
		}
		if _, err := Matches(match.Account, ""); err != nil {
			m.problem("account", "%v", err)
		}
		if match.Line != "" {
			if c.Profile == nil && !l.profileNamed {
				m.problem("line", "goes with profile, whose line it names")
			} else if c.Profile != nil {
				if why := c.Profile.Unknown(match.Line); why != "" {
					m.problem("line", "%s", why)
				}
			}
		}
		out = append(out, match)
	}
	return out
}

// NoDoorFor says why what is only ended has no door.
func NoDoorFor(k credential.Kind) string {
	return fmt.Sprintf("%s has no door: Rollcall ends it by its accessor, never reads its value, and sets nothing in its place, so that nothing can be offered; what takes the token besides Vault is proved by a row of kind %s with the path where Vault holds it", k, credential.APIKeyByHand)
}

// DoorOf is a door of a credential. End is the end of a task at which it is,
// where that is said; By is as in credential.DoorLogin.
type DoorOf struct{ Door, End, By string }

// CannotCarry names the first of some doors at which no login can carry a
// value, and says why; empty where each can.
func (c *Campaign) CannotCarry(doors []credential.DoorLogin, value credential.Secret) (name, why string) {
	for _, d := range doors {
		if s, ok := c.Doors[d.Door]; ok {
			if why := s.CannotCarry(value); why != "" {
				return d.Door, why
			}
		}
	}
	return "", ""
}

// DoorNames are those of all doors, in order.
func (c *Campaign) DoorNames() []string { return slices.Sorted(maps.Keys(c.Doors)) }

// DoorsOf are the doors that for: gives a credential, in order. short is what
// its account is called there.
func (c *Campaign) DoorsOf(cred credential.Credential, short string) (out []DoorOf) {
	matches := func(pattern, name string) bool { ok, _ := Matches(pattern, name); return ok }
	for _, name := range c.DoorNames() {
		for _, m := range c.Doors[name].For {
			if m.Takes(cred, short, matches) {
				of := DoorOf{Door: name}
				if m.End != "" {
					of.End = cred.Task.End(m.End)
				}
				out = append(out, of)
				break
			}
		}
	}
	return out
}
