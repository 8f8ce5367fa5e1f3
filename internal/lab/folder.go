package lab

import (
	"os"
	"time"
)

// Folder makes a folder that goes with a test. Unlike the test's own it waits
// for who writes there for a moment more, as a ledger's log does that was
// closed.
func Folder(t interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rollcall-test")
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	t.Cleanup(func() {
		if err := removeAll(dir); err != nil {
			t.Fatalf("lab: %v", err)
		}
	})
	return dir
}

// removeAll takes a folder away, however long somebody writes in it.
func removeAll(dir string) (err error) {
	for until := time.Now().Add(5 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if err = os.RemoveAll(dir); err == nil || time.Now().After(until) {
			return err
		}
	}
}
