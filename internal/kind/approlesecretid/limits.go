package approlesecretid

import (
	"context"
	"maps"
	"math"
	"net/http"
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// limits are what a secret-id has of its own, tighter than its role's:
// addresses, uses and lifetime. Vault gives a secret-id that is made without
// them those of the role.
type limits struct {
	logins, tokens []string // addresses that may log in, and that its tokens may come from; empty: any
	uses, ttl      int64    // logins that are left, and seconds that it lives; 0: no end
	metadata       map[string]string
}

// limitsOf reads them from a look-up of a secret-id.
func limitsOf(data map[string]any) limits {
	l := limits{
		logins: vault.TextsIn(data["cidr_list"]), tokens: vault.TextsIn(data["token_bound_cidrs"]),
		uses: vault.Integer(data["secret_id_num_uses"]), ttl: vault.Integer(data["secret_id_ttl"]),
		metadata: map[string]string{},
	}
	given, _ := data["metadata"].(map[string]any)
	for k, v := range given {
		if s, ok := v.(string); ok {
			l.metadata[k] = s
		}
	}
	return l
}

// together is what one new secret-id needs that takes the place of several: as
// much as the most that one of them had, and of uses as many as all had, where
// each is of a consumer that has the new one from then on. Metadata is kept
// where all agree.
func together(all []limits, each bool) limits {
	uses := most
	if each {
		uses = sum
	}
	out := all[0]
	out.metadata = maps.Clone(out.metadata)
	for _, l := range all[1:] {
		out.logins, out.tokens = union(out.logins, l.logins), union(out.tokens, l.tokens)
		out.uses, out.ttl = uses(out.uses, l.uses), most(out.ttl, l.ttl)
		maps.DeleteFunc(out.metadata, func(k, v string) bool { return l.metadata[k] != v })
	}
	return out
}

// union of addresses; any is more than some.
func union(a, b []string) []string {
	if len(a) == 0 || len(b) == 0 {
		return nil
	}
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	return slices.Compact(all)
}

// most of two limits; no end is more than any.
func most(a, b int64) int64 {
	if a == 0 || b == 0 {
		return 0
	}
	return max(a, b)
}

// sum of two numbers of uses; no end is more than any.
func sum(a, b int64) int64 {
	if a == 0 || b == 0 || a+b > math.MaxInt32 {
		return most(a, b)
	}
	return a + b
}

// within holds them to the role, whose settings may have become tighter since.
// What is the role's own anyway is left out.
func (l limits) within(r role) limits {
	if r.numUses > 0 && (l.uses == 0 || l.uses > r.numUses) {
		l.uses = r.numUses
	}
	if r.ttl > 0 && (l.ttl == 0 || l.ttl > r.ttl) {
		l.ttl = r.ttl
	}
	return l
}

// parameters of the new secret-id. A limit that is not there is left out: 0
// would lift the role's.
func (l limits) parameters() map[string]any {
	out := map[string]any{}
	if len(l.logins) > 0 {
		out["cidr_list"] = l.logins
	}
	if len(l.tokens) > 0 {
		out["token_bound_cidrs"] = l.tokens
	}
	if l.uses > 0 {
		out["num_uses"] = l.uses
	}
	if l.ttl > 0 {
		out["ttl"] = l.ttl
	}
	return out
}

// inherited are the limits that the new secret-id takes over: those of the old
// ones, or if the role has none of them any more, of all that it has. Without
// any the role's hold.
func (au *Authority) inherited(ctx context.Context, r role, new credential.Secret, olds []credential.Secret) (limits, error) {
	var all []limits
	known, err := au.had(ctx, r, new, olds)
	if err != nil {
		return limits{}, err
	}
	for _, id := range known {
		all = append(all, id.limits)
	}
	if len(all) > 0 {
		return together(all, true).within(r), nil
	}
	accessors, err := au.accessors(ctx, r)
	if err != nil {
		return limits{}, err
	}
	for _, accessor := range accessors[:min(len(accessors), maxInherited)] {
		id, err := au.findAccessor(ctx, r, accessor)
		if err != nil {
			return limits{}, err
		}
		if id != nil {
			all = append(all, id.limits)
		}
	}
	if len(all) == 0 {
		return limits{}, nil
	}
	return together(all, false).within(r), nil
}

// had are those of some old values that the role has, each once.
func (au *Authority) had(ctx context.Context, r role, new credential.Secret, olds []credential.Secret) (out []secretID, err error) {
	var asked []credential.Secret
	for _, old := range olds {
		if old.IsZero() || old.Equal(new) || slices.ContainsFunc(asked, old.Equal) {
			continue
		}
		asked = append(asked, old)
		id, err := au.find(ctx, r, old)
		if err != nil {
			return nil, err
		}
		if id != nil {
			out = append(out, *id)
		}
	}
	return out, nil
}

// maxInherited bounds the look at secret-ids of which none is known: each
// costs a call.
const maxInherited = 500

// findAccessor looks a secret-id up by its accessor; nil if it ended since it
// was listed.
func (au *Authority) findAccessor(ctx context.Context, r role, accessor string) (*secretID, error) {
	got, err := au.api.Logical().WriteWithContext(ctx, r.path()+"/secret-id-accessor/lookup", map[string]any{"secret_id_accessor": accessor})
	if vault.Answered(err, http.StatusNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, au.fail("look up a secret-id", err)
	}
	return secretIDOf(got), nil
}
