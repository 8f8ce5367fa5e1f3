package posted

import (
	"net"
	"net/netip"
	"sync"
)

// Connections at once: of all, and of one address, so that one of them shuts
// no other out.
const (
	mostConns  = 256
	mostOfAddr = 64
)

// limited is a listener of which more connections are closed at once.
type limited struct {
	net.Listener
	mu  sync.Mutex
	all int
	of  map[netip.Addr]int
}

func limit(l net.Listener) *limited { return &limited{Listener: l, of: map[netip.Addr]int{}} }

// Accept is that of net.Listener.
func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := network(c.RemoteAddr().String())
		if l.enter(from) {
			return &counting{Conn: c, left: func() { l.leave(from) }}, nil
		}
		_ = c.Close()
	}
}

func (l *limited) enter(from netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= mostConns || l.of[from] >= mostOfAddr {
		return false
	}
	l.all++
	l.of[from]++
	return true
}

func (l *limited) leave(from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.of[from]--; l.of[from] == 0 {
		delete(l.of, from)
	}
}

// counting is a connection that says when it ends.
type counting struct {
	net.Conn
	once sync.Once
	left func()
}

// Close is that of net.Conn.
func (c *counting) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.left)
	return err
}

// network is the address of a poster; of IPv6 the /64 in which it is, since who
// has one has all of these.
func network(remote string) netip.Addr {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	a := at.Addr().Unmap().WithZone("")
	if a.Is6() {
		if n, err := a.Prefix(64); err == nil {
			return n.Masked().Addr()
		}
	}
	return a
}
