package ledger

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// MaxProof bounds the bytes of a proof: an entry and 64 hashes are far less.
const MaxProof = 4 << 20

// Proved is what a proof shows: the entry, where it stands in the log, and how
// many entries that had.
type Proved struct {
	Campaign string
	Index    uint64
	Size     uint64
	Entry    Entry
}

// CheckProof checks what Proof.String wrote (C2SP tlog-proof, with the entry as
// its extra line) against the public key of the log, which the caller has from
// somebody he trusts. It needs no log. Any error means that the proof shows
// nothing; it says what does not fit.
func CheckProof(text []byte, verifierKey string) (Proved, error) {
	if len(text) > MaxProof {
		return Proved{}, fmt.Errorf("no proof: more than %d bytes", MaxProof)
	}
	v, err := note.NewVerifier(verifierKey)
	if err != nil {
		return Proved{}, fmt.Errorf("the public key: %w", err)
	}
	head, checkpoint, ok := bytes.Cut(text, []byte("\n\n"))
	if !ok {
		return Proved{}, errors.New("no proof: no checkpoint stands behind an empty line")
	}
	p, err := parseProof(string(head))
	if err != nil {
		return Proved{}, fmt.Errorf("no proof: %w", err)
	}
	if of, _, _ := strings.Cut(string(checkpoint), "\n"); strings.HasPrefix(of, Origin("")) && of != v.Name() {
		campaign := func(origin string) string { return strings.TrimPrefix(origin, Origin("")) }
		return Proved{}, fmt.Errorf("it says that it is of %s, and the key is that of %s: `rollcall ledger key %[1]s` gives its key", campaign(of), campaign(v.Name()))
	}
	cp, err := openCheckpoint(checkpoint, v)
	if err != nil {
		return Proved{}, fmt.Errorf("its checkpoint: %w", err)
	}
	if err := tlog.CheckRecord(p.Hashes, int64(cp.Size), cp.Root, int64(p.Index), tlog.RecordHash(p.Entry)); err != nil {
		return Proved{}, fmt.Errorf("the entry does not lead to the checkpoint that the key signed: %w", err)
	}
	e, err := ParseEntry(p.Entry)
	if err != nil {
		return Proved{}, fmt.Errorf("the log has that line, and it is no entry: %w", err)
	}
	return Proved{Campaign: strings.TrimPrefix(v.Name(), Origin("")), Index: p.Index, Size: cp.Size, Entry: e}, nil
}

// parseProof reads the lines before the checkpoint.
func parseProof(head string) (p Proof, err error) {
	lines := strings.Split(head, "\n")
	if lines[0] != proofVersion {
		return p, fmt.Errorf("it does not begin with %s", proofVersion)
	}
	extra, index := "", ""
	for len(lines) > 1 {
		key, value, _ := strings.Cut(lines[1], " ")
		switch {
		case key == "extra" && extra == "" && index == "":
			extra = value
		case key == "index" && index == "":
			index = value
		default:
			h, err := tlog.ParseHash(lines[1])
			if err != nil {
				return p, fmt.Errorf("a line is no hash: %w", err)
			}
			p.Hashes = append(p.Hashes, h)
		}
		lines = lines[1:]
	}
	if p.Index, err = strconv.ParseUint(index, 10, 63); err != nil {
		return p, errors.New("it names no entry by its index")
	}
	if p.Entry, err = base64.StdEncoding.DecodeString(extra); err != nil || len(p.Entry) == 0 {
		return p, errors.New("its extra line, which holds the entry, is missing or no base64")
	}
	return p, nil
}
