package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/intruder"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// A thief has an AppRole that nobody had listed, and reads with it all the
// time. Found while the campaign runs, it goes first: what is set after that he
// never sees, and what he may have seen before is not called dead, and dead
// after another campaign.
func TestALoginThatIsFoundWhileTheCampaignRunsReadsNothingThatIsCalledDead(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 5, Replica: true})
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 10m}\naccept:\n  - {directory: corp, finding: replicators-not-shown, reason: jo looked}\n")
	require.NoError(t, err)
	u := newUser(t, e, file)
	write := func(at string, data map[string]any) map[string]any {
		got, err := e.Vault.Client().Logical().WriteWithContext(t.Context(), at, data)
		require.NoError(t, err)
		if got == nil {
			return nil
		}
		return got.Data
	}
	names := func(at, directory, account, field string) {
		write("kv/metadata/apps/esg-01/"+at, map[string]any{"custom_metadata": map[string]any{"directory": directory, "account": account, "field": field}})
	}
	names("svc-esg-0005", "corp", "svc-nobody", "password")
	require.NoError(t, e.Vault.Client().Sys().PutPolicy("storage-reads", `path "kv/data/apps/esg-01/*" { capabilities = ["read"] }
path "kv/metadata/apps/esg-01/*" { capabilities = ["read", "list"] }`))
	write("auth/approle/role/storage", map[string]any{"token_policies": "storage-reads"})
	id, err := e.Vault.Client().Logical().ReadWithContext(t.Context(), "auth/approle/role/storage/role-id")
	require.NoError(t, err)
	secret := write("auth/approle/role/storage/secret-id", nil)["secret_id"].(string)
	role := id.Data["role_id"].(string)
	u.must("init")
	login := intruder.Stolen{ID: "vault/approle/storage", Kind: intruder.AppRole, Servers: []string{e.Vault.Address()}, Mount: "approle", RoleID: role, Password: secret, Reads: []string{"kv/apps/esg-01"}}
	thief, other := startRaid(t, e), startRaid(t, e) // of whom one tries what he read after the first campaign
	for _, r := range []*raid{thief, other} {
		r.send(login)
		r.listening()
	}

	e.Replica.PauseReplication()
	run, said := u.begin("run")
	requireSoon(t, "all were tried", said, func() bool {
		return u.count(func(l *ledger.CredentialState) bool { return l.Reason == protocol.ReasonLagging }) == 4 &&
			u.count(func(l *ledger.CredentialState) bool { return l.Reason == protocol.ReasonNoAccount }) == 1
	})
	u.oncePassed(said, "relist")
	require.NoError(t, e.Vault.SeedKV(t.Context(), map[string]map[string]any{"apps/esg-01/storage": {"role_id": role, "secret_id": secret}}))
	names("storage", "vault", "approle/storage", "secret_id")
	names("svc-esg-0005", "corp", "svc-esg-0005", "password")
	looked := u.run("relist")
	flat := strings.Join(strings.Fields(looked.out), " ")
	require.Contains(t, flat, "+ approle/storage [vault]: it opens Vault, and goes first, at once: what it may read waits until it is dead")
	require.Contains(t, flat, "+ "+e.Slapd.AccountDN("svc-esg-0005")+" [corp]")
	require.Contains(t, flat, "! "+e.Slapd.AccountDN("svc-esg-0001")+" [corp]: it is dead, or a new value was announced for it, which a login that is found may have read: it ends as it began, is open again when the campaign ends (perhaps-read), and the next one sets another value !")
	taken := u.atTerminal("esg-01\n", "relist", "--reason", "a login was forgotten")
	require.Equal(t, 0, taken.code, taken.out)
	require.Contains(t, taken.out, "new: 2, off the roll: 1")
	requireSoon(t, "what waited for the login is set", said, func() bool {
		return u.count(func(l *ledger.CredentialState) bool {
			return l.Outcome == ledger.Dead && l.ID == "vault/approle/storage"
		}) == 1 &&
			u.count(func(l *ledger.CredentialState) bool { return l.Reason == protocol.ReasonLagging }) == 5
	})
	require.NoError(t, e.Replica.ResumeReplication(t.Context()))
	_ = run.Wait()
	require.Equal(t, 2, run.ProcessState.ExitCode(), said.String())

	s := u.ledger()
	require.Equal(t, ledger.Closed, s.Phase)
	for _, uid := range []string{"svc-esg-0001", "svc-esg-0002", "svc-esg-0004"} {
		c := s.Credential(e.ID(uid))
		require.Equal(t, ledger.IsException, c.Outcome, uid)
		require.Equal(t, protocol.ReasonPerhapsRead, c.Reason, uid)
		require.Contains(t, codes(c), credential.FindingPerhapsRead, uid)
	}
	require.Equal(t, ledger.Dead, s.Credential(e.ID("svc-esg-0003")).Outcome, "its path the login never read")
	require.Equal(t, ledger.Dead, s.Credential(e.ID("svc-esg-0005")).Outcome)
	require.Equal(t, ledger.Dead, s.Credential("vault/approle/storage").Outcome)
	thief.end()
	read := thief.overheard().Judge(deaths(t, s))
	require.Len(t, read, 3, "he has read what was set before")
	for _, v := range read {
		require.Equal(t, protocol.ReasonPerhapsRead, s.Credential(v.ID).Reason, "%v", v)
	}
	u.must("ledger", "verify")
	require.Contains(t, strings.Join(strings.Fields(u.must("report")), " "), "A login to Vault that was found afterwards may have read the new password")

	again := u.run("run")
	s = u.ledger()
	require.Len(t, s.Credentials, 6)
	for _, c := range s.Credentials {
		require.Equal(t, ledger.Dead, c.Outcome, "%s: %s\n%s", c.Name, c.Reason, again.err)
	}
	require.Zero(t, again.code, again.out+again.err)
	other.end()
	other.requireNothingOverheard(s)
	requireNothingLost(t, e)
	requireConsumersServed(t, e)
	requireClean(t, e)
}
