package ledger

import (
	"bufio"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAKilledWriterLosesNothingAcknowledged(t *testing.T) {
	f := newFixture(t)
	acknowledged := 0
	for range 15 {
		cmd := f.child(t, "append", "FROM="+strconv.Itoa(acknowledged))
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewScanner(out)
		for range 1 + rand.IntN(4) { // some commits, then anywhere within the next one
			require.True(t, lines.Scan())
			acknowledged, err = strconv.Atoi(lines.Text())
			require.NoError(t, err)
		}
		timer := time.AfterFunc(time.Duration(rand.IntN(30_000))*time.Microsecond, func() { _ = cmd.Process.Signal(syscall.SIGKILL) })
		for lines.Scan() {
			acknowledged, err = strconv.Atoi(lines.Text())
			require.NoError(t, err)
		}
		timer.Stop()
		require.Error(t, cmd.Wait(), "it was killed")

		anchored, err := os.ReadFile(f.anchorFile())
		require.NoError(t, err)
		rep, err := Verify(t.Context(), f.dir, f.vkey, anchored)
		require.NoError(t, err)
		require.Empty(t, rep.Problems, "straight after the kill")
		require.GreaterOrEqual(t, int(rep.Size), acknowledged)
	}

	l := f.open(t)
	require.NoError(t, l.Close(t.Context()))
	require.Empty(t, leftovers(t, f.dir))
	all := read(t, f.dir)
	require.GreaterOrEqual(t, len(all), acknowledged)
	seen := map[string]bool{}
	for _, e := range all {
		require.False(t, seen[e.ID], "%s is in the log twice", e.ID)
		seen[e.ID] = true
	}
	for n := range acknowledged {
		require.True(t, seen[listed(n).ID], "entry %d was acknowledged", n)
	}
	rep, err := Verify(t.Context(), f.dir, f.vkey, f.vault.last())
	require.NoError(t, err)
	require.Empty(t, rep.Problems)
}

func TestASecondWriterIsRefused(t *testing.T) {
	f := newFixture(t)
	l := f.open(t)
	_, err := l.Append(t.Context(), listedFrom(0, 3))
	require.NoError(t, err)

	out, err := func() ([]byte, error) {
		cmd := f.child(t, "append", "FROM=3")
		cmd.Stderr = nil
		return cmd.CombinedOutput()
	}()
	require.Error(t, err)
	require.Contains(t, string(out), "the ledger is in use: process "+strconv.Itoa(os.Getpid())+" appends to "+f.dir)

	_, err = Open(t.Context(), f.dir, campaign, f.signer(t), f.vkey, f.vault.anchor)
	require.ErrorIs(t, err, ErrLocked, "a second one in the same process as well")

	require.NoError(t, l.Close(t.Context()))
	require.NoError(t, f.open(t).Close(t.Context()), "and let in afterwards")
}

func leftovers(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	for path := range snapshot(t, dir) {
		name := filepath.Base(path)
		if _, err := strconv.Atoi(name); err == nil && len(name) > 3 {
			found = append(found, path)
		}
	}
	return found
}

func TestAFullFileSystemLosesNothing(t *testing.T) {
	f := newFixture(t)
	require.NoError(t, os.Mkdir(f.dir, 0o755))
	// Without the right to mount, the test below alone stands for it.
	if err := syscall.Mount("tmpfs", f.dir, "tmpfs", 0, "size=1m"); err == nil {
		t.Cleanup(func() { _ = syscall.Unmount(f.dir, syscall.MNT_DETACH) })
	} else {
		t.Logf("no tmpfs here: %v", err)
		return
	}
	l := f.open(t)
	_, err := l.Append(t.Context(), listedFrom(0, 300))
	require.NoError(t, err)
	// A file that is in the folder already does not make it a foreign one.
	filler := filepath.Join(f.dir, "filler")
	full := func() {
		out, err := os.Create(filler)
		require.NoError(t, err)
		for chunk := make([]byte, 4096); err == nil; {
			_, err = out.Write(chunk)
		}
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.NoError(t, out.Close())
	}
	full()
	for range 5 {
		_, err = l.Append(t.Context(), listedFrom(300, 500))
		require.ErrorIs(t, err, ErrFull)
		require.ErrorContains(t, err, f.dir)
		require.Empty(t, leftovers(t, f.dir))
	}
	_, err = l.Append(t.Context(), listedFrom(0, 300))
	require.NoError(t, err, "what is in the log is still acknowledged")
	require.NoError(t, l.Close(t.Context()))
	l, err = Open(t.Context(), f.dir, campaign, f.signer(t), f.vkey, f.vault.anchor)
	require.NoError(t, err, "nothing is to be written, so a full disk does not matter")

	require.NoError(t, os.Remove(filler))
	at, err := l.Append(t.Context(), listedFrom(300, 500))
	require.NoError(t, err)
	require.EqualValues(t, 799, at[499])
	require.NoError(t, l.Close(t.Context()))
	rep, err := Verify(t.Context(), f.dir, f.vkey, f.vault.last())
	require.NoError(t, err)
	require.Empty(t, rep.Problems)
}

func TestAFullDiskLosesNothingAndAppendsGoOnAfterwards(t *testing.T) {
	f := newFixture(t)
	out, err := f.child(t, "full").Output()
	require.NoError(t, err)
	require.Contains(t, string(out), "no room for the ledger: writing entries in "+f.dir)

	require.Len(t, read(t, f.dir), 110)
	rep, err := Verify(t.Context(), f.dir, f.vkey, nil)
	require.NoError(t, err)
	require.Empty(t, rep.Problems)
}
