package demo

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/lab"
)

// program is rollcall as built from this checkout, with its servers beside it.
var program string

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "rollcall-demo-test-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		return 1, err
	}
	for _, name := range []string{"rollcall-engine", "rollcall-devvault"} {
		if _, err := os.Stat(filepath.Join(bin, name)); err != nil {
			return 1, fmt.Errorf("%w: run `make build` first", err)
		}
		if err := os.Symlink(filepath.Join(bin, name), filepath.Join(dir, name)); err != nil {
			return 1, err
		}
	}
	program = filepath.Join(dir, "rollcall")
	if out, err := exec.Command("go", "build", "-o", program, "rollcall/cmd/rollcall").CombinedOutput(); err != nil {
		return 1, fmt.Errorf("building rollcall: %w\n%s", err, out)
	}
	return m.Run(), nil
}

// show is a demo in a pipe, as a person started it.
type show struct {
	t    *testing.T
	cmd  *exec.Cmd
	temp string // its TMPDIR
	dir  string // where it was started
	out  transcript
	done chan struct{}
}

// startShow starts a demo without a domain: from root it takes what a domain
// needs (setpriv(1)), so that tests of something else are not the slower for
// it. Others have no domain anyway.
func startShow(t *testing.T, args ...string) *show {
	t.Helper()
	line := append([]string{program, "demo"}, args...)
	if os.Geteuid() == 0 {
		line = append([]string{"setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"}, line...)
	}
	return begin(t, line...)
}

// startShowWithDomain starts a demo that has a domain, which needs root: by
// sudo, as far as the demo can tell.
func startShowWithDomain(t *testing.T, args ...string) *show {
	t.Helper()
	require.NoError(t, lab.CanStartSamba(t.Context()))
	t.Setenv("SUDO_UID", "65534")
	t.Setenv("SUDO_GID", "65534")
	return begin(t, append([]string{program, "demo"}, args...)...)
}

func begin(t *testing.T, line ...string) *show {
	t.Helper()
	s := &show{t: t, temp: t.TempDir(), dir: t.TempDir(), done: make(chan struct{})}
	s.cmd = exec.Command(line[0], line[1:]...)
	s.cmd.Dir = s.dir
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	// What a person has set for servers of their own must not matter.
	s.cmd.Env = append(os.Environ(), "TMPDIR="+s.temp, "VAULT_ADDR=https://192.0.2.1:8200", "VAULT_NAMESPACE=theirs",
		"TEMPORAL_ADDRESS=192.0.2.1:7233", "ROLLCALL_ROLE_ID=theirs")
	require.NoError(t, s.cmd.Start())
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	go func() {
		_ = s.cmd.Wait()
		close(s.done)
	}()
	return s
}

// await waits until the demo has said something.
func (s *show) await(text string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return strings.Contains(s.said(), text) }, 20*time.Minute, 20*time.Millisecond,
		"the demo never said %q", text)
}

func (s *show) said() string { return string(s.out.bytes()) }

func (s *show) signal(sig syscall.Signal) { require.NoError(s.t, s.cmd.Process.Signal(sig)) }

// code waits for its end.
func (s *show) code() int {
	s.t.Helper()
	select {
	case <-s.done:
	case <-time.After(6 * time.Minute):
		require.FailNow(s.t, "the demo does not end", s.said())
	}
	return s.cmd.ProcessState.ExitCode()
}

// processes are the command lines of all processes that name a folder.
func processes(t *testing.T, folders ...string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	var out []string
	for _, f := range files {
		line, err := os.ReadFile(f)
		if err != nil {
			continue // ended since
		}
		for _, folder := range folders {
			if bytes.Contains(line, []byte(folder)) {
				out = append(out, strings.ReplaceAll(string(line), "\x00", " "))
				break
			}
		}
	}
	return out
}

// begun are the processes that were started with a folder as their TMPDIR,
// whatever they have become: some name it nowhere else.
func begun(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	require.NoError(t, err)
	var out []string
	for _, f := range files {
		env, err := os.ReadFile(f)
		if err == nil && bytes.Contains(env, []byte("TMPDIR="+folder+"\x00")) {
			line, _ := os.ReadFile(filepath.Join(filepath.Dir(f), "cmdline"))
			out = append(out, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return out
}

// mounted are the ids of all processes that have something mounted from a
// folder: those in the domain controller's namespaces, which have no other
// name.
func mounted(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/mountinfo")
	require.NoError(t, err)
	// As mountinfo has it (proc(5)), a path begins at the root of its file
	// system.
	up, name := filepath.Split(folder)
	var out []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err == nil && bytes.Contains(text, []byte(filepath.Join(filepath.Base(up), name)+"/")) {
			out = append(out, filepath.Base(filepath.Dir(f)))
		}
	}
	return out
}

// requireNothingLeft: no process, no namespace, no mount, no temporary folder.
func (s *show) requireNothingLeft() {
	s.t.Helper()
	s.requireNoProcessSoon()
	left, err := os.ReadDir(s.temp)
	require.NoError(s.t, err)
	require.Empty(s.t, left)
}

// requireNoProcessSoon: what was killed the kernel ends in its own time.
func (s *show) requireNoProcessSoon() {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		return len(processes(s.t, s.temp, filepath.Dir(program))) == 0 && len(begun(s.t, s.temp)) == 0 && len(mounted(s.t, s.temp)) == 0
	}, 5*time.Minute, 50*time.Millisecond)
}
