package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
)

func TestWhatWasLookedForInVaultIsSaidOfWhatIsPlanned(t *testing.T) {
	printed := func(kinds ...credential.Kind) string {
		roll := &credential.Roll{Waves: []credential.Wave{{Name: "all"}}}
		for _, k := range kinds {
			roll.Credentials = append(roll.Credentials, credential.Credential{Name: "a", Authority: "x", Kind: k})
		}
		var out strings.Builder
		require.NoError(t, planOf(&config.Campaign{}, roll).print(&out, 1000, time.UTC))
		return out.String()
	}
	require.Contains(t, printed(credential.LDAPPassword, credential.AppRoleSecretID), "in Vault: the passwords of these accounts were looked for")
	require.Contains(t, printed(credential.AppRoleSecretID), "in Vault: the secrets of these logins to Vault were looked for")
	require.NotContains(t, printed(credential.VaultToken), "in Vault: ", "nothing is made for it")
}

func TestWhoWouldSeeToWhatStaysOpenIsAskedBeforeACampaign(t *testing.T) {
	cs := []credential.Credential{{Name: "a"}, {Name: "b", Owner: "mail team"}, {Name: "c", Task: &credential.Task{}}}
	text := nobodySeesTo(&config.Campaign{}, cs)
	require.Contains(t, text, "nobody sees to 1 of 3 if it stays open")
	require.Contains(t, text, "open: {owner: …}")
	require.Empty(t, nobodySeesTo(&config.Campaign{}, cs[1:]), "each has somebody")
	require.Empty(t, nobodySeesTo(&config.Campaign{Open: &config.OpenItems{Wait: config.Duration(time.Hour)}}, cs), "it stays for whoever closes it and names somebody")
	var out strings.Builder
	p := planOf(&config.Campaign{}, &credential.Roll{Credentials: cs, Waves: []credential.Wave{{Name: "all"}}})
	require.NoError(t, p.print(&out, 100, time.UTC))
	require.Contains(t, strings.Join(strings.Fields(out.String()), " "), text)
}
