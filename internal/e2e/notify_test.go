package e2e

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/faultproxy"
	"rollcall/internal/ledger"
	"rollcall/internal/notify"
	"rollcall/internal/notify/settings"
)

// Somebody sleeps while a campaign runs. The process dies while it tells the
// first thing, and the next one tells it again and all that follows.
func TestWhomTheFileNamesIsToldAlsoByTheProcessAfterTheOneThatDied(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 4})
	var mu sync.Mutex
	var told []notify.Notice
	var sent strings.Builder
	heard, die := make(chan struct{}), make(chan struct{})
	var once sync.Once
	hook := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		var n notify.Notice
		_ = json.Unmarshal(body, &n)
		told = append(told, n)
		fmt.Fprintf(&sent, "%s %v\n", body, r.Header)
		mu.Unlock()
		once.Do(func() {
			close(heard)
			<-die // the answer does not come before the process is gone
		})
	}))
	defer hook.Close()
	programs := t.TempDir()
	require.NoError(t, os.Chmod(programs, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(programs, "reload"), []byte("#!/bin/sh\ncat >> '"+e.Dir+"/reloads'\necho \"$ROLLCALL_INCIDENT $ROLLCALL_SEVERITY\" >> '"+e.Dir+"/incidents'\n"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(e.Dir, "hook.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: hook.Certificate().Raw}), 0o600))
	const key = "a-key-of-some-length-for-web-hooks"
	require.NoError(t, e.Vault.SeedKV(t.Context(), map[string]map[string]any{"notify": {"soc": key}}))
	file, err := e.CampaignFile(nil, unhurried+fmt.Sprintf(`
incident: {number: INC0012345, severity: 1 - Critical, approved_by: Jo Miller}
notify:
  webhooks:
    - {name: soc, url: "%s/rollcall", secret: kv/notify#soc, ca_file: hook.pem}
used_by:
  - {path: "kv/*", consumers: [postfix on mx1], reload: {command: [%s/reload]}}
`, hook.URL, programs))
	require.NoError(t, err)
	u := newUser(t, e, file).with("ROLLCALL_RELOAD_DIR=" + programs)
	u.must("init")
	require.Contains(t, u.must("plan"), "postfix on mx1: ")

	cmd, _ := u.begin("run")
	<-heard
	require.True(t, u.kill(cmd, "both"))
	close(die)
	r := u.run("run")
	require.Zero(t, r.code, r.out+r.err)
	require.Contains(t, r.out, "Who reads the new values")
	require.NotContains(t, r.err, "could not be sent")

	mu.Lock()
	defer mu.Unlock()
	times, events := map[string]int{}, map[settings.Event]int{}
	for _, n := range told {
		if times[n.ID]++; times[n.ID] == 1 {
			events[n.Event]++
		}
	}
	require.Equal(t, 2, times[told[0].ID], "%v", times)
	require.Equal(t, settings.Start, told[0].Event)
	require.Equal(t, map[settings.Event]int{settings.Start: 1, settings.Wave: 2, settings.End: 1}, map[settings.Event]int{
		settings.Start: events[settings.Start], settings.Wave: events[settings.Wave], settings.End: events[settings.End]})
	last := told[len(told)-1]
	require.Equal(t, settings.End, last.Event)
	require.Equal(t, &notify.Counts{Listed: 4, Dead: 4}, last.Counts)

	reloads, err := os.ReadFile(filepath.Join(e.Dir, "reloads"))
	require.NoError(t, err)
	reloaded := map[string]bool{} // one that the process died over may be there twice
	for line := range strings.Lines(string(reloads)) {
		reloaded[decode[notify.Notice](t, line).ID] = true
	}
	require.Len(t, reloaded, 4, "%s", reloads)
	require.LessOrEqual(t, strings.Count(string(reloads), "\n"), 5, "%s", reloads)
	for _, c := range u.ledger().Credentials {
		require.Equal(t, []string{"postfix on mx1"}, c.UsedBy)
		require.NotContains(t, sent.String()+string(reloads), stolenValue(e, c.ID))
		for _, p := range c.Paths {
			require.Contains(t, string(reloads), `"path":"`+p.Mount+"/"+p.Path+`"`)
			require.NotContains(t, sent.String()+string(reloads), live(t, e, p).Reveal())
		}
	}
	require.NotContains(t, sent.String(), key)
	u.must("ledger", "verify")

	// The ticket is named wherever somebody looks.
	about := credential.Incident{Number: "INC0012345", Severity: "1 - Critical", ApprovedBy: "Jo Miller"}
	for _, n := range told {
		require.Equal(t, &about, n.Incident, n.Event)
	}
	incidents, err := os.ReadFile(filepath.Join(e.Dir, "incidents"))
	require.NoError(t, err)
	require.Contains(t, string(incidents), "INC0012345 1 - Critical\n")
	require.Equal(t, about, u.ledger().Incident)
	for command, want := range map[string]string{
		"campaigns": "INC0012345 (1 - Critical)", "campaigns -o json": `"incident": {`, "report": "incident INC0012345, severity 1 - Critical, approved by Jo Miller",
		"report --summary": "INC0012345", "status -o json": `"number": "INC0012345"`, "ledger cat": "incident INC0012345, severity 1 - Critical",
	} {
		require.Contains(t, strings.Join(strings.Fields(u.must(strings.Fields(command)...)), " "), want, command)
	}
}

// What the directory takes slowly is one batch for long. Whoever reads the
// first of it must not wait for the last, also when the process is killed in
// between: its consumers are told once more rather than never.
func TestAConsumerIsToldWhileOthersOfTheSameBatchAreNotSetYet(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 12})
	e.Directory = waitsLong
	// They go one by one, and it is the last but one when the process dies.
	proxy := ldapProxy(t, e, e.Slapd.LDAPS())
	gone := make(chan struct{})
	var sets atomic.Int64
	proxy.OnRequest(func(r faultproxy.Request) {
		if r.Detail == passwordModify && sets.Add(1) == 11 {
			<-gone
		}
	})
	programs := t.TempDir()
	require.NoError(t, os.Chmod(programs, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(programs, "reload"), []byte("#!/bin/sh\nread event\ndate -u +%FT%T.%NZ >> '"+e.Dir+"/when'\necho \"$event\" >> '"+e.Dir+"/reloads'\n"), 0o755))
	file, err := e.CampaignFile([]string{proxy.URL()}, strings.Replace(unhurried, "batch: 20", "batch: 20, concurrency: 1", 1)+fmt.Sprintf("used_by:\n  - {path: \"kv/*\", consumers: [postfix on mx1], reload: {command: [%s/reload]}}\n", programs))
	require.NoError(t, err)
	u := newUser(t, e, file).with("ROLLCALL_RELOAD_DIR=" + programs)
	u.must("init")
	cmd, said := u.begin("run")
	told := func() string {
		text, _ := os.ReadFile(filepath.Join(e.Dir, "reloads"))
		return string(text)
	}
	requireSoon(t, "somebody is told", said, func() bool { return told() != "" })
	require.True(t, u.kill(cmd, "both"))
	close(gone)
	before := u.ledgerSoFar()
	done := u.run("run")
	require.Zero(t, done.code, done.out+done.err)

	s := u.ledger()
	require.Equal(t, before.Campaign, s.Campaign)
	when, err := os.ReadFile(filepath.Join(e.Dir, "when"))
	require.NoError(t, err)
	first, err := time.Parse(time.RFC3339Nano, strings.Fields(string(when))[0])
	require.NoError(t, err)
	later := 0
	for _, c := range s.Credentials {
		require.Equal(t, ledger.Dead, c.Outcome, c.Name)
		if c.SetAt.After(first) {
			later++
		}
		for _, p := range c.Paths {
			require.Contains(t, told(), `"path":"`+p.Mount+"/"+p.Path+`"`)
		}
	}
	require.Positive(t, later, "of 12 in one batch some were set after the first consumer was told at %s", first)
	require.Len(t, before.Open(), 12, "no result of the batch was recorded by then")
	require.Contains(t, u.must("ledger", "cat"), " activated ")
	u.must("ledger", "verify")
	requireConsumersServed(t, e)
}
