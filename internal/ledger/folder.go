package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Names in a ledger's folder besides C2SP's own (checkpoint, tile/) and
// Tessera's (.state/).
const (
	aboutFile      = "ledger.json"
	lockFile       = "ledger.lock"
	checkpointFile = "checkpoint"
	stateFile      = ".state/treeState"
	tempSuffix     = ".new" // of a file on its way to its name
	formatVersion  = 1
)

// about is ledger.json: public data that says whose log this is. It proves
// nothing; it lets the folder be read without being told more.
type about struct {
	Origin      string `json:"origin"`
	VerifierKey string `json:"verifier_key"`
	Version     int    `json:"version"`
}

func readAbout(dir string) (about, error) {
	path := filepath.Join(dir, aboutFile)
	raw, err := os.ReadFile(path)
	if err != nil {
		return about{}, err
	}
	var a about
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil {
		return about{}, fmt.Errorf("%w: %s cannot be read: %v", ErrWrongLedger, path, err)
	}
	if a.Version != formatVersion {
		return about{}, fmt.Errorf("%w: %s has version %d, this program knows %d", ErrWrongLedger, path, a.Version, formatVersion)
	}
	return a, nil
}

// inspect says whether dir may be used for want: it is absent, empty, or
// want's own. It changes nothing. fresh is true when there is no ledger yet.
func inspect(dir string, want about) (fresh bool, err error) {
	names, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("ledger folder: %w", err)
	}
	have, err := readAbout(dir)
	if errors.Is(err, fs.ErrNotExist) {
		for _, n := range names {
			// A crash during the very first Open leaves these two alone.
			if n.Name() != lockFile && n.Name() != aboutFile+tempSuffix {
				return false, fmt.Errorf("%w: %s has no %s and is not empty (it holds %q); name an empty folder", ErrWrongLedger, dir, aboutFile, n.Name())
			}
		}
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if have.Origin != want.Origin {
		return false, fmt.Errorf("%w: %s holds the log %q, not %q; every campaign has a folder of its own", ErrWrongLedger, dir, have.Origin, want.Origin)
	}
	if have.VerifierKey != want.VerifierKey {
		return false, fmt.Errorf("%w: %s is signed under the key %s, not %s; a ledger cannot change its key", ErrWrongLedger, dir, have.VerifierKey, want.VerifierKey)
	}
	return false, nil
}

// lock takes the folder for this process until the file is closed; the kernel
// lets go when the process dies. It works within one machine (flock(2)).
func lock(dir string) (*os.File, error) {
	path := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, diskError(dir, "locking the ledger", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(path)
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: process %s appends to %s; one ledger has one writer, so stop that worker or let it finish",
				ErrLocked, strings.TrimSpace(string(holder)), dir)
		}
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	// The number is only for the message above, so a full disk is no reason to
	// fail.
	if f.Truncate(0) == nil {
		_, _ = fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	return f, nil
}

// replaceFile puts data under dir/name so that after a crash either the old
// or the new content is there, whole.
func replaceFile(dir, name string, data []byte) error {
	path := filepath.Join(dir, name)
	err := writeSynced(path+tempSuffix, data)
	if err == nil {
		err = os.Rename(path+tempSuffix, path)
	}
	if err != nil {
		_ = os.Remove(path + tempSuffix)
		return err
	}
	return syncFolder(dir)
}

func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
