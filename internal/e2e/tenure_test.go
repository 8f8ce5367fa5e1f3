package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/protocol"
	"rollcall/internal/report"
)

// A campaign belongs to who runs it. A colleague's run, from another machine,
// is told whose it is, and ends it only when asked to and able to go on.
func TestAColleaguesRunEndsACampaignThatLivesOnlyWhenAskedTo(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 6, Bystanders: 1})
	e.Directory = waitsLong
	c := &controlled{cluster: &cluster{}}
	c.directory, c.store = proxied(t, e)
	file, err := e.CampaignFile([]string{c.directory.URL()}, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 2s, batch: 2, parallel: 1, concurrency: 1}\n")
	require.NoError(t, err)
	c.user = newUser(t, e, file)
	c.user.must("init")
	colleague := c.user.edited("exposure:", "ledger: {dir: elsewhere}\nexposure:")
	colleague.state = filepath.Join(t.TempDir(), "state")
	cannotRecord := colleague.edited("{dir: elsewhere}", "{dir: campaign.yaml}")
	c.user.env = append(c.user.env, "VAULT_ADDR="+c.store.URL(), vaultWaitsLong)
	r := startRaid(t, e)

	run, first, release := c.runUntil(protocol.Set)
	refused := colleague.run("run")
	require.Equal(t, 1, refused.code, refused.err)
	require.Regexp(t, `(?m)^rollcall: campaign `+first+` of device esg-01 runs since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, started by \S+@\S+, last seen (\d+m)?\d+s ago: `+
		"watch it there, or `rollcall run --take-over` ends it and goes on; it is not on the Temporal at 127.0.0.1:\\d+; nothing was started$", refused.err)
	failed := cannotRecord.run("run", "--take-over")
	require.Equal(t, 1, failed.code, failed.err)
	require.Contains(t, failed.err, "campaign "+first+" of device esg-01 runs since")
	require.Contains(t, failed.err, "not a directory")

	// Whoever started the engine does all the work on it, and takes it along at
	// its end.
	another := c.user.edited("device: esg-01", "device: esg-02")
	refused = another.run("run")
	require.Equal(t, 1, refused.code, refused.err)
	require.Contains(t, refused.err, "the state folder "+c.user.state+" is in use by a run for device esg-01")
	require.Contains(t, refused.err, "--state-dir "+filepath.Join(c.user.state, "esg-02"))
	run.signal(syscall.SIGINT)
	require.Eventually(t, func() bool { return run.said("detached from campaign " + first) }, patience, tick)
	release()
	require.Equal(t, 3, run.wait().code)
	left := strings.Join(strings.Fields(c.user.must("status")), " ")
	require.Contains(t, left, "campaign "+first)
	require.Regexp(t, `last sign of life (\d+m)?\d+s ago \(\S+Z\), but no engine runs on this machine: unless it runs elsewhere, nobody works on it; `+
		"`rollcall run` where it was started goes on from there", left)
	require.NotEmpty(t, decode[report.Status](t, c.user.must("status", "-o", "json")).LastSeen)
	refused = another.run("run")
	require.Equal(t, 1, refused.code, refused.err)
	require.Contains(t, refused.err, "campaign "+first+" of device esg-01 was left in the state folder "+c.user.state)
	moved := c.user.edited("exposure:", "ledger: {dir: moved}\nexposure:").run("run")
	require.Equal(t, 1, moved.code, moved.err)
	require.Contains(t, moved.err, "campaign "+first+" cannot go on: the ledger is not here: ")
	require.NotContains(t, moved.err, "tampered")

	ended := c.user.run("run")
	require.Zero(t, ended.code, "the campaign that lives goes on to its end: %s", ended.err)
	requireAllDead(t, c.user.ledger(), r.end())
	requireConsumersServed(t, e)

	// One that is aborted while it lists does not hide it.
	run, aborted, release := c.runUntil(listing)
	c.user.must("abort")
	release()
	require.Equal(t, 2, run.wait().code)
	for _, command := range []string{"status", "report"} {
		shown := c.user.run(command)
		require.Zero(t, shown.code, shown.err)
		require.Contains(t, shown.out, "campaign "+first)
		require.Regexp(t, `(?m)^note: campaign `+aborted+` is newer and ended early, at \S+Z \(aborted by \S+@\S+\), with nothing set; what follows is `+first+`\. `+
			"`rollcall status CAMPAIGN` and `rollcall report CAMPAIGN` show each$", shown.err)
		named := c.user.run(command, aborted)
		require.Zero(t, named.code, named.err)
		require.Contains(t, named.out, "campaign "+aborted)
		require.Empty(t, named.err)
	}

	run, second, release := c.runUntil(protocol.Set)
	no := colleague.atTerminal("yes\n", "run", "--take-over")
	require.Equal(t, 1, no.code, no.out)
	require.Contains(t, no.out, "This ENDS campaign "+second)
	require.Contains(t, no.out, "esg-01 was not typed; nothing was done")
	taken := colleague.run("run", "--take-over")
	require.Equal(t, 2, taken.code, "what the other has in hand stays locked for minutes:\n%s%s", taken.out, taken.err)
	require.Contains(t, taken.err, "campaign "+second+" of device esg-01 runs since")
	require.Contains(t, taken.err, "this one ends it once it has listed")
	record, err := e.Vault.Client().Logical().Read("rollcall/data/campaigns/" + second)
	require.NoError(t, err)
	require.Equal(t, campaignLine.FindStringSubmatch(taken.err)[1], record.Data["data"].(map[string]any)["superseded_by"])
	text := colleague.must("ledger", "cat")
	require.Regexp(t, `took-over .*by \S+@\S+  from `+second+` of \S+@\S+`, text)
	require.NotContains(t, text, "no sign of life")
	require.Contains(t, taken.out, "took over from campaign "+second)
	colleague.must("ledger", "verify")
	release()
	run.wait() // whatever it had in hand is finished
	requireConsumersServed(t, e)
	free := colleague.run("run")
	require.Zero(t, free.code, "it has said that it holds nothing any more, and nobody waits four minutes for it:\n%s%s", free.out, free.err)
	requireConsumersServed(t, e)
	requireBystandersUntouched(t, e)
}

// Two devices know one service account, each by a path of its own. The later
// campaign sets another value, and the consumers of the earlier one must get it
// too.
func TestAPathThatAnEarlierCampaignActivatedIsKeptCurrentByTheNext(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 2})
	file, err := e.CampaignFile(nil, quick)
	require.NoError(t, err)
	first := newUser(t, e, file)
	first.must("init")
	first.must("run")

	uid := "svc-esg-0001"
	earlier := e.Live[e.ID(uid)]
	copied := credential.Path{Mount: "kv", Path: "apps/vpn-01/copy", Field: "password"}
	require.NoError(t, e.Vault.SeedKV(t.Context(), map[string]map[string]any{copied.Path: {"password": e.Slapd.SeededPassword(uid)}}))
	require.NoError(t, os.WriteFile(filepath.Join(e.Dir, "vpn.csv"), []byte("directory,account,path\ncorp,"+uid+","+copied.String()+"\n"), 0o600))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	head, _, _ := strings.Cut(string(text), "sources:")
	second := *first
	second.file, second.state = filepath.Join(e.Dir, "vpn.yaml"), filepath.Join(t.TempDir(), "state")
	require.NoError(t, os.WriteFile(second.file, []byte(strings.Replace(head, "device: esg-01", "device: vpn-01", 1)+
		"sources:\n  - {name: list, type: manifest, file: vpn.csv}\nledger: {dir: ledger-vpn}\n"+quick), 0o600))
	second.must("init")
	roll := decode[credential.Roll](t, second.run("list", "-o", "json").out)
	require.Len(t, roll.Credentials, 1, "and no account is on the roll for that")
	require.Contains(t, roll.Credentials[0].Paths, earlier)
	before := versions(t, e.Vault.Client(), earlier)
	ran := second.run("run")
	require.Equal(t, 2, ran.code, ran.out+ran.err)
	require.Contains(t, ran.out, "left-behind (1)", "what reads the copy has been cut off since the first campaign, which did not know it")
	require.Equal(t, before+1, versions(t, e.Vault.Client(), earlier))
	require.True(t, binds(t, e, e.Slapd.LDAPS(), e.Slapd.AccountDN(uid), live(t, e, earlier)))
	requireConsumersServed(t, e)
}
