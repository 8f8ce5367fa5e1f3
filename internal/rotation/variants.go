package rotation

import (
	"slices"
	"strings"

	"rollcall/internal/credential"
)

// variants are the secrets that a value from Vault may stand for, the likeliest
// first. Whoever stores a file (`vault kv put … password=@file`) stores the end
// of its last line too, and a shell that reads it takes that off again.
func variants(value credential.Secret) []credential.Secret {
	bare := strings.TrimRight(value.Reveal(), "\r\n")
	if bare == "" || bare == value.Reveal() {
		return []credential.Secret{value}
	}
	return []credential.Secret{credential.NewSecret(bare), value}
}

// standsFor reports whether secret is one that a value from Vault may stand
// for.
func standsFor(value, secret credential.Secret) bool {
	return slices.ContainsFunc(variants(value), secret.Equal)
}

// dropVariants forgets, once the account accepted one of the old secrets, the
// others that the same value stands for: to offer them would be a wrong login
// for nothing.
func (j *job) dropVariants(right credential.Secret) {
	j.olds = slices.DeleteFunc(j.olds, func(old credential.Secret) bool {
		return !old.Equal(right) && (standsFor(old, right) || standsFor(right, old))
	})
}
