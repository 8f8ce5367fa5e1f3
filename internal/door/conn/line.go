package conn

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// longest is how long a line of a door may be. Those of the protocols of lines
// end before 1024 bytes.
const longest = 16 << 10

// errLine is a line that was not sent to its end, or has none. Its text says
// nothing: a code in it may have lost its other half.
var errLine = errors.New("a line without an end")

// Lines reads lines from a connection, for ReadLine.
func Lines(c io.Reader) *bufio.Reader { return bufio.NewReaderSize(c, longest) }

// ReadLine reads one whole line, without its end. net/textproto takes what
// came before the end of a connection for a line; here it is none, because
// "-ERR" may have been to become "-ERR [SYS/TEMP]". r is from Lines.
func ReadLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return "", errLine
	}
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(line), "\r\n"), nil
}

// Line is a text of a door's for people: one printable line, and short.
func Line(text string) string {
	out := strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, text))
	return out[:min(len(out), 80)]
}
