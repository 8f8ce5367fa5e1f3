package postgres

import (
	"io"

	"github.com/jackc/pgx/v5/pgproto3"
)

// pausing holds a login back when the server's challenge is there: at is closed
// then, and it goes on when goOn is.
func pausing(at chan<- struct{}, goOn <-chan struct{}) func(io.Reader, io.Writer) *pgproto3.Frontend {
	return func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		return pgproto3.NewFrontend(r, &pausedWriter{w: w, at: at, goOn: goOn})
	}
}

// pausedWriter holds the third message back: startup, SASLInitialResponse,
// SASLResponse.
type pausedWriter struct {
	w    io.Writer
	n    int
	at   chan<- struct{}
	goOn <-chan struct{}
}

func (p *pausedWriter) Write(b []byte) (int, error) {
	if p.n++; p.n == 3 {
		close(p.at)
		<-p.goOn
	}
	return p.w.Write(b)
}
