package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// What a ledger takes: for each credential some entries, their hashes, and the
// report beside it. A campaign of 10,000 was seen to take 60 MB.
const (
	roomForEach = 16 << 10
	roomAtLeast = 64 << 20
)

// checkLedgerFolder looks whether the ledger can be written for a roll of n. On
// a cluster it is on another machine's disk, but where this one is the ledger
// worker's (--as ledger).
func (s *session) checkLedgerFolder(as string, n int) doctorRow {
	row := doctorRow{Where: "ledger", What: "folder"}
	if s.engine != nil && !s.engine.Local && as != "ledger" {
		row.OK, row.NotChecked = true, true
		row.Detail = "the ledger is on the disk of its worker, which cannot be seen from here: on that machine `rollcall doctor --as ledger` looks, and its /healthz says when it cannot be written"
		return row
	}
	return ledgerFolder(row, s.cfg.LedgerDir, n)
}

func ledgerFolder(row doctorRow, dir string, n int) doctorRow {
	at := dir
	for {
		info, err := os.Stat(at)
		if err == nil && !info.IsDir() {
			row.Detail, row.Do = at+" is no folder", "name another one (ledger.dir)"
			return row
		}
		if err == nil || at == filepath.Dir(at) {
			break
		}
		at = filepath.Dir(at)
	}
	if err := unix.Access(at, unix.W_OK|unix.X_OK); err != nil {
		row.Detail, row.Do = fmt.Sprintf("%s cannot be written: %v", at, err), "let this user write there, or name another folder (ledger.dir)"
		return row
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(at, &disk); err != nil {
		row.OK, row.NotChecked, row.Detail = true, true, fmt.Sprintf("the room at %s is not shown: %v", at, err)
		return row
	}
	free := uint64(disk.Bavail) * uint64(disk.Bsize)
	need := uint64(roomAtLeast + n*roomForEach)
	row.OK, row.Detail = free >= need, fmt.Sprintf("%s can be written, and its disk has %d MiB free; this campaign may take %d", dir, free>>20, need>>20)
	if !row.OK {
		row.Do = "make room, or name another folder (ledger.dir): nothing is set that the ledger cannot record"
	}
	return row
}
