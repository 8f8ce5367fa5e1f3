package faultproxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"
)

// StartLDAP listens on listen ("127.0.0.1:0" for any port) in front of target,
// an ldaps:// or ldap:// URL with a port. server is the certificate that
// clients see; nil listens without TLS (a StartTLS is then an extended request
// like any other and breaks, because the proxy cannot read on). client
// verifies an ldaps:// target. The proxy lives until ctx ends or Close.
func StartLDAP(ctx context.Context, listen, target string, server, client *tls.Config) (*Proxy, error) {
	u, err := url.Parse(target)
	if err != nil || u.Port() == "" || (u.Scheme != "ldaps" && u.Scheme != "ldap") {
		return nil, fmt.Errorf("fault proxy: target %q is not ldap(s)://host:port", target)
	}
	dial := func() (net.Conn, error) { return net.DialTimeout("tcp", u.Host, 10*time.Second) }
	if u.Scheme == "ldaps" {
		client = client.Clone()
		if client.ServerName == "" {
			client.ServerName = u.Hostname()
		}
		dial = func() (net.Conn, error) {
			return tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", u.Host, client)
		}
	}
	scheme := "ldap"
	if server != nil {
		scheme = "ldaps"
	}
	return start(ctx, listen, scheme, func(p *Proxy, l net.Listener) service {
		if server != nil {
			l = tls.NewListener(l, server)
		}
		return &ldapService{p: p, l: l, dial: dial}
	})
}

type ldapService struct {
	p    *Proxy
	l    net.Listener
	dial func() (net.Conn, error)
	conns
}

func (s *ldapService) serve() {
	for {
		c, err := s.l.Accept()
		if err != nil {
			return
		}
		go s.pair(c)
	}
}

func (s *ldapService) close() {
	_ = s.l.Close()
	s.closeAll()
}

// pair joins one client's connection with one of its own to the server.
func (s *ldapService) pair(client net.Conn) {
	defer s.remove(client)
	if !s.add(client) {
		return
	}
	server, err := s.dial()
	if err != nil {
		return // the client sees what it would see of a server that died: a closed connection
	}
	defer s.remove(server)
	if !s.add(server) {
		return
	}
	gone, cancel := context.WithCancel(context.Background())
	defer cancel()
	h := &hop{p: s.p, client: client, server: server, pending: map[int64]pending{}}
	var both sync.WaitGroup
	both.Go(func() {
		defer client.Close() // the server hung up, or the reply was dropped
		h.replies()
	})
	// A client that hangs up while its request is held must be noticed, so
	// reading runs ahead of forwarding.
	arriving := make(chan message, 64)
	both.Go(func() {
		defer cancel()
		defer close(arriving)
		r := bufio.NewReader(client)
		for {
			m, err := readMessage(r)
			if err != nil {
				return
			}
			arriving <- m
		}
	})
	h.forward(gone, arriving)
	_ = client.Close()
	_ = server.Close()
	for range arriving { // the reader may wait for room
	}
	both.Wait()
}

// hop is one client's connection.
type hop struct {
	p              *Proxy
	client, server net.Conn

	mu         sync.Mutex
	pending    map[int64]pending // by LDAP message id
	unanswered sync.WaitGroup    // counts pending
	deaf       bool              // no answer will come any more
}

type pending struct {
	Request
	fault Fault
}

// forward returns when the connection is to be closed.
func (h *hop) forward(gone context.Context, arriving <-chan message) {
	for m := range arriving {
		if !m.awaitsReply() {
			if _, err := h.server.Write(m.raw); err != nil {
				return
			}
			continue
		}
		r, f, ok := h.p.arrive(gone, m.kind(), m.detail())
		if !ok || f == Cut {
			return
		}
		if f == DropRequest {
			continue
		}
		if !h.expect(m.id, pending{r, f}) {
			return
		}
		if _, err := h.server.Write(m.raw); err != nil {
			return
		}
	}
	// Closing the server's side before it answered could abort an operation
	// that the test was promised to see applied.
	h.unanswered.Wait()
}

// expect notes that an answer is due; false when the server hung up.
func (h *hop) expect(id int64, p pending) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.deaf {
		return false
	}
	h.pending[id] = p
	h.unanswered.Add(1)
	return true
}

// replies returns when the connection is to be closed.
func (h *hop) replies() {
	r := bufio.NewReader(h.server)
	for {
		m, err := readMessage(r)
		if err != nil {
			h.mu.Lock()
			h.unanswered.Add(-len(h.pending))
			clear(h.pending)
			h.deaf = true
			h.mu.Unlock()
			return
		}
		h.mu.Lock()
		req, known := h.pending[m.id]
		h.mu.Unlock()
		done := known && m.last()
		if done {
			h.p.answered(req.Request)
		}
		if !known || req.fault != DropReply {
			// A failed write means that the client left; what it asked for
			// still comes to its end.
			_, _ = h.client.Write(m.raw)
		}
		if done {
			h.mu.Lock()
			delete(h.pending, m.id)
			h.mu.Unlock()
			h.unanswered.Done()
		}
		if done && req.fault == DropReply {
			_ = h.client.Close() // and read on, for the other requests' sake
		}
	}
}
