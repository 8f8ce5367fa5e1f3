package logfile

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
)

// summer hashes beside whoever reads: of two processors a log takes one.
type summer struct {
	in    chan []byte
	spare chan []byte
	sum   chan string
	over  bool
}

// blocks of a log that wait to be hashed.
const blocks = 4

func newSummer() *summer {
	s := &summer{in: make(chan []byte, blocks), spare: make(chan []byte, blocks), sum: make(chan string, 1)}
	for range blocks {
		s.spare <- nil
	}
	go func() {
		h := sha256.New()
		for block := range s.in {
			h.Write(block)
			s.spare <- block
		}
		s.sum <- hex.EncodeToString(h.Sum(nil))
	}()
	return s
}

func (s *summer) Write(p []byte) (int, error) {
	s.in <- append((<-s.spare)[:0], p...)
	return len(p), nil
}

// end lets the goroutine end. Nothing is written behind it.
func (s *summer) end() {
	if !s.over {
		s.over = true
		close(s.in)
	}
}

// OpenSummed is Open for who asks for the Digest in the end.
func OpenSummed(name string) (*File, error) { return open(name, newSummer()) }

// Digest is the SHA-256 of the file on the disk, byte for byte, and how many
// bytes these are, once all that it holds was read. Of a file that grows it is
// of what was read. It is asked for once, of what OpenSummed opened.
func (f *File) Digest() (sum string, size int64, err error) {
	if f.Packed != "" { // its decoder need not have read to the end
		if _, err := io.Copy(io.Discard, f.in); err != nil {
			return "", 0, err
		}
	}
	f.sum.end()
	return <-f.sum.sum, f.in.n, nil
}
