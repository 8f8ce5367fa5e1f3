package inventory

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// What a role or user has is not all in its own entry: its entity, and groups
// that this is in, give policies of their own, and Vault adds them when
// somebody logs in (https://developer.hashicorp.com/vault/docs/concepts/identity).
// The entities are listed once, with the names by which each logs in where; one
// question more for each that logs in where somebody may be on no roll.

// entity is one of Vault's identities.
type entity struct {
	id       string
	logins   []entityLogin
	policies []string
}

// entityLogin is a name by which it logs in. An AppRole's is its role-id, and
// role is then what it is called, as Vault noted at its last login; empty where
// it never logged in.
type entityLogin struct{ mount, name, role string }

// byIdentity adds to logins that are on no roll what their entities give, and
// the logins that have no entry of their own: an account at an auth mount of
// type ldap. Those of other types are kept for mountThatReads.
func (r *readers) byIdentity(ctx context.Context, mounts mountTypes, roll *credential.Roll, all []otherLogin) ([]otherLogin, error) {
	if len(mounts) == 0 {
		return all, nil // not shown, which was said
	}
	found, err := r.entitiesOf(ctx, mounts)
	if err != nil || len(found) == 0 {
		return all, err
	}
	mine := loginsOfRoll(roll)
	if err := r.l.addAliases(ctx, roll, mine); err != nil {
		return nil, err
	}
	roleIDs := map[string]map[string]int{} // by mount and role-id, where the role is in all
	r.entities = map[string]map[string][]string{}
	for _, e := range found {
		for _, at := range e.logins {
			method := credential.MethodOf(mounts[at.mount])
			switch {
			case mine[loginName{at.mount, fold(at.name)}], at.role != "" && mine[loginName{at.mount, fold(at.role)}]: // a line of its own
				continue
			case !method.Followed:
				if r.entities[at.mount] == nil {
					r.entities[at.mount] = map[string][]string{}
				}
				r.entities[at.mount][at.name] = e.policies
				continue
			}
			called := cmp.Or(at.role, at.name)
			i := slices.IndexFunc(all, func(o otherLogin) bool {
				return o.mount == at.mount && !o.group && o.name != "" && fold(o.name) == fold(called)
			})
			kept := method.Rotated()
			switch {
			case kept != nil && kept.AliasFrom != "" && at.role == "":
				if roleIDs[at.mount] == nil {
					if roleIDs[at.mount], err = r.aliasesAt(ctx, kept.AliasFrom, at.mount, all); err != nil {
						return nil, err
					}
				}
				n, known := roleIDs[at.mount][at.name]
				if !known {
					continue // of a role that is gone, or Rollcall's own
				}
				i = n
			case i < 0 && kept == nil: // of the directory, without an entry in Vault
				o := otherLogin{mount: at.mount, kind: method.Type, name: at.name, place: "auth/" + at.mount + "/users/" + at.name}
				if j := slices.IndexFunc(all, func(o otherLogin) bool { return o.mount == at.mount && o.name == "" }); j >= 0 {
					o.policies = slices.Clone(all[j].policies)
				}
				i, all = len(all), append(all, o)
			case i < 0:
				continue // a user that is gone
			}
			all[i].policies = slices.Compact(slices.Sorted(slices.Values(slices.Concat(all[i].policies, e.policies))))
		}
	}
	return slices.DeleteFunc(all, otherLogin.ours), nil
}

// callRoles notes what roles are called, of those that Vault says.
func (e *entity) callRoles(aliases any) {
	list, _ := aliases.([]any)
	for _, a := range list {
		alias, _ := a.(map[string]any)
		about, _ := alias["metadata"].(map[string]any)
		mount, _ := alias["mount_path"].(string)
		role, _ := about["role_name"].(string)
		for i, at := range e.logins {
			if alias["name"] == at.name && strings.Trim(strings.TrimPrefix(mount, "auth/"), "/") == at.mount {
				e.logins[i].role = role
			}
		}
	}
}

// aliasesAt are the logins of all at a mount, by what Vault knows each by.
func (r *readers) aliasesAt(ctx context.Context, from, mount string, all []otherLogin) (map[string]int, error) {
	out := map[string]int{}
	var mu sync.Mutex
	hidden := 0
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(looksAtOnce)
	for i, o := range all {
		if o.mount != mount || o.name == "" {
			continue
		}
		g.Go(func() error {
			data, err := r.l.readVault(gctx, o.place+"/"+from)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil && !notShown(err):
				return &naming{err, "a login to Vault cannot be read"}
			case data == nil:
				hidden++
			default:
				if alias, _ := data[strings.ReplaceAll(from, "-", "_")].(string); alias != "" {
					out[alias] = i
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if hidden > 0 {
		r.l.notShown("auth/"+mount, "by what %d of its logins are known to Vault's identities does not show (read on …/%s): whether their entities give them policies by which they read new values was not checked", hidden, from)
	}
	return out, nil
}

// entitiesOf are the entities that have policies, of themselves or by groups,
// besides those that nobody reads new values by.
func (r *readers) entitiesOf(ctx context.Context, mounts mountTypes) ([]entity, error) {
	const at, lookup = "identity/entity/id", "identity/lookup/entity"
	list, err := r.l.vault.API().Logical().ListWithContext(ctx, at)
	if vault.Answered(err, http.StatusForbidden) {
		r.l.notShown(at, "not checked, because this login may not list Vault's entities (list on %s): whether a login that no source lists gets policies by its entity or by a group alone, and reads new values by these", at)
		return nil, nil
	}
	if err != nil {
		return nil, vaultError("list", at, err)
	}
	if list == nil {
		return nil, nil
	}
	about, _ := list.Data["key_info"].(map[string]any)
	var all []entity
	for _, id := range keys(list) {
		e := entity{id: id}
		info, _ := about[id].(map[string]any)
		aliases, _ := info["aliases"].([]any)
		for _, a := range aliases {
			alias, _ := a.(map[string]any)
			mount, _ := alias["mount_path"].(string)
			name, _ := alias["name"].(string)
			if mount = strings.Trim(strings.TrimPrefix(mount, "auth/"), "/"); mounts[mount] != "" && name != "" {
				e.logins = append(e.logins, entityLogin{mount: mount, name: name})
			}
		}
		if len(e.logins) > 0 {
			all = append(all, e)
		}
	}
	if n := len(all) - loginsAtOnce; n > 0 {
		r.l.notShown(at, "%d of its entities were not looked at: whether they give a login that no source lists what reads new values is not known", n)
		all = all[:loginsAtOnce]
	}
	p := &preview{api: r.l.vault.API()}
	groups := &sync.Map{}
	var mu sync.Mutex
	hidden := 0
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(looksAtOnce)
	for i := range all {
		g.Go(func() error {
			got, err := r.l.vault.API().Logical().WriteWithContext(gctx, lookup, map[string]any{"id": all[i].id})
			if notShown(err) || err == nil && got == nil {
				if vault.Answered(err, http.StatusForbidden) {
					mu.Lock()
					hidden++
					mu.Unlock()
				}
				return nil // it is gone since
			}
			if err != nil {
				return vaultError("update", lookup, err)
			}
			if off, _ := got.Data["disabled"].(bool); off {
				return nil // nobody logs in by it
			}
			all[i].callRoles(got.Data["aliases"])
			policies := texts(got.Data["policies"])
			for _, id := range append(texts(got.Data["group_ids"]), texts(got.Data["inherited_group_ids"])...) {
				of, known := groups.Load(id)
				if !known {
					data, shown, err := p.read(gctx, "identity/group/id/"+id)
					if err != nil {
						return err
					}
					if !shown {
						mu.Lock()
						hidden++
						mu.Unlock()
					}
					of = texts(data["policies"])
					groups.Store(id, of)
				}
				policies = append(policies, of.([]string)...)
			}
			all[i].policies = slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(policies))), func(p string) bool { return p == "default" || vault.ForTasks(p) })
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if hidden > 0 {
		r.l.notShown(at, "not checked, because this login may not read all of Vault's entities and groups (update on %s, read on identity/group/id/+): what they give to logins that no source lists", lookup)
	}
	return slices.DeleteFunc(all, func(e entity) bool {
		return len(e.policies) == 0 || !slices.ContainsFunc(e.policies, func(p string) bool { return !ownRole(p) })
	}), nil
}
