package watch

import (
	"bytes"
	"context"
	"errors"
	"io"

	"rollcall/internal/evidence/follow"
	"rollcall/internal/evidence/logfile"
)

// input is standard input, line by line: what a SIEM or a pipe hands over. Who
// writes it waits while lines are not read.
type input struct {
	lines chan follow.Line
	err   error // why it ended, once lines is closed; nil at its end
}

// maxAhead lines are read ahead of what is judged.
const maxAhead = 256

func readInput(ctx context.Context, from io.Reader) *input {
	in := &input{lines: make(chan follow.Line, maxAhead)}
	go func() {
		defer close(in.lines)
		lines := logfile.NewLines(from)
		for {
			text, n, tooLong, err := lines.Next()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					in.err = err
				}
				return
			}
			select {
			case in.lines <- follow.Line{Text: bytes.Clone(text), Number: n, TooLong: tooLong}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return in
}
