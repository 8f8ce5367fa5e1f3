package ledger

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

// MaxEntrySize is the most bytes one entry may have as JSON: an entry's
// length is a 16-bit number in C2SP tlog-tiles entry bundles.
const MaxEntrySize = 1<<16 - 1

// encode writes an entry as the log holds it: one line of JSON, without the
// newline. The same entry gives the same bytes.
func encode(e Entry) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // DNs and filters stay readable
	if err := enc.Encode(e); err != nil {
		return nil, fmt.Errorf("%w %q: %v", ErrInvalid, e.ID, err)
	}
	line := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if len(line) > MaxEntrySize {
		return nil, fmt.Errorf("%w: %q has %d bytes as JSON, at most %d fit; shorten its detail, reasons or evidence",
			ErrInvalid, e.ID, len(line), MaxEntrySize)
	}
	return line, nil
}

// ParseEntry reads one entry as the log holds it. It refuses what is not
// exactly one JSON object with an id, a campaign, an event and a time; it
// does not judge whether the event is known (Verify does).
func ParseEntry(line []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(line, &e); err != nil {
		if dec := json.NewDecoder(bytes.NewReader(line)); dec.Decode(&Entry{}) == nil {
			return Entry{}, errors.New("not a ledger entry: something follows the JSON object")
		}
		return Entry{}, fmt.Errorf("not a ledger entry: %w", err)
	}
	switch {
	case e.ID == "":
		return Entry{}, errors.New("not a ledger entry: no id")
	case e.Campaign == "":
		return Entry{}, errors.New("not a ledger entry: no campaign")
	case e.Event == "":
		return Entry{}, errors.New("not a ledger entry: no event")
	case e.At.IsZero():
		return Entry{}, errors.New("not a ledger entry: no time")
	}
	return e, nil
}

// canonical reports whether line is what this version writes for e. Anything
// else (a key twice, an unknown key) could be read differently by two readers.
func canonical(line []byte, e Entry) bool {
	again, err := encode(e)
	return err == nil && bytes.Equal(line, again)
}

// splitBundle takes a C2SP tlog-tiles entry bundle apart: each entry is
// preceded by its length as a big-endian 16-bit number.
func splitBundle(b []byte) ([][]byte, error) {
	var lines [][]byte
	for len(b) > 0 {
		if len(b) < 2 {
			return nil, errors.New("entry bundle ends within a length")
		}
		n := int(binary.BigEndian.Uint16(b))
		if len(b) < 2+n {
			return nil, fmt.Errorf("entry bundle ends within an entry: %d of %d bytes", len(b)-2, n)
		}
		lines = append(lines, b[2:2+n])
		b = b[2+n:]
	}
	return lines, nil
}
