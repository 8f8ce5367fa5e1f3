package ledger

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var (
	tileFile    = regexp.MustCompile(`^[0-9]{3}$`)                                         // C2SP tlog-tiles: a full tile
	partialFile = regexp.MustCompile(`^([1-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])$`) // below NNN.p/: its width
	stateTemp   = regexp.MustCompile(`^(treeState|gcState|version)[0-9]+$`)
)

// sweep removes what Tessera leaves behind when a write fails or the process is
// killed: files on their way to their name, which carry it with a random number
// after it. Only under the lock, and with no write under way. A file that
// cannot be removed does no harm.
func sweep(dir string) {
	_ = filepath.WalkDir(filepath.Join(dir, "tile"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		legit := tileFile
		if strings.HasSuffix(filepath.Dir(path), ".p") {
			legit = partialFile
		}
		if !legit.MatchString(d.Name()) {
			_ = os.Remove(path)
		}
		return nil
	})
	state, _ := os.ReadDir(filepath.Join(dir, filepath.Dir(filepath.FromSlash(stateFile))))
	for _, d := range state {
		if stateTemp.MatchString(d.Name()) {
			_ = os.Remove(filepath.Join(dir, filepath.Dir(filepath.FromSlash(stateFile)), d.Name()))
		}
	}
}
