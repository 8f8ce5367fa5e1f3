package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"rollcall/internal/credential"
)

// newFile is written beside the file that it is to replace.
type newFile struct{ name, target string }

func (f newFile) drop() { _ = os.Remove(f.name) }

// prepareFile writes value durably into a new file beside file, with its mode
// and owner. A link is followed, so that what it points at is replaced.
func prepareFile(file string, value credential.Secret) (f newFile, err error) {
	target, err := filepath.EvalSymlinks(file)
	if err != nil {
		return newFile{}, err
	}
	is, err := os.Stat(target)
	if err != nil {
		return newFile{}, err
	}
	tmp, err := os.CreateTemp(filepath.Dir(target), ".rollcall-*") // mode 0600 until it is ready
	if err != nil {
		return newFile{}, err
	}
	f = newFile{tmp.Name(), target}
	defer func() {
		if closeErr := tmp.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			f.drop()
		}
	}()
	if owner, ok := is.Sys().(*syscall.Stat_t); ok {
		if err := tmp.Chown(int(owner.Uid), int(owner.Gid)); err != nil {
			return f, err
		}
	}
	if err := tmp.Chmod(is.Mode().Perm()); err != nil {
		return f, err
	}
	if _, err := fmt.Fprintln(tmp, value.Reveal()); err != nil {
		return f, err
	}
	return f, tmp.Sync()
}

// replaceFile makes value the whole of file, in one step that survives a crash:
// a reader finds the old content or the new.
func replaceFile(file string, value credential.Secret) error {
	f, err := prepareFile(file, value)
	if err != nil {
		return err
	}
	if err := os.Rename(f.name, f.target); err != nil {
		f.drop()
		return err
	}
	dir, err := os.Open(filepath.Dir(f.target))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// plainCause is an error of the file system without the path, which does not
// travel through Temporal.
func plainCause(err error) error {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		return p.Err
	case errors.As(err, &l):
		return l.Err
	}
	return err
}
