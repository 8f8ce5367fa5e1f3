package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"rollcall/internal/plural"
)

// C2SP tlog-tiles has tiles of height 8: 256 hashes or entries in a file.
const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	entryLevel = -1 // x/mod's level for the entries themselves
)

// tilePath is where C2SP tlog-tiles keeps a tile: x/mod's path without the
// height, and entry bundles under "entries".
func tilePath(t tlog.Tile) string {
	p := strings.Replace(t.Path(), fmt.Sprintf("tile/%d/", t.H), "tile/", 1)
	return filepath.FromSlash(strings.Replace(p, "tile/data/", "tile/entries/", 1))
}

// tileAt is the n-th tile of a level in a tree of size entries, with the
// width it has there.
func tileAt(level int, n int64, size uint64) tlog.Tile {
	perHash := uint(0)
	if level > 0 {
		perHash = uint(level) * tileHeight
	}
	width := int64(size>>perHash) - n*tileWidth
	return tlog.Tile{H: tileHeight, L: level, N: n, W: int(min(width, tileWidth))}
}

// readTileFile reads a tile's file. A partial tile may have been removed once
// the full one was written (C2SP tlog-tiles), so the full one serves as well;
// full says which it was. path is the one that was read, or the one to name in
// an error.
func readTileFile(dir string, t tlog.Tile) (data []byte, path string, full bool, err error) {
	return readTileWith(os.ReadFile, dir, t)
}

func readTileWith(read func(string) ([]byte, error), dir string, t tlog.Tile) (data []byte, path string, full bool, err error) {
	path = tilePath(t)
	data, err = read(filepath.Join(dir, path))
	if err == nil || t.W == tileWidth || !errors.Is(err, fs.ErrNotExist) {
		return data, path, t.W == tileWidth, err
	}
	whole := t
	whole.W = tileWidth
	data, errFull := read(filepath.Join(dir, tilePath(whole)))
	if errFull != nil {
		return nil, path, false, err
	}
	return data, tilePath(whole), true, nil
}

// readHashTile returns exactly the t.W hashes of a hash tile.
func readHashTile(dir string, t tlog.Tile) ([]byte, error) {
	data, path, full, err := readTileFile(dir, t)
	if err != nil {
		return nil, err
	}
	want := t.W
	if full {
		want = tileWidth
	}
	if len(data) != want*tlog.HashSize {
		return nil, fmt.Errorf("%s has %d bytes, want %d", path, len(data), want*tlog.HashSize)
	}
	return data[:t.W*tlog.HashSize], nil
}

// readBundle returns exactly the entries of bundle n in a log of size entries.
func readBundle(dir string, n int64, size uint64) ([][]byte, error) {
	return readBundleWith(os.ReadFile, dir, n, size)
}

func readBundleWith(read func(string) ([]byte, error), dir string, n int64, size uint64) ([][]byte, error) {
	t := tileAt(entryLevel, n, size)
	data, path, full, err := readTileWith(read, dir, t)
	if err != nil {
		return nil, err
	}
	lines, err := splitBundle(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	want := t.W
	if full {
		want = tileWidth
	}
	if len(lines) != want {
		return nil, fmt.Errorf("%s has %s, want %d", path, plural.Count(len(lines), "entry", "entries"), want)
	}
	return lines[:t.W], nil
}

// fileTiles reads hashes from the tiles of a tree of the given size. As a
// tlog.HashReader it trusts the files; as a tlog.TileReader it serves
// tlog.TileHashReader, which checks them against a root.
type fileTiles struct {
	dir  string
	size uint64
	seen map[tlog.Tile][]byte
}

func newFileTiles(dir string, size uint64) *fileTiles {
	return &fileTiles{dir: dir, size: size, seen: map[tlog.Tile][]byte{}}
}

func (f *fileTiles) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, 0, len(indexes))
	for _, i := range indexes {
		least := tlog.TileForIndex(tileHeight, i)
		t := tileAt(least.L, least.N, f.size)
		data, err := f.tile(t)
		if err != nil {
			return nil, err
		}
		h, err := tlog.HashFromTile(t, data, i)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, h)
	}
	return hashes, nil
}

func (f *fileTiles) tile(t tlog.Tile) ([]byte, error) {
	if data, ok := f.seen[t]; ok {
		return data, nil
	}
	data, err := readHashTile(f.dir, t)
	if err == nil {
		f.seen[t] = data
	}
	return data, err
}

func (f *fileTiles) Height() int { return tileHeight }

func (f *fileTiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(tiles))
	for i, t := range tiles {
		var err error
		if out[i], err = f.tile(t); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (f *fileTiles) SaveTiles([]tlog.Tile, [][]byte) {}

// rootAt is the root that the hash tiles give for the first n entries.
func (f *fileTiles) rootAt(n uint64) (tlog.Hash, error) { return tlog.TreeHash(int64(n), f) }
