package logfile

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"github.com/ulikunitz/xz"
)

func packed(t *testing.T, how string, text []byte) string {
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch how {
	case "gzip":
		w = gzip.NewWriter(&out)
	case "xz":
		w, err = xz.NewWriter(&out)
	case "zstd":
		w, err = zstd.NewWriter(&out)
	}
	require.NoError(t, err)
	if w == nil {
		out.Write(text)
	} else {
		_, err = w.Write(text)
		require.NoError(t, err)
		require.NoError(t, w.Close())
	}
	name := filepath.Join(t.TempDir(), "a.log") // its name says nothing
	require.NoError(t, os.WriteFile(name, out.Bytes(), 0o600))
	return name
}

func TestALogIsUnpackedByWhatItHolds(t *testing.T) {
	text := strings.Repeat("one line\r\nanother\n", 1000) + "the last, without an end"
	for _, how := range []string{"", "gzip", "xz", "zstd"} {
		f, err := Open(packed(t, how, []byte(text)))
		require.NoError(t, err, how)
		require.Equal(t, how, f.Packed)
		lines := NewLines(f)
		n, last := 0, ""
		for {
			line, number, tooLong, err := lines.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			n++
			require.Equal(t, n, number)
			require.False(t, tooLong)
			last = string(line)
		}
		require.Equal(t, 2001, n)
		require.Equal(t, "the last, without an end", last)
		require.Positive(t, f.Taken())
		require.NoError(t, f.Close())
	}
}

func TestALogThatExpandsLikeABombIsRefused(t *testing.T) {
	for _, how := range []string{"gzip", "xz", "zstd"} {
		f, err := Open(packed(t, how, make([]byte, FreeBytes+(8<<20))))
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, f)
		require.ErrorIs(t, err, ErrBomb, how)
		require.NoError(t, f.Close())
	}
}

func TestAFileThatIsCutShortIsAnError(t *testing.T) {
	for _, how := range []string{"gzip", "xz", "zstd"} {
		name := packed(t, how, bytes.Repeat([]byte("0123456789 a line of a log\n"), 50_000))
		raw, err := os.ReadFile(name)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(name, raw[:len(raw)-20], 0o600))
		f, err := Open(name)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, f)
		require.Error(t, err, how)
		require.NoError(t, f.Close())
	}
}

func TestALineOfTenMegabytesIsToldAndTakesNoMoreThanItsBound(t *testing.T) {
	lines := NewLines(strings.NewReader("first\n" + strings.Repeat("x", 10<<20) + "\nthird\n" + strings.Repeat("y", MaxLine-1) + "\n"))
	line, _, _, err := lines.Next()
	require.NoError(t, err)
	require.Equal(t, "first", string(line))
	line, n, tooLong, err := lines.Next()
	require.NoError(t, err)
	require.True(t, tooLong)
	require.Equal(t, 2, n)
	require.LessOrEqual(t, len(line), MaxLine)
	require.LessOrEqual(t, cap(lines.long), 2*MaxLine)
	line, n, tooLong, err = lines.Next()
	require.NoError(t, err)
	require.Equal(t, "third", string(line))
	require.Equal(t, 3, n)
	require.False(t, tooLong)
	line, _, tooLong, err = lines.Next()
	require.NoError(t, err)
	require.False(t, tooLong)
	require.Len(t, line, MaxLine-1)
}

func gzipped(t *testing.T, text string) string {
	out, err := os.ReadFile(packed(t, "gzip", []byte(text)))
	require.NoError(t, err)
	return string(out)
}

func TestWhatIsNoLogIsRefusedWithWhatToDo(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]struct{ text, says string }{
		"empty": {"", "an empty log says nothing"},
		"bz":    {"BZh91AY", "bzip2"},
		"zip":   {"PK\x03\x04", "ZIP archive"},
		"gz":    {"\x1f\x8bnot", "gz: "},
		"tar":   {"var/log/syslog" + strings.Repeat("\x00", 243) + "ustar  \x00" + strings.Repeat("\x00", 247) + "a line\n", "tar archive"},
		"tgz":   {gzipped(t, "x"+strings.Repeat("\x00", 256)+"ustar\x0000"), "tar archive"},
		"twice": {gzipped(t, gzipped(t, "a line\n")), "packed twice"},
		"xz":    {"\xfd7zXZ\x00" + strings.Repeat("\x00", 40), "xz: "},
		// A dictionary of 4 GiB: 0x21 is LZMA2, 40 its size.
		"huge": {"\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4\x46" + "\x02\x00\x21\x01\x28\x00\x00\x00" + strings.Repeat("\x00", 80), "MiB of memory"},
	} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(want.text), 0o600))
		_, err := Open(path)
		require.ErrorContains(t, err, want.says, name)
		require.ErrorContains(t, err, path)
	}
	_, err := Open(dir)
	require.ErrorContains(t, err, "no regular file")
	_, err = Open(filepath.Join(dir, "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// Whoever has the file can compare: sha256sum says the same.
func TestTheDigestIsThatOfTheFileAsItLies(t *testing.T) {
	text := bytes.Repeat([]byte("0123456789 a line of a log\n"), 50_000)
	for _, how := range []string{"", "gzip", "xz", "zstd"} {
		name := packed(t, how, text)
		raw, err := os.ReadFile(name)
		require.NoError(t, err)
		f, err := OpenSummed(name)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, f)
		require.NoError(t, err, how)
		sum, size, err := f.Digest()
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("%x", sha256.Sum256(raw)), sum, how)
		require.EqualValues(t, len(raw), size)
		require.NoError(t, f.Close())

		f, err = OpenSummed(name) // and nobody asked for it
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	_, err := OpenSummed(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}
