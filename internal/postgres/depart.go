package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// Where several connections are opened to see how many machines answer, the
// next one must not be turned away for want of a room that the last one was
// about to leave: who has no room may be another machine. A backend counts
// until it has ended, also one that turned its client away. On a busy server
// that takes seconds. One that has given its place back closes the connection
// last (socket_close in pqcomm.c): that is waited for.

// departure is how long a connection's end is waited for.
const departure = 10 * time.Second

type departs struct{}

// departingOnes has each connection that is opened with ctx be one whose Close
// waits until the server has ended it too, or ctx ends.
func departingOnes(ctx context.Context) context.Context {
	return context.WithValue(ctx, departs{}, ctx)
}

// departing is conn as ctx, in which it was opened, wants it.
func departing(ctx context.Context, conn net.Conn) net.Conn {
	all, ok := ctx.Value(departs{}).(context.Context)
	if !ok || conn == nil {
		return conn
	}
	return &departingConn{Conn: conn, login: ctx, all: all}
}

type departingConn struct {
	net.Conn
	login, all context.Context
	departed   bool
}

// speaks: a server that gave no answer to a login in its time will not say that
// it has ended it either.
func (c *departingConn) speaks() bool {
	return !errors.Is(c.login.Err(), context.DeadlineExceeded) && c.all.Err() == nil
}

func (c *departingConn) Close() error {
	if !c.departed && c.speaks() && c.SetDeadline(time.Now().Add(departure)) == nil {
		stop := context.AfterFunc(c.all, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
		_, _ = io.Copy(io.Discard, c.Conn)
		stop()
	}
	return c.Conn.Close()
}

// depart ends a session in an orderly way, and waits for its end, or that of
// ctx.
func (c *session) depart(ctx context.Context) {
	h, err := c.PgConn().Hijack()
	if err != nil {
		c.close(ctx)
		return
	}
	defer h.Conn.Close()
	below := h.Conn
	if secured, ok := below.(interface{ NetConn() net.Conn }); ok { // *tls.Conn
		below = secured.NetConn()
	}
	if d, ok := below.(*departingConn); ok {
		d.departed = true // it is waited for here
	}
	if h.Conn.SetDeadline(time.Now().Add(departure)) != nil {
		return
	}
	defer context.AfterFunc(ctx, func() { _ = h.Conn.SetDeadline(time.Unix(1, 0)) })()
	h.Frontend.Send(&pgproto3.Terminate{})
	if h.Frontend.Flush() == nil {
		_, _ = io.Copy(io.Discard, h.Conn)
	}
}
