package lab

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const parentRole = "ROLLCALL_LAB_TEST_PARENT"

func readyAtOnce(context.Context) error { return nil }

func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ") // a zombie has ended
}

// TestParentRole is the other half of TestChildDiesWithItsParent: in a process
// of its own it starts a child, says which, and waits to be killed.
func TestParentRole(t *testing.T) {
	if os.Getenv(parentRole) == "" {
		return
	}
	p, err := startProcess(t.Context(), t.TempDir(), os.DevNull, readyAtOnce, "sleep", "600")
	require.NoError(t, err)
	fmt.Println("child", p.Pid())
	<-p.Exited()
}

func TestChildDiesWithItsParent(t *testing.T) {
	parent := exec.Command(os.Args[0], "-test.run=^TestParentRole$", "-test.v")
	parent.Env = append(os.Environ(), parentRole+"=1")
	out, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())
	child := 0
	for lines := bufio.NewScanner(out); child == 0 && lines.Scan(); {
		if n, ok := strings.CutPrefix(lines.Text(), "child "); ok {
			child, err = strconv.Atoi(n)
			require.NoError(t, err)
		}
	}
	require.NotZero(t, child)
	require.True(t, running(child))
	require.NoError(t, parent.Process.Kill())
	_ = parent.Wait()
	require.Eventually(t, func() bool { return !running(child) }, time.Minute, 10*time.Millisecond)
}

func TestServerThatExitsAtOnceIsAnErrorWithItsLog(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	_, err := startProcess(t.Context(), t.TempDir(), log, func(context.Context) error { return fmt.Errorf("not yet") },
		"sh", "-c", "echo no such suffix >&2; exit 3")
	require.ErrorContains(t, err, "exit status 3")
	require.ErrorContains(t, err, "no such suffix")
}

func TestStopKillsWhatIgnoresIt(t *testing.T) {
	dir := t.TempDir()
	ready := func(context.Context) error { _, err := os.Stat(filepath.Join(dir, "up")); return err }
	p, err := startProcess(t.Context(), dir, os.DevNull, ready, "sh", "-c", "trap '' TERM; touch up; while :; do sleep 1; done")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	require.ErrorContains(t, p.Stop(ctx), "ignored SIGTERM")
	require.False(t, running(p.Pid()))
	require.NoError(t, p.Stop(t.Context()), "stopping what is gone is no error")
}

// Whoever asks may have stood still meanwhile.
func TestStoppingWhatIsGoneIsNoErrorThoughTheTimeIsUp(t *testing.T) {
	p, err := startProcess(t.Context(), t.TempDir(), os.DevNull, readyAtOnce, "sleep", "600")
	require.NoError(t, err)
	p.Kill()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		require.NoError(t, p.Stop(over))
	}
}
