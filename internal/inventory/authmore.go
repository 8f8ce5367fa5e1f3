package inventory

import (
	"context"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/directory"

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
// default one.
func (l *lister) whoGetsMore(ctx context.Context, m *authMount, config map[string]any) error {
	tokens, _ := config["token_policies"].([]any)
	tokenGroups := config["use_token_groups"] == true || config["use_token_groups"] == "true"
	ordinary, err := l.ordinary(ctx)
	if err != nil {
		return err
	}
	if m.all = !ordinary || more(tokens); m.all {
		return nil
	}
	groups, err := l.groupsOfMore(ctx, m)
	if err != nil || m.all {
		return err
	}
	if err := l.usersOfMore(ctx, m, groups); err != nil || m.all || len(groups) == 0 {
		return err
	}
	custom := true
	for _, f := range defaultGroups {
		custom = custom && m.filter != f
	}
	if custom || tokenGroups {
		m.all = true // who is in a group is not ours to tell
		return nil
	}
	for name := range m.servers {
		if err := l.membersOf(ctx, m, name, groups); err != nil || m.all {
			return err
		}
	}
	return nil
}

// groupsOfMore are the groups that get policies, folded: of the mount, and of
// Vault's identities, which have the directory's groups as aliases.
func (l *lister) groupsOfMore(ctx context.Context, m *authMount) (map[string]bool, error) {
	out := map[string]bool{}
	names, known, err := l.listVault(ctx, m.place("groups"))
	if err != nil {
		return nil, err
	}
	m.all = !known
	for _, name := range names {
		got, err := l.readVault(ctx, m.place("groups", name))
		if err != nil {
			return nil, err
		}
		policies, _ := got["policies"].([]any)
		if got == nil || more(policies) {
			out[fold(name)] = true
		}
	}
	aliases, err := l.vault.API().Logical().ListWithContext(ctx, "identity/group-alias/id")
	if refusedBy(err, 403) {
		m.all = true
		return out, nil
	}
	if err != nil {
		return nil, vaultError("list", "identity/group-alias/id", err)
	}
	if aliases != nil {
		info, _ := aliases.Data["key_info"].(map[string]any)
		for _, v := range info {
			about, _ := v.(map[string]any)
			if name, _ := about["name"].(string); about["mount_accessor"] == m.accessor {
				out[fold(name)] = true
			}
		}
	}
	return out, nil
}

// usersOfMore are names that the mount itself gives policies or groups.
func (l *lister) usersOfMore(ctx context.Context, m *authMount, groups map[string]bool) error {
	names, known, err := l.listVault(ctx, m.place("users"))
	if err != nil {
		return err
	}
	m.all = m.all || !known
	for _, name := range names {
		got, err := l.readVault(ctx, m.place("users", name))
		if err != nil {
			return &naming{err, "a user of an auth mount of type ldap cannot be read"}
		}
		policies, _ := got["policies"].([]any)
		in, _ := got["groups"].(string)
		m.names[fold(name)] = got == nil || more(policies)
		for _, g := range strings.Split(in, ",") {
			m.names[fold(name)] = m.names[fold(name)] || groups[fold(g)]
		}
	}
	return nil
}

// membersOf asks a directory who is in the groups, as Vault does.
func (l *lister) membersOf(ctx context.Context, m *authMount, name string, groups map[string]bool) error {
	attr := m.named
	if attr == "" {
		attr = "cn"
	}
	var filter strings.Builder
	for g := range groups {
		filter.WriteString("(" + attr + "=" + ldap.EscapeFilter(g) + ")")
	}
	base := m.groupDN
	if base == "" {
		return nil // Vault searches for none
	}
	in := map[string]struct{}{}
	d := l.dirs[name]
	_, err := d.Find(ctx, d.Servers()[0], base, "(|"+filter.String()+")", []string{"member", "uniqueMember", "memberUid"}, func(e directory.Entry) error {
		for _, a := range []string{"member", "uniqueMember"} {
			for _, dn := range e.Attrs[a] {
				in[dnKey(dn)] = struct{}{}
			}
		}
		for _, uid := range e.Attrs["memberUid"] {
			in[fold(uid)] = struct{}{}
		}
		return nil
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		m.all = true // hidden from us, and perhaps not from Vault
		return nil
	}
	m.members[name] = in
	return nil
}

// lookForIdentities marks the logins whose entity gets policies of its own or
// is in a group: people of a company are given theirs so.
func (l *lister) lookForIdentities(ctx context.Context, logins map[string][]credential.VaultLogin) error {
	accessors := map[string]string{}
	for _, m := range l.mounts {
		accessors[m.name] = m.accessor
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for _, of := range logins {
		g.Go(func() error {
			for i := range of {
				if !of[i].Plain {
					continue
				}
				for _, n := range of[i].Names {
					more, err := l.identityGetsMore(gctx, accessors[of[i].Mount], n)
					if err != nil {
						return err
					}
					if more {
						of[i].Plain = false
						break
					}
				}
			}
			return nil
		})
	}
	return g.Wait()
}

func (l *lister) identityGetsMore(ctx context.Context, accessor, name string) (bool, error) {
	const at = "identity/lookup/entity"
	got, err := l.vault.API().Logical().WriteWithContext(ctx, at, map[string]any{"alias_name": name, "alias_mount_accessor": accessor})
	switch {
	case refusedBy(err, 403):
		return true, nil
	case err != nil:
		return false, vaultError("look up", at, err)
	case got == nil:
		return false, nil
	}
	policies, _ := got.Data["policies"].([]any)
	groups, _ := got.Data["group_ids"].([]any)
	return more(policies) || len(groups) > 0, nil
}
