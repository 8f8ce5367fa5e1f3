package rotation

import (
	"errors"
	"sync"

	"rollcall/internal/protocol"
)

// maxUnanswered is how many proofs in a row may wait in vain for one server. It
// may take the whole of the directory's timeout each time.
const maxUnanswered = 3

// unresponsive counts, by server, how many proofs in a row had no answer.
type unresponsive struct {
	mu sync.Mutex
	by map[string]int
}

// of reports whether a server is not worth waiting for any more in this batch.
func (s *unresponsive) of(server string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.by[server] >= maxUnanswered
}

// heard notes how a proof on a server ended, and returns err.
func (s *unresponsive) heard(server string, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var stop *protocol.Stop
	if !errors.As(err, &stop) || stop.Reason != protocol.ReasonUnreachable {
		delete(s.by, server)
		return err
	}
	if s.by == nil {
		s.by = map[string]int{}
	}
	s.by[server]++
	return err
}
