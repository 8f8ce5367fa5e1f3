package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
	"rollcall/internal/ledger"
	"rollcall/internal/report"
	"rollcall/internal/vault"
)

// An operator on another machine has a login, the campaign file, and no ledger.
func TestWhoIsElsewhereSeesTheCampaignWhereTheLedgerWorkerServesIt(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 4})
	file, err := e.CampaignFile(nil, unhurried)
	require.NoError(t, err)
	c := startCluster(t, e, file)
	c.ledgers = filepath.Join(e.Dir, "far", "ledger") // not where the campaign file has it
	at := freeAddress(t)
	c.worker()
	records := append(c.common, c.login(vault.LedgerPolicy)...)
	serving := func() *service {
		return c.serve(records, binary, "worker", "--role", "ledger", "--ledger-dir", c.ledgers, "--serve", at, "--serve-as", "https://"+at)
	}
	s := serving()

	ran := c.user.run("run")
	require.Equal(t, 0, ran.code, ran.out+ran.err)
	require.Contains(t, ran.out, "4 listed · 4 dead", "the last screen is that of the ledger")
	require.Contains(t, ran.err, "4 of 4 dead", "and so is the progress")
	require.NoDirExists(t, filepath.Join(e.Dir, "ledger"))
	require.Contains(t, c.user.must("report"), "4 listed · 4 dead")
	for _, args := range [][]string{{"status"}, {"ledger", "cat"}} {
		require.Contains(t, c.user.must(args...), "svc-esg-0001", args)
	}
	require.Contains(t, c.user.must("ledger", "verify"), "VERIFIED")
	var names []string
	folders, err := filepath.Glob(filepath.Join(c.ledgers, "*", "ledger.json"))
	require.NoError(t, err)
	require.Len(t, folders, 1)
	names = append(names, filepath.Base(filepath.Dir(folders[0])))
	require.Contains(t, c.user.must("campaigns"), names[0])
	require.Contains(t, c.user.must("campaigns", "--of", "svc-esg-0003"), "dead since")

	// A copy that somebody changed is told, and fetched anew.
	copied := filepath.Join(c.user.state, "fetched", names[0])
	bundle := filepath.Join(copied, "tile", "entries", "000.p")
	parts, err := os.ReadDir(bundle)
	require.NoError(t, err)
	for _, p := range parts {
		text, err := os.ReadFile(filepath.Join(bundle, p.Name()))
		require.NoError(t, err)
		text[len(text)/2] ^= 1
		require.NoError(t, os.WriteFile(filepath.Join(bundle, p.Name()), text, 0o600))
	}
	require.Equal(t, 1, c.user.run("report", "--ledger", copied).code)
	mended := c.user.run("report")
	require.Equal(t, 0, mended.code, mended.err)
	require.Contains(t, mended.err, "was damaged or changed, and was fetched anew")
	require.NotContains(t, c.user.run("report").err, "anew")

	// With the server gone the copy is still there to be looked at; another
	// operator's machine has none, and is told where the ledger is.
	require.NoError(t, os.RemoveAll(copied))
	c.user.must("report")
	s.kill()
	other := *c.user
	other.state = filepath.Join(e.Dir, "other-state")
	gone := other.run("report", names[0])
	require.Equal(t, 1, gone.code)
	require.Contains(t, gone.err, "https://"+at+", where ledgers were given out: ")
	require.Contains(t, gone.err, "4 of 4 are noted as dead in Vault")
	for _, args := range [][]string{{"status"}, {"status", names[0]}} {
		known := strings.Join(strings.Fields(other.must(args...)), " ")
		require.Contains(t, known, "the ledger of campaign "+names[0]+" is in another folder of this machine, "+filepath.Join(c.ledgers, names[0])+", and https://"+at+", where ledgers were given out: ")
		require.Contains(t, known, "Vault: 4 of 4 are noted as dead")
		require.Contains(t, known, "ended ")
		require.Contains(t, known, "rollcall report --ledger "+filepath.Join(c.ledgers, names[0]))
	}
	asked := decode[report.Status](t, other.must("status", "-o", "json"))
	require.Equal(t, 4, asked.ByState["dead"])
	require.Equal(t, ledger.Closed, asked.State)
	require.Contains(t, asked.Elsewhere, "is in another folder of this machine")
	require.Contains(t, other.run("report", "esg-01-20200101T000000Z").err, "no campaign esg-01-20200101T000000Z is known to Vault")
	again := serving()
	require.Contains(t, other.must("report", names[0]), "4 listed · 4 dead", "its new token is in Vault")
	require.False(t, again.over())

	// Who may not read Rollcall's mount as an operator gets nothing.
	thief := c.user.with("ROLLCALL_ROLE_ID=", "ROLLCALL_SECRET_ID_FILE=", "VAULT_TOKEN=none")
	thief.state = filepath.Join(e.Dir, "thief")
	require.Equal(t, 1, thief.run("report", names[0]).code)
	r, err := ledger.OpenReader(filepath.Join(c.ledgers, names[0]))
	require.NoError(t, err)
	require.Equal(t, names[0], r.Campaign())
}

// The ledger worker gives nothing out, and the campaign runs.
func TestWhoCannotReadTheLedgerIsToldSoAndWhatIsKnownWhileTheCampaignRuns(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 3, Replica: true})
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 10m}\naccept:\n  - {directory: corp, finding: replicators-not-shown, reason: jo looked}\n")
	require.NoError(t, err)
	c := startCluster(t, e, file)
	c.ledgers = filepath.Join(e.Dir, "far", "ledger")
	c.worker()
	c.ledgerWorker()
	e.Replica.PauseReplication()
	c.user.must("start")
	watch, said := c.user.begin("watch")
	requireSoon(t, "what is known is shown", said, func() bool {
		return strings.Contains(said.String(), "0 of 3 dead, 3 open")
	})
	require.Contains(t, said.String(), ", and nobody gives ledgers out: what follows is counts, from Temporal")
	var known string
	require.Eventually(t, func() bool { // it waits between passes only
		known = strings.Join(strings.Fields(c.user.must("status")), " ")
		return strings.Contains(known, "waiting: 3 open")
	}, patience, 100*time.Millisecond)
	for _, want := range []string{"nobody gives ledgers out", "Vault: 0 of 3 are noted as dead", ": runs, seen ", "0 of 3 dead, 3 open, pass ", "names, reasons and times stand in the ledger alone"} {
		require.Contains(t, known, want)
	}
	c.user.refuses("a report is made of nothing else", "report")
	require.NoError(t, e.Replica.ResumeReplication(t.Context()))
	require.NoError(t, watch.Wait(), said.String())
	require.Contains(t, said.String(), "3 listed, 3 dead, 0 open; the ledger is where the ledger worker keeps it")
}
