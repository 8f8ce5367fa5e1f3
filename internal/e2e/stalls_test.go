package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
	"rollcall/internal/report"
)

// Between two tries nothing is recorded for minutes. Who asks then is told when
// the next one is, and whoever waits for what keeps everything from going on.
func TestWhoeverWaitsIsToldForWhat(t *testing.T) {
	t.Parallel()
	require.Zero(t, os.Geteuid(), "a disk that is full takes root: run the tests as root (sudo -E)")
	e := startEstate(t, estate.Options{Accounts: 2, Replica: true})
	e.Directory = waitsLong
	disk := t.TempDir()
	said, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk).CombinedOutput()
	require.NoError(t, err, string(said))
	t.Cleanup(func() { require.NoError(t, exec.Command("umount", disk).Run()) })
	file, err := e.CampaignFile(nil, "limits: {retry_min: 5m, retry_max: 5m, deadline: 1h}\nledger: {dir: '"+filepath.Join(disk, "ledger")+"'}\n")
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.env = append(u.env, vaultWaitsLong)
	u.must("init")
	e.Replica.PauseReplication()
	run := u.follow("run")
	soon := func(s *service, words string) {
		t.Helper()
		require.Eventually(t, func() bool { return s.said(words) }, patience, 50*time.Millisecond, "%s: %s", words, s.errors())
	}
	soon(run, "2 lagging")
	soon(run, "waiting: 2 open are tried again at ")

	// It asks for some seconds, in which a machine may stand still.
	require.Eventually(t, func() bool {
		return strings.Contains(u.run("status").out, "waiting: 2 open are tried again at ")
	}, patience, time.Second)
	var st report.Status
	require.Eventually(t, func() bool {
		err := json.Unmarshal([]byte(u.run("status", "-o", "json").out), &st)
		return err == nil && len(st.Waves) > 0 && st.Waves[0].Next != ""
	}, patience, time.Second)
	next, err := time.Parse(time.RFC3339, st.Waves[0].Next)
	require.NoError(t, err)
	until, err := time.Parse(time.RFC3339, st.Waves[0].Until)
	require.NoError(t, err)
	require.True(t, next.Before(until), "%s, %s", next, until)

	filler := filepath.Join(disk, "filler")
	require.ErrorIs(t, os.WriteFile(filler, make([]byte, 8<<20), 0o600), syscall.ENOSPC)
	pause := u.follow("pause")
	soon(pause, "waiting (tried ")
	require.True(t, pause.said("no space left on device") && pause.said(disk), pause.errors())
	require.Eventually(t, func() bool {
		said := u.run("status").out
		return strings.Contains(said, "waiting (tried ") && strings.Contains(said, "no space left on device")
	}, patience, time.Second, "whoever asks is told what whoever waits is")
	require.Eventually(t, func() bool {
		var st report.Status
		err := json.Unmarshal([]byte(u.run("status", "-o", "json").out), &st)
		return err == nil && strings.HasPrefix(st.WaitsFor, "waiting (tried ")
	}, patience, time.Second)
	require.NoError(t, os.Remove(filler))
	require.Zero(t, pause.wait().code, pause.errors())
	u.must("resume")

	require.NoError(t, e.Vault.Seal(t.Context()))
	soon(run, "waiting: Vault at "+e.Vault.Address()+" is sealed: unseal it")
	require.NoError(t, e.Vault.Unseal(t.Context()))
	u.must("abort", "--yes")
	require.Equal(t, 2, run.wait().code, run.errors())
	require.NoError(t, e.Replica.ResumeReplication(t.Context()))
}
