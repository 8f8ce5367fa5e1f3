package setup

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/vault"
)

// asksNoVault are types of source that are read elsewhere. The rights to what
// they find come with the credentials.
var asksNoVault = []string{config.Manifest, config.FromLDAP, config.FromPostgres, config.FromEvidence}

// Without a rule for it the worker of a campaign with such a source may read
// nothing there, and no listing comes to its end.
func TestEveryTypeOfSourceThatAsksVaultHasRights(t *testing.T) {
	for _, of := range config.SourceTypes() {
		with := &config.Campaign{Vault: config.Vault{Mount: "rollcall", Transit: "rollcall-transit"}}
		for _, name := range []string{vault.WorkerPolicy, vault.OperatorPolicy} {
			with.Sources = nil
			without := stanzas(rulesOf(name, with, nil))
			with.Sources = []config.Source{{Name: "x", Type: of, Mount: "where", Prefix: "where/it/is"}}
			rights := stanzas(rulesOf(name, with, nil))
			if slices.Contains(asksNoVault, of) {
				require.Equal(t, without, rights, "%s: %s", name, of)
				continue
			}
			require.NotEqual(t, without, rights, "%s: %s asks Vault, and no policy names where", name, of)
		}
	}
}
