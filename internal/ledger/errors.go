package ledger

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// Errors that a caller can act on; errors.Is finds them.
var (
	// ErrWrongLedger: the folder holds another campaign's ledger, a ledger
	// under another key, or files that are no ledger. Nothing was changed. A
	// retry cannot help: name another folder.
	ErrWrongLedger = errors.New("not this campaign's ledger folder")

	// ErrLocked: another process appends to this ledger. Nothing was changed.
	// Retry once that process has ended.
	ErrLocked = errors.New("the ledger is in use")

	// ErrDamaged: the files contradict the last signed checkpoint, so nothing
	// more is signed. A retry cannot help: `rollcall ledger verify` says what
	// was changed.
	ErrDamaged = errors.New("the ledger was damaged or tampered with")

	// ErrElsewhere: the ledger was begun, and this folder is empty. Nothing was
	// changed. It is in another folder or on another machine, or somebody took
	// it away.
	ErrElsewhere = errors.New("the ledger is not here")

	// ErrInvalid: an entry cannot be written as it is: too large, without an
	// id, or of another campaign. None of the call's entries was appended and
	// a retry cannot help.
	ErrInvalid = errors.New("invalid ledger entry")

	// ErrFull: the disk, the quota or a limit on file size leaves no room. The
	// log stands where it stood. Make room and append the same entries again.
	ErrFull = errors.New("no room for the ledger")

	// ErrNotPublished: the entries are in the log, but no signed checkpoint
	// covers them yet, so no reader sees them. Append the same entries again:
	// they collapse, and the checkpoint is tried again.
	ErrNotPublished = errors.New("the checkpoint is not published")

	// ErrNotAnchored: the entries are in the log and a signed checkpoint
	// covers them, but its copy outside the folder failed, so their removal
	// would not show yet. Append the same entries again: they collapse, and the
	// anchor is tried again.
	ErrNotAnchored = errors.New("the checkpoint is not anchored")

	// ErrClosed: the log was closed before the append was taken up.
	ErrClosed = errors.New("the ledger is closed")
)

// diskError names the folder and, where there is no room, says so. Tessera
// flattens some causes into text, so the text is searched as well.
func diskError(dir, doing string, err error) error {
	for _, full := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, full) || strings.Contains(err.Error(), full.Error()) {
			return fmt.Errorf("%w: %s in %s: %v; make room and try again, nothing is lost", ErrFull, doing, dir, full)
		}
	}
	return fmt.Errorf("%s in %s: %w", doing, dir, err)
}
