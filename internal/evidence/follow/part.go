package follow

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"rollcall/internal/evidence/logfile"
)

// Line is one that was read. Its text holds until the next one.
type Line struct {
	Text    []byte
	Number  int
	TooLong bool // longer than logfile.MaxLine; Text is its beginning
	// Before: it was read before, or lies before where reading begins, and is
	// given for what later lines are joined with.
	Before bool
}

// part is one file on the disk, opened.
type part struct {
	file *os.File
	at   Position
	// begun bytes are read of a line without its end, which begins at
	// at.Offset; text is what is kept of them.
	begun   int64
	text    []byte
	tooLong bool
	buf     []byte
}

// openPart opens a file, from its beginning or from where at says.
func openPart(path string, at *Position) (*part, os.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s is no regular file: give a pipe as standard input (-)", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	if info, err = f.Stat(); err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	p := &part{file: f, buf: make([]byte, 1<<16)}
	if at != nil {
		p.at = *at
	}
	p.at.Device, p.at.Inode = identity(info)
	p.know()
	return p, info, nil
}

// ErrPacked refuses what is not written as text.
var ErrPacked = errors.New("it is packed, or no text of 8 bits: `rollcall evidence` reads it; what is followed has to be plain")

var notPlain = [][]byte{{0x1f, 0x8b}, {0xfd, '7', 'z', 'X', 'Z', 0}, {0x28, 0xb5, 0x2f, 0xfd}, []byte("BZh"), []byte("PK\x03\x04"), {0xff, 0xfe}, {0xfe, 0xff}}

// plain refuses packed files by their first bytes.
func (p *part) plain() error {
	head := make([]byte, 8)
	n, _ := p.file.ReadAt(head, 0)
	for _, magic := range notPlain {
		if bytes.HasPrefix(head[:n], magic) {
			return ErrPacked
		}
	}
	return nil
}

// is reports whether two are one file.
func (p *part) is(q *part) bool { return p.at.Device == q.at.Device && p.at.Inode == q.at.Inode }

// end is how far the file was read, with the line that is not whole.
func (p *part) end() int64 { return p.at.Offset + p.begun }

// read hands over whole lines, from about budget bytes at most and none from
// behind upTo. n is what was read of the file.
func (p *part) read(budget, upTo int64, take func(Line)) (n int64, err error) {
	for n < budget && p.end() < upTo {
		got, err := p.file.ReadAt(p.buf[:min(int64(len(p.buf)), upTo-p.end())], p.end())
		n += int64(got)
		p.lines(p.buf[:got], take)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// now is its position, with the file's size.
func (p *part) now() Position {
	at := p.at
	if info, err := p.file.Stat(); err == nil {
		at.Size = info.Size()
	}
	return at
}

// know takes the digest of the first bytes, as far as they were read.
func (p *part) know() {
	if want := int(min(p.end(), headLen)); want > p.at.HeadLen || p.at.Head == "" {
		p.at.HeadLen, p.at.Head = want, digest(p.file, want)
	}
}

// lines takes a piece of the file apart.
func (p *part) lines(piece []byte, take func(Line)) {
	for len(piece) > 0 {
		text, rest, whole := bytes.Cut(piece, []byte("\n"))
		line := text
		if p.begun > 0 || !whole {
			line = p.keep(text)
		}
		p.begun += int64(len(text))
		if !whole {
			return
		}
		p.give(line, 1, take)
		piece = rest
	}
}

// keep adds to a line that is not whole. What a writer leaves before a line
// that goes on at its old place in a file that was truncated is none of it.
func (p *part) keep(text []byte) []byte {
	if len(p.text) == 0 {
		text = bytes.TrimLeft(text, "\x00")
	}
	if room := logfile.MaxLine - len(p.text); len(text) > room {
		text, p.tooLong = text[:room], true
	}
	p.text = append(p.text, text...)
	return p.text
}

func (p *part) give(line []byte, end int64, take func(Line)) {
	p.at.Line++
	take(Line{Text: bytes.TrimSuffix(bytes.TrimLeft(line, "\x00"), []byte("\r")), Number: p.at.Line, TooLong: p.tooLong})
	p.at.Offset += p.begun + end
	p.begun, p.text, p.tooLong = 0, p.text[:0], false
}

// last hands over a line without its end: of a file to which nobody writes any
// more.
func (p *part) last(take func(Line)) {
	if p.begun > 0 {
		p.give(p.text, 0, take)
	}
}

// warm reads again what lies before the position: the first line, where first
// is said, and about limit bytes. It counts lines where the position has none.
func (p *part) warm(limit int64, first bool, take func(Line)) error {
	upTo := p.at.Offset
	if upTo == 0 {
		return nil
	}
	from := max(0, upTo-limit)
	if p.at.Line == 0 {
		n, err := p.count(0, upTo)
		if err != nil {
			return err
		}
		p.at.Line = n
	}
	if first && from > 0 {
		head := &part{file: p.file, buf: p.buf}
		got := false
		if _, err := head.read(logfile.MaxLine, upTo, func(l Line) {
			if !got {
				l.Before, got = true, true
				take(l)
			}
		}); err != nil {
			return err
		}
	}
	n, err := p.count(from, upTo)
	if err != nil {
		return err
	}
	again := &part{file: p.file, buf: p.buf, at: Position{Offset: from, Line: p.at.Line - n}}
	whole := from == 0
	_, err = again.read(limit+int64(len(p.buf)), upTo, func(l Line) {
		if l.Before = true; whole { // else it is the end of a line
			take(l)
		}
		whole = true
	})
	return err
}

// count counts the lines that end from one offset to another.
func (p *part) count(from, upTo int64) (n int, err error) {
	for from < upTo {
		got, err := p.file.ReadAt(p.buf[:min(int64(len(p.buf)), upTo-from)], from)
		if got == 0 {
			return n, err
		}
		n += bytes.Count(p.buf[:got], []byte("\n"))
		from += int64(got)
	}
	return n, nil
}

// atEnd sets the position behind the last whole line.
func (p *part) atEnd(size int64) error {
	p.at.Offset = size
	for at := size; at > max(0, size-logfile.MaxLine); {
		from := max(0, at-int64(len(p.buf)))
		got, err := p.file.ReadAt(p.buf[:at-from], from)
		if int64(got) < at-from {
			return err
		}
		if i := bytes.LastIndexByte(p.buf[:got], '\n'); i >= 0 {
			p.at.Offset = from + int64(i) + 1
			return nil
		}
		if at = from; at == 0 {
			p.at.Offset = 0
		}
	}
	return nil
}
