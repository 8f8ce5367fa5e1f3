package ledger

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is a signed statement about the whole log (C2SP
// tlog-checkpoint): this many entries, and this root over them.
type Checkpoint struct {
	Origin string    // "rollcall/" + campaign
	Size   uint64    // entries
	Root   tlog.Hash // Merkle root (RFC 6962)
	Raw    []byte    // the signed note
}

// Origin is the name of a campaign's log, in its checkpoints and its key.
func Origin(campaign string) string { return "rollcall/" + campaign }

// openCheckpoint checks the signature and takes a checkpoint apart. The
// origin must be the key's name.
func openCheckpoint(raw []byte, v note.Verifier) (Checkpoint, error) {
	n, err := note.Open(raw, note.VerifierList(v))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("the checkpoint's signature: %w", err)
	}
	cp, err := parseCheckpointText(n.Text)
	if err != nil {
		return Checkpoint{}, err
	}
	if cp.Origin != v.Name() {
		return Checkpoint{}, fmt.Errorf("the checkpoint is of log %q, the key of log %q", cp.Origin, v.Name())
	}
	cp.Raw = raw
	return cp, nil
}

func parseCheckpointText(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[len(lines)-1] != "" {
		return Checkpoint{}, errors.New("malformed checkpoint: three lines expected")
	}
	// tlog sizes are int64; a leading zero or sign would give one tree two
	// spellings.
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return Checkpoint{}, fmt.Errorf("malformed checkpoint: size %q", lines[1])
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return Checkpoint{}, fmt.Errorf("malformed checkpoint: root %q", lines[2])
	}
	return Checkpoint{Origin: lines[0], Size: uint64(size), Root: tlog.Hash(root)}, nil
}

// signCheckpoint makes a checkpoint and checks it with the public key, so
// that nothing is published that an outsider could not verify.
func signCheckpoint(origin string, size uint64, root tlog.Hash, s note.Signer, v note.Verifier) (Checkpoint, error) {
	text := fmt.Sprintf("%s\n%d\n%s\n", origin, size, root)
	raw, err := note.Sign(&note.Note{Text: text}, s)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("signing the checkpoint: %w", err)
	}
	cp, err := openCheckpoint(raw, v)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("the signer's own checkpoint does not verify: %w", err)
	}
	return cp, nil
}

// splitCheckpoints takes a file with one checkpoint or many, one after the
// other, apart: each is a text, an empty line, and signatures.
func splitCheckpoints(data []byte) [][]byte {
	var out [][]byte
	var now []string
	signed := false
	end := func() {
		if len(now) > 0 {
			out = append(out, []byte(strings.Join(now, "")))
		}
		now, signed = nil, false
	}
	for line := range strings.Lines(string(data)) {
		isSignature := strings.HasPrefix(line, "— ")
		if signed && !isSignature {
			end()
		}
		if len(now) == 0 && strings.TrimSpace(line) == "" {
			continue
		}
		signed = isSignature
		now = append(now, line)
	}
	end()
	return out
}
