package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
	"rollcall/internal/report"
	"rollcall/internal/vault"
)

// moved is another person: another folder, another home, an operator's login.
func (u *user) moved(dir string, policies ...string) *user {
	u.t.Helper()
	e := *u.e
	e.Dir = dir
	require.NoError(u.t, os.MkdirAll(filepath.Join(dir, "home"), 0o700))
	beside, err := os.ReadDir(filepath.Dir(u.file)) // what the campaign file names
	require.NoError(u.t, err)
	for _, f := range beside {
		if text, err := os.ReadFile(filepath.Join(filepath.Dir(u.file), f.Name())); err == nil && f.Type().IsRegular() {
			require.NoError(u.t, os.WriteFile(filepath.Join(dir, f.Name()), text, 0o600))
		}
	}
	file := filepath.Join(dir, filepath.Base(u.file))
	token, err := e.Vault.Client().Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: policies})
	require.NoError(u.t, err)
	v := *u
	v.e, v.file, v.state = &e, file, filepath.Join(dir, "state")
	v.env = append(append([]string{}, u.env...), "HOME="+filepath.Join(dir, "home"), "VAULT_TOKEN="+token.Auth.ClientToken)
	return &v
}

// A night on one machine, without a Temporal, as the README has it; whoever is
// elsewhere watches it, and finds the result the day after.
func TestWhoIsElsewhereWatchesARunOfOneMachineAndFindsItsResultTheNextDay(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 3, Replica: true})
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 10m}\naccept:\n  - {directory: corp, finding: replicators-not-shown, reason: jo looked}\n")
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	one := u.moved(filepath.Join(e.Dir, "one"), vault.WorkerPolicy, vault.LedgerPolicy)
	other := u.moved(filepath.Join(e.Dir, "other"), vault.OperatorPolicy)
	at := freeAddress(t)
	serveAs := []string{"--serve-as", "https://" + at}
	host, err := os.Hostname()
	require.NoError(t, err)

	other.refuses("no campaign is running on this machine", "watch")
	one.refuses("nothing was started", append([]string{"run", "--serve", "127.0.0.1:99999"}, serveAs...)...)

	// While it runs, and with nothing given out: what Vault has.
	e.Replica.PauseReplication()
	cmd, said := one.begin("run")
	requireSoon(t, "it waits for the replica", said, func() bool { return strings.Contains(said.String(), "0 of 3 dead") })
	folders, err := filepath.Glob(filepath.Join(one.e.Dir, "ledger", "esg-01-*", "ledger.json"))
	require.NoError(t, err)
	require.Len(t, folders, 1)
	folder := filepath.Dir(folders[0])
	campaign := filepath.Base(folder)
	words := func(r ran) string { return strings.Join(strings.Fields(r.out+r.err), " ") }
	for _, args := range [][]string{{"pause"}, {"close", "--reason", "a", "--owner", "b"}, {"relist"}, {"leave-out", "--server", e.Replica.LDAPS(), "--reason", "x"}} {
		r := other.run(args...)
		require.Equal(t, 1, r.code, args)
		text := words(r)
		require.Contains(t, text, "cannot "+args[0]+": no campaign is running on this machine", args)
		require.Contains(t, text, "campaign "+campaign+", started ", args)
		require.Regexp(t, ": runs, seen [0-9a-z]+ ago; its ledger is on "+host+", in "+folder+": it runs on this machine, in another folder or with another --state-dir: do it from there", text, args)
	}
	watched, shown := other.begin("watch")
	requireSoon(t, "what Vault has is shown", shown, func() bool { return strings.Contains(shown.String(), "0 of 3 are noted as dead") })
	require.NoError(t, watched.Process.Signal(os.Interrupt))
	require.Error(t, watched.Wait())
	require.Equal(t, 3, watched.ProcessState.ExitCode(), shown.String())
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Error(t, cmd.Wait())

	// It goes on, and gives its ledger out.
	cmd, said = one.begin(append([]string{"run", "--serve", at}, serveAs...)...)
	requireSoon(t, "it is given out", said, func() bool {
		return strings.Contains(said.String(), "to operators at https://"+at+" until this run ends")
	})
	now := other.must("status")
	require.Contains(t, now, "Rollcall esg-01  running", "it is read from the ledger")
	require.NotContains(t, now, "nobody works on it")
	watched, shown = other.begin("watch")
	requireSoon(t, "the ledger is followed", shown, func() bool { return strings.Contains(shown.String(), "0 of 3 dead") })
	require.NoError(t, e.Replica.ResumeReplication(t.Context()))
	require.NoError(t, cmd.Wait(), said.String())
	require.NoError(t, watched.Wait(), shown.String())
	require.Contains(t, shown.String(), "3 listed · 3 dead", "its end is shown")

	// The next day nothing runs. Each says where the ledger is.
	require.NoError(t, os.RemoveAll(filepath.Join(other.state, "fetched")))
	where := "the ledger of campaign " + campaign + " is in another folder of this machine, " + folder
	for _, args := range [][]string{{"report"}, {"ledger", "verify"}, {"ledger", "key"}, {"ledger", "cat"}} {
		r := other.run(args...)
		require.Equal(t, 1, r.code, args)
		require.Contains(t, words(r), where, args)
		require.Contains(t, words(r), "rollcall report --ledger "+folder, args)
		require.NotContains(t, words(r), "connection refused", "run took back at its end what it had offered")
	}
	require.Contains(t, strings.Join(strings.Fields(other.must("status")), " "), where)
	require.Contains(t, strings.Join(strings.Fields(other.must("watch")), " "), where)

	// It is given out again where it lies, by a login that can do no more.
	keeper := u.moved(filepath.Join(e.Dir, "keeper"), vault.LedgerPolicy)
	require.NoError(t, os.RemoveAll(filepath.Join(keeper.e.Dir, "ledger")))
	keeper.refuses("is not there: run this where the ledgers are", "ledger", "serve", "--listen", at)
	keeper.refuses("itself the ledger of campaign", "ledger", "serve", "--listen", at, "--ledger-dir", folder)
	thief := u.moved(filepath.Join(e.Dir, "thief"), "default")
	require.Equal(t, 1, thief.run("ledger", "serve", "--listen", freeAddress(t), "--ledger-dir", filepath.Dir(folder)).code)
	serving, told := keeper.begin(append([]string{"ledger", "serve", "--listen", at, "--ledger-dir", filepath.Dir(folder)}, serveAs...)...)
	requireSoon(t, "it is given out", told, func() bool { return strings.Contains(told.String(), "giving 1 ledger in "+filepath.Dir(folder)) })
	require.Contains(t, other.must("report"), "3 listed · 3 dead")
	require.Contains(t, other.must("watch"), "3 listed · 3 dead")
	require.Contains(t, other.must("ledger", "verify"), "VERIFIED")
	require.Regexp(t, regexp.MustCompile(`^rollcall/`+campaign), other.must("ledger", "key"))
	require.Equal(t, 3, decode[report.Status](t, other.must("status", "-o", "json")).ByState["dead"])
	require.Equal(t, 1, thief.run("report").code)
	require.NoError(t, serving.Process.Signal(os.Interrupt))
	require.NoError(t, serving.Wait(), told.String())
}
