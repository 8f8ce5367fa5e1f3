package ownmount

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"

	"rollcall/internal/plural"
)

const checkpointFolder = "checkpoints"

// Anchor copies a ledger checkpoint (C2SP tlog-checkpoint: origin, size, root,
// signatures) into Vault, to a path of its own that is written once: the
// ledger's login may create one and change none. The same checkpoint again
// writes nothing.
//
// A checkpoint that is smaller than the newest anchored one, or of the same
// size with another root, is refused: the log was truncated or forked, or a
// stale twin of the ledger worker is late.
//
// at is kept beside it, for whoever looks for the ledger: see LedgerAt.
func (s *Store) Anchor(ctx context.Context, campaign string, checkpoint []byte, at LedgerPlace) error {
	const op = "anchor a checkpoint"
	size, root, err := checkpointHead(checkpoint)
	if err != nil {
		return fmt.Errorf("vault: %s of campaign %s: %w", op, campaign, err)
	}
	newest, err := s.newestAnchor(ctx, campaign)
	if err != nil {
		return err
	}
	if size < newest.size {
		return fmt.Errorf("vault: %s of campaign %s: the log has %s and Vault has anchored %d: the log was truncated, or another ledger worker is ahead; compare with `rollcall ledger verify`", op, campaign, plural.Count(size, "entry", "entries"), newest.size)
	}
	if size > newest.size || !newest.found {
		_, err = s.Put(ctx, op, s.mount, checkpointPath(campaign, size), 0, map[string]any{"checkpoint": string(checkpoint), "host": at.Host, "folder": at.Folder})
		if err == nil {
			return nil
		}
	}
	// It is there: ours, of a lost reply, or another one. Who may create and
	// not change can be told so as a missing right.
	path := checkpointPath(campaign, size)
	if size == newest.size && newest.found {
		path = newest.path
	}
	kept, readErr := s.anchor(ctx, campaign, path)
	if readErr == nil && kept == nil {
		readErr = fmt.Errorf("vault: %s of campaign %s: %s is there and holds nothing: somebody deleted an anchor", op, campaign, s.mount+"/"+path)
	}
	if readErr != nil {
		return cmp.Or(err, readErr)
	}
	if _, was, err := checkpointHead(kept); err != nil || was != root {
		return fmt.Errorf("vault: %s of campaign %s: at %s the log's root differs from the anchored one: the log was changed; verify it before anything else", op, campaign, plural.Count(size, "entry", "entries"))
	}
	return nil
}

// Anchored returns the newest anchored checkpoint of a campaign; nil if there
// is none.
func (s *Store) Anchored(ctx context.Context, campaign string) ([]byte, error) {
	newest, err := s.newestAnchor(ctx, campaign)
	if err != nil || !newest.found {
		return nil, err
	}
	return s.anchor(ctx, campaign, newest.path)
}

// Anchors returns every anchored checkpoint of a campaign, the newest first,
// one after the other: a ledger must agree with all of them.
func (s *Store) Anchors(ctx context.Context, campaign string) ([]byte, error) {
	sizes, err := s.anchorSizes(ctx, campaign)
	if err != nil {
		return nil, err
	}
	paths := make([]string, 0, len(sizes)+1)
	for _, size := range slices.Backward(sizes) {
		paths = append(paths, checkpointPath(campaign, size))
	}
	paths = append(paths, formerPath(campaign))
	all := make([][]byte, len(paths))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(readsAtOnce)
	for i, path := range paths {
		g.Go(func() error {
			var err error
			all[i], err = s.anchor(gctx, campaign, path)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return bytes.Join(slices.DeleteFunc(all, func(c []byte) bool { return c == nil }), []byte("\n")), nil
}

// LedgerPlace is where a ledger is written, as its writer says: a claim, for
// people who look for it, on which nothing is decided.
type LedgerPlace struct{ Host, Folder string }

// LedgerAt is where the ledger of a campaign was written when it was anchored
// last. It is zero where nothing was anchored, and in records of earlier
// versions.
func (s *Store) LedgerAt(ctx context.Context, campaign string) (at LedgerPlace, err error) {
	newest, err := s.newestAnchor(ctx, campaign)
	if err != nil || !newest.found {
		return LedgerPlace{}, err
	}
	e, err := s.Get(ctx, "look where the ledger is", s.mount, newest.path, 1)
	at.Host, _ = e.Data["host"].(string)
	at.Folder, _ = e.Data["folder"].(string)
	return at, err
}

// AnchoredSize is how many entries of a campaign's ledger the newest anchor
// signs; 0 if none is there.
func (s *Store) AnchoredSize(ctx context.Context, campaign string) (uint64, error) {
	n, err := s.newestAnchor(ctx, campaign)
	return n.size, err
}

// newest is the largest anchored checkpoint.
type newest struct {
	size  uint64
	path  string
	found bool
}

func (s *Store) newestAnchor(ctx context.Context, campaign string) (newest, error) {
	sizes, err := s.anchorSizes(ctx, campaign)
	if err != nil {
		return newest{}, err
	}
	if n := len(sizes); n > 0 {
		return newest{sizes[n-1], checkpointPath(campaign, sizes[n-1]), true}, nil
	}
	former, err := s.anchor(ctx, campaign, formerPath(campaign))
	if err != nil || former == nil {
		return newest{}, err
	}
	size, _, err := checkpointHead(former)
	if err != nil {
		return newest{}, s.Odd("read an anchored checkpoint", s.mount+"/data/"+formerPath(campaign), err)
	}
	return newest{size, formerPath(campaign), true}, nil
}

// anchorSizes are those of the anchored checkpoints, rising.
func (s *Store) anchorSizes(ctx context.Context, campaign string) ([]uint64, error) {
	names, err := s.Names(ctx, "list the anchored checkpoints", s.mount, formerPath(campaign))
	if err != nil {
		return nil, err
	}
	var sizes []uint64
	for _, name := range names {
		if size, err := strconv.ParseUint(name, 10, 64); err == nil {
			sizes = append(sizes, size)
		}
	}
	slices.Sort(sizes)
	return sizes, nil
}

// anchor reads what was written first at a path: nothing that came over it
// later counts. Nil: nothing is there.
func (s *Store) anchor(ctx context.Context, campaign, path string) ([]byte, error) {
	const op = "read an anchored checkpoint"
	first := 1
	if path == formerPath(campaign) {
		first = 0 // there the newest version was the newest checkpoint
	}
	e, err := s.Get(ctx, op, s.mount, path, first)
	if err != nil || e.Data == nil {
		return nil, err
	}
	text, ok := e.Data["checkpoint"].(string)
	if !ok {
		return nil, s.Odd(op, s.mount+"/data/"+path, fmt.Errorf("field checkpoint is missing"))
	}
	return []byte(text), nil
}

// AnchorPlace names the place in Vault for the ledger's own entry about it.
func (s *Store) AnchorPlace(campaign string) string { return s.mount + "/" + formerPath(campaign) }

func checkpointPath(campaign string, size uint64) string {
	return fmt.Sprintf("%s/%d", formerPath(campaign), size)
}

// formerPath is the folder of a campaign's anchors, and the one secret in which
// earlier versions kept the newest: theirs are still read.
func formerPath(campaign string) string { return checkpointFolder + "/" + encodeSegment(campaign) }

// checkpointHead reads the second and third line: tree size and root hash.
func checkpointHead(cp []byte) (size uint64, root string, err error) {
	lines := bytes.SplitN(cp, []byte("\n"), 4)
	if len(lines) < 4 {
		return 0, "", fmt.Errorf("not a checkpoint: fewer than three lines")
	}
	size, err = strconv.ParseUint(string(lines[1]), 10, 64)
	if err != nil {
		return 0, "", fmt.Errorf("not a checkpoint: its second line is not a tree size")
	}
	return size, string(lines[2]), nil
}
