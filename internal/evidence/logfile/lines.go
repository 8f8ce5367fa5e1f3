package logfile

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// MaxLine is the longest line that is read. What is longer is skipped to its
// end, and told.
const MaxLine = 1 << 20

// Lines goes through a log line by line. The text of a line holds until the
// next one is asked for.
type Lines struct {
	in     *bufio.Reader
	number int
	long   []byte
	// events of Windows as XML may stand on one line, all of them: such a log
	// is parted behind each event too.
	events bool
	begun  bool // a line, of which a part was given
}

// NewLines reads from a log.
func NewLines(from io.Reader) *Lines {
	l := &Lines{in: bufio.NewReaderSize(from, 1<<16)}
	head, _ := l.in.Peek(8)
	if bytes.HasPrefix(head, []byte("<?xml")) || bytes.HasPrefix(head, []byte("<Event")) {
		l.in, l.events = bufio.NewReaderSize(l.in, MaxLine), true
	}
	return l
}

// Next is the next line without its end, and its number from 1 on. tooLong says
// that it was longer than MaxLine: line is then its beginning. io.EOF ends it.
func (l *Lines) Next() (line []byte, number int, tooLong bool, err error) {
	if l.events {
		return l.nextEvent()
	}
	part, err := l.in.ReadSlice('\n')
	if len(part) == 0 && err != nil {
		return nil, l.number, false, err
	}
	l.number++
	if !errors.Is(err, bufio.ErrBufferFull) {
		return chomp(part), l.number, false, ended(err)
	}
	l.long = append(l.long[:0], part...)
	for errors.Is(err, bufio.ErrBufferFull) {
		part, err = l.in.ReadSlice('\n')
		if len(l.long)+len(part) <= MaxLine {
			l.long = append(l.long, part...)
		} else {
			tooLong = true
		}
	}
	return chomp(l.long), l.number, tooLong, ended(err)
}

var endOfEvent = []byte("</Event>")

// nextEvent is Next for events: a part ends with its line, or behind an event.
func (l *Lines) nextEvent() (part []byte, number int, tooLong bool, err error) {
	for seen, want := 0, 1; ; {
		buf, err := l.in.Peek(min(want, MaxLine))
		if n := l.in.Buffered(); n > len(buf) {
			buf, _ = l.in.Peek(n)
		}
		end := partEnd(buf, max(0, seen-len(endOfEvent)))
		if errors.Is(err, io.EOF) && end == 0 {
			end, err = len(buf), nil // what the file ends with
			if end == 0 {
				return nil, l.number, false, io.EOF
			}
		}
		switch {
		case end > 0:
			going := l.begun
			part = l.part(end)
			if going && len(part) == 0 { // the end of a line whose event was given
				seen, want = 0, 1
				continue
			}
			return part, l.number, tooLong, nil
		case err != nil:
			return nil, l.number, false, err
		case len(buf) >= MaxLine: // let go, but for what may be half an end
			tooLong, seen, want = true, 0, len(endOfEvent)
			_, _ = l.in.Discard(len(buf) - len(endOfEvent) + 1)
		default:
			seen, want = len(buf), len(buf)+1
		}
	}
}

// part takes the next bytes, and counts the line if they begin one.
func (l *Lines) part(n int) []byte {
	part, _ := l.in.Peek(n)
	_, _ = l.in.Discard(n)
	if !l.begun {
		l.number++
	}
	l.begun = part[n-1] != '\n'
	return chomp(part)
}

// partEnd is where a part ends, behind its end; 0 if not in it.
func partEnd(buf []byte, from int) int {
	text := buf[from:]
	line := bytes.IndexByte(text, '\n') + 1
	if line > 0 {
		text = text[:line]
	}
	if i := indexEnd(text); i >= 0 {
		return from + i
	}
	if line > 0 {
		return from + line
	}
	return 0
}

// indexEnd is where the first end of an event ends; -1 is nowhere. It looks for
// the v, since an event has more of every other of its bytes.
func indexEnd(text []byte) int {
	const before, after = len("</E"), len("vent>")
	for at := 0; ; {
		i := bytes.IndexByte(text[at:], 'v')
		if i < 0 {
			return -1
		}
		at += i
		if at >= before && bytes.HasPrefix(text[at-before:], endOfEvent) {
			return at + after
		}
		at++
	}
}

// ended keeps the end of the file for the next call: a last line without an end
// is a line.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func chomp(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line
}
