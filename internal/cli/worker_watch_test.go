package cli

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/metrics"
)

const besideFile = watchHead + `  files:
    - {file: slapd.log, authority: corp, server: ldap1}
`

// A watch beside a worker begins whenever it can, goes by the device's newest
// campaign, and one that cannot begin hinders nobody.
func TestAWatchBesideAWorkerBeginsAgainAndHindersNobody(t *testing.T) {
	dir := t.TempDir()
	ledgers, file, broken, log := filepath.Join(dir, "ledger"), filepath.Join(dir, "esg.yaml"), filepath.Join(dir, "broken.yaml"), filepath.Join(dir, "slapd.log")
	require.NoError(t, os.WriteFile(file, []byte(besideFile), 0o600))
	require.NoError(t, os.WriteFile(broken, []byte("device: [\n"), 0o600))
	require.NoError(t, os.WriteFile(log, nil, 0o600))
	var stderr written
	m, err := metrics.New()
	require.NoError(t, err)
	at, stop, err := m.Serve("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(stop)
	ctx, end := context.WithCancel(t.Context())
	defer end()
	b := &besides{app: &app{Streams: Streams{Err: &stderr}, metrics: m}, ledgers: ledgers, first: time.Millisecond, newer: time.Millisecond}
	b.begin(ctx, []string{broken, file})
	says := func(text string) {
		t.Helper()
		require.Eventually(t, func() bool { return strings.Contains(stderr.String(), text) }, 5*time.Minute, time.Millisecond, "%s in %v", text, &stderr)
	}
	adds := func(text string) {
		f, err := os.OpenFile(log, os.O_APPEND|os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = f.WriteString(text)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	begun := func() {
		t.Helper()
		require.Eventually(t, func() bool {
			_, err := os.Stat(filepath.Join(ledgers, watchFolder, "esg-01", "watch.json"))
			return err == nil
		}, 5*time.Minute, time.Millisecond)
	}
	says("WARNING: watch of " + broken)
	says("holds no ledger of a campaign for device esg-01. The worker goes on without it, and it is tried again")
	opens := func(campaign string) {
		require.NoError(t, smallLedger(filepath.Join(dir, campaign))) // there as a whole, or not
		require.NoError(t, os.MkdirAll(ledgers, 0o700))
		require.NoError(t, os.Rename(filepath.Join(dir, campaign), filepath.Join(ledgers, campaign)))
	}
	opens("esg-01-20261123T120000Z")
	says("watch of esg-01: campaign esg-01-20261123T120000Z; the state is kept in ")
	begun()
	adds(tries("203.0.113.9"))
	says("watch of esg-01: probable: tried-after-rotation: uid=svc-1,dc=example,dc=org was refused from 203.0.113.9")
	opens("esg-01-20261124T120000Z")
	says("the device has a newer campaign: esg-01-20261124T120000Z")
	adds(tries("203.0.113.10"))
	says("was refused from 203.0.113.10")
	require.Equal(t, 1, strings.Count(stderr.String(), "WARNING: watch of "+broken), "once")
	shown := func() string {
		res, err := http.Get("http://" + at + "/metrics")
		require.NoError(t, err)
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return string(text)
	}
	// What is said is counted a moment later, and the watch that said it may be
	// the one that made way.
	for _, text := range []string{`rollcall_watch_findings_total{code="tried-after-rotation",device="esg-01",grade="probable"} 2`, `rollcall_watch_up{device="esg-01"} 1`, `rollcall_watch_failures_total{device=""} `} {
		require.Eventually(t, func() bool { return strings.Contains(shown(), text) }, 5*time.Minute, 10*time.Millisecond, text)
	}
	end()
	b.running.Wait()
	require.Contains(t, shown(), `rollcall_watch_up{device="esg-01"} 0`)
}
