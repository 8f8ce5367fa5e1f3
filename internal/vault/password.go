package vault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// GeneratePassword makes a value by a Vault password policy
// (sys/policies/password). The error says if the policy does not exist.
func (s *Store) GeneratePassword(ctx context.Context, policy string) (credential.Secret, error) {
	const op = "generate a password"
	at := "sys/policies/password/" + policy + "/generate"
	got, err := s.api.Logical().ReadWithContext(ctx, at)
	if err != nil {
		err = s.fail(op, at, read, err)
	}
	switch {
	case err == nil && got == nil, isKind(err, NotFound):
		return credential.Secret{}, &protocol.Stop{Reason: protocol.ReasonNoGenerator, Server: s.api.Address(), Detail: fmt.Sprintf(
			"Vault has no password policy %q, by which new values are made; write it (`vault write sys/policies/password/%s policy=@FILE`) or correct password.vault_policy in the campaign file", policy, policy)}
	case err != nil:
		return credential.Secret{}, err
	}
	v, _ := got.Data["password"].(string)
	if why := unfit(v); why != "" {
		return credential.Secret{}, &protocol.Stop{Reason: protocol.ReasonNoGenerator, Server: s.api.Address(), Detail: fmt.Sprintf(
			"what Vault makes by its password policy %q is no password: it %s; correct the policy", policy, why)}
	}
	return credential.NewSecret(v), nil
}

// generatedLeast is the shortest value that is taken from a policy.
const generatedLeast = 12

// unfit says why a value is not set anywhere.
func unfit(v string) string {
	switch {
	case len([]rune(v)) < generatedLeast:
		return fmt.Sprintf("has fewer than %d characters", generatedLeast)
	case strings.ContainsFunc(v, unicode.IsControl):
		return "has a control character, such as the end of a line, in it"
	case strings.TrimSpace(v) != v:
		return "has a blank at an end, which many readers take off"
	}
	return ""
}

// RequirePasswordPolicies tries the Vault password policies of a campaign. The
// error is a *protocol.Stop that names the one that is missing or unfit.
func (s *Store) RequirePasswordPolicies(ctx context.Context, c *config.Campaign) error {
	for _, name := range passwordPolicies(c) {
		if _, err := s.GeneratePassword(ctx, name); err != nil {
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

func (s *Store) checkPasswordPolicies(ctx context.Context, c *config.Campaign) (out []Check) {
	for _, name := range passwordPolicies(c) {
		check := Check{Name: "vault password policy", OK: true, Detail: name}
		var stop *protocol.Stop
		if _, err := s.GeneratePassword(ctx, name); errors.As(err, &stop) {
			check = Check{Name: check.Name, Detail: stop.Detail, Do: "no campaign begins without it"}
		} else if err != nil {
			check = Check{Name: check.Name, Detail: err.Error(), Do: givePolicy(WorkerPolicy)}
		}
		out = append(out, check)
	}
	return out
}
