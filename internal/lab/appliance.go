package lab

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Appliance is a device on the network, at one port of one address of this
// machine: it answers, or it is silent as one behind a firewall that drops. On
// loopback a port without a listener refuses, so silence is a queue of
// connections that is full and that nobody takes from: Linux then drops a SYN
// (tcp(7), tcp_abort_on_overflow).
type Appliance struct {
	Address string
	Port    int

	listener net.Listener
	mu       sync.Mutex
	filled   []net.Conn    // what fills the queue; nil while it answers
	stop     chan struct{} // of the one that takes from it
	stopped  chan struct{}
}

// StartAppliance gives a silent one at a free port of an address.
func StartAppliance(address string) (*Appliance, error) {
	at, err := netip.ParseAddr(address)
	if err != nil {
		return nil, err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("lab: a socket for an appliance: %w", err)
	}
	file := os.NewFile(uintptr(fd), "appliance")
	defer file.Close()
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: at.As4()}); err != nil {
		return nil, fmt.Errorf("lab: an appliance at %s: %w", address, err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		return nil, fmt.Errorf("lab: an appliance at %s: %w", address, err)
	}
	l, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("lab: an appliance at %s: %w", address, err)
	}
	a := &Appliance{Address: address, Port: l.Addr().(*net.TCPAddr).Port, listener: l}
	return a, a.Silence()
}

// Answer takes every connection from now on.
func (a *Appliance) Answer() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stop != nil {
		return
	}
	// Who asks at once finds room: a SYN that is dropped comes again a second
	// later.
	if l, ok := a.listener.(*net.TCPListener); ok {
		_ = l.SetDeadline(time.Now().Add(10 * time.Second))
		for _, c := range a.filled {
			_ = c.Close()
			if taken, err := l.Accept(); err == nil {
				_ = taken.Close()
			}
		}
		_ = l.SetDeadline(time.Time{})
	}
	a.filled, a.stop, a.stopped = nil, make(chan struct{}), make(chan struct{})
	go func(stop, stopped chan struct{}) {
		defer close(stopped)
		for {
			c, err := a.listener.Accept()
			if err == nil {
				_ = c.Close()
			}
			select {
			case <-stop:
				return
			default:
			}
			if err != nil {
				return
			}
		}
	}(a.stop, a.stopped)
}

// Silence answers nothing from now on.
func (a *Appliance) Silence() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stop != nil {
		close(a.stop)
		if c, err := net.Dial("tcp", a.listener.Addr().String()); err == nil { // so that it looks
			_ = c.Close()
		}
		<-a.stopped
		a.stop = nil
	}
	for range 1000 {
		full, err := a.full()
		if full || err != nil {
			return err
		}
		// One that takes longer has met a full queue, or a busy machine.
		c, err := net.DialTimeout("tcp", a.listener.Addr().String(), 200*time.Millisecond)
		if err == nil {
			a.filled = append(a.filled, c)
		}
	}
	return fmt.Errorf("lab: the appliance at %s takes connections although nobody takes them from it", a.Address)
}

// full reports whether the queue is, by the kernel's own count (tcp(7),
// TCP_INFO): of a socket that listens, tcpi_unacked is how many connections are
// in it and tcpi_sacked how many may be, of which Linux takes one more.
func (a *Appliance) full() (is bool, err error) {
	raw, err := a.listener.(*net.TCPListener).SyscallConn()
	if err != nil {
		return false, err
	}
	var info *unix.TCPInfo
	var asked error
	if err := raw.Control(func(fd uintptr) { info, asked = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }); err != nil {
		return false, err
	}
	if asked != nil {
		return false, fmt.Errorf("lab: the queue of the appliance at %s: %w", a.Address, asked)
	}
	return info.Unacked > info.Sacked, nil
}

// Close takes it off the network: its port refuses from then on.
func (a *Appliance) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stop != nil {
		close(a.stop)
		a.stop = nil
	}
	_ = a.listener.Close()
	for _, c := range a.filled {
		_ = c.Close()
	}
	a.filled = nil
}
