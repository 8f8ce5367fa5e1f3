//go:build release

package release

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
	"rollcall/internal/lab"
)

const worker, ledgerWorker = "rollcall-worker.service", "rollcall-ledger.service"

// operator runs rollcall outside of the machine, as the operator's login.
type operator struct {
	t   *testing.T
	dir string
	env []string
}

func (o operator) run(args ...string) string {
	o.t.Helper()
	out, err := o.try(args...)
	require.NoError(o.t, err, "rollcall %v:\n%s", args, out)
	return out
}

func (o operator) try(args ...string) (string, error) {
	cmd := exec.Command(filepath.Join(repository(o.t), "bin", "rollcall"), args...)
	cmd.Dir, cmd.Env = o.dir, o.env
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return string(out) + said.String(), err
	}
	return strings.TrimSpace(string(out)), nil
}

func login(t *testing.T, e *estate.Estate, role string) (id, secret string) {
	t.Helper()
	at := "auth/approle/role/" + role
	got, err := e.Vault.Client().Logical().Read(at + "/role-id")
	require.NoError(t, err)
	made, err := e.Vault.Client().Logical().Write(at+"/secret-id", nil)
	require.NoError(t, err)
	return got.Data["role_id"].(string), made.Data["secret_id"].(string)
}

// Both services run on one machine here, with the settings that a person would
// write; the estate, Vault and Temporal are outside of it.
func TestThePackageIsInstalledOnABootedDebianAndItsServicesCarryACampaign(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	e, err := estate.Start(ctx, estate.Options{Dir: t.TempDir(), Accounts: 40})
	require.NoError(t, err)
	t.Cleanup(func() { e.Stop(context.WithoutCancel(ctx)) })
	engine, err := lab.StartEngine(ctx, lab.EngineOptions{Dir: filepath.Join(e.Dir, "engine")})
	require.NoError(t, err)
	t.Cleanup(engine.Kill)
	_, err = e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 1s, batch: 4}\n")
	require.NoError(t, err)
	o := operator{t, e.Dir, append([]string{"HOME=" + e.Dir, "PATH=" + os.Getenv("PATH"), "TEMPORAL_ADDRESS=" + engine.Address()}, e.Environ()...)}
	o.run("init")

	m := boot(t)
	for _, version := range []string{"1.2.3", "1.2.4"} {
		must(t, "cp", packaged(t, "v"+version), filepath.Join(m.root, "root", version+".deb"))
	}
	m.must("dpkg", "--install", "/root/1.2.3.deb")

	t.Run("installed, nothing is enabled, and nothing starts without a login", func(t *testing.T) {
		for _, unit := range []string{worker, ledgerWorker} {
			enabled, err := m.try("systemctl", "is-enabled", unit)
			require.Error(t, err)
			require.Equal(t, "disabled", strings.TrimSpace(enabled))
			said, err := m.try("systemctl", "start", unit)
			require.Error(t, err)
			require.Contains(t, said, "Assertion failed")
		}
		require.Contains(t, m.must("rollcall", "version"), "rollcall")
	})

	for role, user := range map[string]string{"worker": "rollcall", "ledger": "rollcall-ledger"} {
		id, secret := login(t, e, "rollcall-"+role)
		m.write("/var/lib/"+user+"/secret-id", secret+"\n", user)
		m.write("/etc/rollcall/"+role+".env", "ROLLCALL_ROLE_ID="+id+"\nVAULT_ADDR="+e.Vault.Address()+"\nTEMPORAL_ADDRESS="+engine.Address()+"\n", "root")
	}
	m.must("systemctl", "enable", "--now", worker, ledgerWorker)
	serving := func(unit, words string) {
		require.Eventually(t, func() bool {
			return strings.Contains(m.must("journalctl", "--no-pager", "--unit="+unit, "_PID="+m.property(unit, "MainPID")), words)
		}, time.Minute, 200*time.Millisecond, "%s", m.must("journalctl", "--no-pager", "--lines=30"))
	}
	serving(worker, "rotation worker: serving Temporal")
	serving(ledgerWorker, "ledger worker: writing to /var/lib/rollcall-ledger/ledger")

	t.Run("each runs as its own user, with no privilege, as the unit says", func(t *testing.T) {
		for unit, want := range map[string]struct{ user, words string }{
			worker:       {"rollcall", "/usr/bin/rollcall worker --role rotation"},
			ledgerWorker: {"rollcall-ledger", "/usr/bin/rollcall worker --role ledger --ledger-dir /var/lib/rollcall-ledger/ledger"},
		} {
			pid := m.property(unit, "MainPID")
			require.Equal(t, want.user, m.must("ps", "-o", "user:32=", "-p", pid))
			require.Equal(t, want.words, m.must("ps", "-o", "args=", "-p", pid))
			status := m.must("cat", "/proc/"+pid+"/status")
			require.Regexp(t, `CapEff:\s+0+\n`, status)
			require.Regexp(t, `NoNewPrivs:\s+1\n`, status)
			require.Regexp(t, `Seccomp:\s+2\n`, status)
		}
	})
	t.Run("neither reads the other's folder", func(t *testing.T) {
		for user, other := range map[string]string{"rollcall": "rollcall-ledger", "rollcall-ledger": "rollcall"} {
			said, err := m.try("runuser", "-u", user, "--", "cat", "/var/lib/"+other+"/secret-id")
			require.Error(t, err)
			require.Contains(t, said, "Permission denied")
		}
	})

	campaign := o.run("start")
	first := m.property(worker, "MainPID")
	t.Run("killed, a service comes back by itself, and the campaign goes on", func(t *testing.T) {
		m.must("systemctl", "kill", "--signal=KILL", worker, ledgerWorker)
		require.Eventually(t, func() bool {
			now := m.property(worker, "MainPID")
			return now != "0" && now != first && m.property(worker, "ActiveState") == "active"
		}, time.Minute, 200*time.Millisecond)
	})
	serving(worker, "rotation worker: serving Temporal")
	serving(ledgerWorker, "ledger worker: writing to")
	// A worker that was killed is asked for the status until Temporal knows
	// that it is gone, and `watch` ends then: it is asked again, as a person
	// would.
	require.Eventually(t, func() bool {
		_, err := o.try("watch")
		return err == nil // exit code 0: all dead
	}, 2*time.Minute, time.Second)
	folder := filepath.Join(m.root, "var/lib/rollcall-ledger/ledger", campaign)
	require.Contains(t, o.run("ledger", "verify", "--ledger", folder), "VERIFIED")
	require.Contains(t, o.run("report", "--ledger", folder), "40 listed · 40 dead")

	t.Run("a newer package restarts what runs and keeps the settings", func(t *testing.T) {
		before, settings := m.property(worker, "MainPID"), m.must("cat", "/etc/rollcall/worker.env")
		m.must("dpkg", "--install", "/root/1.2.4.deb")
		require.Eventually(t, func() bool {
			now := m.property(worker, "MainPID")
			return now != "0" && now != before && m.property(ledgerWorker, "ActiveState") == "active"
		}, time.Minute, 200*time.Millisecond)
		require.Equal(t, settings, m.must("cat", "/etc/rollcall/worker.env"))
		serving(worker, "rotation worker: serving Temporal")
	})
	t.Run("stopped, it ends in order", func(t *testing.T) {
		m.must("systemctl", "stop", worker, ledgerWorker)
		require.Equal(t, "success", m.property(worker, "Result"))
		require.Equal(t, "success", m.property(ledgerWorker, "Result"))
	})
	t.Run("purged, the programs are gone and the record is left", func(t *testing.T) {
		m.must("systemctl", "start", worker, ledgerWorker)
		require.Contains(t, m.must("dpkg", "--purge", "rollcall"), "left as they are")
		_, err := m.try("systemctl", "cat", worker)
		require.Error(t, err)
		require.NoFileExists(t, filepath.Join(m.root, "usr/bin/rollcall"))
		require.Contains(t, o.run("ledger", "verify", "--ledger", folder), "VERIFIED")
	})
}
