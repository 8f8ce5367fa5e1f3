package lab

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// namespace is a network namespace (network_namespaces(7)) with a loopback of
// its own, for servers whose ports cannot be chosen. It has no name in the file
// system: it ends with the last process that uses it, so a killed test leaves
// nothing behind.
type namespace struct{ file *os.File }

// newNamespace needs root (CAP_SYS_ADMIN).
func newNamespace() (*namespace, error) {
	n := &namespace{}
	err := elsewhere(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("lab: make a network namespace: %w (it needs root)", err)
		}
		if n.file, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			return fmt.Errorf("lab: open the network namespace: %w", err)
		}
		// Below the ports that a domain controller has for itself (49152 and
		// up): a connection that goes out from one of those, as to the
		// controller that it joins, would keep a service of its own from it,
		// without which it does not start (Samba 4.17.12). Where the setting
		// cannot be written that stays rare.
		_ = os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte("32768 49151"), 0o644)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := n.ip("link", "set", "lo", "up"); err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

// elsewhere runs f on a thread of its own that ends with it, whatever f does to
// that thread.
func elsewhere(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the runtime ends the thread
		done <- f()
	}()
	return <-done
}

func (n *namespace) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), n.file.Fd()) }

// do runs f on a thread in the namespace. A socket that it makes and a child
// that it starts stay there.
func (n *namespace) do(f func() error) error {
	return elsewhere(func() error {
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("lab: enter the network namespace: %w", err)
		}
		return f()
	})
}

// dial connects to addr as seen in the namespace.
func (n *namespace) dial(addr string) (conn net.Conn, err error) {
	err = n.do(func() (err error) {
		conn, err = net.Dial("tcp4", addr)
		return err
	})
	return conn, err
}

// ip runs ip(8) in the namespace.
func (n *namespace) ip(args ...string) error {
	return n.do(func() error {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("lab: ip %s: %w\n%s", strings.Join(args, " "), err, out)
		}
		return nil
	})
}

// link is the name of the cable's end in each of two namespaces.
const link = "dc0"

// connect lays a cable between two namespaces (veth(4)), with an address for
// each end. Neither end is ever seen outside them, so any number of pairs may
// use the same addresses, and the cable goes with either namespace.
func (n *namespace) connect(here string, other *namespace, there string) error {
	if err := n.ip("link", "add", link, "type", "veth", "peer", "name", link, "netns", other.path()); err != nil {
		return err
	}
	for _, end := range []struct {
		n    *namespace
		addr string
	}{{n, here}, {other, there}} {
		// Without a link-local address of IPv6, which Samba would publish.
		if err := end.n.ip("link", "set", link, "addrgenmode", "none"); err != nil {
			return err
		}
		if err := end.n.ip("address", "add", end.addr+"/30", "dev", link); err != nil {
			return err
		}
		if err := end.n.ip("link", "set", link, "up"); err != nil {
			return err
		}
	}
	return nil
}

// hangUp ends the TCP connections to addr at this end (ss(8) -K). Where the
// kernel cannot, they go on, and after a cut a server may wait for up to a
// minute before it gives one up.
func (n *namespace) hangUp(addr string) error {
	return n.do(func() error {
		if out, err := exec.Command("ss", "-K", "dst", addr).CombinedOutput(); err != nil {
			return fmt.Errorf("lab: ss -K dst %s: %w\n%s", addr, err, out)
		}
		return nil
	})
}

func (n *namespace) close() { _ = n.file.Close() }
