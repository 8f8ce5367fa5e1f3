package inventory

import (
	"context"
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/vault/minted"
)

// rollLogins are those of the roll, by mount and name.
type rollLogins map[loginName]bool

func loginsOfRoll(roll *credential.Roll) rollLogins {
	out := rollLogins{}
	for _, x := range roll.Excluded { // which has a warning of its own
		authority, subject, _ := strings.Cut(x.ID, "/")
		if mount, name, ok := cutRole(subject); ok && authority == credential.VaultAuthority {
			out[loginName{mount, fold(name)}] = true
		}
	}
	for _, c := range roll.Credentials {
		// Of a user that is there for his name alone nothing is revoked.
		if mount, name, ok := cutRole(c.Subject); ok && c.Kind.OpensVault() && c.Problem != credential.SameName {
			out[loginName{mount, fold(name)}] = true
		}
		for _, login := range c.Logins {
			for _, name := range login.Names {
				out[loginName{login.Mount, fold(name)}] = true
			}
		}
	}
	return out
}

// tokensOfRoll are the accessors of tokens that have a line of their own.
func tokensOfRoll(roll *credential.Roll) map[string]bool {
	out := map[string]bool{}
	for _, c := range roll.Credentials {
		if accessor, ok := strings.CutPrefix(c.Subject, minted.TokenPrefix); ok && c.Kind.OnlyEnds() {
			out[accessor] = true
		}
	}
	return out
}

// minted reports whether a login of the roll made a token itself.
func (of rollLogins) minted(t minted.Token) bool {
	return slices.ContainsFunc(loginNamesOf(t), func(at loginName) bool { return of[at] })
}

// ofLogins gives what tells whether an entity is that of a login of the roll.
func (l *lister) ofLogins(roll *credential.Roll) func(ctx context.Context, entity string) (bool, error) {
	var mine rollLogins
	known := map[string]bool{} // by entity
	return func(ctx context.Context, entity string) (bool, error) {
		if entity == "" {
			return false, nil
		}
		if is, ok := known[entity]; ok {
			return is, nil
		}
		if mine == nil {
			mine = loginsOfRoll(roll)
			if err := l.addAliases(ctx, roll, mine); err != nil {
				return false, err
			}
		}
		logins, err := l.loginsOfEntity(ctx, entity)
		known[entity] = slices.ContainsFunc(logins, func(at loginName) bool { return mine[at] })
		return known[entity], err
	}
}

// loginsOfEntity are those of an entity, as Vault shows them: the names by
// which it logs in, and of an AppRole, whose name there is its role-id, the
// role too. It is asked once.
func (l *lister) loginsOfEntity(ctx context.Context, entity string) (logins []loginName, err error) {
	if got, known := l.ofEntity.Load(entity); known {
		return got.([]loginName), nil
	}
	const at = "identity/lookup/entity"
	got, err := l.vault.API().Logical().WriteWithContext(ctx, at, map[string]any{"id": entity})
	if err != nil && !notShown(err) {
		return nil, vaultError("update", at, err)
	}
	if err == nil && got != nil {
		aliases, _ := got.Data["aliases"].([]any)
		for _, a := range aliases {
			about, _ := a.(map[string]any)
			mount, _ := about["mount_path"].(string)
			name, _ := about["name"].(string)
			noted, _ := about["metadata"].(map[string]any)
			role, _ := noted["role_name"].(string)
			for _, n := range []string{name, role} {
				if n != "" {
					logins = append(logins, loginName{strings.Trim(strings.TrimPrefix(mount, "auth/"), "/"), fold(n)})
				}
			}
		}
	}
	l.ofEntity.Store(entity, logins)
	return logins, nil
}

// dropChildren drops tokens that were made with one of a login of the roll that
// has ended: they have its entity, and are revoked with it or counted there.
func (r *readers) dropChildren(ctx context.Context, roll *credential.Roll, groups []*sameRights) error {
	is := r.l.ofLogins(roll)
	for _, g := range groups {
		var failed error
		g.tokens = slices.DeleteFunc(g.tokens, func(t liveToken) bool {
			if failed != nil || !t.Child() {
				return false
			}
			drop, err := is(ctx, t.Entity)
			failed = err
			return drop
		})
		if failed != nil {
			return failed
		}
	}
	return nil
}

// addAliases adds by what Vault knows logins besides their names: role-ids.
func (l *lister) addAliases(ctx context.Context, roll *credential.Roll, mine rollLogins) error {
	p := preview{api: l.vault.API()}
	for _, c := range roll.Credentials {
		mount, name, ok := cutRole(c.Subject)
		if !ok || !c.Kind.OpensVault() || c.Problem == credential.SameName {
			continue
		}
		alias, _, err := p.alias(ctx, c.Kind, mount, name)
		if err != nil {
			return &naming{err, "a login to Vault cannot be read"}
		}
		if alias != "" {
			mine[loginName{mount, fold(alias)}] = true
		}
	}
	return nil
}
