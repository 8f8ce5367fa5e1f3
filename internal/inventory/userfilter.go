package inventory

import (
	"regexp"
	"slices"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/directory"
)

// typedBy is how people log in at an auth mount of type ldap whose userfilter
// is not Vault's own: what they type stands between before and after in a value
// of attr.
type typedBy struct{ attr, before, after string }

var (
	typedName = regexp.MustCompile(`\{\{-?\s*\.Username\s*-?\}\}`)
	typedAttr = regexp.MustCompile(`\{\{-?\s*\.UserAttr\s*-?\}\}`)
)

// typedMark stands for what is typed while a filter is taken apart.
const typedMark = "rollcall-what-is-typed"

// typedAt takes apart a userfilter
// (https://developer.hashicorp.com/vault/api-docs/auth/ldap#userfilter). known
// is false where its form does not tell all names: a part that compares in
// another way than for equality, an attribute of a name that only the server's
// schema knows, or a template of another kind.
func typedAt(userfilter, userattr, upn string) (by []typedBy, known bool) {
	if strings.TrimSpace(userfilter) == "" {
		return nil, true
	}
	mark := typedMark
	if upn != "" {
		mark += "@" + upn
	}
	text := typedName.ReplaceAllLiteralString(typedAttr.ReplaceAllLiteralString(userfilter, userattr), mark)
	if strings.Contains(text, "{{") {
		return nil, false
	}
	filter, err := ldap.CompileFilter(strings.TrimSpace(text))
	if err != nil {
		return nil, false // Vault finds nobody, or reads it in another way
	}
	known = true
	var walk func(p *ber.Packet)
	walk = func(p *ber.Packet) {
		switch p.Tag {
		case ldap.FilterAnd, ldap.FilterOr:
			for _, part := range p.Children {
				walk(part)
			}
		case ldap.FilterEqualityMatch:
			attr, value := ber.DecodeString(p.Children[0].Data.Bytes()), ber.DecodeString(p.Children[1].Data.Bytes())
			before, after, typed := strings.Cut(value, typedMark)
			if !typed {
				return
			}
			base, _, _ := strings.Cut(attr, ";")
			name, _ := directory.AttributeType(base)
			// Names that a domain works out for itself (anr), and OIDs.
			if strings.Contains(after, typedMark) || name == "anr" || name == "" || name[0] >= '0' && name[0] <= '9' {
				known = false
				return
			}
			by = append(by, typedBy{name, before, after})
		default:
			text, err := ldap.DecompileFilter(p)
			known = known && err == nil && !strings.Contains(text, typedMark)
		}
	}
	walk(filter)
	return by, known && len(by) > 0
}

// names are what a value of the attribute is typed as.
func (t typedBy) names(values []string) (out []string) {
	for _, v := range values {
		if len(v) <= len(t.before)+len(t.after) || !strings.EqualFold(v[:len(t.before)], t.before) || !strings.EqualFold(v[len(v)-len(t.after):], t.after) {
			continue
		}
		out = append(out, v[len(t.before):len(v)-len(t.after)])
	}
	return out
}

// readFilter reads by what people log in at a mount. Without a search Vault
// makes a DN of what is typed.
func (m *authMount) readFilter(config map[string]any) {
	text := func(key string) string { v, _ := config[key].(string); return strings.TrimSpace(v) }
	m.asAlias = config["username_as_alias"] == true
	if text("binddn") == "" && config["discoverdn"] != true {
		return
	}
	attr := m.attr
	if m.upn != "" {
		attr = "userPrincipalName" // as Vault fills the filter in then
	}
	typed, known := typedAt(text("userfilter"), attr, m.upn)
	m.typed, m.untyped = typed, !known
}

// attributes are those of an account by which people log in at the mount.
func (m *authMount) attributes() (out []string) {
	if m.attr != "" {
		out = append(out, m.attr)
	}
	for _, t := range m.typed {
		if !slices.Contains(out, t.attr) {
			out = append(out, t.attr)
		}
	}
	return out
}

func (m *authMount) typedNames(a Account) (out []string) {
	for _, t := range m.typed {
		out = append(out, t.names(a.facts.named[t.attr])...)
	}
	return out
}

// maxOtherNames bounds the further names of one account by which a login is
// tried, where nothing says which of them gets something.
const maxOtherNames = 10

// othersOf are the names of an account besides Vault's own by which a login may
// get something else: Vault gives policies by what is typed. Each is a login of
// its own, for what it may read is asked by logging in.
func (m *authMount) othersOf(directory string, a Account, names []string) (out []string) {
	guessed := 0
	for _, n := range m.typedNames(a) {
		i := slices.IndexFunc(names, func(have string) bool { return fold(have) == fold(n) })
		if i < 1 || slices.Contains(out, names[i]) {
			continue
		}
		if len(m.names[fold(n)])+len(m.members[directory][fold(n)]) == 0 {
			if guessed++; !m.all && !m.asAlias || guessed > maxOtherNames {
				continue
			}
		}
		out = append(out, names[i])
	}
	return out
}
