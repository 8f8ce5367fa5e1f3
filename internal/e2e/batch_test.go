package e2e

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// Tokens that nobody can revoke would read each new value: nothing is set that
// they read, the login with its consumer among it, until a person says so.
func TestWhatBatchTokensCouldReadWaitsForAPersonAndIsSaidBeforeTheRun(t *testing.T) {
	t.Parallel()
	const accounts = 2
	e := startEstate(t, estate.Options{Accounts: accounts, AppRoles: 1, Bystanders: 1})
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 4h}\n")
	require.NoError(t, err)
	u := newUser(t, e, file)
	_, err = e.Vault.Client().Logical().Write("auth/approle/role/"+estate.Device+"-login-1", map[string]any{"token_type": "batch"})
	require.NoError(t, err)
	u.must("init")
	login := "approle/" + estate.Device + "-login-1"
	space := regexp.MustCompile(`\s+`)
	for _, command := range []string{"list", "plan"} {
		said := space.ReplaceAllString(u.must(command), " ")
		require.Regexp(t, "within reach: "+login+` could read \d of 3 new values where they go.*gives batch tokens, which nobody can revoke, so these wait until a person accepts it`, said, command)
	}
	roll := decode[credential.Roll](t, u.must("list", "-o", "json"))
	require.Len(t, roll.Reach, 1)
	require.True(t, roll.Reach[0].Batch)
	reads := roll.Reach[0].Reads
	require.Contains(t, reads, "vault/"+login)

	cmd, said := u.begin("run")
	waiting := func() int {
		return u.count(func(l *ledger.CredentialState) bool { return l.Reason == protocol.ReasonWithinReach })
	}
	requireSoon(t, "what it reads waits", said, func() bool { return waiting() == len(reads) })
	for _, s := range e.Stolen {
		if s.DN != "" && e.Live[s.ID].Path != "" {
			require.True(t, binds(t, e, e.Slapd.LDAPS(), s.DN, live(t, e, e.Live[s.ID])), "whoever waits is served")
		}
	}
	u.refuses("cannot accept-open: --reason holds, as a word of its own, the secret of a credential", "accept-open", "--login", login, "--reason", "was "+e.Stolen[0].Password)
	require.Contains(t, u.must("accept-open", "--login", login, "--reason", "its tokens end on Monday"), "accepted")
	_ = cmd.Wait()
	require.Equal(t, 2, cmd.ProcessState.ExitCode(), said.String())
	for _, l := range u.ledger().Credentials {
		require.Equal(t, ledger.Dead, l.Outcome, "%s: %s %s", l.Name, l.Reason, l.Step)
	}
	requireConsumersServed(t, e)
	requireBystandersUntouched(t, e)
}
