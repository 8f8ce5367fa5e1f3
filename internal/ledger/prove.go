package ledger

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"rollcall/internal/plural"
)

// Proof shows that an entry is in the log that a checkpoint signs, to somebody
// who has neither the log nor Rollcall.
type Proof struct {
	Index      uint64
	Entry      []byte           // as it was hashed: one line of JSON
	Hashes     tlog.RecordProof // RFC 6962, section 2.1.1
	Checkpoint []byte           // signed note
}

// Prove makes an inclusion proof for one entry, against the checkpoint as it is
// now, from the files alone. It is checked before it is returned: a ledger
// whose files do not lead from the entry to the checkpoint gives ErrDamaged.
func Prove(_ context.Context, dir string, index uint64) (Proof, error) {
	r, err := OpenReader(dir)
	if err != nil {
		return Proof{}, err
	}
	cp, err := r.Checkpoint()
	if err != nil {
		return Proof{}, err
	}
	if index >= cp.Size {
		return Proof{}, fmt.Errorf("no entry %d: the ledger in %s has %s, the first is 0", index, dir, plural.Count(cp.Size, "entry", "entries"))
	}
	lines, err := readBundle(dir, int64(index/tileWidth), cp.Size)
	if err != nil {
		return Proof{}, fmt.Errorf("%w: entry %d: %v", ErrDamaged, index, err)
	}
	line := lines[index%tileWidth]
	tree := tlog.Tree{N: int64(cp.Size), Hash: cp.Root}
	hashes, err := tlog.ProveRecord(tree.N, int64(index), tlog.TileHashReader(tree, newFileTiles(dir, cp.Size)))
	if err == nil {
		err = tlog.CheckRecord(hashes, tree.N, tree.Hash, int64(index), tlog.RecordHash(line))
	}
	if err != nil {
		return Proof{}, fmt.Errorf("%w: entry %d cannot be traced to the checkpoint: %v", ErrDamaged, index, err)
	}
	return Proof{Index: index, Entry: line, Hashes: hashes, Checkpoint: cp.Raw}, nil
}

const proofVersion = "c2sp.org/tlog-proof@v1"

// String is the proof as C2SP tlog-proof (c2sp.org/tlog-proof@v1), usually kept
// in a file named *.tlog-proof. Its extra line is the entry, so that the file
// stands alone: its RFC 6962 leaf hash is what the proof proves.
func (p Proof) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, proofVersion+"\nextra %s\nindex %d\n", base64.StdEncoding.EncodeToString(p.Entry), p.Index)
	for _, h := range p.Hashes {
		fmt.Fprintln(&b, h)
	}
	return b.String() + "\n" + string(p.Checkpoint)
}
