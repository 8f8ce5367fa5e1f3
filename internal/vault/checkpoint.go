package vault

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
)

const checkpointFolder = "checkpoints"

// Anchor copies a ledger checkpoint (C2SP tlog-checkpoint: origin, size, root,
// signatures) into Vault as the newest of the campaign; older ones stay as KV
// versions, 1,000 of them. The same checkpoint again writes nothing.
//
// A checkpoint that is smaller than the anchored one, or of the same size with
// another root, is refused: the log was truncated or forked, or a stale twin
// of the ledger worker is late. It is never written, since Anchored is what
// truncation is measured against.
func (s *Store) Anchor(ctx context.Context, campaign string, checkpoint []byte) error {
	const op = "anchor a checkpoint"
	size, root, err := checkpointHead(checkpoint)
	if err != nil {
		return fmt.Errorf("vault: %s of campaign %s: %w", op, campaign, err)
	}
	e, err := s.get(ctx, op, s.mount, checkpointPath(campaign), 0)
	if err != nil {
		return err
	}
	if e.data != nil {
		was, _ := e.data["checkpoint"].(string)
		wasSize, wasRoot, err := checkpointHead([]byte(was))
		if err != nil {
			return s.odd(op, s.mount+"/data/"+checkpointPath(campaign), err)
		}
		switch {
		case size < wasSize:
			return fmt.Errorf("vault: %s of campaign %s: the log has %d entries and Vault has anchored %d: the log was truncated, or another ledger worker is ahead; compare with `rollcall ledger verify`", op, campaign, size, wasSize)
		case size == wasSize && root != wasRoot:
			return fmt.Errorf("vault: %s of campaign %s: at %d entries the log's root differs from the anchored one: the log was changed; verify it before anything else", op, campaign, size)
		case size == wasSize:
			return nil
		}
	}
	_, err = s.put(ctx, op, s.mount, checkpointPath(campaign), e.version, map[string]any{"checkpoint": string(checkpoint)})
	return err
}

// Anchored returns the newest anchored checkpoint of a campaign; nil if there is none.
func (s *Store) Anchored(ctx context.Context, campaign string) ([]byte, error) {
	const op = "read the anchored checkpoint"
	e, err := s.get(ctx, op, s.mount, checkpointPath(campaign), 0)
	if err != nil || e.data == nil {
		return nil, err
	}
	text, ok := e.data["checkpoint"].(string)
	if !ok {
		return nil, s.odd(op, s.mount+"/data/"+checkpointPath(campaign), fmt.Errorf("field checkpoint is missing"))
	}
	return []byte(text), nil
}

// AnchorPlace names the place in Vault for the ledger's own entry about it.
func (s *Store) AnchorPlace(campaign string) string { return s.mount + "/" + checkpointPath(campaign) }

func checkpointPath(campaign string) string { return checkpointFolder + "/" + encodeSegment(campaign) }

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
