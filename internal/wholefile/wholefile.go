// Package wholefile writes files of which a reader, and whoever begins after a
// crash, finds the old content or the new, never half of it.
package wholefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const suffix = ".tmp"

// Write makes text the whole of the file at path, with the given rights. The
// text is on the disk before the file has its name, and the name before Write
// returns, where the file system keeps folders so. An error leaves what was
// there, but for one of the disk that comes last; a crash may leave a half
// beside it, which Forget takes away. A link at path is replaced, not followed.
func Write(path string, text []byte, rights fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*"+suffix) // for its owner alone until it is whole
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = errors.Join(f.Chmod(rights), f.Sync())
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if errors.Is(err, fs.ErrPermission) {
		return nil // a folder in which may be written, and not read
	}
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := folder.Sync(); !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// Forget takes away the halves that a process which was killed left beside
// path. It is for the one process that writes there.
func Forget(path string) {
	entries, _ := os.ReadDir(filepath.Dir(path))
	for _, e := range entries {
		if rest, ok := strings.CutPrefix(e.Name(), filepath.Base(path)+"."); ok && strings.HasSuffix(rest, suffix) {
			_ = os.Remove(filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
}
