package inventory

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/vault"
	"rollcall/internal/vault/minted"
)

// authMount is an auth mount of type ldap: who has the password of an account
// in its directory logs in to Vault.
type authMount struct {
	name     string              // without auth/ and slashes at the ends
	servers  map[string][]string // by directory of the campaign that it asks: the servers, none if they cannot be told
	attr     string              // userattr: the alias is the first value of it
	typed    []typedBy           // by what people log in (userfilter)
	asAlias  bool                // the alias is what was typed (username_as_alias)
	untyped  bool                // userfilter does not tell all names that somebody logs in by
	upn      string              // upndomain
	below    string              // userdn
	lies     map[string]asked    // what each directory calls that entry
	groupDN  string
	named    string // groupattr
	filter   string // groupfilter; empty: Vault's default
	accessor string
	batch    bool // it gives batch tokens

	// Policies that logins get there besides Vault's default one; "" stands for
	// those that our login may not read.
	gives   []string                       // each of them
	groups  map[string][]string            // by group, folded
	names   map[string][]string            // by name, folded: its own, and those of groups that the mount says it is in
	members map[string]map[string][]string // by directory, DN (dnKey) or name (fold): of groups that the directory says it is in
	all     bool                           // every login is taken to get some
	untold  string                         // why who is in which group is not known; empty: it is
	hidden  []string                       // what our login may not read of all this

	url     string   // as it is configured
	unclear []string // directories of which it may ask a server that the file does not have
}

// ldapMounts reads the auth mounts of type ldap that ask a directory of the
// campaign, and whose logins get policies there. One whose configuration may
// not be read is a warning.
func (l *lister) ldapMounts(ctx context.Context) error {
	return l.eachLDAPMount(ctx, func(m *authMount, config map[string]any) error {
		for _, name := range slices.Sorted(maps.Keys(m.servers)) {
			if len(m.servers[name]) == 0 {
				m.url, _ = config["url"].(string)
				m.unclear = append(m.unclear, name)
			}
		}
		if err := l.liesIn(ctx, m); err != nil {
			return err
		}
		if err := l.whoGetsMore(ctx, m, config); err != nil {
			return err
		}
		l.mounts = append(l.mounts, m)
		return nil
	})
}

// eachLDAPMount notes with whom each such mount binds, and hands it out with
// its configuration.
func (l *lister) eachLDAPMount(ctx context.Context, each func(m *authMount, config map[string]any) error) error {
	if len(l.c.Directories) == 0 || l.vault == nil {
		return nil
	}
	got, err := l.readMounts(ctx, "sys/auth", "with which passwords of the roll somebody logs in to Vault was not looked for")
	if err != nil {
		return err
	}
	for _, at := range slices.Sorted(maps.Keys(got)) {
		about, _ := got[at].(map[string]any)
		if about["type"] == "kerberos" {
			if err := l.kerberosBind(ctx, strings.Trim(at, "/")); err != nil {
				return err
			}
		}
		if method, _ := about["type"].(string); !ldapMounts[method] {
			continue
		}
		m := &authMount{name: strings.Trim(at, "/"), groups: map[string][]string{}, names: map[string][]string{}, members: map[string]map[string][]string{}}
		m.accessor, _ = about["accessor"].(string)
		tuned, _ := about["config"].(map[string]any)
		tune, _ := tuned["token_type"].(string)
		config, err := l.vault.API().Logical().ReadWithContext(ctx, "auth/"+m.name+"/config")
		if vault.Answered(err, http.StatusForbidden) {
			l.notShown("auth/"+m.name, "it logs in to Vault with directory passwords, and this login may not read its configuration (auth/%s/config): whether accounts of the roll log in there is not known, their tokens are not revoked, each renewal of one is a wrong login that counts towards a lock of the account, and if Vault binds with one every login there ends with its new password", m.name)
			continue
		}
		if err != nil {
			return vaultError("read", "auth/"+m.name+"/config", err)
		}
		if config == nil {
			continue // nobody logs in yet
		}
		text := func(key string) string { v, _ := config.Data[key].(string); return strings.TrimSpace(v) }
		m.attr, _ = directory.AttributeType(text("userattr"))
		m.upn, m.below = text("upndomain"), text("userdn")
		m.readFilter(config.Data)
		m.groupDN, m.named, m.filter = text("groupdn"), text("groupattr"), text("groupfilter")
		if m.below == "" && m.upn == "" && text("binddn") == "" && config.Data["discoverdn"] != true {
			continue // not configured: there is no name to bind with
		}
		if m.servers, err = l.asks(ctx, strings.Split(text("url"), ","), m); err != nil {
			return err
		}
		if len(m.servers) == 0 {
			continue // another directory's accounts
		}
		m.batch = minted.GivesBatch(text("token_type"), tune)
		if err := l.bindOf(ctx, "auth/"+m.name, config.Data, m.servers); err != nil {
			return err
		}
		if err := each(m, config.Data); err != nil {
			return err
		}
	}
	return nil
}

// kerberosBind notes with whom an auth mount of type kerberos looks people up
// (https://developer.hashicorp.com/vault/api-docs/auth/kerberos#configure-ldap).
func (l *lister) kerberosBind(ctx context.Context, mount string) error {
	at := "auth/" + mount + "/config/ldap"
	read, err := l.vault.API().Logical().ReadWithContext(ctx, at)
	switch {
	case vault.Answered(err, http.StatusForbidden):
		l.notShown("auth/"+mount, "it is an auth mount of type kerberos, and this login may not read with whom it binds to a directory (%s): if that is an account of the roll, every login there ends with its new password", at)
		return nil
	case notShown(err), err == nil && read == nil:
		return nil // it asks no directory
	case err != nil:
		return vaultError("read", at, err)
	}
	text := func(key string) string { v, _ := read.Data[key].(string); return strings.TrimSpace(v) }
	in, err := l.asks(ctx, strings.Split(text("url"), ","), &authMount{below: text("userdn"), upn: text("upndomain")})
	if err != nil || len(in) == 0 || text("binddn") == "" {
		return err
	}
	return l.noteUse(ctx, "auth/"+mount, vaultUse{at: at, names: []string{text("binddn")}, in: in})
}

// readMounts lists mounts; none, with a warning, where our login may not.
func (l *lister) readMounts(ctx context.Context, at, missed string) (map[string]any, error) {
	got, err := l.vault.API().Logical().ReadWithContext(ctx, at)
	switch {
	case vault.Answered(err, http.StatusForbidden):
		l.notShown(at, "this login may not list Vault's mounts (%s): %s", at, missed)
		return nil, nil
	case err != nil:
		return nil, vaultError("read", at, err)
	case got == nil:
		return nil, nil
	}
	return got.Data, nil
}

// readVault is nil where our login may not read.
func (l *lister) readVault(ctx context.Context, at string) (map[string]any, error) {
	got, err := l.vault.API().Logical().ReadWithContext(ctx, at)
	switch {
	case vault.Answered(err, http.StatusForbidden), err == nil && got == nil:
		return nil, nil
	case err != nil:
		return nil, vaultError("read", at, err)
	}
	return got.Data, nil
}

// listVault says with known whether our login may list at all.
func (l *lister) listVault(ctx context.Context, at string) (names []string, known bool, err error) {
	got, err := l.vault.API().Logical().ListWithContext(ctx, at)
	switch {
	case vault.Answered(err, http.StatusForbidden):
		return nil, false, nil
	case err != nil:
		return nil, false, vaultError("list", at, err)
	}
	return keys(got), true, nil
}

// loginsOf are the logins to Vault of an account.
func (l *lister) loginsOf(authority string, a Account) (out []credential.VaultLogin) {
	for _, m := range l.mounts {
		servers, asked := m.servers[authority]
		if len(servers) == 0 {
			servers = l.c.Directories[authority].Servers // it may be any of them
		}
		if !asked || a.facts == nil || a.facts.noAccount().code != "" || !m.holds(authority, a.Name) {
			continue
		}
		names := m.namesOf(a)
		if len(names) == 0 {
			continue
		}
		gets := m.gets(authority, a.Name, names)
		l.got(authority+"/"+a.Subject, gets...)
		out = append(out, credential.VaultLogin{Mount: m.name, Names: names, Servers: servers, Plain: !m.all && len(gets) == 0})
		for _, n := range m.othersOf(authority, a, names) {
			own := append([]string{n}, slices.DeleteFunc(slices.Clone(names), func(have string) bool { return have == n })...)
			out = append(out, credential.VaultLogin{Mount: m.name, Names: own, Servers: servers, Plain: !m.all && len(m.gets(authority, a.Name, own[:1])) == 0})
		}
	}
	return out
}

// holds reports whether an entry of a directory lies where the mount looks for
// accounts.
func (m *authMount) holds(directory, dn string) bool {
	at := m.lies[directory]
	return !at.known || at.as == "" || within(dn, at.as)
}

// within compares two DNs as text: dnKey has folded what does not count.
func within(dn, base string) bool {
	d, b := dnKey(dn), dnKey(base)
	return d == b || b == "" || strings.HasSuffix(d, ","+b)
}

// namesOf are the names that log in as the account, Vault's own first.
func (m *authMount) namesOf(a Account) []string {
	var names []string
	add := func(all ...string) {
		for _, n := range all {
			if n != "" && !slices.ContainsFunc(names, func(have string) bool { return fold(have) == fold(n) }) {
				names = append(names, n)
			}
		}
	}
	if user, domain, ok := strings.Cut(a.facts.principal, "@"); ok && m.upn != "" && strings.EqualFold(domain, m.upn) {
		add(user)
	}
	add(a.facts.named[m.attr]...)
	add(namingValue(a.Name, m.attr))
	add(a.facts.login...)
	add(a.facts.principal)
	add(m.typedNames(a)...)
	return names
}

func namingValue(dn, attr string) string {
	first, _, _ := strings.Cut(dn, ",")
	name, value, ok := strings.Cut(first, "=")
	if as, _ := directory.AttributeType(name); !ok || as != attr || strings.Contains(value, `\`) {
		return ""
	}
	return strings.TrimSpace(value)
}

// policyPaths finds what a policy is about. Vault ships a default policy that
// is about one's own token, cubbyhole and identity.
var policyPaths = regexp.MustCompile(`path\s+"([^"]*)"`)

// ordinary reports whether Vault's default policy reads nothing that Rollcall
// writes. Where it cannot be read it is taken to.
func (l *lister) ordinary(ctx context.Context) (bool, error) {
	got, err := l.readVault(ctx, "sys/policies/acl/default")
	if err != nil || got == nil {
		return false, err
	}
	text, _ := got["policy"].(string)
	found := policyPaths.FindAllStringSubmatch(text, -1)
	if strings.Count(text, "path") > 0 && len(found) == 0 {
		return false, nil // of another form (JSON)
	}
	for _, f := range found {
		first, _, _ := strings.Cut(f[1], "/")
		if !slices.Contains([]string{"auth", "sys", "cubbyhole", "identity"}, first) {
			return false, nil
		}
	}
	return true, nil
}

// besides are policies besides the default one.
func besides(v any) []string {
	return slices.DeleteFunc(texts(v), func(p string) bool { return p == "default" })
}

// gets are the policies that a login of an account gets besides the default
// one, as far as they are known.
func (m *authMount) gets(directory, dn string, names []string) []string {
	in := m.members[directory]
	out := slices.Concat(m.gives, in[dnKey(dn)])
	for _, n := range names {
		out = append(append(out, m.names[fold(n)]...), in[fold(n)]...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (m *authMount) place(rest ...string) string {
	return fmt.Sprintf("auth/%s/%s", m.name, strings.Join(rest, "/"))
}
