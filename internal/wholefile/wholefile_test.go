package wholefile

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAFileIsReplacedWholeAndWithTheRightsThatWereAsked(t *testing.T) {
	at := filepath.Join(t.TempDir(), "state.json")
	require.NoError(t, Write(at, []byte("first"), 0o600))
	require.NoError(t, Write(at, []byte("2"), 0o640))
	requireHolds(t, at, "2")
	is, err := os.Stat(at)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o640), is.Mode().Perm())
	require.Equal(t, []string{"state.json"}, names(t, filepath.Dir(at)))
}

func TestWhatCannotBeReplacedStaysAndNothingIsLeftBesideIt(t *testing.T) {
	folder := t.TempDir()
	at := filepath.Join(folder, "taken")
	require.NoError(t, os.Mkdir(at, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(at, "kept"), []byte("was"), 0o600))
	require.Error(t, Write(at, []byte("new"), 0o600), "a folder is there")
	requireHolds(t, filepath.Join(at, "kept"), "was")
	require.Equal(t, []string{"taken"}, names(t, folder))
	require.ErrorIs(t, Write(filepath.Join(folder, "none", "f"), nil, 0o600), fs.ErrNotExist)
}

func TestHalvesOfThisFileAreForgottenAndNothingElse(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"a.json", "a.json.12.tmp", "b.json.12.tmp", "a.json.old", "mine.tmp"} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), nil, 0o600))
	}
	Forget(filepath.Join(folder, "a.json"))
	require.Equal(t, []string{"a.json", "a.json.old", "b.json.12.tmp", "mine.tmp"}, names(t, folder))
}

func requireHolds(t *testing.T, path, want string) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, string(text))
}

func names(t *testing.T, folder string) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}
