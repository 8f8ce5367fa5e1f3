package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
)

// Whoever calls doctor, list and plan in order is told by each what run would
// not begin with, and run begins nothing.
func TestWhatRunDoesNotBeginWithIsSaidByWhatIsCalledBefore(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 3})
	file, err := e.CampaignFile(nil, unhurried)
	require.NoError(t, err)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	const at = "    base: "
	require.Contains(t, string(text), at)
	u := newUser(t, e, file)
	for _, command := range []string{"list", "plan"} {
		r := u.run(command)
		require.Equal(t, 1, r.code, r.out+r.err)
		require.Contains(t, r.out+r.err, "rollcall init", "Vault was never set up")
	}
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(text), at, "    password: {vault_policy: gone-policy}\n"+at, 1)), 0o600))
	u.must("init")
	for _, command := range []string{"doctor", "list", "plan", "run"} {
		r := u.run(command)
		require.Equal(t, 1, r.code, command+r.out+r.err)
		require.Contains(t, r.out+r.err, `Vault has no password policy "gone-policy"`, command)
	}
	kept, err := e.Vault.Client().Logical().List("rollcall/metadata/campaigns")
	require.NoError(t, err)
	require.Nil(t, kept, "no campaign was begun")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	require.NotContains(t, u.run("list").err, "WRONG")
}
