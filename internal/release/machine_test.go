//go:build release

package release

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// machine is a booted Debian: systemd as process 1 in namespaces of its own, on
// a copy of a fresh root. It has this machine's loopback, where the servers of
// the lab are.
type machine struct {
	t      *testing.T
	root   string
	leader string // its process 1, as seen from here
}

func boot(t *testing.T) *machine {
	t.Helper()
	base := strings.TrimSpace(must(t, "scripts/debian-root.sh"))
	m := &machine{t: t, root: filepath.Join(t.TempDir(), "root")}
	must(t, "cp", "--archive", base, m.root)

	before := groups(t)
	console, err := os.Create(filepath.Join(t.TempDir(), "console"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = console.Close() })
	nspawn := exec.Command("systemd-nspawn", "--quiet", "--boot", "--directory="+m.root, "--machine=rollcall-release-test", "--register=no", "--keep-unit", "--console=pipe")
	nspawn.Stdout, nspawn.Stderr = console, console
	require.NoError(t, nspawn.Start())
	ended := make(chan struct{})
	go func() { _ = nspawn.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = nspawn.Process.Signal(syscall.SIGTERM) // an orderly power off
		select {
		case <-ended:
		case <-time.After(time.Minute):
			_ = nspawn.Process.Kill()
			<-ended
		}
		for _, g := range slices.Backward(groups(t)) { // the innermost first
			if !slices.Contains(before, g) {
				_ = os.Remove(g)
			}
		}
	})

	require.Eventually(t, func() bool {
		out, err := exec.Command("pgrep", "--parent", strconv.Itoa(nspawn.Process.Pid)).Output()
		m.leader = strings.TrimSpace(string(out))
		if err != nil || m.leader == "" {
			return false
		}
		state, _ := m.try("systemctl", "is-system-running")
		return strings.HasPrefix(state, "running") || strings.HasPrefix(state, "degraded")
	}, 2*time.Minute, 200*time.Millisecond, "it did not boot")
	return m
}

// groups are the control groups of this machine, the outer ones first.
func groups(t *testing.T) []string {
	t.Helper()
	out, _ := exec.Command("find", "/sys/fs/cgroup", "-type", "d").Output() // some vanish meanwhile
	return strings.Fields(string(out))
}

// try runs a command on the machine.
func (m *machine) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"--target", m.leader, "--mount", "--uts", "--ipc", "--pid", "--root", "--wd", "--"}, args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (m *machine) must(args ...string) string {
	m.t.Helper()
	out, err := m.try(args...)
	if err != nil {
		journal, _ := m.try("journalctl", "--no-pager", "--lines=60")
		require.NoError(m.t, err, "%v:\n%s\n%s", args, out, journal)
	}
	return strings.TrimSpace(out)
}

// write puts a file onto the machine, for the owner given.
func (m *machine) write(path, text, owner string) {
	m.t.Helper()
	require.NoError(m.t, os.WriteFile(filepath.Join(m.root, path), []byte(text), 0o600))
	m.must("chown", owner+":", path)
}

// property is what systemd knows of a unit.
func (m *machine) property(unit, name string) string {
	m.t.Helper()
	return m.must("systemctl", "show", "--value", "--property="+name, unit)
}
