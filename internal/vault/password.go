package vault

import (
	"context"
	"fmt"
	"strings"
	"unicode"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// GeneratePassword makes a value by a Vault password policy
// (sys/policies/password). The error says if the policy does not exist.
func (s *Client) GeneratePassword(ctx context.Context, policy string) (credential.Secret, error) {
	const op = "generate a password"
	at := "sys/policies/password/" + policy + "/generate"
	got, err := s.api.Logical().ReadWithContext(ctx, at)
	if err != nil {
		err = s.Fail(op, at, Read, err)
	}
	switch {
	case err == nil && got == nil, IsKind(err, NotFound):
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
