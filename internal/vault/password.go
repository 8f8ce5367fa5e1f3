package vault

import (
	"context"
	"fmt"

	"rollcall/internal/credential"
)

// GeneratePassword makes a value by a Vault password policy
// (sys/policies/password). The error says if the policy does not exist.
func (s *Store) GeneratePassword(ctx context.Context, policy string) (credential.Secret, error) {
	const op = "generate a password"
	at := "sys/policies/password/" + policy + "/generate"
	got, err := s.api.Logical().ReadWithContext(ctx, at)
	if err != nil {
		return credential.Secret{}, s.fail(op, at, read, err)
	}
	if got == nil {
		return credential.Secret{}, &Error{Op: op, Path: at, Server: s.api.Address(), Kind: NotFound}
	}
	v, _ := got.Data["password"].(string)
	if v == "" {
		return credential.Secret{}, s.odd(op, at, fmt.Errorf("no password"))
	}
	return credential.NewSecret(v), nil
}
