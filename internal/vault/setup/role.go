package setup

import (
	"context"
	"fmt"
	"slices"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/plural"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// Roles are what doctor can look as.
func Roles() []string { return []string{"worker", "ledger", "operator"} }

var policyOf = map[string]string{"worker": vault.WorkerPolicy, "ledger": vault.LedgerPolicy, "operator": vault.OperatorPolicy}

// rolesOf looks at the rights of a role, or of those that the login is for, and
// says which these are.
func rolesOf(ctx context.Context, s *ownmount.Store, c *config.Campaign, known []credential.Credential, as string) (policies []string, out []Check) {
	if as != "" {
		policy := policyOf[as]
		return []string{policy}, []Check{rightsAs(ctx, s, policy, rulesOf(policy, c, known))}
	}
	usual := []string{vault.WorkerPolicy, vault.LedgerPolicy}
	own, err := s.OwnPolicies(ctx)
	for _, role := range Roles() {
		if err == nil && slices.Contains(own, policyOf[role]) {
			policies = append(policies, policyOf[role])
		}
	}
	if len(policies) == 0 {
		policies = usual
	}
	for _, p := range policies {
		out = append(out, checkRights(ctx, s, p, rulesOf(p, c, known))...)
	}
	for _, role := range Roles()[:2] {
		if !slices.Contains(policies, policyOf[role]) {
			out = append(out, Check{What: "vault rights", OK: true, NotChecked: true,
				Detail: fmt.Sprintf("what %s needs was not looked at: this login is for another role; `rollcall doctor --as %s` asks what that policy would allow", policyOf[role], role)})
		}
	}
	return policies, out
}

// rightsAs says what a policy would allow of what its role needs. It is one
// line, whatever is missing.
func rightsAs(ctx context.Context, s *ownmount.Store, policy string, rules []rule) Check {
	want := wanted(rules)
	missing, how, err := s.LackingAs(ctx, policy, want)
	switch {
	case vault.IsDenied(err):
		return Check{What: "vault rights", OK: true, NotChecked: true,
			Detail: fmt.Sprintf("what %s would allow was not looked at: this login may not make a token of that policy (update on auth/token/create), and does not have it; run this with that role's login, or an administrator's", policy)}
	case err != nil:
		return Check{What: "vault rights", Detail: err.Error(), Do: GivePolicy(policy)}
	case len(missing) > 0:
		return Check{What: "vault rights", Detail: fmt.Sprintf("%s: %s (%s)", policy, wordsOfGaps(gapsOf(missing)), how),
			Do: "run `rollcall init` with this campaign file and an administrator's token: it writes that policy (`rollcall init --print` shows it)"}
	}
	return Check{What: "vault rights", OK: true, Detail: fmt.Sprintf("%s allows all that its role needs, on %s (%s)", policy, plural.Count(len(want), "path", "paths"), how)}
}

// wordsOfGaps put what is missing in a line: so many paths for each set of
// capabilities, and the first of them by name.
func wordsOfGaps(gaps []gap) string {
	const some = 3
	var order []string
	by := map[string][]string{}
	for _, g := range gaps {
		key := g.words()
		if by[key] == nil {
			order = append(order, key)
		}
		by[key] = append(by[key], g.path)
	}
	var out string
	for i, key := range order {
		if i > 0 {
			out += "; "
		}
		paths := by[key]
		out += fmt.Sprintf("%s is missing on %s", key, first(paths, some))
	}
	return out
}

func first(paths []string, some int) string {
	out := ""
	for i, p := range paths[:min(some, len(paths))] {
		if i > 0 {
			out += ", "
		}
		out += p
	}
	if more := len(paths) - some; more > 0 {
		out += fmt.Sprintf(" and %d more", more)
	}
	return out
}
