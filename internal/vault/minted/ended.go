package minted

import (
	"context"
	"slices"

	"rollcall/internal/protocol"
)

// TokenPrefix stands before an accessor where a token has a line of its own on
// a roll. No auth mount can have that name: Vault keeps it for itself.
const TokenPrefix = "token/"

// Orphans are tokens that outlive the one that made them.
type Orphans struct {
	May  bool // it may make some; those of type batch are in no list
	Seen int  // that it may have made
}

// End revokes the token of an accessor, and with it what was made with it
// (batch tokens too, 1.21 tried), and looks until Vault knows it no more.
// Orphans are what that does not end. Vault keeps nothing of who made an
// orphan, so, where the token may make any, they are those that are younger and
// have no policy that it could not give. That is asked before the revocation,
// for afterwards nothing of the token is known.
func (t *Tokens) End(ctx context.Context, accessor string) (orphans Orphans, err error) {
	was, err := t.living(ctx, []string{accessor})
	if err != nil || len(was) == 0 {
		return orphans, err
	}
	if orphans, err = t.orphans(ctx, accessor, was[accessor]); err != nil {
		return orphans, err
	}
	for range maxPasses {
		if err := t.revoke(ctx, was); err != nil {
			return orphans, err
		}
		if was, err = t.living(ctx, []string{accessor}); err != nil || len(was) == 0 {
			return orphans, err
		}
	}
	return orphans, &protocol.Stop{Reason: protocol.ReasonConflict, Server: t.server, Detail: "Vault took its revocation and knows the token still; it is tried again"}
}

func (t *Tokens) orphans(ctx context.Context, accessor string, token Token) (out Orphans, err error) {
	a := asker{"sys/capabilities-accessor", map[string]any{"accessor": accessor}, append(slices.Clone(token.Policies), token.IdentityPolicies...), token.Entity, token.Policies}
	rises, _, _, err := t.rises(ctx, a, Whose{})
	if err != nil {
		return out, err
	}
	const create, cut, orphan = "auth/token/create", "auth/token/revoke-orphan", "auth/token/create-orphan"
	got, err := t.capabilities(ctx, a, []string{create, cut, orphan})
	if err != nil {
		return out, err
	}
	if rises == "" && !mayWrite(got.of(orphan)) && !(mayWrite(got.of(create)) && mayWrite(got.of(cut))) {
		return out, nil
	}
	out.May = true
	all, err := t.look(ctx)
	if err != nil {
		return out, err
	}
	young := map[string]Token{}
	var made []string // that may have been cut off since they were looked at
	for other, o := range all {
		if other == accessor || !isChild(o) || o.Made < token.Made {
			continue
		}
		if young[other] = o; mayChange(o) {
			made = append(made, other)
		}
	}
	now, err := t.living(ctx, made)
	for _, other := range made {
		young[other] = now[other]
	}
	for _, o := range young {
		foreign := func(p string) bool {
			return rises == "" && p != "default" && !slices.Contains(a.policies, p)
		}
		if o.Orphan && !slices.ContainsFunc(o.Policies, foreign) {
			out.Seen++
		}
	}
	return out, err
}
