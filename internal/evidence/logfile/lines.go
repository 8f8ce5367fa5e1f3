package logfile

import (
	"bufio"
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
}

// NewLines reads from a log.
func NewLines(from io.Reader) *Lines { return &Lines{in: bufio.NewReaderSize(from, 1<<16)} }

// Next is the next line without its end, and its number from 1 on. tooLong says
// that it was longer than MaxLine: line is then its beginning. io.EOF ends it.
func (l *Lines) Next() (line []byte, number int, tooLong bool, err error) {
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
