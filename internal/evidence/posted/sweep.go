package posted

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// KeptFor is how long lines stay of a source that is there no more: as long as
// it takes to see that its name was mistyped.
const KeptFor = 7 * 24 * time.Hour

// Sweep takes the lines away that a folder has of other sources than these, and
// that nobody wrote for KeptFor. gone are the names of those sources, kept of
// those whose time is not over. What is not an inbox's own stays.
func Sweep(folder string, sources []string, now time.Time) (gone, kept []string, err error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	for _, e := range entries {
		if !e.IsDir() || slices.Contains(sources, e.Name()) {
			continue
		}
		old, lines := stale(filepath.Join(folder, e.Name()), now)
		if !old {
			kept = append(kept, e.Name())
			continue
		}
		var wrong error
		for _, path := range lines {
			wrong = errors.Join(wrong, os.Remove(path))
		}
		if wrong = errors.Join(wrong, os.Remove(filepath.Join(folder, e.Name()))); wrong != nil {
			err = errors.Join(err, wrong)
			continue
		}
		gone = append(gone, e.Name())
	}
	return gone, kept, err
}

// stale reports whether nobody wrote lines into a source's folder for long, and
// which files have them.
func stale(folder string, now time.Time) (old bool, lines []string) {
	entries, err := os.ReadDir(folder)
	for _, e := range entries {
		if e.Name() != file && !strings.HasPrefix(e.Name(), file+"-") {
			continue
		}
		info, gone := e.Info()
		if gone != nil || now.Sub(info.ModTime()) < KeptFor {
			return false, nil
		}
		lines = append(lines, filepath.Join(folder, e.Name()))
	}
	return err == nil, lines
}
