package demo

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// chown gives what survives to whoever ran the demo by sudo, so that the
// report opens without it. SUDO_UID and SUDO_GID are set by sudo(8); without
// them it does nothing.
func (d *demo) chown() error {
	uid, noUID := strconv.Atoi(os.Getenv("SUDO_UID"))
	gid, noGID := strconv.Atoi(os.Getenv("SUDO_GID"))
	if noUID != nil || noGID != nil || os.Geteuid() != 0 {
		return nil
	}
	err := filepath.WalkDir(d.Dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, gid)
	})
	if err != nil {
		return fmt.Errorf("the ledger and the report stay root's: %w; chown -R %s", err, d.Dir)
	}
	return nil
}
