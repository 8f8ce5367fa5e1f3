package ledger

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

// quick is an audit that keeps little: it judges each death when it reads it,
// and not at the end. That is as good as long as nothing that comes later would
// have changed the judgement. Where it may have, it is lost, and so it is where
// anything is wrong: then the audit that keeps all of it reads the ledger from
// its start, and says what.
type quick struct {
	ids      idSet              // of the entries so far: two that look alike are told apart the long way
	intents  idTable            // attempts that were announced so far
	judged   map[authority]bool // authorities of which a death was judged
	reopened bool
	lost     bool
	roll     *roll // whose keys it has
}

func newQuickAudit(rep *Report, size uint64) *audit {
	a := newAudit(rep)
	a.state = NewPackedState()
	a.state.seen = nil
	a.quick = &quick{judged: map[authority]bool{}, roll: a.state.roll}
	a.quick.ids.roomFor(int(size))
	return a
}

// attempt is the key of an attempt at a credential: nobody knows by how much
// the keys of two credentials differ.
func (q *quick) attempt(credential string, number int) idKey {
	k := q.roll.key(credential)
	binary.LittleEndian.PutUint64(k[:], binary.LittleEndian.Uint64(k[:])+uint64(number)*spread)
	return k
}

// spread is odd, so that no two numbers give the same.
const spread = 0x9e3779b97f4a7c15

// before looks at an entry before it counts.
func (q *quick) before(a *audit, e *Entry) {
	if !q.ids.add(q.roll.half(e.ID)) { // it came before
		q.lost = true
	}
	switch e.Event {
	case CampaignStarted: // names the servers that are to be asked
		q.lost = q.lost || len(q.judged) > 0
	case Listed: // says what is asked of a death; what is dead stays as it is
		q.lost = q.lost || a.state.Credential(e.Credential) != nil
	case Reopened:
		q.reopened = true
	case TakenUp, Added, Replaced: // and so does it, of what is not dead
		q.lost = q.lost || q.reopened
	}
}

// another server gave evidence for an authority. Deaths that were judged
// without it need its evidence as well.
func (q *quick) another(a *audit, at authority, server string) {
	if q != nil && q.judged[at] && !slices.Contains(a.state.Servers[at.name], server) {
		q.lost = true
	}
}

// errUnlike: the quick way does not say whether the ledger is whole.
var errUnlike = errors.New("to be verified the long way")

// verifyQuick reads a ledger once and keeps little of it. It gives the state of
// one that verifies; nil where anything is wrong, or would take more to tell.
// Of rep it then has nothing to say.
func verifyQuick(ctx context.Context, rep *Report, dir string, cp Checkpoint, kept []Checkpoint) (*State, error) {
	story := newQuickAudit(rep, min(cp.Size, mostExpected/4))
	tree := newForest(cp.Size, kept)
	err := inOrder(ctx, tree.bundles(), func() func(int64) bundle {
		r := newLineReader()
		r.keeps = true // what the state holds is packed soon
		return func(n int64) bundle { return readWhole(dir, n, cp.Size, r) }
	}, func(n int64, b bundle) error {
		if b.err != nil {
			return errUnlike
		}
		for i := range b.entries {
			story.take(n*tileWidth+int64(i), &b.entries[i], true)
			if story.quick.lost || len(rep.Problems) > 0 {
				return errUnlike
			}
		}
		tree.add(n, b.hashes)
		spent.Put(&b.entries) // each is read anew
		return nil
	})
	switch {
	case errors.Is(err, errUnlike):
		return nil, nil
	case err != nil:
		return nil, err
	}
	if root, err := tlog.TreeHash(int64(cp.Size), tree); err != nil || root != cp.Root {
		return nil, nil
	}
	if err := upperTiles(rep, dir, cp.Size, tree, true); err != nil {
		return nil, nil
	}
	for _, k := range kept {
		if root, err := tlog.TreeHash(int64(k.Size), tree); k.Size > cp.Size || err != nil || root != k.Root {
			return nil, nil
		}
	}
	if story.finish(); len(rep.Problems) > 0 {
		return nil, nil
	}
	return story.state, nil
}

// mostExpected bounds what is laid in for entries that a checkpoint says there
// are.
const mostExpected = 1 << 22

// spent are entries that were told, for the next bundle.
var spent = sync.Pool{New: func() any { e := make([]Entry, tileWidth); return &e }}

// bundle is a bundle of entries, hashed and read.
type bundle struct {
	entries []Entry
	hashes  []tlog.Hash
	err     error
}

// readWhole reads a bundle of which each entry is as Rollcall writes it, and
// hashes to what the hash tile beside it says.
func readWhole(dir string, n int64, size uint64, r *lineReader) (b bundle) {
	lines, err := readBundleWith(r.open, dir, n, size)
	if err != nil {
		return bundle{err: err}
	}
	said, err := readHashTile(dir, tileAt(0, n, size))
	if err != nil {
		return bundle{err: err}
	}
	b.entries, b.hashes = (*spent.Get().(*[]Entry))[:len(lines)], make([]tlog.Hash, len(lines))
	for i, line := range lines {
		b.hashes[i] = tlog.RecordHash(line)
		if !bytes.Equal(b.hashes[i][:], said[i*tlog.HashSize:(i+1)*tlog.HashSize]) {
			return bundle{err: errUnlike}
		}
		if r.read(line, &b.entries[i]) {
			continue
		}
		if b.entries[i], err = ParseEntry(line); err != nil || !canonical(line, b.entries[i]) {
			return bundle{err: errUnlike}
		}
	}
	return b
}

// forest has the hashes of a tree from its bundles upwards, and those below of
// the few bundles in which a checkpoint ends.
type forest struct {
	size   uint64
	above  [][]tlog.Hash // by level from that of a full bundle's root on
	leaves map[int64][]tlog.Hash
}

func newForest(size uint64, kept []Checkpoint) *forest {
	f := &forest{size: size, above: [][]tlog.Hash{nil}, leaves: map[int64][]tlog.Hash{int64(size / tileWidth): nil}}
	for _, k := range kept {
		f.leaves[int64(k.Size/tileWidth)] = nil
	}
	return f
}

// bundles counts them, the last one in part.
func (f *forest) bundles() int64 { return int64((f.size + tileWidth - 1) / tileWidth) }

// add takes the hashes of the next bundle.
func (f *forest) add(n int64, hashes []tlog.Hash) {
	if _, wanted := f.leaves[n]; wanted {
		f.leaves[n] = hashes
	}
	if len(hashes) < tileWidth {
		return
	}
	f.above[0] = append(f.above[0], rootOf(hashes))
	for level := 0; len(f.above[level])%2 == 0; level++ {
		if level+1 == len(f.above) {
			f.above = append(f.above, nil)
		}
		pair := f.above[level][len(f.above[level])-2:]
		f.above[level+1] = append(f.above[level+1], tlog.NodeHash(pair[0], pair[1]))
	}
}

// rootOf is the root over as many hashes as a power of two.
func rootOf(hashes []tlog.Hash) tlog.Hash {
	if len(hashes) == 1 {
		return hashes[0]
	}
	half := len(hashes) / 2
	return tlog.NodeHash(rootOf(hashes[:half]), rootOf(hashes[half:]))
}

var errNotKept = errors.New("that hash was not kept")

// ReadHashes gives hashes by x/mod's numbers.
func (f *forest) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		level, n := tlog.SplitStoredHashIndex(index)
		if up := level - tileHeight; up >= 0 {
			if up >= len(f.above) || n >= int64(len(f.above[up])) {
				return nil, errNotKept
			}
			out[i] = f.above[up][n]
			continue
		}
		from, wide := n<<level%tileWidth, int64(1)<<level
		leaves := f.leaves[n<<level/tileWidth]
		if from+wide > int64(len(leaves)) {
			return nil, errNotKept
		}
		out[i] = rootOf(leaves[from : from+wide])
	}
	return out, nil
}
