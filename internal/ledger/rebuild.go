package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/mod/sumdb/tlog"

	"rollcall/internal/plural"
)

// hashes are a tree's hashes in x/mod's storage order.
type hashes []tlog.Hash

func (h hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		if at >= int64(len(h)) {
			return nil, fmt.Errorf("hash %d of %d", at, len(h))
		}
		out[i] = h[at]
	}
	return out, nil
}

func buildTree(leaves []tlog.Hash) (hashes, tlog.Hash, error) {
	tree := make(hashes, 0, 2*len(leaves))
	for i, leaf := range leaves {
		more, err := tlog.StoredHashesForRecordHash(int64(i), leaf, tree)
		if err != nil {
			return nil, tlog.Hash{}, err
		}
		tree = append(tree, more...)
	}
	root, err := tlog.TreeHash(int64(len(leaves)), tree)
	return tree, root, err
}

// rebuild hashes every entry that cp signs, hands each to the audit, and
// compares the result with the signed root and with every hash tile. Two
// witnesses, the entries and the tiles, and the signature as judge: whichever
// of the two leads to the signed root is right, so the other is where the
// change is.
func rebuild(ctx context.Context, rep *Report, dir string, cp Checkpoint, story *audit) (hashes, error) {
	expected := min(cp.Size, mostExpected)
	leaves := make([]tlog.Hash, 0, expected) // of the entries; of the tiles where entries cannot be read
	tiles := make([]tlog.Hash, 0, expected)  // of the tiles; of the entries where a tile cannot be read
	for from := uint64(0); from < cp.Size; from += tileWidth {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		t := tileAt(0, int64(from/tileWidth), cp.Size)
		read, entriesErr := entryHashes(dir, from, cp.Size, story)
		data, tileErr := readHashTile(dir, t)
		said := splitTile(data)
		if entriesErr != nil {
			rep.add(int64(from), "", "entries %d to %d cannot be read: %v", from, from+uint64(t.W)-1, plain(entriesErr))
			story.gap = true
			read = said
		}
		if tileErr != nil {
			rep.add(int64(from), "", "the hash tile of entries %d to %d cannot be read: %v", from, from+uint64(t.W)-1, plain(tileErr))
			said = read
		}
		if read == nil { // neither is left
			// The root cannot be reached any more, and whoever signs a size can
			// sign any: at some time it is enough.
			if len(rep.Problems) == maxProblems {
				return nil, nil
			}
			read = make([]tlog.Hash, t.W)
			said = read
		}
		leaves, tiles = append(leaves, read...), append(tiles, said...)
	}

	tree, root, err := buildTree(leaves)
	if err != nil {
		return nil, err
	}
	entriesGood := root == cp.Root
	tilesGood := false
	judge := tree
	if !entriesGood {
		rep.add(noIndex, "", "the entries do not lead to the root that was signed at %s", plural.Count(cp.Size, "entry", "entries"))
		tileTree, tileRoot, err := buildTree(tiles)
		if err != nil {
			return nil, err
		}
		if tilesGood = tileRoot == cp.Root; tilesGood {
			judge = tileTree
		}
	}
	for i := range leaves {
		switch {
		case leaves[i] == tiles[i]:
		case entriesGood:
			rep.add(int64(i), "", "the hash of entry %d in %s was changed; the entry itself is what was signed", i, tilePath(tileAt(0, int64(i/tileWidth), cp.Size)))
		case tilesGood:
			rep.add(int64(i), "", "entry %d was changed: it is not what was signed", i)
		default:
			rep.add(int64(i), "", "entry %d and its hash differ, and neither can be traced to the signed root", i)
		}
	}
	return tree, upperTiles(rep, dir, cp.Size, judge, entriesGood || tilesGood)
}

// upperTiles compares the tiles above the leaves with the tree. sure says that
// the tree is the signed one; otherwise a difference may lie on either side.
func upperTiles(rep *Report, dir string, size uint64, tree tlog.HashReader, sure bool) error {
	for _, t := range tlog.NewTiles(tileHeight, 0, int64(size)) {
		if t.L == 0 {
			continue
		}
		want, err := tlog.ReadTileData(t, tree)
		if err != nil {
			return err
		}
		have, err := readHashTile(dir, t)
		if err != nil {
			rep.add(noIndex, "", "a hash tile cannot be read: %v", plain(err))
			continue
		}
		per := int64(1) << (uint(t.L) * tileHeight)
		for i := range t.W {
			if bytes.Equal(want[i*tlog.HashSize:(i+1)*tlog.HashSize], have[i*tlog.HashSize:(i+1)*tlog.HashSize]) {
				continue
			}
			first := (t.N*tileWidth + int64(i)) * per
			if sure {
				rep.add(first, "", "%s was changed: its hash over entries %d to %d is not what was signed", tilePath(t), first, first+per-1)
			} else {
				rep.add(first, "", "one of the entries %d to %d was replaced, or %s above them was changed", first, first+per-1, tilePath(t))
			}
		}
	}
	return nil
}

func entryHashes(dir string, from, size uint64, story *audit) ([]tlog.Hash, error) {
	lines, err := readBundle(dir, int64(from/tileWidth), size)
	if err != nil {
		return nil, err
	}
	out := make([]tlog.Hash, len(lines))
	for i, line := range lines {
		out[i] = tlog.RecordHash(line)
		story.entry(int64(from)+int64(i), line)
	}
	return out, nil
}

func splitTile(data []byte) []tlog.Hash {
	var out []tlog.Hash
	for ; len(data) >= tlog.HashSize; data = data[tlog.HashSize:] {
		out = append(out, tlog.Hash(data[:tlog.HashSize]))
	}
	return out
}

// plain keeps folders out of a report that may be handed on.
func plain(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("the file is missing")
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
