package faultproxy

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"strings"
	"sync"
)

// postgresHop is one client's connection. Answers come in the order of the
// requests.
type postgresHop struct {
	p              *Proxy
	client, server net.Conn

	mu         sync.Mutex
	pending    []pending // the first is the login
	unanswered sync.WaitGroup
	deaf       bool // no answer will come any more
	loggedIn   bool
}

// group is what a client sends up to the message that is answered.
type group struct {
	raw    []byte
	kind   string
	detail string
}

// join takes the connection to its end.
func (h *postgresHop) join(startup []byte) {
	gone, cancel := context.WithCancel(context.Background())
	defer cancel()
	var both sync.WaitGroup
	both.Go(func() {
		defer h.client.Close() // the server hung up, or the reply was dropped
		h.replies()
	})
	arriving := make(chan group, 64)
	both.Go(func() {
		defer cancel()
		defer close(arriving)
		arriving <- group{startup, "login", ""}
		h.read(arriving)
		h.mu.Lock()
		defer h.mu.Unlock()
		if !h.loggedIn { // it waits for a client that is gone
			_ = h.server.Close()
		}
	})
	h.forward(gone, arriving)
	_ = h.client.Close()
	_ = h.server.Close()
	for range arriving { // the reader may wait for room
	}
	both.Wait()
}

// read puts together what is answered as one. What a login goes on with has no
// kind: it belongs to the login.
func (h *postgresHop) read(arriving chan<- group) {
	r := bufio.NewReader(h.client)
	var g group
	var said []string
	for {
		m, err := readTyped(r)
		if err != nil {
			return
		}
		g.raw = append(g.raw, m...)
		switch m[0] {
		case 'Q':
			said = append(said, statement(m[5:]))
		case 'P': // the name of what is prepared comes first
			if _, text, ok := bytes.Cut(m[5:], []byte{0}); ok {
				said = append(said, statement(text))
			}
		}
		switch m[0] {
		case 'Q', 'S', 'F':
			g.kind, g.detail = "query", strings.Join(said, "; ")
		case 'p', 'X':
		default:
			continue
		}
		arriving <- g
		g, said = group{}, nil
	}
}

// statement is the first word of a text, or two where the second is a keyword
// as well: the rest may hold names and secrets.
func statement(text []byte) string {
	text, _, _ = bytes.Cut(text, []byte{0})
	words := strings.Fields(string(text))
	switch {
	case len(words) == 0:
		return ""
	case len(words) > 1 && words[0] == "ALTER" && words[1] == "ROLE":
		return "ALTER ROLE"
	}
	return words[0]
}

// forward returns when the connection is to be closed.
func (h *postgresHop) forward(gone context.Context, arriving <-chan group) {
	for g := range arriving {
		if g.kind == "" {
			if _, err := h.server.Write(g.raw); err != nil {
				return
			}
			continue
		}
		r, f, ok := h.p.arrive(gone, g.kind, g.detail)
		if !ok || f == Cut {
			return
		}
		if f == DropRequest {
			continue
		}
		if !h.expect(pending{r, f}) {
			return
		}
		if _, err := h.server.Write(g.raw); err != nil {
			return
		}
	}
	// Closing the server's side before it answered could abort an operation
	// that the test was promised to see applied.
	h.unanswered.Wait()
}

func (h *postgresHop) expect(p pending) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.deaf {
		return false
	}
	h.pending = append(h.pending, p)
	h.unanswered.Add(1)
	return true
}

// replies returns when the connection is to be closed.
func (h *postgresHop) replies() {
	r := bufio.NewReader(h.server)
	answered := false // the login: what comes from here on is its last reply
	for {
		m, err := readTyped(r)
		h.mu.Lock()
		if err != nil {
			h.unanswered.Add(-len(h.pending))
			h.pending, h.deaf = nil, true
			h.mu.Unlock()
			return
		}
		var req pending
		due := len(h.pending) > 0
		if due {
			req = h.pending[0]
		}
		login := !h.loggedIn
		if login {
			answered = answered || m[0] == 'E' || m[0] == 'R' && binary.BigEndian.Uint32(m[5:]) == 0 // AuthenticationOk
		}
		done := due && (m[0] == 'Z' || login && m[0] == 'E')
		h.loggedIn = h.loggedIn || m[0] == 'Z'
		h.mu.Unlock()
		if done {
			h.p.answered(req.Request)
		}
		if !due || req.fault != DropReply || login && !answered {
			// A failed write means that the client left; what it asked for
			// still comes to its end.
			_, _ = h.client.Write(m)
		}
		if !done {
			continue
		}
		h.mu.Lock()
		h.pending = h.pending[1:]
		h.mu.Unlock()
		h.unanswered.Done()
		if req.fault == DropReply {
			_ = h.client.Close() // and read on, for the other requests' sake
		}
	}
}
