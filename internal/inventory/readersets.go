package inventory

import (
	"context"
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/minted"
	"rollcall/internal/vault/powers"
)

// policySet is what policies give together, of which many logins have the same.
type policySet struct {
	by    []string // those that may be about places of the roll
	all   verdict
	texts []string
	acl   *powers.ACL
	some  []string // places of the roll that they give, looked for among the first
}

// loginReads finds out what a login may read, by the text of its policies:
// nobody can log in with it from here.
func (r *readers) loginReads(ctx context.Context, o *otherLogin, sets map[string]*policySet) error {
	policies := slices.DeleteFunc(slices.Clone(o.policies), vault.ForTasks) // each reads what is his own
	if without, _ := o.role["token_no_default_policy"].(bool); !without {
		policies = append(policies, "default")
	}
	key := strings.Join(policies, "\x00")
	set := sets[key]
	if set == nil {
		var err error
		if set, err = r.setOf(ctx, policies); err != nil {
			return err
		}
		sets[key] = set
	}
	if set.all.rises {
		o.rises = set.risesFor(o)
	}
	if o.set = set; o.rises != "" || len(set.some) > 0 {
		o.by = set.by
	}
	return nil
}

func (r *readers) setOf(ctx context.Context, policies []string) (*policySet, error) {
	by, all, err := r.by(ctx, policies)
	s := &policySet{by: by, all: all}
	if err != nil || len(by) == 0 {
		return s, err
	}
	for _, name := range policies {
		v, err := r.policy(ctx, name)
		if err != nil {
			return nil, err
		}
		s.texts = append(s.texts, v.text)
	}
	if !all.hidden {
		s.acl, _ = powers.ParseACL(s.texts...) // nil: of a form that only Vault knows
	}
	first := all.paths[:min(askedOfEach, len(all.paths))]
	if s.some = s.given(first); len(s.some) == 0 && len(first) < len(all.paths) {
		s.some = all.paths // nobody looks at the rest
	}
	return s, nil
}

// given are those of paths that the policies give together: what one of them
// denies, no other gives.
func (s *policySet) given(paths []string) (out []string) {
	for _, p := range paths {
		if s.acl == nil || s.acl.MayUse(p) || slices.ContainsFunc(minted.Beside(p), s.acl.MayUse) {
			out = append(out, p)
		}
	}
	return out
}

// risesFor is by what a login may come to more than its policies say. Its own
// secrets are no more than it has.
func (s *policySet) risesFor(o *otherLogin) string {
	if slices.Contains(s.by, "root") {
		return "the policy root"
	}
	var own []string
	if _, known := credential.LoginOf(o.kind); known {
		own = []string{o.place}
	}
	found, err := powers.In(own, s.texts...)
	switch {
	case err != nil:
		return err.Error()
	case len(found) == 0:
		return ""
	}
	return found[0].Path
}

// reads are all places of the roll that a login may read.
func (r *readers) reads(o otherLogin) []string {
	if o.rises != "" {
		return r.paths
	}
	return o.set.given(o.set.all.paths)
}
