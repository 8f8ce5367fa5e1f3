package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/report"
)

// A source that finds nothing, and an empty roll, are on the screen, in the ledger and in every report, and
// never exit code 0, unless a person accepted it.
func TestASourceThatFindsNothingIsNotExitCode0AndItsWarningTravels(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 2})
	whole, err := e.CampaignFile(nil, quick)
	require.NoError(t, err)
	text, err := os.ReadFile(whole)
	require.NoError(t, err)
	head, _, _ := strings.Cut(string(text), "sources:")
	user := func(sources string) *user {
		file := filepath.Join(e.Dir, "campaign-x.yaml")
		require.NoError(t, os.WriteFile(file, []byte(head+sources), 0o600))
		return newUser(t, e, file)
	}
	const good = "\nsources:\n  - {name: kv, type: vault-kv, prefix: kv/apps/esg-01}\n"
	const mistyped = "  - {name: typo, type: vault-kv, prefix: kv/apps/esg01}\n"

	u := user(good + mistyped + quick)
	u.must("init")
	r := u.run("list")
	require.Equal(t, 2, r.code, r.out+r.err)
	require.Contains(t, r.err, "source-found-nothing: source typo found nothing")
	r = u.run("run")
	require.Equal(t, 2, r.code, r.out+r.err)
	require.Contains(t, r.err, "warning: source-found-nothing: source typo found nothing", "on the screen while it runs")
	require.Contains(t, r.out, "perhaps not all: source typo found nothing", "on the last screen")
	state := u.ledger()
	require.Len(t, state.Findings, 1)
	require.Equal(t, credential.FindingSourceEmpty, state.Findings[0].Code)
	require.Len(t, state.Open(), 0)
	doc := decode[report.Document](t, u.must("report", "-o", "json"))
	require.Equal(t, state.Findings, doc.Findings)
	page := filepath.Join(e.Dir, "r.html")
	u.must("report", "--html", page)
	html, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Contains(t, string(html), "source typo found nothing")
	require.Contains(t, string(html), "Dead, but perhaps not all")

	u = user("\nsources:\n" + mistyped + quick)
	r = u.run("run")
	require.Equal(t, 2, r.code, r.out+r.err)
	require.Contains(t, r.out, "0 listed")
	require.Contains(t, r.out, "perhaps not all: no source found a credential")
	require.Equal(t, 2, u.run("plan").code)

	u = user(good + mistyped + "accept:\n  - {source: typo, reason: the device has none left}\n" + quick)
	r = u.run("run")
	require.Equal(t, 0, r.code, r.out+r.err)
	require.Contains(t, r.err, "which the campaign file accepts: the device has none left")
}
