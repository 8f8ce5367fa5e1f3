package config

import (
	"crypto/x509"
	"encoding/pem"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"rollcall/internal/credential"
)

// Unmatched is no name for a directory: credential ids of paths without an
// account begin with it.
const unmatched = "unmatched"

func (l *loader) directories(top fields) map[string]Directory {
	all := l.mapping(top.vals["directories"], "directories")
	names := make([]string, 0, len(all.vals))
	for name := range all.vals {
		names = append(names, name)
	}
	sort.Strings(names)
	var out map[string]Directory
	for _, name := range names {
		if out == nil {
			out = map[string]Directory{}
		}
		n := all.vals[name]
		l.authorityName(n, "directories."+shown(name), name)
		out[name] = l.directory(n, "directories."+shown(name))
	}
	return out
}

func (l *loader) directory(n *yaml.Node, where string) Directory {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		l.problem(n.Line, "%s: has no settings; at least driver, servers, base and bind are needed", where)
		return Directory{}
	}
	f := l.mapping(n, where, "driver", "servers", "formerly", "discover", "base", "starttls", "insecure", "ca_file", "bind", "set", "default_policy",
		"password", "rehearsal", "rate_per_second", "connections", "timeout")
	if len(f.vals) == 0 && n.Kind != yaml.MappingNode {
		return Directory{}
	}
	d := Directory{
		Driver:      f.oneOf("driver", "", driverNames),
		Base:        f.dn("base", "the DN below which accounts are found"),
		StartTLS:    f.boolean("starttls"),
		Insecure:    f.boolean("insecure"),
		Connections: f.integer("connections", 8, 1, 256),
		Timeout:     f.duration("timeout", 10*time.Second, 100*time.Millisecond, 10*time.Minute),
	}
	of, known := drivers[d.Driver]
	if !known {
		of = drivers[driverNames[0]] // the driver is a problem by itself
	}
	if of.oneWay == "" {
		d.Set = f.oneOf("set", of.sets[0], []string{"exop", "replace"})
	} else if f.has("set") {
		f.problem("set", "has no meaning for %s, where %s is the one way; remove it", d.Driver, of.oneWay)
	}
	if f.has("default_policy") {
		d.DefaultPolicy = f.defaultPolicy(d.Driver)
	}
	if of.tlsOnly && d.Insecure {
		f.problem("insecure", "is not possible with %s, which takes passwords only over TLS; use ldaps:// or starttls: true", d.Driver)
	}
	if !f.has("driver") {
		f.problem("driver", "missing: one of %s", strings.Join(driverNames, ", "))
	}
	d.Servers = l.servers(f, d)
	d.Formerly = l.formerly(f)
	d.Discover = discover(f, d)
	d.CA = f.certificates("ca_file")
	l.binds(f, &d)
	d.Password = l.passwordPolicy(f)
	if d.Rehearse = f.rehearsal(keyUnder); d.Rehearse.Under != "" && d.Base != "" && !below(d.Rehearse.Under, d.Base) {
		f.problem("rehearsal", "under is not below the directory's base, where accounts are found")
	}
	d.RatePerSecond = f.number("rate_per_second", 1e6)
	return d
}

// number is a number of operations from 0 to hi, or 0 when the key is missing.
func (f fields) number(key string, hi float64) float64 {
	s, ok := f.scalar(key)
	if !ok {
		return 0
	}
	r, err := strconv.ParseFloat(s, 64)
	if err != nil || !(r >= 0 && r <= hi) {
		f.problem(key, "must be a number of operations from 0 (no limit) to %.0f", hi)
		return 0
	}
	return r
}

func (l *loader) servers(f fields, d Directory) []string {
	if !f.has("servers") {
		f.problem("servers", "missing: list every server of the directory; the first is the write server, and the old value is proved dead on each (discover finds further ones, and never the first)")
		return nil
	}
	items := f.list("servers")
	if f.vals["servers"].Kind == yaml.SequenceNode && len(items) == 0 {
		f.problem("servers", "is empty: list every server of the directory")
	}
	var out []string
	seen, clear := map[string]int{}, false
	for _, n := range items {
		s, ok := l.text(n, f.at("servers"))
		if !ok {
			continue
		}
		u, address, what := parseServer(s)
		if what != "" {
			l.problem(n.Line, "%s: %s", f.at("servers"), what)
			continue
		}
		if first := seen[u.Host+"@"+address]; first > 0 {
			l.problem(n.Line, "%s: the same server as on line %d", f.at("servers"), first)
			continue
		}
		seen[u.Host+"@"+address] = n.Line
		if u.Scheme == "ldap" {
			clear = true
			if !d.StartTLS && !d.Insecure {
				l.problem(n.Line, "%s: ldap:// sends passwords in clear text; use ldaps://, or set starttls: true (or insecure: true, if everybody on the network may read them)", f.at("servers"))
			}
		}
		out = append(out, ServerAt(u.String(), address))
	}
	if d.StartTLS && d.Insecure {
		f.problem("insecure", "contradicts starttls: keep one of them")
	}
	if d.StartTLS && !clear && len(out) > 0 {
		f.problem("starttls", "has no meaning here: no server is an ldap:// URL")
	}
	return out
}

// formerly are servers that nobody dials any more.
func (l *loader) formerly(f fields) []string {
	if !f.has("formerly") {
		return nil
	}
	var out []string
	for _, n := range f.list("formerly") {
		s, ok := l.text(n, f.at("formerly"))
		if !ok {
			continue
		}
		u, address, what := parseServer(s)
		if what != "" {
			l.problem(n.Line, "%s: %s", f.at("formerly"), what)
			continue
		}
		out = append(out, ServerAt(u.String(), address))
	}
	return out
}

// discover is where further servers are found. Only what a driver has is
// offered.
func discover(f fields, d Directory) string {
	places := drivers[d.Driver].discover
	if len(places) == 0 {
		places = []string{FromDNS} // the driver is a problem by itself
	}
	found := f.oneOf("discover", "", places)
	if found == FromDNS && d.Base != "" && Domain(d.Base) == "" {
		f.problem("discover", "dns needs a base that ends in the parts of a domain, such as dc=example,dc=org")
	}
	return found
}

// Domain is the DNS domain that the last parts of a DN stand for (RFC 2247), or
// empty.
func Domain(dn string) string {
	var labels []string
	for part := range strings.SplitSeq(dn, ",") {
		name, value, _ := strings.Cut(part, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "dc") {
			labels = nil
			continue
		}
		labels = append(labels, strings.ToLower(strings.TrimSpace(value)))
	}
	return strings.Join(labels, ".")
}

// certificates is the PEM text of the file that a key names.
func (f fields) certificates(key string) string {
	text := f.file(key)
	if len(text) == 0 {
		return ""
	}
	found := 0
	for rest := text; ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			break
		}
		if b.Type != "CERTIFICATE" {
			f.problem(key, "holds a PEM block that is no certificate; it must hold CA certificates and nothing else")
			return ""
		}
		if _, err := x509.ParseCertificate(b.Bytes); err != nil {
			f.problem(key, "certificate %d in the file cannot be read: %v", found+1, err)
			return ""
		}
		found++
	}
	if found == 0 {
		f.problem(key, "holds no PEM certificate (-----BEGIN CERTIFICATE-----)")
		return ""
	}
	return string(text)
}

// defaultPolicy is the policy of accounts that name none. The drivers that show
// theirs to who may read them need no word for it.
func (f fields) defaultPolicy(driver string) string {
	if of, known := drivers[driver]; known && !of.namesDefault {
		f.problem("default_policy", "has no meaning for %s, which shows its policies to whoever may read them; remove it, and let bind.dn read them (doctor says which)", driver)
		return ""
	}
	s, _ := f.scalar("default_policy")
	if s != NoPolicy && !dnForm.MatchString(s) {
		f.problem("default_policy", "must be the distinguished name in ppolicy_default (olcPPolicyDefault), or %s where the server has none", NoPolicy)
		return ""
	}
	return s
}

var dnForm = regexp.MustCompile(`^\s*[A-Za-z0-9][A-Za-z0-9.-]*\s*=\s*[^\s,][^,]*(,|$)`)

// dn is a required distinguished name. The check is a light one: the server
// has the last word, in "rollcall doctor".
func (f fields) dn(key, why string) string {
	s := f.required(key, why)
	if s != "" && !dnForm.MatchString(s) {
		f.problem(key, "must be a distinguished name like ou=services,dc=example,dc=org")
	}
	return s
}

func (f fields) reference(key, why string) credential.Path {
	s := f.required(key, why)
	if s == "" {
		return credential.Path{}
	}
	p, ok := ParseReference(s)
	if !ok {
		f.problem(key, "must be a Vault reference: mount/path#field")
	}
	return p
}

func (f fields) oneOf(key, def string, words []string) string {
	s, ok := f.scalar(key)
	if !ok {
		return def
	}
	if !slices.Contains(words, s) {
		if near := nearest(s, words); near != "" {
			f.problem(key, "unknown: %s; did you mean %s?", shown(s), near)
		} else {
			f.problem(key, "unknown: %s; one of %s", shown(s), strings.Join(words, ", "))
		}
		return def
	}
	return s
}
