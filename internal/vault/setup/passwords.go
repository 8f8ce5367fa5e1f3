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
		check := Check{What: "vault password policy", OK: true, Detail: name}
		var stop *protocol.Stop
		if err := s.TryPasswordPolicy(ctx, name); errors.As(err, &stop) {
			check = Check{What: check.What, Detail: stop.Detail, Do: "no campaign begins without it"}
		} else if err != nil {
			check = Check{What: check.What, Detail: err.Error(), Do: GivePolicy(vault.WorkerPolicy)}
		}
		out = append(out, check)
	}
	return out
}
