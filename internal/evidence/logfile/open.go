// Package logfile reads logs as they lie around: plain or compressed, of any
// length, in constant memory. It knows no format of a log.
package logfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// Bounds on what a compressed file may make of itself.
const (
	// MaxRatio between what came out and what went in, beyond FreeBytes. Logs
	// are packed at 10 to 50 to 1; a bomb comes to a thousand and more.
	MaxRatio = 400
	// FreeBytes may come out of any file.
	FreeBytes = 64 << 20
	// maxWindow is the memory that a file may ask of its decoder.
	maxWindow = 128 << 20
)

// ErrBomb: a compressed file expands to more than logs do.
var ErrBomb = errors.New("it expands to more than a log does")

// File is an opened log. Close it.
type File struct {
	Name   string
	Packed string // "", "gzip", "xz" or "zstd"

	file *os.File
	in   *counter
	sum  *summer // nil where nobody asks for the digest
	out  io.Reader
	text io.Reader // out, as UTF-8
	free func()
	n    int64
}

type counter struct {
	from io.Reader
	to   *summer
	n    int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n += int64(n)
	if c.to != nil {
		_, _ = c.to.Write(p[:n]) // it takes all
	}
	return n, err
}

// Open opens a file, and unpacks it where it is packed: by its first bytes, not
// by its name. A folder, a device and a pipe are refused.
func Open(name string) (*File, error) { return open(name, nil) }

func open(name string, sum *summer) (f *File, err error) {
	defer func() {
		if err != nil && sum != nil {
			sum.end()
		}
	}()
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file", name)
	case info.Size() == 0:
		return nil, fmt.Errorf("%s is empty: an empty log says nothing, not even that nothing happened; leave it out, and its time is shown as a gap", name)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	f = &File{Name: name, file: file, in: &counter{from: file, to: sum}, sum: sum, free: func() {}}
	if err := f.unpack(); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := f.decode(); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

// decode looks whether it is UTF-16, as Windows writes, by its first bytes. A
// mark of UTF-8 is left out.
func (f *File) decode() error {
	in := bufio.NewReaderSize(unpacked{f}, 1<<16)
	const magic = 257 // of a tar's first header (POSIX, ustar)
	head, err := in.Peek(magic + len("ustar"))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	f.text = in
	switch {
	case len(head) > magic && string(head[magic:]) == "ustar":
		return errors.New("it is a tar archive, with a header before each file: unpack it and give its files")
	case f.Packed != "" && bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return errors.New("it is packed twice: unpack it once")
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}):
		f.text = transform.NewReader(in, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder())
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		f.text = transform.NewReader(in, unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewDecoder())
	case bytes.HasPrefix(head, []byte{0xef, 0xbb, 0xbf}):
		_, err = in.Discard(3)
		return err
	}
	return nil
}

func (f *File) unpack() error {
	in := bufio.NewReaderSize(f.in, 1<<16)
	head, err := in.Peek(6)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		f.Packed = "gzip"
		f.out, err = gzip.NewReader(in)
	case bytes.HasPrefix(head, []byte{0xfd, '7', 'z', 'X', 'Z', 0}):
		f.Packed = "xz"
		if err := smallXZ(in); err != nil {
			return err
		}
		f.out, err = xz.NewReader(in)
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		f.Packed = "zstd"
		var d *zstd.Decoder
		d, err = zstd.NewReader(in, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(1))
		if err == nil {
			f.out, f.free = d, d.Close
		}
	case bytes.HasPrefix(head, []byte("BZh")):
		return errors.New("it is packed with bzip2, which Rollcall does not unpack: unpack it first")
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return errors.New("it is a ZIP archive: unpack it and give its files")
	default:
		f.out, err = in, nil
	}
	return err
}

// smallXZ refuses what asks for more memory than maxWindow: the first block's
// header (section 3.1 of the .xz file format) names the dictionary of LZMA2. A
// block behind it that asks for more gets no more than it fills, which the
// ratio bounds.
func smallXZ(in *bufio.Reader) error {
	head, _ := in.Peek(12 + 64)
	if len(head) < 12+8 {
		return nil // too short for a block: the decoder says what is wrong
	}
	flags, rest := head[13], head[14:]
	for _, size := range []byte{0x40, 0x80} { // sizes that may stand before the filter
		for flags&size != 0 && len(rest) > 0 {
			more := rest[0]&0x80 != 0
			rest = rest[1:]
			if !more {
				break
			}
		}
	}
	if len(rest) > 2 && rest[0] == 0x21 && rest[1] == 1 && dictionary(rest[2]) > maxWindow {
		return fmt.Errorf("it asks for %d MiB of memory to be unpacked", dictionary(rest[2])>>20)
	}
	return nil
}

// dictionary is the size that a byte of LZMA2's properties stands for.
func dictionary(bits byte) int64 {
	if bits >= 40 {
		return 1<<32 - 1
	}
	return int64(2|bits&1) << (bits/2 + 11)
}

// Read gives what the file holds, unpacked, in UTF-8.
func (f *File) Read(p []byte) (int, error) { return f.text.Read(p) }

// unpacked is what a file holds, as its bytes.
type unpacked struct{ *File }

func (f unpacked) Read(p []byte) (int, error) {
	n, err := f.out.Read(p)
	f.n += int64(n)
	if f.Packed != "" && f.n > FreeBytes && f.n/MaxRatio > f.in.n {
		return n, fmt.Errorf("%w: %d MiB out of %d KiB. Unpack it where there is room, look at it, and give what it holds", ErrBomb, f.n>>20, f.in.n>>10)
	}
	return n, err
}

// Taken is how much of the file on the disk was read.
func (f *File) Taken() int64 { return f.in.n }

// Close ends it.
func (f *File) Close() error {
	f.free()
	if f.sum != nil {
		f.sum.end()
	}
	return f.file.Close()
}
