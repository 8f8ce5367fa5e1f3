package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// announcement is what engine.json says: where a running engine is reached.
type announcement struct {
	Address string `json:"address"`      // host:port of the gRPC frontend
	UI      string `json:"ui,omitempty"` // URL of the web UI, if it has one
	PID     int    `json:"pid"`
}

// lock takes the directory for this process; the kernel releases it however the
// process ends (flock(2)).
func lock(dir string) (unlock func(), err error) {
	path := filepath.Join(dir, "engine.lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		f.Close()
		other := ""
		if a, ok := readAnnouncement(dir); ok {
			other = fmt.Sprintf(" (pid %d, at %s)", a.PID, a.Address)
		}
		return nil, fmt.Errorf("another engine already runs in %s%s: use that one, or give this one a directory of its own", dir, other)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}

// announce writes engine.json in one step: it is there and whole, or not there.
func announce(dir string, a announcement) error {
	b, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(dir, "engine.json"), b)
}

func withdraw(dir string) { _ = os.Remove(filepath.Join(dir, "engine.json")) }

func readAnnouncement(dir string) (announcement, bool) {
	var a announcement
	b, err := os.ReadFile(filepath.Join(dir, "engine.json"))
	return a, err == nil && json.Unmarshal(b, &a) == nil
}

// keptAddress is where an earlier engine served from this directory; empty for
// the first.
func keptAddress(dir string) string {
	b, err := os.ReadFile(filepath.Join(dir, "engine.address"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// keepAddress is called before Temporal starts, so that a kill at any moment
// does not move the engine away from its workers.
func keepAddress(dir, address string) error {
	return replaceFile(filepath.Join(dir, "engine.address"), []byte(address))
}

func replaceFile(path string, line []byte) error {
	if err := os.WriteFile(path+".new", append(line, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
