package lab

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// relay is a TCP hop on this machine: between a provider and its replica, where
// cutting it is how replication is paused, or to a server in another network
// namespace.
type relay struct {
	listener net.Listener
	dial     func() (net.Conn, error)

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
	go func() { _, _ = io.Copy(near, far); done <- struct{}{} }()
	<-done
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
