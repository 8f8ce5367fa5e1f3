package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/mod/sumdb/note"

	"rollcall/internal/plural"
)

// CheckAnchored reports whether the log in dir still begins with what the
// anchored checkpoint signs: nil if so, ErrElsewhere if there is nothing at
// all, ErrDamaged if it was truncated, replaced by an older copy, or rewritten.
// A writer asks before it opens a log that was anchored before, so that it
// never continues a fork. It reads a few files; it trusts the hash tiles, as
// Verify does not.
func CheckAnchored(dir, verifierKey string, anchored []byte) error {
	v, err := note.NewVerifier(verifierKey)
	if err != nil {
		return fmt.Errorf("the ledger's public key %q: %w", verifierKey, err)
	}
	kept, err := openCheckpoint(anchored, v)
	if err != nil {
		return fmt.Errorf("the anchored checkpoint: %w", err)
	}
	if kept.Size == 0 {
		return nil
	}
	if found, err := os.ReadDir(dir); errors.Is(err, fs.ErrNotExist) || err == nil && len(found) == 0 {
		return fmt.Errorf("%w: %s holds none, and %s anchored in Vault, so it was begun in another folder or on another machine, or was taken away: name that folder (ledger.dir, --ledger-dir), or copy it here; nothing was changed", ErrElsewhere, dir, plural.Count(kept.Size, "entry of it is", "entries of it are"))
	}
	r, err := OpenReader(dir)
	if err != nil {
		return fmt.Errorf("%w: a checkpoint over %s is anchored, and %v", ErrDamaged, plural.Count(kept.Size, "entry", "entries"), err)
	}
	cp, err := r.Checkpoint()
	if err != nil {
		return fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	if cp.Size < kept.Size {
		return fmt.Errorf("%w: %s has %s, the anchored checkpoint signs %d; it was cut off or is an older copy, restore the newest", ErrDamaged, dir, plural.Count(cp.Size, "entry", "entries"), kept.Size)
	}
	root, err := newFileTiles(dir, cp.Size).rootAt(kept.Size)
	if err != nil {
		return fmt.Errorf("%w: %s: %v", ErrDamaged, dir, err)
	}
	if root != kept.Root {
		return fmt.Errorf("%w: the first %s in %s are not those that the anchored checkpoint signs", ErrDamaged, plural.Count(kept.Size, "entry", "entries"), dir)
	}
	return nil
}
