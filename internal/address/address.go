// Package address turns the names of servers into the addresses at which they
// are dialled: a server is an address, found when the roll is listed, and a
// name with several addresses is several servers (docs/architecture.md).
package address

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"rollcall/config"
	"rollcall/internal/authority"
)

// Server is one that a campaign file names, or that was found.
type Server struct {
	Name    string // as config.ServerAt writes it
	Host    string
	Port    string
	Address string // where it is dialled, if that is known
}

// Patience suits the look-ups for one name: a resolver waits 5 s for a name
// server before it asks the next one (resolv.conf(5)).
const Patience = 15 * time.Second

// Finder asks DNS. The zero value asks the system's resolver without a limit.
type Finder struct {
	Resolver *net.Resolver // nil is the system's
	Timeout  time.Duration // of the look-ups for one name
}

// Add takes a server into found, by all its addresses. One without an address
// stays on the list: it keeps credentials open until it is reached, or a person
// leaves it out. An error means that ctx has ended.
func (f Finder) Add(ctx context.Context, found *authority.Found, s Server) error {
	if _, literal := netip.ParseAddr(s.Host); s.Address != "" || literal == nil {
		take(found, s.Name, "")
		return nil
	}
	all, err := f.Of(ctx, s.Host)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("look for the address of %s: %w", s.Host, ctx.Err())
	case err != nil:
		found.Notes = append(found.Notes, fmt.Sprintf("%s: its name has no address now (%v); it stays a server, and what is not proved there stays open", s.Name, err))
		take(found, s.Name, "")
		return nil
	}
	twin, left := loopback(ctx, all, s.Port)
	switch {
	case len(left) > 0 && twin.IsValid():
		found.Notes = append(found.Notes, fmt.Sprintf("%s: nothing listens at %s of this machine, so it is asked at %s alone", s.Name, twin, left[0]))
		all = left
	case len(left) == 2 && len(all) == 2:
		found.Notes = append(found.Notes, fmt.Sprintf("%s: nothing listens at %s or %s of this machine now; it is asked at the one where something does", s.Name, all[0], all[1]))
		take(found, s.Name, "")
		return nil
	}
	if len(all) == 1 {
		take(found, s.Name, all[0].String())
		return nil
	}
	if len(found.Servers) == 0 {
		found.Notes = append(found.Notes, fmt.Sprintf("%s has %d addresses, each of which is a server of its own; passwords are set at %s (to choose another, name it first: %s)",
			s.Name, len(all), all[0], config.ServerAt(s.Name, all[1].String())))
	}
	for _, a := range all {
		take(found, config.ServerAt(s.Name, a.String()), "")
	}
	return nil
}

func take(f *authority.Found, server, address string) {
	if slices.Contains(f.Servers, server) {
		return
	}
	f.Servers = append(f.Servers, server)
	if address == "" {
		return
	}
	if f.Addresses == nil {
		f.Addresses = map[string]string{}
	}
	f.Addresses[server] = address
}

const lookUps = 3

// Of are the addresses of a host, of both families, in an order that does not
// change with DNS's: IPv4 before IPv6, each by number. It asks more than once,
// because some name servers give one of several addresses in turn.
func (f Finder) Of(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	within, cancel := ctx, context.CancelFunc(func() {})
	if f.Timeout > 0 {
		within, cancel = context.WithTimeout(ctx, f.Timeout)
	}
	defer cancel()
	var all []netip.Addr
	for range lookUps {
		some, err := f.Resolver.LookupNetIP(within, "ip", host)
		if err != nil && len(all) == 0 {
			return nil, err
		}
		all = append(all, some...)
	}
	for i := range all {
		all[i] = all[i].Unmap()
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return slices.Compact(all), nil
}

// loopback decides about a name of 127.0.0.1 and ::1, as localhost is on most
// machines (RFC 6761, 6.3). Both are this machine, which tells for certain
// whether anything listens there, and servers commonly listen at one of them.
// If that is so, left is all without the other one. Where nothing listens at
// either, left is all, and silent is none. No other address is ever passed
// over: it may be a machine that is down.
func loopback(ctx context.Context, all []netip.Addr, port string) (silent netip.Addr, left []netip.Addr) {
	four, six := netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()
	if !slices.Contains(all, four) || !slices.Contains(all, six) {
		return silent, nil
	}
	at4, at6 := listens(ctx, four, port), listens(ctx, six, port)
	switch {
	case at4 == nil && nobody(at6):
		silent = six
	case at6 == nil && nobody(at4):
		silent = four
	case nobody(at4) && nobody(at6):
		return silent, all
	default:
		return silent, nil
	}
	return silent, slices.DeleteFunc(slices.Clone(all), func(a netip.Addr) bool { return a == silent })
}

// listens connects and says nothing.
func listens(ctx context.Context, a netip.Addr, port string) error {
	return insist(func() error {
		c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", net.JoinHostPort(a.String(), port))
		if err == nil {
			_ = c.Close()
		}
		return err
	})
}

// insist tries again what took too long. The kernel answers for this machine at
// once: either it drops what is sent there, or the machine is busy and this
// process did not come to its turn.
func insist(try func() error) (err error) {
	for range 3 {
		var late net.Error
		if err = try(); !errors.As(err, &late) || !late.Timeout() {
			return err
		}
	}
	return err
}

func nobody(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) || NoRoute(err) }

// NoRoute reports whether this machine cannot even try: it has no address of
// that family, or no way to that network.
func NoRoute(err error) bool {
	for _, e := range []syscall.Errno{syscall.ENETUNREACH, syscall.EADDRNOTAVAIL, syscall.EAFNOSUPPORT} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Listening are the addresses of a host, as Of gives them. Of the two that this
// machine has under one name it is the one where something listens at port.
func (f Finder) Listening(ctx context.Context, host, port string) ([]netip.Addr, error) {
	all, err := f.Of(ctx, host)
	if err != nil {
		return nil, err
	}
	twin, left := loopback(ctx, all, port)
	switch {
	case twin.IsValid():
		return left, nil
	case len(left) == 2 && len(all) == 2:
		return all[:1], nil // at neither, or it is no port of TCP
	}
	return all, nil
}

// Dial is the address to dial. One that was known at the listing is never
// looked up again: DNS could name another machine by now. last is where it was
// before, for as long as the process knows the server.
func (f Finder) Dial(ctx context.Context, s Server, last *atomic.Pointer[string]) (string, error) {
	if s.Address != "" {
		return s.Address, nil
	}
	all, err := f.Of(ctx, s.Host)
	if err != nil {
		return "", err
	}
	if twin, left := loopback(ctx, all, s.Port); twin.IsValid() {
		all = left
	} else if len(left) == 2 {
		return all[0].String(), nil // where nothing listens, and that is the error
	}
	if len(all) > 1 {
		var names []string
		for _, a := range all {
			names = append(names, a.String())
		}
		return "", fmt.Errorf("%s has several addresses (%s), which may be several machines; the next listing takes each for a server of its own", s.Host, strings.Join(names, ", "))
	}
	at := all[0].String()
	if !last.CompareAndSwap(nil, &at) && *last.Load() != at {
		return "", fmt.Errorf("%s was at %s and is at %s now, which may be another machine; the next listing takes it", s.Host, *last.Load(), at)
	}
	return at, nil
}
