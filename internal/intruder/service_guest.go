package intruder

import (
	"encoding/binary"
	"net"
	"sync"
)

// guests hears whose session a file server gives, which the library tells
// nobody: SessionFlags of SMB2 SESSION_SETUP ([MS-SMB2] 2.2.6).
type guests struct {
	net.Conn

	mu    sync.Mutex
	head  []byte // of the message that is read: its length, its header and the flags
	left  int    // of the message that is read
	guest bool
}

const aboutGuests = 4 + 64 + 4

func (g *guests) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, b := range p[:max(n, 0)] {
		if len(g.head) < aboutGuests {
			g.head = append(g.head, b)
		}
		switch {
		case len(g.head) == 4 && g.left == 0:
			g.left = int(binary.BigEndian.Uint32(g.head) & 0xffffff)
		case len(g.head) >= 4:
			if g.left--; g.left == 0 {
				g.whole()
			}
		}
	}
	return n, err
}

func (g *guests) whole() {
	const setup, ofAnswer = 1, 9
	if m := g.head[4:]; len(m) == aboutGuests-4 && binary.LittleEndian.Uint16(m[12:]) == setup && m[64] == ofAnswer {
		g.guest = g.guest || binary.LittleEndian.Uint16(m[66:])&3 != 0
	}
	g.head = g.head[:0]
}

// isGuest reports whether a session is a guest's or nobody's.
func (g *guests) isGuest() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.guest
}
