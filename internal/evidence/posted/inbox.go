// Package posted takes lines of logs that others hand over by HTTPS: a SIEM, a
// shipper of logs, a script. It knows no format of a log.
//
// # What an answer says
//
// 200 says that the lines are on the disk, in a file of their source that is
// followed as any log is, and 503 that they are not, and are to be sent again.
// A process that dies in between has kept them, or has not, and who got no
// answer sends them again: so each line comes at least once. A post that comes
// again as it was is taken once, as long as the files have it, which is for
// its source's last 16 MiB at least. Lines that come again in another post
// count twice.
package posted

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"rollcall/internal/evidence/follow"
	"rollcall/internal/evidence/logfile"
)

// Bounds on what is kept of one source.
const (
	partSize   = 16 << 20 // then its file is renamed, once it is read, and a new one begun
	mostBehind = 64 << 20 // that was not read yet
	mostKnown  = 20_000   // posts that are known again
)

// file is the name of what a source's lines are in.
const file = "lines"

// mark begins the line behind each post, with its digest. No line of a post
// begins so.
const mark = 0x1e

// IsMark reports whether a line of a source's file is none that was posted.
func IsMark(line []byte) bool { return len(line) > 0 && line[0] == mark }

// Why lines are not taken now.
var (
	// ErrBehind: they are to be sent again in a while.
	ErrBehind = errors.New("lines come faster than they are read")
	// ErrNotKept: the disk takes nothing.
	ErrNotKept = errors.New("lines cannot be kept")
)

// Inbox keeps the lines of some sources until they are read. Its methods may be
// called at once. Close it.
type Inbox struct {
	now   func() time.Time
	boxes map[string]*box
}

// box is that of one source.
type box struct {
	mu      sync.Mutex
	folder  string
	out     *os.File
	size    int64
	torn    bool // the last line has no end
	known   *simplelru.LRU[string, bool]
	written int64
	taken   int64
}

// Open makes a folder ready for these sources.
func Open(folder string, sources []string, now func() time.Time) (*Inbox, error) {
	in := &Inbox{now: now, boxes: map[string]*box{}}
	for _, name := range sources {
		b := &box{folder: filepath.Join(folder, name)}
		b.known, _ = simplelru.NewLRU[string, bool](mostKnown, nil)
		if err := b.begin(now()); err != nil {
			return nil, fmt.Errorf("what is posted cannot be kept: %w", errors.Join(err, in.Close()))
		}
		in.boxes[name] = b
	}
	return in, nil
}

// Path is the file of a source's lines, which is followed.
func (in *Inbox) Path(source string) string { return filepath.Join(in.boxes[source].folder, file) }

// Unread are the files of a source for who reads it for the first time, each
// from its beginning.
func (in *Inbox) Unread(source string) (out []follow.Position) {
	b := in.boxes[source]
	for _, path := range append(b.older(), in.Path(source)) {
		if at, err := follow.Of(path); err == nil {
			out = append(out, at)
		}
	}
	return out
}

// Has reports whether there is such a source.
func (in *Inbox) Has(source string) bool { return in.boxes[source] != nil }

// begin takes up what is there.
func (b *box) begin(now time.Time) error {
	if err := os.MkdirAll(b.folder, 0o700); err != nil {
		return err
	}
	for _, path := range append(b.older(), filepath.Join(b.folder, file)) {
		if err := b.learn(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return b.ready(now) // so that who follows it misses no renaming
}

// learn takes the posts of a file for known.
func (b *box) learn(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for lines := logfile.NewLines(f); ; {
		line, _, _, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if IsMark(line) {
			b.known.Add(string(line[1:]), true)
		}
	}
}

// older are the files that were renamed, the oldest first.
func (b *box) older() (out []string) {
	entries, _ := os.ReadDir(b.folder)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), file+"-") {
			out = append(out, filepath.Join(b.folder, e.Name()))
		}
	}
	slices.SortFunc(out, func(x, y string) int { return cmp.Or(len(x)-len(y), strings.Compare(x, y)) }) // by their numbers
	return out
}

// Put keeps the lines of one post, each with its end, until they are read.
// digest is of what was posted; again says that it was taken before. What it
// returns without an error is on the disk.
func (in *Inbox) Put(source string, digest [32]byte, lines []byte) (again bool, err error) {
	b := in.boxes[source]
	b.mu.Lock()
	defer b.mu.Unlock()
	key := hex.EncodeToString(digest[:])
	if b.known.Contains(key) {
		return true, nil
	}
	if b.written-b.taken+int64(len(lines)) > mostBehind {
		return false, ErrBehind
	}
	if err := b.ready(in.now()); err != nil {
		return false, fmt.Errorf("%w: %w", ErrNotKept, err)
	}
	text := slices.Grow([]byte(nil), len(lines)+len(key)+3)
	if b.torn {
		text = append(text, '\n')
	}
	text = append(append(append(text, lines...), mark), key...)
	n, err := b.out.Write(append(text, '\n'))
	b.size, b.written = b.size+int64(n), b.written+int64(n)
	if err == nil {
		err = b.out.Sync()
	}
	if b.torn = err != nil; b.torn {
		return false, fmt.Errorf("%w: %w", ErrNotKept, err)
	}
	b.known.Add(key, true)
	return false, nil
}

// ready opens the file, or begins a new one: none that is not read is renamed,
// so that who follows it never looks for one among several. A file is bounded
// all the same, where lines never cease to come.
func (b *box) ready(now time.Time) error {
	path := filepath.Join(b.folder, file)
	if b.out != nil && b.size >= partSize && (b.taken >= b.written || b.size >= partSize+mostBehind) {
		if err := os.Rename(path, path+"-"+strconv.FormatInt(now.UnixNano(), 10)); err != nil {
			return err
		}
		_ = b.out.Close() // each post was synced
		b.out = nil
	}
	if b.out != nil {
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		err = syncFolder(b.folder)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	b.out, b.size, b.torn = f, info.Size(), false
	if b.size > 0 { // whoever wrote it may have been killed
		last := make([]byte, 1)
		_, err := f.ReadAt(last, b.size-1)
		b.torn = err != nil || last[0] != '\n'
	}
	return nil
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Written is a measure of what was put into a source's file by now.
func (in *Inbox) Written(source string) int64 {
	b := in.boxes[source]
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.written
}

// Taken says that all was read that had been written when Written was asked.
func (in *Inbox) Taken(source string, written int64) {
	b := in.boxes[source]
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken = max(b.taken, written)
}

// Forget takes away renamed files of a source that are older than the oldest of
// those that are read, but for the last one, by which posts are known again.
// One that is newer may have been renamed before its reader saw it.
func (in *Inbox) Forget(source string, read []follow.Position) {
	b := in.boxes[source]
	b.mu.Lock()
	defer b.mu.Unlock()
	older := b.older()
	oldest := slices.IndexFunc(append(slices.Clone(older), in.Path(source)), func(path string) bool {
		at, err := follow.Of(path)
		return err == nil && slices.ContainsFunc(read, at.Is)
	})
	for _, path := range older[:max(0, min(oldest, len(older)-1))] {
		_ = os.Remove(path)
	}
}

// Close ends it.
func (in *Inbox) Close() (err error) {
	for _, b := range in.boxes {
		b.mu.Lock()
		if b.out != nil {
			err = errors.Join(err, b.out.Close())
			b.out = nil
		}
		b.mu.Unlock()
	}
	return err
}

// clean is a line as it is kept.
func clean(line []byte) []byte {
	if IsMark(line) {
		line = bytes.Clone(line)
		line[0] = ' '
	}
	return line
}
