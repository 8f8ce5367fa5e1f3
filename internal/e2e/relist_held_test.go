package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
	"rollcall/internal/ledger"
)

// Whoever tries one at night finds that its secret names the wrong field. He
// corrects that, tries it once more and goes on with the rest, in one campaign
// and without a process that stays.
func TestWhatWasTriedFirstIsCorrectedAndTriedOnceMoreInTheSameCampaign(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 5})
	file, err := e.CampaignFile(nil, unhurried)
	require.NoError(t, err)
	u := newUser(t, e, file)
	names := func(uid string, custom map[string]any) {
		_, err := e.Vault.Client().Logical().WriteWithContext(t.Context(), "kv/metadata/apps/esg-01/"+uid, map[string]any{"custom_metadata": custom})
		require.NoError(t, err)
	}
	names("svc-esg-0002", map[string]any{"directory": "corp", "account": "svc-esg-0002", "field": "passwrd"})
	names("svc-esg-0005", map[string]any{"directory": "corp", "account": "svc-nobody", "field": "password"})
	u.must("init")
	tried := u.run("run", "--only", "svc-esg-0002")
	require.Equal(t, 3, tried.code, tried.out+tried.err)
	require.Contains(t, tried.err, "tried first: 0 dead, 1 open")
	require.Contains(t, tried.err, "`rollcall relist` then takes that up")
	before := u.ledgerSoFar()
	require.Contains(t, u.run("relist").err, "nothing is listed otherwise")

	names("svc-esg-0002", map[string]any{"directory": "corp", "account": "svc-esg-0002", "field": "password"})
	names("svc-esg-0005", map[string]any{"directory": "corp", "account": "svc-esg-0005", "field": "password"})
	shown := u.run("relist")
	require.Equal(t, 0, shown.code, shown.err)
	flat := strings.Join(strings.Fields(shown.out), " ")
	require.Contains(t, flat, "~ "+e.Slapd.AccountDN("svc-esg-0002"))
	require.Contains(t, flat, "+ "+e.Slapd.AccountDN("svc-esg-0005"))
	taken := u.atTerminal("esg-01\n", "relist", "--reason", "two secrets named the wrong thing")
	require.Equal(t, 0, taken.code, taken.out)
	flat = strings.Join(strings.Fields(taken.out), " ")
	require.Contains(t, flat, "goes on as it is listed now: 1, new: 1, off the roll: 1")
	require.Contains(t, flat, "`rollcall run --only NAME` tries it next")
	require.Zero(t, u.count(func(l *ledger.CredentialState) bool { return l.Attempt > 0 }), "nothing was set meanwhile")

	more := u.atTerminal("esg-01\n", "run", "--only", "svc-esg-0002")
	require.Equal(t, 3, more.code, more.out)
	require.Contains(t, more.out, "tried first: 1 dead, 0 open")
	require.Equal(t, 1, u.count(func(l *ledger.CredentialState) bool { return l.Outcome == ledger.Dead }), "that one alone")
	done := u.run("run")
	require.Equal(t, 0, done.code, done.out+done.err)
	s := u.ledger()
	require.Equal(t, before.Campaign, s.Campaign)
	require.Len(t, s.Credentials, 5)
	for _, c := range s.Credentials {
		require.Equal(t, ledger.Dead, c.Outcome, c.Name)
	}
	u.must("ledger", "verify")
	requireNothingLost(t, e)
	requireConsumersServed(t, e)
	requireClean(t, e)
}
