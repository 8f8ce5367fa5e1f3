package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// pool holds at most size sessions of one identity at one server, used by one
// operation at a time. The last one returned is the next one taken.
type pool struct {
	dial func(context.Context) (*session, error)
	busy chan struct{}

	mu     sync.Mutex
	idle   []*session
	closed bool
}

func newPool(size int, dial func(context.Context) (*session, error)) *pool {
	return &pool{dial: dial, busy: make(chan struct{}, size)}
}

// use runs f with a session of its own; twice: once more on a new one if the
// session came from the pool and turns out to be broken.
func (p *pool) use(ctx context.Context, twice bool, f func(*session) error) error {
	for {
		reused, err := p.once(ctx, f)
		if err == nil || !twice || !reused || !IsUnreachable(err) || ctx.Err() != nil {
			return err
		}
	}
}

func (p *pool) once(ctx context.Context, f func(*session) error) (reused bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	select {
	case p.busy <- struct{}{}:
		defer func() { <-p.busy }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	c := p.take(ctx)
	if c == nil {
		if c, err = p.dial(ctx); err != nil {
			return false, err
		}
	}
	reused = c.used
	defer p.put(ctx, c)
	return reused, f(c)
}

// take returns an idle session that looks alive, or nil.
func (p *pool) take(ctx context.Context) *session {
	for {
		p.mu.Lock()
		if len(p.idle) == 0 {
			p.mu.Unlock()
			return nil
		}
		c := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		p.mu.Unlock()
		if !c.IsClosed() && c.quiet() {
			return c
		}
		c.close(ctx)
	}
}

// quiet reports whether the server has sent nothing since the last operation,
// and not hung up: what one that goes says is there to be read, and a change
// must not be sent into that. Asking it would cost a round trip and say no more
// of the next moment.
//
// It waits for nobody: pgx reads in the background where a write takes longer
// than some milliseconds, and goes on waiting for a byte after it. That read
// holds the connection's lock for reads, so this must not take it.
func (c *session) quiet() bool {
	wire, ok := c.PgConn().Conn().(*tls.Conn)
	if !ok {
		return false
	}
	tcp, ok := wire.NetConn().(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return false
	}
	var peeked error
	err = raw.Control(func(fd uintptr) {
		_, _, peeked = unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
	})
	return err == nil && errors.Is(peeked, unix.EAGAIN)
}

// put keeps a session that is as it was when it was new.
func (p *pool) put(ctx context.Context, c *session) {
	c.used = true
	p.mu.Lock()
	if !p.closed && !c.IsClosed() && c.PgConn().TxStatus() == 'I' {
		p.idle = append(p.idle, c)
		c = nil
	}
	p.mu.Unlock()
	if c != nil {
		c.close(ctx)
	}
}

// drop closes the idle sessions.
func (p *pool) drop() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, c := range idle {
		c.close(context.Background())
	}
}

func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.drop()
}
