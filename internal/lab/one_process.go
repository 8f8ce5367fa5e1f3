package lab

import (
	"context"
	"sync"
)

// oneProcess is the process of a server that is one process, for its type to
// have.
type oneProcess struct {
	mu   sync.Mutex
	proc *Process
}

// Process is the server's process, to pause or resume it; nil before it was
// started. What it started for who is connected is not paused with it.
func (r *oneProcess) Process() *Process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.proc
}

// Stop ends the server.
func (r *oneProcess) Stop(ctx context.Context) error {
	p := r.Process()
	if p == nil {
		return nil
	}
	return p.Stop(ctx)
}
