// Package faultproxy stands in front of a real LDAP server, PostgreSQL or Vault
// in tests and breaks exactly one request, chosen by its number: it drops the
// request, drops the reply after the server applied it, cuts the connection, or
// holds the request for as long as the test wants. It understands where
// requests and replies begin and end, so a test that walks n = 1, 2, 3, … meets
// every gap between two calls.
//
// Requests are recorded by kind and target. Values, filters, bodies and query
// strings are not.
package faultproxy

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"rollcall/internal/lab"
)

// Fault is what happens to one request.
type Fault int

const (
	// DropRequest: the server never sees it and no answer ever comes; the
	// connection stays open, so the client must give up by itself.
	DropRequest Fault = iota + 1
	// DropReply: the server applies it and answers; the answer is swallowed
	// and the client's connection closed.
	DropReply
	// Cut: the client's connection is closed before the request is forwarded.
	Cut
	// Stall: the request, and what follows it on the same connection, waits
	// for Release and is then forwarded, whether or not the client still waits
	// for the answer.
	Stall
)

func (f Fault) String() string {
	return [...]string{"none", "drop request", "drop reply", "cut", "stall"}[f]
}

// Request is one request that reached the proxy.
type Request struct {
	N int // 1, 2, … since the start, in the order of arrival over all connections

	// Kind is the LDAP operation (bind, search, modify, add, delete, rename,
	// compare, extended), login or query of PostgreSQL, or the HTTP method,
	// with LIST for Vault's ?list=true.
	Kind string
	// Detail is the entry or search base, the OID of an extended operation, the
	// first words of statements, or the URL's path.
	Detail string
	// Applied says that a server's answer to it arrived at the proxy.
	Applied bool
	// Abandoned says that the client left while Pause held it, so that it was
	// never forwarded.
	Abandoned bool
}

func (r Request) String() string { return r.Kind + " " + r.Detail }

// Plan breaks one request.
type Plan struct {
	At    int                // the At-th match after Arm, from 1
	Fault Fault              //
	Match func(Request) bool // nil matches every request; must not call the Proxy
}

// Proxy is one listener in front of one server. All methods may be called at
// any time from any goroutine, except from within Plan.Match.
type Proxy struct {
	address  string
	scheme   string
	services func(net.Listener) service

	mu        sync.Mutex
	requests  []Request
	arrived   []time.Time // by request
	took      map[int]time.Duration
	plan      *Plan
	matched   int
	fired     int           // N of the request that the plan broke; 0 before
	released  chan struct{} // closed by Release
	flowing   chan struct{} // closed while not paused
	onRequest func(Request)
	onReply   func(Request)
	serving   service // nil while down
	closed    bool
}

// service is what runs between Up and Down.
type service interface {
	serve()
	close() // the listener and every connection; waits for no handler
}

func start(ctx context.Context, listen, scheme string, services func(*Proxy, net.Listener) service) (*Proxy, error) {
	p := &Proxy{scheme: scheme, took: map[int]time.Duration{}, released: make(chan struct{}), flowing: make(chan struct{})}
	close(p.flowing)
	p.services = func(l net.Listener) service { return services(p, l) }
	l, err := listenAt(listen)
	if err != nil {
		return nil, fmt.Errorf("fault proxy: %w", err)
	}
	p.address = l.Addr().String()
	p.begin(l)
	context.AfterFunc(ctx, p.Close)
	return p, nil
}

// listenAt listens. Any port (0) is one that nobody takes while the proxy is
// down: the kernel's choice would be one of those of outgoing connections.
func listenAt(address string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || port != "0" {
		return net.Listen("tcp", address)
	}
	for range 5 {
		var free int
		if free, err = lab.FreePort(); err != nil {
			return nil, err
		}
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(free))); err == nil {
			return l, nil
		}
	}
	return nil, err
}

func (p *Proxy) begin(l net.Listener) {
	p.serving = p.services(l)
	go p.serving.serve()
}

// URL is what clients connect to instead of the server.
func (p *Proxy) URL() string { return p.scheme + "://" + p.address }

// Arm sets the plan and forgets the one before it. Matches are counted from
// now.
func (p *Proxy) Arm(plan Plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan, p.matched, p.fired = &plan, 0, 0
}

// Disarm forgets the plan; what it already stalled stays stalled.
func (p *Proxy) Disarm() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan = nil
}

// Fired is the request that the plan last armed broke. ok is false while it
// waits, which tells a test that walks At upwards that it has passed the end.
func (p *Proxy) Fired() (r Request, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fired == 0 {
		return Request{}, false
	}
	return p.requests[p.fired-1], true
}

// Release lets all stalled requests go on. A later Stall waits for a later
// Release.
func (p *Proxy) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.released)
	p.released = make(chan struct{})
}

// Pause holds every request from now on; connections are still accepted.
func (p *Proxy) Pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.flowing:
		p.flowing = make(chan struct{})
	default:
	}
}

// Resume lets held requests go on, in no set order.
func (p *Proxy) Resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.flowing:
	default:
		close(p.flowing)
	}
}

// Down closes every connection and refuses new ones until Up.
func (p *Proxy) Down() {
	p.mu.Lock()
	s := p.serving
	p.serving = nil
	p.mu.Unlock()
	if s != nil {
		s.close()
	}
}

// Up listens again on the same port. The error means that something else took
// the port meanwhile.
func (p *Proxy) Up() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.serving != nil || p.closed {
		return nil
	}
	var l net.Listener
	var err error
	for wait := time.Millisecond; wait < 2*time.Second; wait *= 2 {
		if l, err = net.Listen("tcp", p.address); err == nil {
			p.begin(l)
			return nil
		}
		time.Sleep(wait) // an outgoing connection may sit on the port for a moment
	}
	return fmt.Errorf("fault proxy: up again: %w", err)
}

// Close ends the proxy. The end of the context it was started with does the
// same.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Down()
	p.Resume()
	p.Release()
}

// Took is how long a server had for a request until its last answer was here;
// zero before. A client may have given it up meanwhile.
func (p *Proxy) Took(r Request) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.took[r.N]
}

// Count is how many requests arrived since the start.
func (p *Proxy) Count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.requests)
}

// Requests is a copy of all that arrived since the start.
func (p *Proxy) Requests() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Request(nil), p.requests...)
}
