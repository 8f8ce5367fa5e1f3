package directory

import (
	"context"
	"sync"
)

// pool holds at most size connections to one server, used by one operation at
// a time. The last one returned is the next one taken, so that a small load
// keeps few connections warm.
type pool struct {
	dial func(context.Context) (*conn, error)
	busy chan struct{} // one token for each connection in use

	mu     sync.Mutex
	idle   []*conn
	closed bool
}

func newPool(size int, dial func(context.Context) (*conn, error)) *pool {
	return &pool{dial: dial, busy: make(chan struct{}, size)}
}

// use runs f with a connection of its own. A connection that f broke is
// dropped.
func (p *pool) use(ctx context.Context, f func(*conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case p.busy <- struct{}{}:
		defer func() { <-p.busy }()
	case <-ctx.Done():
		return ctx.Err()
	}
	c := p.take()
	if c == nil {
		var err error
		if c, err = p.dial(ctx); err != nil {
			return err
		}
	}
	defer p.put(c)
	return f(c)
}

// useTwice is use for reads: if a connection from the pool turns out to be
// broken, f runs once more on a new one.
func (p *pool) useTwice(ctx context.Context, f func(*conn) error) error {
	for {
		reused := false
		err := p.use(ctx, func(c *conn) error {
			reused = c.used
			return f(c)
		})
		if err == nil || !reused || !IsUnreachable(err) || ctx.Err() != nil {
			return err
		}
	}
}

// take returns an idle connection that looks alive, or nil.
func (p *pool) take() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 {
		c := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		if c.alive() {
			return c
		}
		c.close()
	}
	return nil
}

func (p *pool) put(c *conn) {
	c.used = true
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || !c.alive() {
		c.close()
		return
	}
	p.idle = append(p.idle, c)
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.idle {
		c.close()
	}
	p.idle = nil
}
