package ledger

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"rollcall/internal/plural"
)

// Pinned is what is known of a ledger from elsewhere than from whoever gives
// its files: the key that signs it, and how it began.
type Pinned struct {
	verifier note.Verifier
	key      string
	size     uint64 // entries whose root is known; 0: none are
	root     tlog.Hash
}

// Pin takes the key of a ledger, and the newest checkpoint of it that was kept
// outside of its folder; nil where there is none. The error is for a key that
// is none, and a checkpoint that it did not sign.
func Pin(verifierKey string, anchored []byte) (Pinned, error) {
	v, err := note.NewVerifier(verifierKey)
	if err != nil {
		return Pinned{}, fmt.Errorf("the ledger's public key %q: %w", verifierKey, err)
	}
	p := Pinned{verifier: v, key: verifierKey}
	if anchored == nil {
		return p, nil
	}
	kept, err := openCheckpoint(anchored, v)
	if err != nil {
		return Pinned{}, fmt.Errorf("the anchored checkpoint: %w", err)
	}
	p.size, p.root = kept.Size, kept.Root
	return p, nil
}

// PinAt is Pin of a ledger of which another one says with what key it was
// signed, how many entries it had and their root, as Checkpoint.Root prints it.
func PinAt(verifierKey string, size uint64, root string) (Pinned, error) {
	p, err := Pin(verifierKey, nil)
	if err == nil {
		p.size = size
		p.root, err = tlog.ParseHash(root)
	}
	return p, err
}

// Size is how many entries are known to be there; 0: none are.
func (p Pinned) Size() uint64 { return p.size }

// Signed reports whether a checkpoint is of that ledger and no older than what
// is known of it: ErrWrongLedger if another key signed it, ErrDamaged if
// entries are missing. It costs next to nothing: ask it before the rest.
func (p Pinned) Signed(checkpoint []byte) error {
	_, err := p.checkpoint(checkpoint)
	return err
}

func (p Pinned) checkpoint(raw []byte) (Checkpoint, error) {
	cp, err := openCheckpoint(raw, p.verifier)
	switch {
	case err != nil:
		return cp, fmt.Errorf("%w: it is not signed with the key that is known of it: %v", ErrWrongLedger, err)
	case cp.Size < p.size:
		return cp, fmt.Errorf("%w: it has %s, and what is anchored is over %d: it was cut off or is an older copy", ErrDamaged, plural.Count(cp.Size, "entry", "entries"), p.size)
	}
	return cp, nil
}

// Whole reports whether the files in dir are the ledger, all that its
// checkpoint signs, and begin with what is known of it. Errors are those of
// Signed, and ErrDamaged. It hashes each entry; what entries say, Verify tells.
func (p Pinned) Whole(dir string) error {
	r, err := OpenReader(dir)
	if err != nil {
		return fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	if r.VerifierKey() != p.key {
		return fmt.Errorf("%w: it names another key than is known of it", ErrWrongLedger)
	}
	found, err := r.Checkpoint()
	if err != nil {
		return fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	cp, err := p.checkpoint(found.Raw)
	if err != nil {
		return err
	}
	tree := newForest(cp.Size, []Checkpoint{{Size: p.size}})
	for n := range tree.bundles() {
		hashes, err := bundleHashes(dir, n, cp.Size)
		if err != nil {
			return fmt.Errorf("%w: %v", ErrDamaged, err)
		}
		tree.add(n, hashes)
	}
	if root, err := tlog.TreeHash(int64(cp.Size), tree); err != nil || root != cp.Root {
		return fmt.Errorf("%w: its entries are not those that its checkpoint signs", ErrDamaged)
	}
	var rep Report
	if err := upperTiles(&rep, dir, cp.Size, tree, true); err != nil {
		return fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	if !rep.OK() {
		return fmt.Errorf("%w: %s", ErrDamaged, rep.Problems[0].What)
	}
	if p.size == 0 {
		return nil
	}
	if root, err := tlog.TreeHash(int64(p.size), tree); err != nil || root != p.root {
		return fmt.Errorf("%w: its first %s are not those that are anchored", ErrDamaged, plural.Count(p.size, "entry", "entries"))
	}
	return nil
}

// Began reports whether the files in dir begin with what is known of the
// ledger, by its hash tiles alone: for a copy that was Whole when it was made.
func (p Pinned) Began(dir string) error {
	r, err := OpenReader(dir)
	if err != nil {
		return fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	cp, err := r.Checkpoint()
	if err == nil {
		_, err = p.checkpoint(cp.Raw)
	}
	if err != nil || p.size == 0 {
		return err
	}
	if root, err := newFileTiles(dir, cp.Size).rootAt(p.size); err != nil || root != p.root {
		return fmt.Errorf("%w: its first %s are not those that are anchored", ErrDamaged, plural.Count(p.size, "entry", "entries"))
	}
	return nil
}

// bundleHashes are the hashes of a bundle's entries, which its hash tile has
// too.
func bundleHashes(dir string, n int64, size uint64) ([]tlog.Hash, error) {
	lines, err := readBundle(dir, n, size)
	if err != nil {
		return nil, err
	}
	said, err := readHashTile(dir, tileAt(0, n, size))
	if err != nil {
		return nil, err
	}
	out := make([]tlog.Hash, len(lines))
	for i, line := range lines {
		out[i] = tlog.RecordHash(line)
		if !bytes.Equal(out[i][:], said[i*tlog.HashSize:(i+1)*tlog.HashSize]) {
			return nil, errors.New("an entry is not what its hash tile says")
		}
	}
	return out, nil
}
