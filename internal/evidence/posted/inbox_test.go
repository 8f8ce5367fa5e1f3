package posted

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/follow"
)

// mebibyte is a post of that length.
func mebibyte(n int) []byte {
	return bytes.Repeat([]byte(fmt.Sprintf("%07d\n", n)), 1<<17)
}

func put(t *testing.T, in *Inbox, n int) error {
	text := mebibyte(n)
	again, err := in.Put("a", sha256.Sum256(text), text)
	require.False(t, again)
	return err
}

// What is read is forgotten, what is not read is kept, and who posts more than
// is read is told to wait.
func TestFilesOfWhatIsPostedAreBounded(t *testing.T) {
	dir := t.TempDir()
	in, err := Open(dir, []string{"a"}, time.Now)
	require.NoError(t, err)
	n := 0
	for ; err == nil; n++ {
		err = put(t, in, n)
	}
	require.ErrorIs(t, err, ErrBehind)
	require.InDelta(t, mostBehind>>20, n, 1.5)

	// All of it is there to be read, line by line.
	lines := 0
	f, err := follow.Open(in.Path("a"), follow.Options{Saved: in.Unread("a"), Now: time.Now, Lost: func(what string) { t.Error(what) }, Take: func(l follow.Line) {
		if !IsMark(l.Text) {
			lines++
		}
	}})
	require.NoError(t, err)
	defer f.Close()
	read := func() {
		written := in.Written("a")
		for more := true; more; {
			more, err = f.Read()
			require.NoError(t, err)
		}
		in.Taken("a", written)
	}
	read()
	in.Forget("a", f.Positions())
	require.Equal(t, (n-1)<<17, lines)
	for i := range 200 {
		require.NoError(t, put(t, in, 1000+i))
		read()
		in.Forget("a", f.Positions())
		entries, err := os.ReadDir(filepath.Join(dir, "a"))
		require.NoError(t, err)
		require.LessOrEqual(t, len(entries), 11)
	}
	require.NoError(t, in.Close())
	// Opened anew, the last posts are known and those of long ago are not.
	in, err = Open(dir, []string{"a"}, time.Now)
	require.NoError(t, err)
	text := mebibyte(1199)
	again, err := in.Put("a", sha256.Sum256(text), text)
	require.NoError(t, err)
	require.True(t, again)
	text = mebibyte(0)
	again, err = in.Put("a", sha256.Sum256(text), text)
	require.NoError(t, err)
	require.False(t, again)
	require.NoError(t, in.Close())
}

// Whose reader stands still while lines come, and goes on, misses none.
func TestNothingThatWasNotReadIsForgotten(t *testing.T) {
	in, err := Open(t.TempDir(), []string{"a"}, time.Now)
	require.NoError(t, err)
	defer in.Close()
	lines := 0
	f, err := follow.Open(in.Path("a"), follow.Options{FromStart: true, Now: time.Now, Lost: func(what string) { t.Error(what) }, Take: func(l follow.Line) {
		if !IsMark(l.Text) {
			lines++
		}
	}})
	require.NoError(t, err)
	defer f.Close()
	n := 0
	for ; err == nil; n++ {
		err = put(t, in, n)
		in.Forget("a", f.Positions())
	}
	require.ErrorIs(t, err, ErrBehind)
	require.Empty(t, in.boxes["a"].older(), "renamed before it was read")
	written := in.Written("a")
	for more := true; more; {
		more, err = f.Read()
		require.NoError(t, err)
	}
	in.Taken("a", written)
	require.Equal(t, (n-1)<<17, lines)
	require.NoError(t, put(t, in, n))
	require.Len(t, in.boxes["a"].older(), 1)
}

// Of several that were renamed, those behind the oldest that is read stay.
func TestOnlyWhatIsOlderThanAllThatIsReadIsForgotten(t *testing.T) {
	dir := t.TempDir()
	in, err := Open(dir, []string{"a"}, time.Now)
	require.NoError(t, err)
	defer in.Close()
	for _, name := range []string{"lines-1", "lines-2", "lines-3", "lines-4"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "a", name), []byte(name+"\n"), 0o600))
	}
	left := func() (out []string) {
		for _, path := range in.boxes["a"].older() {
			out = append(out, filepath.Base(path))
		}
		return out
	}
	in.Forget("a", nil)
	require.Len(t, left(), 4)
	second, err := follow.Of(filepath.Join(dir, "a", "lines-2"))
	require.NoError(t, err)
	in.Forget("a", []follow.Position{second})
	require.Equal(t, []string{"lines-2", "lines-3", "lines-4"}, left())
	live, err := follow.Of(in.Path("a"))
	require.NoError(t, err)
	in.Forget("a", []follow.Position{live})
	require.Equal(t, []string{"lines-4"}, left())
}
