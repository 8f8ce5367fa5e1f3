package setup

import (
	"context"
	"errors"
	"maps"
	"slices"

	"rollcall/config"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// RequirePasswordPolicies tries the Vault password policies of a campaign. The
// error is a *protocol.Stop that names the one that is missing or unfit.
func RequirePasswordPolicies(ctx context.Context, s *ownmount.Store, c *config.Campaign) error {
	for _, name := range passwordPolicies(c) {
		if err := s.TryPasswordPolicy(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// PasswordPolicies says of each Vault password policy of the file whether new
// values can be made by it. Where the token may not try, that is not checked:
// a worker's may.
func PasswordPolicies(ctx context.Context, s *ownmount.Store, c *config.Campaign) (out []Check) {
	for _, name := range passwordPolicies(c) {
		if err := s.TryPasswordPolicy(ctx, name); vault.IsDenied(err) {
			out = append(out, Check{What: passwordPolicy, OK: true, NotChecked: true, Detail: "not checked: this login makes no values by " + name})
		} else {
			out = append(out, policyCheck(name, err))
		}
	}
	return out
}

const passwordPolicy = "vault password policy"

// policyCheck is what came of trying a policy.
func policyCheck(name string, err error) Check {
	var stop *protocol.Stop
	switch {
	case errors.As(err, &stop):
		return Check{What: passwordPolicy, Detail: stop.Detail, Do: "no campaign begins without it"}
	case err != nil:
		return Check{What: passwordPolicy, Detail: err.Error(), Do: GivePolicy(vault.WorkerPolicy)}
	}
	return Check{What: passwordPolicy, OK: true, Detail: name}
}

// passwordPolicies are those that the file names, each once.
func passwordPolicies(c *config.Campaign) []string {
	names := map[string]bool{}
	for _, name := range c.Authorities() {
		if p := c.Authority(name).Passwords().VaultPolicy; p != "" {
			names[p] = true
		}
	}
	if p := c.Vault.Password.VaultPolicy; p != "" {
		names[p] = true
	}
	return slices.Sorted(maps.Keys(names))
}

func checkPasswordPolicies(ctx context.Context, s *ownmount.Store, c *config.Campaign) (out []Check) {
	for _, name := range passwordPolicies(c) {
		out = append(out, policyCheck(name, s.TryPasswordPolicy(ctx, name)))
	}
	return out
}
