package lab

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// relay is a TCP hop on this machine: between a provider and its replica, where
// cutting it is how replication is paused, or to a server in another network
// namespace.
type relay struct {
	listener net.Listener
	dial     func() (net.Conn, error)
	lag      atomic.Int64 // nanoseconds by which the far end's bytes come later

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]struct{}
}

func newRelay(dial func() (net.Conn, error)) (*relay, error) {
	return newRelayAt("127.0.0.1:0", dial)
}

func newRelayAt(listen string, dial func() (net.Conn, error)) (*relay, error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("lab: listen for a hop: %w", err)
	}
	r := &relay{listener: l, dial: dial, conns: map[net.Conn]struct{}{}}
	go r.accept()
	return r, nil
}

func (r *relay) addr() string { return r.listener.Addr().String() }

func (r *relay) accept() {
	for {
		c, err := r.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		go r.carry(c)
	}
}

func (r *relay) carry(near net.Conn) {
	defer near.Close()
	if !r.keep(near) {
		return
	}
	defer r.drop(near)
	far, err := r.dial()
	if err != nil {
		return
	}
	defer far.Close()
	if !r.keep(far) {
		return
	}
	defer r.drop(far)
	done := make(chan struct{}, 2)
	go func() { _, _ = io.Copy(far, near); done <- struct{}{} }()
	go func() { r.copyLate(near, far); done <- struct{}{} }()
	<-done
}

// copyLate copies as io.Copy does, each piece so much later as the lag was when
// it came.
func (r *relay) copyLate(to io.Writer, from io.Reader) {
	type piece struct {
		data []byte
		due  time.Time
	}
	pieces := make(chan piece, 1<<16)
	go func() {
		defer close(pieces)
		for {
			data := make([]byte, 16<<10)
			n, err := from.Read(data)
			if n > 0 {
				pieces <- piece{data[:n], time.Now().Add(time.Duration(r.lag.Load()))}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range pieces {
		if wait := time.Until(p.due); wait > 0 {
			<-time.After(wait)
		}
		if _, err := to.Write(p.data); err != nil {
			return
		}
	}
}

// keep registers c so that a cut finds it; false when the hop is cut already.
func (r *relay) keep(c net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cut {
		return false
	}
	r.conns[c] = struct{}{}
	return true
}

func (r *relay) drop(c net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, c)
}

// setCut closes every connection and refuses new ones, or lets them pass again.
func (r *relay) setCut(cut bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = cut
	if cut {
		for c := range r.conns {
			_ = c.Close()
		}
	}
}

func (r *relay) close() {
	_ = r.listener.Close()
	r.setCut(true)
}
