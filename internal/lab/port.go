package lab

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// FreePort returns a TCP port on 127.0.0.1 that nobody listens on, and that no
// other caller of FreePort gets while this process lives: test binaries run
// beside each other, and a server must not be taken for somebody else's that
// was quicker. A program that is none of the lab's can still take the port; a
// server that fails to bind should be started again on another one.
//
// The port lies below Linux's ephemeral range (32768 and up,
// ip_local_port_range in ip(7)): there, while a server is down, any outgoing
// connection could take it, even a client dialling the server itself. It lies
// below those of rollcall-engine too (15000 and up), which knows of no claims:
// one that starts takes four of them, of which another server's that is down,
// or about to start, must be none.
func FreePort() (int, error) {
	return freePort("tcp", func(address string) error {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return err
		}
		return l.Close()
	})
}

// freeUDPPort is FreePort for UDP.
func freeUDPPort() (int, error) {
	return freePort("udp", func(address string) error {
		c, err := net.ListenPacket("udp", address)
		if err != nil {
			return err
		}
		return c.Close()
	})
}

// Between the ports of services that people know and those of rollcall-engine
// (engine/ports.go).
const portsFrom, portsTo = 9000, 15000

func freePort(network string, free func(address string) error) (int, error) {
	for range 100 {
		port := portsFrom + rand.IntN(portsTo-portsFrom)
		claim, err := claimPort(network, port)
		if err != nil {
			continue
		}
		if free(fmt.Sprintf("127.0.0.1:%d", port)) != nil {
			_ = claim.Close()
			continue
		}
		claimed.Lock()
		claimed.ports = append(claimed.ports, claim)
		claimed.Unlock()
		return port, nil
	}
	return 0, fmt.Errorf("lab: 100 %s ports between %d and %d on 127.0.0.1 are all taken", network, portsFrom, portsTo)
}

// claimed holds this process's claims until it ends.
var claimed struct {
	sync.Mutex
	ports []net.Listener
}

// claimPort says to every other process of this machine (of this network
// namespace) that a port is spoken for. The claim is a socket with a name in no
// file system (unix(7), "abstract"): whoever ends gives it back, also when
// killed.
func claimPort(network string, port int) (net.Listener, error) {
	return net.Listen("unix", fmt.Sprintf("@rollcall-lab-%s-%d", network, port))
}
