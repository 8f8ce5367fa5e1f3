package posted

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLinesOfASourceThatIsThereNoMoreGoAfterAWeek(t *testing.T) {
	folder := t.TempDir()
	in, err := Open(folder, []string{"a", "b"}, time.Now)
	require.NoError(t, err)
	for _, source := range []string{"a", "b"} {
		_, err := in.Put(source, [32]byte{1}, []byte("x\n"))
		require.NoError(t, err)
	}
	require.NoError(t, in.Close())
	own := filepath.Join(folder, "c")
	require.NoError(t, os.Mkdir(own, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(own, "of-somebody"), nil, 0o600))

	gone, kept, err := Sweep(folder, []string{"a", "c"}, time.Now().Add(KeptFor-time.Hour))
	require.NoError(t, err)
	require.Empty(t, gone)
	require.Equal(t, []string{"b"}, kept)
	require.FileExists(t, in.Path("b"))
	gone, kept, err = Sweep(folder, []string{"a", "c"}, time.Now().Add(KeptFor+time.Hour))
	require.NoError(t, err)
	require.Equal(t, []string{"b"}, gone)
	require.Empty(t, kept)
	require.NoDirExists(t, filepath.Join(folder, "b"))
	require.FileExists(t, in.Path("a"), "whose lines stand in the file")
	_, _, err = Sweep(folder, []string{"a"}, time.Now().Add(KeptFor+time.Hour))
	require.Error(t, err)
	require.FileExists(t, filepath.Join(own, "of-somebody"))
	_, _, err = Sweep(filepath.Join(folder, "none"), nil, time.Now())
	require.NoError(t, err)
}
