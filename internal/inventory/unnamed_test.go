package inventory

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
)

// What Rollcall itself ended is gone, and nobody took away what named it.
func TestATokenThatACampaignEndedIsNotCalledMissing(t *testing.T) {
	source := config.Source{Name: "tokens", Type: "vault-tokens", DisplayName: "token-esg-*"}
	token := credential.Credential{ID: "vault/token/gone", Kind: credential.VaultToken, Authority: credential.VaultAuthority, Subject: "token/gone", Name: "token/gone",
		Reasons: []credential.Reason{{Source: "tokens", Type: "vault-tokens"}}}
	for dead, want := range map[bool]int{true: 0, false: 1} {
		c := campaign()
		c.Sources = []config.Source{source}
		l := &lister{c: c}
		l.past.last = &ownmount.LastRoll{Sources: c.Sources, Campaign: "c1", Dead: map[string]bool{token.ID: dead}, Credentials: []credential.Credential{token}}
		require.NoError(t, l.sayUnnamed(t.Context(), &credential.Roll{}))
		require.Len(t, l.warnings, want, "dead: %v", dead)
	}
}
