package minted

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/plural"
)

// Alias is by what Vault knows the entity of a login.
type Alias struct {
	Mount string // without auth/ and slashes at the ends
	Name  string
}

// RevokeMinted revokes every token that mine reports, and the tokens that were
// made with one of those and cut off from it since, and looks again until none
// is left.
//
// auth/token/revoke-orphan ends a token and leaves its children, without a
// parent; all that they keep of who made them is the entity (1.21 tried). So
// where the entity has no alias but the login's they are revoked, and where it
// has others they are counted in Orphans: another login of the entity may have
// made them. alias is called only where there are tokens that other tokens
// made.
func (t *Tokens) RevokeMinted(ctx context.Context, mine func(Token) bool, alias func(context.Context) (Alias, error)) (Revocation, error) {
	var out Revocation
	sole := map[string]bool{} // by entity of the login: nobody else has it
	asked := false
	var err error
	out.Revoked, err = t.sweep(ctx, func() (map[string]Token, error) {
		all, err := t.look(ctx)
		if err != nil {
			return nil, err
		}
		found, children := map[string]Token{}, map[string]Token{}
		for accessor, token := range all {
			switch {
			case mine(token):
				found[accessor] = token
			case isChild(token) && token.Entity != "":
				children[accessor] = token
			}
		}
		if len(children) > 0 && !asked {
			a, err := alias(ctx)
			if err != nil {
				return nil, err
			}
			if err := t.entityOf(ctx, a, sole); err != nil {
				return nil, err
			}
			asked = true
		}
		if len(children) > 0 {
			for _, token := range found {
				if err := t.entityBy(ctx, token.Entity, sole); err != nil {
					return nil, err
				}
			}
		}
		maps.DeleteFunc(children, func(_ string, token Token) bool { _, known := sole[token.Entity]; return !known })
		maps.Copy(found, children)
		if found, err = t.living(ctx, slices.Collect(maps.Keys(found))); err != nil {
			return nil, err
		}
		out.Orphans = 0
		for accessor, token := range found {
			switch {
			case mine(token):
			case !token.Orphan:
				delete(found, accessor) // it dies with its parent, or has one that is good
			case !sole[token.Entity]:
				out.Orphans++
				delete(found, accessor)
			}
		}
		return found, nil
	})
	return out, err
}

func (t *Tokens) entityOf(ctx context.Context, a Alias, sole map[string]bool) error {
	_, accessor, err := t.mount(ctx, a.Mount)
	if err != nil || accessor == "" || a.Name == "" {
		return err
	}
	return t.entity(ctx, map[string]any{"alias_name": a.Name, "alias_mount_accessor": accessor}, sole)
}

func (t *Tokens) entityBy(ctx context.Context, id string, sole map[string]bool) error {
	if _, known := sole[id]; known || id == "" {
		return nil
	}
	sole[id] = false // of one that is gone nothing is certain
	return t.entity(ctx, map[string]any{"id": id}, sole)
}

func (t *Tokens) entity(ctx context.Context, by map[string]any, sole map[string]bool) error {
	got, err := t.api.Logical().WriteWithContext(ctx, "identity/lookup/entity", by)
	if err != nil {
		return t.fail("look up the entity of a login", err)
	}
	if got == nil {
		return nil
	}
	id, _ := got.Data["id"].(string)
	aliases, _ := got.Data["aliases"].([]any)
	merged, _ := got.Data["merged_entity_ids"].([]any)
	if id != "" {
		sole[id] = len(aliases) == 1 && len(merged) == 0
	}
	return nil
}

// Unsure words tokens of which it is not certain that the login made them. It
// names no account.
func Unsure(n int) credential.Finding {
	return credential.Finding{Code: credential.FindingOrphanTokens,
		Detail: fmt.Sprintf("%s by other tokens and then cut off from them (auth/token/revoke-orphan); the entity is that of this login and of others too, so nothing in Vault says which of them made it: look at each (auth/token/accessors, those of a path auth/token/create… with that entity) and revoke what nobody claims; until a person accepts it the login counts as open", plural.Count(n, "living token was made", "living tokens were made"))}
}
