package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/faultproxy"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// oncePassed runs a command that is refused until each credential was tried
// once: the ledger tells of the last of them before the pass is over.
func (u *user) oncePassed(said fmt.Stringer, args ...string) (r ran) {
	u.t.Helper()
	requireSoon(u.t, "the first pass over all is done", said, func() bool {
		r = u.run(args...)
		return !strings.Contains(r.err, "some were not tried yet")
	})
	return r
}

// Two secrets name the wrong thing, and a replica keeps the campaign open. What
// was corrected meanwhile goes on in the same campaign; what a new value was
// announced for does not; and whoever kills the process loses none of it.
func TestWhatWasCorrectedIsTakenUpInsideTheRunningCampaign(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 5, Replica: true})
	const accept = "limits: {retry_min: 200ms, retry_max: 1s, deadline: 10m}\naccept:\n  - {directory: corp, finding: replicators-not-shown, reason: jo looked}\n"
	file, err := e.CampaignFile(nil, accept)
	require.NoError(t, err)
	u := newUser(t, e, file)
	names := func(uid string, custom map[string]any) {
		_, err := e.Vault.Client().Logical().WriteWithContext(t.Context(), "kv/metadata/apps/esg-01/"+uid, map[string]any{"custom_metadata": custom})
		require.NoError(t, err)
	}
	names("svc-esg-0001", map[string]any{"directory": "corp", "account": "svc-esg-0001", "field": "passwrd"})
	names("svc-esg-0005", map[string]any{"directory": "corp", "account": "svc-nobody", "field": "password"})
	u.must("init")
	u.refuses("no campaign", "relist")
	e.Replica.PauseReplication()
	run, said := u.begin("run")
	requireSoon(t, "all were tried", said, func() bool {
		return u.count(func(l *ledger.CredentialState) bool { return l.Reason == protocol.ReasonLagging }) == 3 &&
			u.count(func(l *ledger.CredentialState) bool {
				return l.Reason == protocol.ReasonNoAccount || l.Reason == protocol.ReasonNoField
			}) == 2
	})
	before := u.ledgerSoFar()
	require.Contains(t, u.oncePassed(said, "relist").err, "nothing is listed otherwise")

	names("svc-esg-0001", map[string]any{"directory": "corp", "account": "svc-esg-0001", "field": "password"})
	names("svc-esg-0005", map[string]any{"directory": "corp", "account": "svc-esg-0005", "field": "password"})
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	write := func(more string) { require.NoError(t, os.WriteFile(file, []byte(string(text)+more), 0o600)) }
	write("waves:\n  - {name: first, account: svc-esg-0001}\n")
	u.refuses("was started with in waves", "relist")
	write("used_by:\n  - {path: kv/apps/esg-01/svc-esg-0002, consumers: [scanner]}\n")
	shown := u.run("relist")
	require.Equal(t, 0, shown.code, shown.err)
	flat := strings.Join(strings.Fields(shown.out), " ")
	require.Contains(t, flat, "~ "+e.Slapd.AccountDN("svc-esg-0001")+" [corp] - path kv/apps/esg-01/svc-esg-0001#passwrd - cannot be rotated: no-field + path kv/apps/esg-01/svc-esg-0001#password")
	require.Contains(t, flat, "+ "+e.Slapd.AccountDN("svc-esg-0005")+" [corp] + path kv/apps/esg-01/svc-esg-0005#password")
	require.Contains(t, flat, "- svc-nobody [corp]: what it stood for is the path of another one now")
	require.Contains(t, flat, "! "+e.Slapd.AccountDN("svc-esg-0002")+" [corp]: it is dead, or a new value was announced for it")
	require.Contains(t, shown.err, "nothing was changed")
	require.Equal(t, len(before.Actions), len(u.ledgerSoFar().Actions), "looking is no deed")
	u.refuses("--reason", "relist", "--reason", "it was "+stolenValue(e, e.ID("svc-esg-0001")))
	require.Contains(t, u.atTerminal("no\n", "relist", "--reason", "the metadata was wrong").out, "esg-01 was not typed; nothing was done")

	taken := u.atTerminal("esg-01\n", "relist", "--reason", "the metadata was wrong")
	require.Equal(t, 0, taken.code, taken.out)
	require.Contains(t, strings.Join(strings.Fields(taken.out), " "), "goes on as it is listed now: 1, new: 1, off the roll: 1; listed otherwise, and goes on as it was: 1")
	requireSoon(t, "they are tried", said, func() bool {
		return u.count(func(l *ledger.CredentialState) bool { return l.Reason == protocol.ReasonLagging }) == 5
	})
	require.NoError(t, run.Process.Kill())
	_ = run.Wait()
	require.NoError(t, e.Replica.ResumeReplication(t.Context()))
	done := u.run("run")
	require.Equal(t, 0, done.code, done.out+done.err)

	s := u.ledger()
	require.Equal(t, before.Campaign, s.Campaign)
	require.Equal(t, ledger.Closed, s.Phase)
	require.Len(t, s.Credentials, 5)
	for _, c := range s.Credentials {
		require.Equal(t, ledger.Dead, c.Outcome, c.Name)
	}
	require.Equal(t, "the metadata was wrong", s.By(ledger.Relisted).Why)
	require.NotEmpty(t, s.By(ledger.Relisted).Who)
	u.must("ledger", "verify")
	require.Contains(t, strings.Join(strings.Fields(u.must("report")), " "), "had it listed again, and took up what was found: the metadata was wrong")
	requireNothingLost(t, e)
	requireConsumersServed(t, e)
	requireClean(t, e)
	require.NotContains(t, u.must("list"), "svc-nobody")
	require.Contains(t, u.must("campaigns"), "5 of 5")
}

// Whoever had the device has its AppRole too, which nobody had listed, and
// which gives tokens that nobody can revoke. Taken up while the campaign runs,
// it leaves those, so what they read is not set; what has nothing to do with it
// is.
func TestWhatALoginReadsThatIsFoundWhileTheCampaignRunsIsNotSet(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 5, Replica: true})
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 10m}\naccept:\n  - {directory: corp, finding: replicators-not-shown, reason: jo looked}\n")
	require.NoError(t, err)
	u := newUser(t, e, file)
	write := func(at string, data map[string]any) {
		_, err := e.Vault.Client().Logical().WriteWithContext(t.Context(), at, data)
		require.NoError(t, err)
	}
	names := func(uid, account string) {
		write("kv/metadata/apps/esg-01/"+uid, map[string]any{"custom_metadata": map[string]any{"directory": "corp", "account": account, "field": "password"}})
	}
	names("svc-esg-0005", "svc-nobody")
	names("svc-esg-0001", "svc-nobody-either")
	require.NoError(t, e.Vault.Client().Sys().PutPolicy("storage-reads", `path "kv/data/apps/esg-01/svc-esg-0005" { capabilities = ["read"] }`))
	write("auth/approle/role/storage", map[string]any{"token_policies": "storage-reads", "token_type": "batch"})
	write("auth/approle/role/storage/secret-id", nil)
	u.must("init")
	e.Replica.PauseReplication()
	_, said := u.begin("run")
	requireSoon(t, "all were tried", said, func() bool {
		return u.count(func(l *ledger.CredentialState) bool { return l.Reason == protocol.ReasonNoAccount }) == 2 &&
			u.count(func(l *ledger.CredentialState) bool { return l.Reason == protocol.ReasonLagging }) == 3
	})
	u.oncePassed(said, "relist")

	names("svc-esg-0005", "svc-esg-0005")
	names("svc-esg-0001", "svc-esg-0001")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(text), "sources:\n", "sources:\n  - {name: login, type: vault-approle, mount: approle, role: storage}\n", 1)), 0o600))
	taken := u.atTerminal("esg-01\n", "relist", "--reason", "two accounts and a login were missing")
	require.Equal(t, 0, taken.code, taken.out)
	flat := strings.Join(strings.Fields(taken.out), " ")
	require.Contains(t, flat, "+ approle/storage [vault]: it opens Vault, and goes first, at once")
	require.Contains(t, flat, "waits, for its new value may be read by auth/approle/role/storage")
	require.Contains(t, flat, "warning: other-reader: auth/approle/role/storage")
	requireSoon(t, "they are tried", said, func() bool {
		return u.count(func(l *ledger.CredentialState) bool { return l.Reason == protocol.ReasonWithinReach }) == 1 &&
			u.count(func(l *ledger.CredentialState) bool { return l.Reason == protocol.ReasonLagging }) == 4
	})
	require.NoError(t, e.Replica.ResumeReplication(t.Context()))
	requireSoon(t, "the others are dead", said, func() bool {
		return u.count(func(l *ledger.CredentialState) bool { return l.Outcome == ledger.Dead }) == 5
	})
	u.must("abort")
	requireSoon(t, "it has ended", said, u.closed)

	s := u.ledger()
	waits := s.Credential(e.ID("svc-esg-0005"))
	require.Equal(t, protocol.ReasonWithinReach, waits.Reason)
	require.Zero(t, waits.Attempt, "no value was made for it")
	require.True(t, binds(t, e, e.Servers()[0], e.Slapd.AccountDN("svc-esg-0005"), credential.NewSecret(stolenValue(e, e.ID("svc-esg-0005")))))
	warned := ""
	for _, f := range s.Findings {
		warned += string(f.Code) + ": " + f.Detail + "\n"
	}
	require.Contains(t, codes(s.Credential("vault/approle/storage")), credential.FindingBatchTokens)
	require.Contains(t, warned, "other-reader: auth/approle/role/storage")
	u.must("ledger", "verify")
}

// A task that nobody had listed is not taken up, and that it was found is in
// the record once a person says so. What no running campaign takes up of the
// file is refused by its name, with what to do instead.
func TestWhatAnotherListingCannotTakeUpIsInTheLedgerOrRefusedByItsName(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 2, Replica: true})
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 10m}\naccept:\n  - {directory: corp, finding: replicators-not-shown, reason: jo looked}\n")
	require.NoError(t, err)
	u := newUser(t, e, file)
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(file), "tasks.yaml"), []byte("- {kind: shared-secret, name: radius, due: 9h, owner: people/alice, ends: [gateway]}\n"), 0o600))
	u.must("init")
	e.Replica.PauseReplication()
	cmd, said := u.begin("run")
	requireSoon(t, "all were tried", said, func() bool {
		return u.count(func(l *ledger.CredentialState) bool { return l.Reason == protocol.ReasonLagging }) == 2
	})
	u.oncePassed(said, "relist")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	write := func(more, sources string) {
		all := strings.Replace(string(text), "sources:\n", "sources:\n"+sources, 1) + more
		require.NoError(t, os.WriteFile(file, []byte(all), 0o600))
	}
	write("doors:\n  mail: {type: imap, address: \"127.0.0.1:993\", ca_file: ca.pem, for: [{directory: corp}]}\n", "")
	u.refuses("in doors (mail is new: what has a door is proved at those that the campaign began with), which no running campaign takes up", "relist")
	write("used_by:\n  - {path: \"kv/*\", consumers: [postfix], reload: {command: [/etc/rollcall/reload.d/postfix]}}\n", "")
	u.refuses("in used_by (reload of kv/*: hooks are those that the campaign began with; leave reload out, and have these consumers read the new value by hand)", "relist")

	write("", "  - {name: tasks, type: manifest, file: tasks.yaml}\n")
	looked := u.run("relist")
	require.Equal(t, 0, looked.code, looked.err)
	require.Contains(t, looked.err, "warning: not-taken-up: ")
	require.Contains(t, looked.err, "nothing was changed: with --reason, what was warned of goes into the ledger")
	require.Nil(t, u.ledgerSoFar().By(ledger.Relisted))
	taken := u.run("relist", "--reason", "a task was forgotten")
	require.Equal(t, 0, taken.code, taken.err)
	s := u.ledgerSoFar()
	require.Equal(t, "a task was forgotten", s.By(ledger.Relisted).Why)
	found := ""
	for _, f := range s.Findings {
		found += string(f.Code) + ": " + f.Detail + "\n"
	}
	require.Contains(t, found, "radius was listed again, and is not taken up while the campaign runs: people see to it")
	require.Contains(t, u.run("relist", "--reason", "once more").err, "nothing is listed otherwise", "it is said once")

	require.NoError(t, e.Replica.ResumeReplication(t.Context()))
	_ = cmd.Wait()
	require.Equal(t, 2, cmd.ProcessState.ExitCode(), said.String())
	u.must("ledger", "verify")
	require.Equal(t, 2, u.count(func(l *ledger.CredentialState) bool { return l.Outcome == ledger.Dead }))
}

// The operator has a login of his own and no ledger, the ledger's worker is
// apart from those that rotate, and one of these dies while it is listed again.
func TestWorkersThatAreApartTakeUpWhatWasCorrected(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 4, Replica: true})
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 10m}\naccept:\n  - {directory: corp, finding: replicators-not-shown, reason: jo looked}\n")
	require.NoError(t, err)
	names := func(uid string, account string) {
		_, err := e.Vault.Client().Logical().WriteWithContext(t.Context(), "kv/metadata/apps/esg-01/"+uid,
			map[string]any{"custom_metadata": map[string]any{"directory": "corp", "account": account, "field": "password"}})
		require.NoError(t, err)
	}
	names("svc-esg-0001", "svc-nobody")
	names("svc-esg-0002", "svc-nobody-either")
	c := startCluster(t, e, file)
	c.ledgers = filepath.Join(e.Dir, "far", "ledger")
	c.ledgerWorker()
	_, store := proxied(t, e)
	dies := c.worker("VAULT_ADDR=" + store.URL())
	e.Replica.PauseReplication()
	campaign := strings.TrimSpace(c.user.must("start"))
	open := func(r protocol.Reason) (n int) {
		if _, err := os.Stat(filepath.Join(c.ledgers, campaign, "checkpoint")); err != nil {
			return 0
		}
		for _, l := range c.state(campaign).Credentials {
			if l.Reason == r && l.Outcome != ledger.Dead {
				n++
			}
		}
		return n
	}
	log := &transcript{}
	requireSoon(t, "all were tried", log, func() bool { return open(protocol.ReasonNoAccount) == 2 && open(protocol.ReasonLagging) == 2 })
	c.user.oncePassed(log, "relist")

	names("svc-esg-0001", "svc-esg-0001")
	names("svc-esg-0002", "svc-esg-0002")
	lists := make(chan struct{})
	once := sync.OnceFunc(func() { close(lists) })
	store.OnRequest(func(r faultproxy.Request) {
		if r.Kind == "LIST" && strings.Contains(r.Detail, "kv/metadata/") {
			once()
		}
	})
	asked := c.user.follow("relist", "--reason", "two secrets named nobody")
	select {
	case <-lists:
	case <-asked.done:
		require.Fail(t, "it is not listed again", asked.errors())
	}
	_ = dies.cmd.Process.Kill()
	c.worker()
	said := asked.wait()
	require.Equal(t, 0, said.code, said.err)
	require.Contains(t, said.out, "goes on as it is listed now: 1, new: 1, off the roll: 2; listed otherwise, and goes on as it was: 0")
	requireSoon(t, "they are tried", log, func() bool { return open(protocol.ReasonLagging) == 4 })
	require.NoError(t, e.Replica.ResumeReplication(t.Context()))
	watched := c.user.run("watch")
	require.Equal(t, 0, watched.code, watched.out+watched.err)

	s := c.state(campaign)
	require.Len(t, s.Credentials, 4)
	for _, l := range s.Credentials {
		require.Equal(t, ledger.Dead, l.Outcome, l.Name)
	}
	require.Equal(t, ledger.Closed, s.Phase)
	require.Equal(t, "two secrets named nobody", s.By(ledger.Relisted).Why)
	c.user.must("ledger", "verify", "--ledger", filepath.Join(c.ledgers, campaign))
	requireNothingLost(t, e)
	requireConsumersServed(t, e)
	requireClean(t, e)
}

// Two accounts are hard-coded in a machine, as somebody learns while the
// campaign runs. Of one a new value was announced by then.
func TestAnAccountThatIsExcludedWhileTheCampaignRunsKeepsItsValue(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 4, Replica: true})
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 10m}\naccept:\n  - {directory: corp, finding: replicators-not-shown, reason: jo looked}\n")
	require.NoError(t, err)
	u := newUser(t, e, file)
	_, err = e.Vault.Client().Logical().WriteWithContext(t.Context(), "kv/metadata/apps/esg-01/svc-esg-0001", map[string]any{"custom_metadata": map[string]any{"directory": "corp", "account": "svc-esg-0001", "field": "passwrd"}})
	require.NoError(t, err)
	u.must("init")
	e.Replica.PauseReplication()
	_, said := u.begin("run")
	requireSoon(t, "all were tried", said, func() bool {
		return u.count(func(l *ledger.CredentialState) bool { return l.Reason == protocol.ReasonLagging }) == 3 &&
			u.count(func(l *ledger.CredentialState) bool { return l.Reason == protocol.ReasonNoField }) == 1
	})
	u.oncePassed(said, "relist")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	write := func(excludes string) {
		require.NoError(t, os.WriteFile(file, []byte(string(text)+"exclude:\n"+excludes), 0o600))
	}
	const plc = "  - {account: svc-esg-0001, reason: hard-coded in the PLC}\n"
	write(plc + "  - {account: svc-esg-002, reason: a slip}\n")
	u.refuses("take nothing off the roll", "relist", "--reason", "two are hard-coded")
	write(plc + "  - {account: svc-esg-0002, reason: hard-coded as well}\n")
	taken := u.atTerminal("esg-01\n", "relist", "--reason", "two are hard-coded")
	require.Equal(t, 0, taken.code, taken.out)
	flat := strings.Join(strings.Fields(taken.out), " ")
	require.Contains(t, flat, "- "+e.Slapd.AccountDN("svc-esg-0001")+" [corp]: the campaign file excludes it: hard-coded in the PLC")
	require.Contains(t, flat, "! "+e.Slapd.AccountDN("svc-esg-0002")+" [corp]: the exclude comes too late")
	require.Contains(t, flat, "new: 0, off the roll: 1; listed otherwise, and goes on as it was: 1")
	require.NoError(t, e.Replica.ResumeReplication(t.Context()))
	requireSoon(t, "the others are dead", said, u.closed)

	s := u.ledger()
	require.Len(t, s.Credentials, 3)
	for _, c := range s.Credentials {
		require.Equal(t, ledger.Dead, c.Outcome, c.Name)
	}
	require.Equal(t, "hard-coded in the PLC", s.Excluded[len(s.Excluded)-1].Reason)
	require.True(t, binds(t, e, e.Servers()[0], e.Slapd.AccountDN("svc-esg-0001"), credential.NewSecret(stolenValue(e, e.ID("svc-esg-0001")))))
	warned := ""
	for _, f := range s.Findings {
		warned += string(f.Code) + ": " + f.Detail + "\n"
	}
	require.Contains(t, warned, "not-taken-up: corp: "+e.Slapd.AccountDN("svc-esg-0002")+" is excluded by now, and stays on the roll")
	u.must("ledger", "verify")
}
