package inventory

import (
	"context"
	"maps"
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/vault"

	"github.com/go-ldap/ldap/v3"
	"golang.org/x/sync/errgroup"
)

// Vault gives a login the policies of its mount, of the user, of groups that
// the directory says he is in, and of his entity. A mount commonly admits every
// account of a company and gives policies to a few: only those read anything,
// and only for those others wait. Where this cannot be found out all accounts
// are taken to get more.

// defaultGroups are Vault's own filters for the groups of an account.
var defaultGroups = []string{"", "(|(memberUid={{.Username}})(member={{.UserDN}})(uniqueMember={{.UserDN}}))"}

// whoGetsMore finds out whose login at a mount gets policies besides the
// default one, and which.
func (l *lister) whoGetsMore(ctx context.Context, m *authMount, config map[string]any) error {
	ordinary, err := l.ordinary(ctx)
	if err != nil {
		return err
	}
	m.gives = besides(config["token_policies"])
	if err := l.groupsOfMore(ctx, m); err != nil {
		return err
	}
	if err := l.usersOfMore(ctx, m); err != nil {
		return err
	}
	tokenGroups := config["use_token_groups"] == true || config["use_token_groups"] == "true"
	switch {
	case len(m.groups) == 0:
	case tokenGroups || !slices.Contains(defaultGroups, m.filter):
		m.untold = "it finds groups by a filter of its own, or by a domain's tokenGroups"
	default:
		for _, name := range slices.Sorted(maps.Keys(m.servers)) {
			if err := l.membersOf(ctx, m, name); err != nil {
				return err
			}
		}
	}
	if m.untyped {
		userfilter, _ := config["userfilter"].(string)
		l.notShown("auth/"+m.name, "its userfilter (%s) does not tell by which names an account logs in there: each account that it may find is taken to get something, and tokens that were made by a name which no attribute has are found by the entity alone; name the attributes in it one by one, each compared for equality", userfilter)
	}
	m.all = !ordinary || m.untyped || len(m.gives) > 0 || m.untold != "" || slices.ContainsFunc(m.hidden, m.isList)
	return nil
}

// isList reports whether what is hidden may hold anybody's policies.
func (m *authMount) isList(hidden string) bool {
	return hidden == m.place("groups") || hidden == m.place("users") || hidden == groupAliases
}

const groupAliases = "identity/group-alias/id"

// groupsOfMore are the groups that get policies: of the mount, and of Vault's
// identities, which have the directory's groups as aliases.
func (l *lister) groupsOfMore(ctx context.Context, m *authMount) error {
	names, known, err := l.listVault(ctx, m.place("groups"))
	if err != nil {
		return err
	}
	if !known {
		m.hidden = append(m.hidden, m.place("groups"))
	}
	for _, name := range names {
		policies, err := l.policiesAt(ctx, m, m.place("groups", name))
		if err != nil {
			return err
		}
		if len(policies) > 0 {
			m.groups[fold(name)] = policies
		}
	}
	aliases, err := l.vault.API().Logical().ListWithContext(ctx, groupAliases)
	if vault.Answered(err, 403) {
		m.hidden = append(m.hidden, groupAliases)
		return nil
	}
	if err != nil {
		return vaultError("list", groupAliases, err)
	}
	if aliases == nil {
		return nil
	}
	info, _ := aliases.Data["key_info"].(map[string]any)
	for _, v := range info {
		about, _ := v.(map[string]any)
		name, _ := about["name"].(string)
		if about["mount_accessor"] != m.accessor {
			continue
		}
		id, _ := about["canonical_id"].(string)
		policies, err := l.identityGroup(ctx, m, id, map[string]bool{})
		if err != nil {
			return err
		}
		// A group that gives none by now may do so at once: it counts as one
		// that gives some.
		m.groups[fold(name)] = append(append(m.groups[fold(name)], policies...), "default")
	}
	return nil
}

// policiesAt are those of a group or user of the mount; "" where our login may
// not read it.
func (l *lister) policiesAt(ctx context.Context, m *authMount, at string) ([]string, error) {
	got, err := l.readVault(ctx, at)
	if err != nil {
		return nil, err
	}
	if got == nil {
		m.hidden = append(m.hidden, at)
		return []string{""}, nil
	}
	return besides(got["policies"]), nil
}

// identityGroup are the policies of a group of Vault's identities, and of those
// that it is in.
func (l *lister) identityGroup(ctx context.Context, m *authMount, id string, seen map[string]bool) ([]string, error) {
	if id == "" || seen[id] {
		return nil, nil
	}
	seen[id] = true
	at := "identity/group/id/" + id
	got, err := l.readVault(ctx, at)
	if err != nil {
		return nil, err
	}
	if got == nil {
		m.hidden = append(m.hidden, at)
		return []string{""}, nil
	}
	out := besides(got["policies"])
	for _, parent := range texts(got["parent_group_ids"]) {
		more, err := l.identityGroup(ctx, m, parent, seen)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

// usersOfMore are names that the mount itself gives policies or groups.
func (l *lister) usersOfMore(ctx context.Context, m *authMount) error {
	names, known, err := l.listVault(ctx, m.place("users"))
	if err != nil {
		return err
	}
	if !known {
		m.hidden = append(m.hidden, m.place("users"))
	}
	for _, name := range names {
		at := m.place("users", name)
		got, err := l.readVault(ctx, at)
		if err != nil {
			return &naming{err, "a user of an auth mount of type ldap cannot be read"}
		}
		if got == nil {
			m.hidden = append(m.hidden, at)
			m.names[fold(name)] = append(m.names[fold(name)], "")
			continue
		}
		policies := besides(got["policies"])
		in, _ := got["groups"].(string)
		for _, g := range strings.Split(in, ",") {
			policies = append(policies, m.groups[fold(g)]...)
		}
		m.names[fold(name)] = append(m.names[fold(name)], policies...)
	}
	return nil
}

// membersOf asks a directory who is in the groups, as Vault does.
func (l *lister) membersOf(ctx context.Context, m *authMount, name string) error {
	attr := "cn"
	if m.named != "" {
		attr, _ = directory.AttributeType(m.named)
	}
	var filter strings.Builder
	for _, g := range slices.Sorted(maps.Keys(m.groups)) {
		filter.WriteString("(" + attr + "=" + ldap.EscapeFilter(g) + ")")
	}
	base := m.groupDN
	if base == "" {
		return nil // Vault searches for none
	}
	in := map[string][]string{}
	d := l.dirs[name]
	_, err := d.Find(ctx, d.Servers()[0], base, "(|"+filter.String()+")", []string{attr, "member", "uniqueMember", "memberUid"}, func(e directory.Entry) error {
		var policies []string
		for _, called := range e.Attrs[attr] {
			policies = append(policies, m.groups[fold(called)]...)
		}
		if len(policies) == 0 {
			policies = []string{""} // the server takes it for one by a name that we do not see
		}
		policies = slices.Clip(policies) // members of one group share them
		add := func(key string) {
			if in[key] == nil {
				in[key] = policies
				return
			}
			in[key] = append(in[key], policies...)
		}
		for _, a := range []string{"member", "uniqueMember"} {
			for _, dn := range e.Attrs[a] {
				add(dnKey(dn))
			}
		}
		for _, uid := range e.Attrs["memberUid"] {
			add(fold(uid))
		}
		return nil
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		m.untold = "its groups are hidden from bind.dn, and perhaps not from Vault"
		return nil
	}
	m.members[name] = in
	return nil
}

// lookForIdentities adds what the entity of a login gets, by itself or in a
// group: people of a company are given their policies so.
func (l *lister) lookForIdentities(ctx context.Context, logins map[string][]credential.VaultLogin) (knownEntities, error) {
	entities := knownEntities{}
	accessors := map[string]string{}
	for _, m := range l.mounts {
		accessors[m.name] = m.accessor
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for id, of := range logins {
		g.Go(func() error {
			for i := range of {
				for _, n := range of[i].Names {
					gets, known, err := l.identityGets(gctx, accessors[of[i].Mount], n)
					if err != nil {
						return err
					}
					l.got(id, gets...)
					l.mu.Lock()
					for _, entity := range known {
						entities[entity] = append(entities[entity], id)
					}
					l.mu.Unlock()
					of[i].Plain = of[i].Plain && len(gets) == 0
				}
			}
			return nil
		})
	}
	return entities, g.Wait()
}

// identityGets are the policies of whoever Vault knows by a name at a mount; ""
// where our login may not look. entities are the ids that he has and had.
func (l *lister) identityGets(ctx context.Context, accessor, name string) (gets, entities []string, err error) {
	const at = "identity/lookup/entity"
	got, err := l.vault.API().Logical().WriteWithContext(ctx, at, map[string]any{"alias_name": name, "alias_mount_accessor": accessor})
	switch {
	case vault.Answered(err, 403):
		return []string{""}, nil, nil
	case err != nil:
		return nil, nil, vaultError("look up", at, err)
	case got == nil:
		return nil, nil, nil
	}
	entities = texts(got.Data["merged_entity_ids"])
	if id, _ := got.Data["id"].(string); id != "" {
		entities = append(entities, id)
	}
	gets = besides(got.Data["policies"])
	for _, group := range append(texts(got.Data["group_ids"]), texts(got.Data["inherited_group_ids"])...) {
		policies, err := l.groupPolicies(ctx, group)
		if err != nil {
			return nil, nil, err
		}
		gets = append(append(gets, policies...), "default") // as above
	}
	return gets, entities, nil
}

// groupPolicies are those of one group of Vault's identities, which is asked
// for once; "" where our login may not read it.
func (l *lister) groupPolicies(ctx context.Context, id string) ([]string, error) {
	if known, ok := l.groups.Load(id); ok {
		return known.([]string), nil
	}
	got, err := l.readVault(ctx, "identity/group/id/"+id)
	if err != nil {
		return nil, err
	}
	policies := []string{""}
	if got != nil {
		policies = besides(got["policies"])
	}
	l.groups.Store(id, policies)
	return policies, nil
}

// got notes policies that the logins of an account get.
func (l *lister) got(id string, policies ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gets == nil {
		l.gets = map[string]map[string]bool{}
	}
	for _, p := range policies {
		if l.gets[id] == nil {
			l.gets[id] = map[string]bool{}
		}
		l.gets[id][p] = true
	}
}
