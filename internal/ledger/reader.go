package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Reader reads a ledger's files, also while a writer appends. It holds nothing
// open. It checks the checkpoint's signature with the key in ledger.json but
// not the hashes below it: Verify does that.
type Reader struct {
	dir      string
	about    about
	verifier note.Verifier
}

// OpenReader finds a ledger in dir. The error says what is missing.
func OpenReader(dir string) (*Reader, error) {
	a, err := readAbout(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no ledger: it has no %s", dir, aboutFile)
	}
	if err != nil {
		return nil, err
	}
	v, err := note.NewVerifier(a.VerifierKey)
	if err != nil {
		return nil, fmt.Errorf("the public key in %s: %w", filepath.Join(dir, aboutFile), err)
	}
	return &Reader{dir: dir, about: a, verifier: v}, nil
}

// Campaign is the campaign whose ledger this says it is.
func (r *Reader) Campaign() string { return strings.TrimPrefix(r.about.Origin, Origin("")) }

// VerifierKey is the public key that lies beside the log.
func (r *Reader) VerifierKey() string { return r.about.VerifierKey }

// Checkpoint reads the checkpoint as it is published now.
func (r *Reader) Checkpoint() (Checkpoint, error) {
	raw, err := os.ReadFile(filepath.Join(r.dir, checkpointFile))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("reading the checkpoint: %w", err)
	}
	cp, err := openCheckpoint(raw, r.verifier)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%s: %w", filepath.Join(r.dir, checkpointFile), err)
	}
	return cp, nil
}

// Entries calls each for every entry from index from up to the checkpoint as it
// is when Entries is called, in order. To follow a log, call it again with the
// index after the last one seen. An error from each ends it and is returned.
func (r *Reader) Entries(ctx context.Context, from uint64, each func(index uint64, e Entry) error) error {
	cp, err := r.Checkpoint()
	if err != nil || from >= cp.Size {
		return err
	}
	first, last := int64(from/tileWidth), int64((cp.Size-1)/tileWidth)
	type parsed struct {
		entries []Entry
		err     error
	}
	return inOrder(ctx, last-first+1, func() func(int64) parsed {
		quickly := newLineReader()
		return func(n int64) (p parsed) {
			start := max(from, uint64(first+n)*tileWidth)
			lines, err := readBundleWith(quickly.open, r.dir, first+n, cp.Size)
			if err != nil {
				return parsed{err: fmt.Errorf("entries from %d in %s: %w", start, r.dir, err)}
			}
			for i, line := range lines[start%tileWidth:] {
				var e Entry
				if !quickly.read(line, &e) {
					if e, err = ParseEntry(line); err != nil {
						p.err = fmt.Errorf("entry %d in %s: %w", start+uint64(i), r.dir, err)
						return p
					}
				}
				p.entries = append(p.entries, e)
			}
			return p
		}
	}, func(n int64, p parsed) error {
		start := max(from, uint64(first+n)*tileWidth)
		for i, e := range p.entries {
			if err := each(start+uint64(i), e); err != nil {
				return err
			}
		}
		return p.err
	})
}

// State folds all entries up to the checkpoint.
func (r *Reader) State(ctx context.Context) (*State, error) {
	return r.fold(ctx, NewState())
}

// Packed is State that is packed (NewPackedState): of a large campaign, and for
// one who asks at a time.
func (r *Reader) Packed(ctx context.Context) (*State, error) {
	return r.fold(ctx, NewPackedState())
}

func (r *Reader) fold(ctx context.Context, s *State) (*State, error) {
	err := r.Entries(ctx, 0, func(index uint64, e Entry) error {
		s.Add(index, e)
		return nil
	})
	return s, err
}

// scan calls each for the entries [from, size) of the log's files.
func scan(ctx context.Context, dir string, from, size uint64, each func(index uint64, line []byte) error) error {
	for index := from; index < size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		lines, err := readBundle(dir, int64(index/tileWidth), size)
		if err != nil {
			return fmt.Errorf("entries from %d in %s: %w", index, dir, err)
		}
		for _, line := range lines[index%tileWidth:] {
			if err := each(index, line); err != nil {
				return err
			}
			index++
		}
	}
	return nil
}
