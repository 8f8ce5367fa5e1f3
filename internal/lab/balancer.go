package lab

import (
	"net"
	"strings"
	"sync"
)

// Balancer is a TCP balancer: one address with several servers behind it, as
// companies put before their directories. Which of them a connection meets is
// the balancer's choice.
type Balancer struct {
	hop *relay

	mu   sync.Mutex
	to   []string
	next int
}

// StartBalancer listens at an address ("127.0.0.1:0" for any port) and passes
// connections on to servers, given as URLs or host:port, in turn.
func StartBalancer(listen string, servers ...string) (*Balancer, error) {
	b := &Balancer{}
	b.Behind(servers...)
	hop, err := newRelayAt(listen, func() (net.Conn, error) { return net.Dial("tcp", b.choose()) })
	if err != nil {
		return nil, err
	}
	b.hop = hop
	return b, nil
}

// Behind puts other servers behind the address, for connections from now on.
func (b *Balancer) Behind(servers ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.to = nil
	for _, s := range servers {
		b.to = append(b.to, strings.TrimPrefix(strings.TrimPrefix(s, "ldaps://"), "ldap://"))
	}
}

func (b *Balancer) choose() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next++
	return b.to[b.next%len(b.to)]
}

// Addr is where it listens.
func (b *Balancer) Addr() string { return b.hop.addr() }

// Close ends it and every connection.
func (b *Balancer) Close() { b.hop.close() }
