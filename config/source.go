package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"rollcall/internal/credential"
	"rollcall/internal/postgres/settings"
)

// The types of source. Each has a line in sourceTypes below, and one in the
// collectors of internal/inventory. What another room must know of one is a
// trait.
const (
	Manifest      = "manifest"
	VaultKV       = "vault-kv"
	FromLDAP      = "directory"
	VaultAppRole  = "vault-approle"
	VaultUserpass = "vault-userpass"
	VaultTokens   = "vault-tokens"
	FromPostgres  = settings.Type + "-roles"
	FromEvidence  = "evidence"
)

// SourceTraits are what the rest of Rollcall must know of a type of source
// besides how it collects. The zero value is that of no type.
type SourceTraits struct {
	// Rows: it is a list that people keep, read before any server is asked.
	Rows bool
	// Hearsay: what it says of an account is said by the secret itself, so by
	// whoever may write it, and is no person's word.
	Hearsay bool
	// Logs: what it says of an account is what logs have. It is hearsay too,
	// for whoever may write a log may name any account, and it says neither
	// where the secret lies nor whether a person or a program has it.
	Logs bool
}

// Suggested is the type of the evidence of a manifest's row that a secret
// suggests and no person has taken up yet. No source has it.
const Suggested = "suggested"

// TraitsOfSource are those of a type of source, or of evidence.
func TraitsOfSource(name string) SourceTraits {
	if name == Suggested {
		return SourceTraits{Rows: true, Hearsay: true}
	}
	i := slices.IndexFunc(sourceTypes, func(of sourceType) bool { return of.name == name })
	if i < 0 {
		return SourceTraits{}
	}
	return sourceTypes[i].traits
}

// sourceType is what the campaign file may say of a source.
type sourceType struct {
	name   string
	traits SourceTraits
	keys   []string // besides name, type and line
	read   func(l *loader, f fields, s *Source, c *Campaign)
}

// sourceTypes has one line for each type, in the order in which messages name
// them.
var sourceTypes = []sourceType{
	{Manifest, SourceTraits{Rows: true}, []string{"file", "kind"}, (*loader).manifest},
	{VaultKV, SourceTraits{Hearsay: true}, []string{"prefix", "account_field", "directory"}, (*loader).kv},
	{FromLDAP, SourceTraits{}, []string{"directory", "filter", "base", "kind"}, (*loader).search},
	{VaultAppRole, SourceTraits{}, []string{"mount", "role", "cidr", "metadata"}, (*loader).appRole},
	{VaultUserpass, SourceTraits{}, []string{"mount", "user", "cidr"}, (*loader).userpass},
	{VaultTokens, SourceTraits{}, []string{"accessor", "display_name", "policy", "metadata"}, (*loader).tokens},
	{FromPostgres, SourceTraits{}, []string{"directory", "role", "member_of", "cidr"}, (*loader).roles},
	{FromEvidence, SourceTraits{Hearsay: true, Logs: true}, []string{"file", "addresses"}, (*loader).evidence},
}

// SourceTypes are the types of source, in the order in which messages name
// them.
func SourceTypes() (names []string) {
	for _, t := range sourceTypes {
		names = append(names, t.name)
	}
	return names
}

// sourceKeys are the keys that sources may have.
func sourceKeys() []string {
	keys := []string{"name", "type", "line"}
	for _, t := range sourceTypes {
		for _, k := range t.keys {
			if !slices.Contains(keys, k) {
				keys = append(keys, k)
			}
		}
	}
	return keys
}

func (l *loader) sources(top fields, c *Campaign) []Source {
	items := top.list("sources")
	if !top.has("sources") || top.vals["sources"].Kind == yaml.SequenceNode && len(items) == 0 {
		top.problem("sources", "missing: name at least one place where credentials are found")
	}
	var out []Source
	names := map[string]int{}
	for i, n := range items {
		f := l.mapping(n, fmt.Sprintf("sources[%d]", i), sourceKeys()...)
		of := l.sourceType(n, f)
		s := Source{Line: n.Line, Name: f.str("name"), Type: of.name}
		if s.Name != "" {
			if !nameForm.MatchString(s.Name) {
				f.problem("name", nameRule)
			}
			if first, ok := names[s.Name]; ok {
				f.problem("name", "the source on line %d has this name already", first)
			}
			names[s.Name] = n.Line
		}
		s.ProfileLines = l.profileLines(f, c)
		if of.read != nil {
			of.read(l, f, &s, c)
		}
		out = append(out, s)
	}
	for i := range out {
		if out[i].Name == "" {
			out[i].Name = freeName(out[i].Type, names)
			names[out[i].Name] = out[i].Line
		}
	}
	return out
}

func freeName(base string, taken map[string]int) string {
	name := base
	for n := 2; ; n++ {
		if _, ok := taken[name]; !ok {
			return name
		}
		name = fmt.Sprintf("%s-%d", base, n)
	}
}

// sourceType reads the type and refuses the keys of other types; the zero value
// if there is no such type.
func (l *loader) sourceType(n *yaml.Node, f fields) sourceType {
	if !f.has("type") {
		if n.Kind == yaml.MappingNode {
			f.problem("type", "missing: one of %s", strings.Join(SourceTypes(), ", "))
		}
		return sourceType{}
	}
	t := f.oneOf("type", "", SourceTypes())
	i := slices.IndexFunc(sourceTypes, func(of sourceType) bool { return of.name == t })
	if i < 0 {
		return sourceType{}
	}
	of := sourceTypes[i]
	for key := range f.vals {
		if key != "name" && key != "type" && key != "line" && !slices.Contains(of.keys, key) {
			f.problem(key, "does not belong to a source of type %s, which takes %s", t, strings.Join(of.keys, ", "))
		}
	}
	return of
}

func (l *loader) manifest(f fields, s *Source, c *Campaign) {
	s.File = f.required("file", "the manifest, a YAML or CSV file")
	if s.File != "" {
		switch strings.ToLower(filepath.Ext(s.File)) {
		case ".yaml", ".yml", ".csv":
		default:
			f.problem("file", "must end in .yaml, .yml or .csv, which says how to read it")
		}
		s.Content = f.file("file")
	}
	s.Kind = f.people(c.hasDomain(), "no directory is of driver active-directory, which alone has must-change at the next log-on")
}

func (l *loader) kv(f fields, s *Source, c *Campaign) {
	s.Prefix = strings.Trim(f.required("prefix", "where in Vault to look, for example kv/apps/esg-01"), "/")
	mount, _, _ := strings.Cut(s.Prefix, "/")
	switch {
	case s.Prefix == "":
	case strings.ContainsAny(s.Prefix, "#*"):
		f.problem("prefix", "must be a place that secrets lie below: mount/path, without #field and *")
	case mount == c.Vault.Mount:
		f.problem("prefix", "is on Rollcall's own mount, which holds no credentials of a device")
	}
	s.AccountField = f.str("account_field")
	switch {
	case f.has("account_field") && s.AccountField == "":
		f.problem("account_field", "names the field of each secret that says whose it is, for example username; or leave it out")
	case SecretName(s.AccountField):
		f.problem("account_field", "is called like a field that holds a secret: name the one that says whose it is, for example username. Which field holds the password, custom_metadata field says (default password)")
	}
	s.Directory = f.str("directory")
	if s.Directory != "" && c.Authority(s.Directory) == nil {
		f.unknownDirectory(c, s.Directory)
	}
}

func (l *loader) search(f fields, s *Source, c *Campaign) {
	s.Directory = f.required("directory", "the directory to search, by its name under directories")
	d, ok := c.Directories[s.Directory]
	switch {
	case ok || s.Directory == "":
	case c.Authority(s.Directory) != nil:
		f.problem("directory", "%s has no entries to search: a source of type "+FromPostgres+" lists its roles, or a manifest, or the metadata of a secret in Vault, names them", c.Called(s.Directory))
	default:
		f.unknownDirectory(c, s.Directory)
	}
	s.Filter = f.required("filter", "an LDAP filter, for example (description=*esg-01*)")
	if s.Filter != "" {
		if err := checkFilter(s.Filter); err != nil {
			f.problem("filter", "not a valid LDAP filter: %v", err)
		}
	}
	s.Kind = f.people(!ok || d.TakesPeople(), "directory "+shown(s.Directory)+" is not of driver active-directory, which alone has must-change at the next log-on")
	if !f.has("base") {
		return
	}
	s.Base = f.dn("base", "the DN to search below")
	if ok && s.Base != "" && d.Base != "" && !below(s.Base, d.Base) {
		f.problem("base", "is not below the directory's own base, so what it finds could not be rotated")
	}
}

// people is the kind of a source that lists people's accounts. why says why it
// may not.
func (f fields) people(may bool, why string) credential.Kind {
	k := credential.Kind(f.oneOf("kind", "", kindNames(func(t credential.Traits) bool { return t.HandsOver })))
	if k != "" && !may {
		f.problem("kind", "%s is not possible here: %s; leave kind out", k, why)
	}
	return k
}

// kindNames are the names of those kinds.
func kindNames(those func(credential.Traits) bool) (names []string) {
	for _, k := range credential.Kinds() {
		if those(k.Traits()) {
			names = append(names, string(k))
		}
	}
	return names
}

func (c *Campaign) hasDomain() bool {
	for _, d := range c.Directories {
		if d.TakesPeople() {
			return true
		}
	}
	return false
}

func (f fields) unknownDirectory(c *Campaign, name string, more ...string) {
	known := slices.Clone(more)
	for k := range c.Directories {
		known = append(known, k)
	}
	slices.Sort(known)
	if near := nearest(name, known); near != "" {
		f.problem("directory", "no directory is called %s; did you mean %s?", shown(name), shown(near))
		return
	}
	f.problem("directory", "no directory is called %s; directories names them", shown(name))
}

// below compares two DNs as text, blanks around "," and "=" and case aside.
func below(dn, base string) bool {
	fold := func(s string) string {
		for _, c := range []string{",", "="} {
			parts := strings.Split(s, c)
			for i := range parts {
				parts[i] = strings.TrimSpace(parts[i])
			}
			s = strings.Join(parts, c)
		}
		return strings.ToLower(s)
	}
	d, b := fold(dn), fold(base)
	return d == b || strings.HasSuffix(d, ","+b)
}

func (l *loader) appRole(f fields, s *Source, _ *Campaign) {
	f.authMount(s, credential.AppRoleMethod, "an AppRole")
	s.Role = f.str("role")
	if _, err := Matches(s.Role, ""); err != nil {
		f.problem("role", "not a valid pattern: * stands for any text, ? for one character, [a-z] for one of a set")
	}
	f.network(s)
	s.Metadata = l.metadata(f)
	if !f.has("role") && !f.has("cidr") && !f.has("metadata") {
		l.problem(f.line, "%s: says nothing that ties a role to the device; give role, cidr or metadata", f.where)
	}
}

func (l *loader) metadata(f fields) map[string]string {
	if !f.has("metadata") {
		return nil
	}
	m := l.mapping(f.vals["metadata"], f.at("metadata"))
	out := map[string]string{}
	for k := range m.vals {
		if v, ok := m.scalar(k); ok {
			out[k] = v
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// tokens are ended, so what would take others than were meant is refused.
func (l *loader) tokens(f fields, s *Source, _ *Campaign) {
	for _, n := range f.list("accessor") {
		text, why := Accessor(n.Value)
		if n.Kind != yaml.ScalarNode || why != "" {
			f.problem("accessor", "%s", cmp.Or(why, "must be a list of accessors"))
			continue
		}
		s.Accessors = append(s.Accessors, text)
	}
	s.DisplayName, s.Policy, s.Metadata = f.str("display_name"), f.str("policy"), l.metadata(f)
	for key, pattern := range map[string]string{"display_name": s.DisplayName, "policy": s.Policy} {
		if _, err := Matches(pattern, ""); err != nil {
			f.problem(key, "not a valid pattern: * stands for any text, ? for one character, [a-z] for one of a set")
		} else if pattern != "" && strings.Trim(pattern, "*?") == "" {
			f.problem(key, "fits every token: all that fit are revoked, so say more")
		}
	}
	if s.Policy == "default" {
		f.problem("policy", "fits nearly every token: all that fit are revoked, so name another policy")
	}
	if len(s.Accessors) == 0 && s.DisplayName == "" && s.Policy == "" && s.Metadata == nil {
		l.problem(f.line, "%s: says nothing that ties a token to the device; give accessor, display_name, policy or metadata", f.where)
	}
}

// Accessor is the accessor of a token as people write it, or why it is none.
// The text is not repeated: it may be a token.
func Accessor(text string) (accessor, why string) {
	text = strings.TrimSpace(text)
	for _, prefix := range []string{"auth/", "token/", "accessor/"} {
		text = strings.TrimPrefix(text, prefix)
	}
	switch {
	case tokenForm.MatchString(text):
		return "", "has the form of a token and is not repeated here: write its accessor (vault token lookup shows it); treat the token as disclosed and revoke it"
	case !accessorForm.MatchString(text):
		return "", "must be the accessor of a token, as vault token lookup shows it (never the token)"
	}
	return text, ""
}

// What accessors look like, and tokens, which must not stand in a file.
var (
	accessorForm = regexp.MustCompile(`^[A-Za-z0-9._-]{8,128}$`)
	tokenForm    = regexp.MustCompile(`^(hv[sbr]|[sbr])\.`)
)

func (l *loader) userpass(f fields, s *Source, _ *Campaign) {
	f.authMount(s, credential.UserpassMethod, "a userpass")
	s.User = f.str("user")
	if _, err := Matches(s.User, ""); err != nil {
		f.problem("user", "not a valid pattern: * stands for any text, ? for one character, [a-z] for one of a set")
	}
	f.network(s)
	if !f.has("user") && !f.has("cidr") {
		l.problem(f.line, "%s: says nothing that ties a user to the device; give user or cidr", f.where)
	}
}

// roles are those of a PostgreSQL cluster.
func (l *loader) roles(f fields, s *Source, c *Campaign) {
	s.Directory = f.required("directory", "the cluster, by its name under "+settings.Type)
	switch a := c.Authority(s.Directory); {
	case s.Directory == "":
	case a == nil:
		f.problem("directory", "no PostgreSQL cluster is called %s; %s names them", shown(s.Directory), settings.Type)
	case a.Type() != settings.Type:
		f.problem("directory", "%s is no PostgreSQL cluster: a source of type %s searches a directory", c.Called(s.Directory), FromLDAP)
	}
	s.Role = f.str("role")
	if _, err := Matches(s.Role, ""); err != nil {
		f.problem("role", "not a valid pattern: * stands for any text, ? for one character, [a-z] for one of a set")
	}
	s.MemberOf = f.str("member_of")
	f.network(s)
	if !f.has("role") && !f.has("member_of") && !f.has("cidr") {
		l.problem(f.line, "%s: says nothing that ties a role to the device; give role, member_of or cidr", f.where)
	}
}

func (f fields) authMount(s *Source, def, what string) {
	s.Mount = def
	if m, ok := f.scalar("mount"); ok {
		s.Mount = strings.TrimPrefix(strings.Trim(m, "/"), "auth/")
		if s.Mount == "" {
			f.problem("mount", "must be the name of %s auth mount, for example %s", what, def)
		}
	}
}

func (f fields) network(s *Source) {
	text, ok := f.scalar("cidr")
	if !ok {
		return
	}
	p, err := ParseCIDR(text)
	if err != nil {
		f.problem("cidr", "not a network or address: write 10.1.2.0/24 or 10.1.2.3")
		return
	}
	s.CIDR = p.String()
}

// ParseCIDR reads a network, or one address as the network of itself alone.
// Vault writes bound addresses in both forms.
func ParseCIDR(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("not a network or address")
	}
	return p.Masked(), nil
}
