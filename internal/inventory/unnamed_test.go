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

// What became of a roll that kept no account may be alive, and two files of one
// device take turns.
func TestWhatALaterRollHasNotIsSaidWithItsReason(t *testing.T) {
	was := credential.Credential{ID: "corp/1", Kind: credential.LDAPPassword, Authority: "corp", Subject: "1", Name: "uid=x", Reasons: []credential.Reason{{Source: "then", Type: config.Manifest}}}
	then, other := config.Source{Name: "then", Type: config.Manifest, File: "a.csv"}, config.Source{Name: "now", Type: config.Manifest, File: "b.csv"}
	for _, tc := range []struct {
		dead map[string]bool
		now  []config.Source
		code credential.FindingCode
		text string
	}{
		{map[string]bool{"corp/1": true}, []config.Source{{Name: "then", Type: config.Manifest, File: "less.csv"}, other}, credential.FindingSmallerRoll, "because the campaign file names less"},
		{map[string]bool{"corp/1": true}, []config.Source{other}, credential.FindingSmallerRoll, "because that campaign was of another file"},
		{nil, []config.Source{other}, credential.FindingMissing, "find out what became of each"},
	} {
		c := campaign()
		c.Sources = tc.now
		l := &lister{c: c}
		l.past.last = &ownmount.LastRoll{Sources: []config.Source{then, other}, Campaign: "c1", Dead: tc.dead, Credentials: []credential.Credential{was}}
		if len(tc.now) == 1 {
			l.past.last.Sources = []config.Source{then}
		}
		require.NoError(t, l.sayUnnamed(t.Context(), &credential.Roll{}))
		require.Len(t, l.warnings, 1)
		require.Equal(t, tc.code, l.warnings[0].Code)
		require.Contains(t, l.warnings[0].Detail, tc.text)
	}
}
