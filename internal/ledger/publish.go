package ledger

import (
	"context"
	"fmt"

	"rollcall/internal/plural"
)

// publish signs, publishes and anchors a checkpoint over all that is in the
// tree, as far as that has not been done. Each part may fail alone and is
// taken up again by the next call.
//
// What a crash leaves: before the checkpoint's rename, the older checkpoint
// and entries that the next Open signs; after it, a checkpoint that the next
// Open anchors.
func (l *Log) publish(ctx context.Context) error {
	if l.published.Raw == nil || l.published.Size < l.size {
		if err := l.sign(); err != nil {
			return err
		}
		l.anchored = false
	}
	if l.anchored {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, anchorTimeout)
	defer cancel()
	if err := l.anchor(ctx, l.published.Raw); err != nil {
		return fmt.Errorf("%w: the log in %s stands at %s and is signed, but its copy failed: %w; append the same entries again to retry",
			ErrNotAnchored, l.dir, plural.Count(l.published.Size, "entry", "entries"), err)
	}
	l.anchored = true
	return nil
}

// sign publishes a checkpoint over the tree. The root is computed here from
// the hash tiles on disk, and only after they have been seen to lead to the
// last signed root as well: a tampered tree is never signed.
func (l *Log) sign() error {
	tiles := newFileTiles(l.dir, l.size)
	if err := l.checkTiles(tiles); err != nil {
		return err
	}
	root, err := tiles.rootAt(l.size)
	if err != nil {
		return fmt.Errorf("%w: %s: %v", ErrDamaged, l.dir, err)
	}
	cp, err := signCheckpoint(Origin(l.campaign), l.size, root, l.signer, l.verifier)
	if err != nil {
		return fmt.Errorf("%w: %s %s %s for it: %w; append the same entries again to retry", ErrNotPublished, plural.Count(l.size-l.published.Size, "entry in", "entries in"), l.dir, plural.Pick(l.size-l.published.Size, "waits", "wait"), err)
	}
	if err := replaceFile(l.dir, checkpointFile, cp.Raw); err != nil {
		return fmt.Errorf("%w: %w", ErrNotPublished, diskError(l.dir, "writing the checkpoint", err))
	}
	l.published = cp
	return nil
}

// checkTiles compares the hash tiles with the last signed root.
func (l *Log) checkTiles(tiles *fileTiles) error {
	if l.published.Size == 0 {
		return nil
	}
	root, err := tiles.rootAt(l.published.Size)
	if err != nil {
		return fmt.Errorf("%w: %s: %v", ErrDamaged, l.dir, err)
	}
	if root != l.published.Root {
		return fmt.Errorf("%w: the hash tiles in %s do not lead to the root that was signed at %s; nothing was signed, `rollcall ledger verify` says what was changed", ErrDamaged, l.dir, plural.Count(l.published.Size, "entry", "entries"))
	}
	return nil
}
