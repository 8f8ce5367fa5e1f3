// Package follow reads a log while it is written, line by line, across rotation
// and across restarts of who reads. It knows no format of a log.
//
// A file is known by its device and inode and by the digest of its first bytes.
// It is looked at by polling: notices of the kernel do not come from network
// file systems, and may be lost. A line counts as read once it is whole, with
// its end.
//
//   - Renamed, and a new one made: the old one is read to its end, and for
//     another minute, since its writer may have it open; the new one from its
//     beginning.
//   - Copied and truncated, or written anew: the rest of what was there is read
//     in the copy, if one lies beside it with the same first bytes; else those
//     lines are lost, and that is said.
//   - Both of these while nobody read: the same, by what lies beside it; files
//     between the old one and the one of today are read whole. Packed ones are
//     not read.
package follow

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

// headLen bytes of a file, at most, are what it is known by.
const headLen = 1024

// Position is how far a file was read. It is to be kept across restarts.
type Position struct {
	Device uint64 `json:"device"`
	Inode  uint64 `json:"inode"`
	// Offset is behind the last line that was handed over, of which Line is the
	// number.
	Offset int64 `json:"offset"`
	Line   int   `json:"line"`
	// Size is what the file had when this was taken; 0 where nobody said.
	Size int64 `json:"size,omitempty"`
	// Head is the digest of the first HeadLen bytes.
	HeadLen int    `json:"head_length"`
	Head    string `json:"head"`
}

// identity is a file's, by its inode.
func identity(info os.FileInfo) (device, inode uint64) {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Dev), s.Ino // of another width elsewhere
	}
	return 0, 0
}

// digest is that of the first n bytes; "" where there are fewer.
func digest(f io.ReaderAt, n int) string {
	head := make([]byte, n)
	if got, err := f.ReadAt(head, 0); got < n || err != nil && !errors.Is(err, io.EOF) {
		return ""
	}
	sum := sha256.Sum256(head)
	return hex.EncodeToString(sum[:])
}

// same reports whether a file is the one of a position, further written or not.
func (p Position) same(f *os.File, info os.FileInfo) bool {
	device, inode := identity(info)
	return p.Device == device && p.Inode == inode && p.copied(f, info)
}

// copied reports whether a file begins with what the one of a position did.
func (p Position) copied(f io.ReaderAt, info os.FileInfo) bool {
	return info.Size() >= p.Offset && digest(f, p.HeadLen) == p.Head
}

var rotated = regexp.MustCompile(`^[.-][0-9][0-9A-Za-z.:_-]*$`)

// packed are names of files that are not read.
var packed = []string{".gz", ".xz", ".zst", ".bz2", ".lz4", ".tmp"}

var (
	digits = regexp.MustCompile(`[0-9]+`)
	digit  = regexp.MustCompile(`[0-9]`)
)

// beside are the rotated files that lie beside a log, the oldest first.
func beside(path string) (out []besides) {
	folder, base := filepath.Split(path)
	stem := strings.TrimSuffix(base, filepath.Ext(base))
	entries, _ := os.ReadDir(filepath.Clean(folder + "."))
	for _, e := range entries {
		name := e.Name()
		rest, ok := strings.CutPrefix(name, base)
		shape := digits.ReplaceAllString(rest, "#")
		if !ok {
			if rest, ok = strings.CutPrefix(name, stem); ok && stem != base {
				shape = digit.ReplaceAllString(rest, "#") // log-2.log may be another log, where log-20261130.log is not
				rest = strings.TrimSuffix(rest, filepath.Ext(base))
			}
		}
		if !ok || !rotated.MatchString(rest) || slices.Contains(packed, filepath.Ext(name)) {
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			out = append(out, besides{filepath.Join(folder, name), shape, info})
		}
	}
	slices.SortStableFunc(out, func(a, b besides) int { return a.info.ModTime().Compare(b.info.ModTime()) })
	return out
}

// besides is one of them. Those that the same rotation made have one shape.
type besides struct {
	path, shape string
	info        os.FileInfo
}

// Of is the position at the beginning of a file.
func Of(path string) (p Position, err error) {
	info, err := os.Stat(path)
	if err == nil {
		p.Device, p.Inode = identity(info)
		p.Size, p.Head = info.Size(), digest(strings.NewReader(""), 0)
	}
	return p, err
}

// Is reports whether two are of one file.
func (p Position) Is(q Position) bool { return p.Device == q.Device && p.Inode == q.Inode }
