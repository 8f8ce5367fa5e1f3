package directory

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"rollcall/config"
	"rollcall/internal/authority"
)

// Found are the servers of a directory at one moment.
type Found = authority.Found

// add takes in a server of the file, or one that was found, by all its addresses. One
// without an address stays on the list: it keeps credentials open until it is
// reached, or a person leaves it out.
func (c *Client) add(ctx context.Context, f *Found, urls []string) error {
	for _, raw := range urls {
		s, err := c.newServer(raw)
		if err != nil {
			return fmt.Errorf("directory %s: server %q: %w", c.name, raw, err)
		}
		switch _, literal := netip.ParseAddr(s.host); {
		case s.address != "" || literal == nil:
			take(f, raw, "")
			continue
		}
		all, err := c.addresses(ctx, s.host)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("directory %s: look for the address of %s: %w", c.name, s.host, ctx.Err())
		case err != nil:
			f.Notes = append(f.Notes, fmt.Sprintf("%s: its name has no address now (%v); it stays a server, and what is not proved there stays open", raw, err))
			take(f, raw, "")
			continue
		}
		twin, left := s.loopback(ctx, all)
		switch {
		case len(left) > 0 && twin.IsValid():
			f.Notes = append(f.Notes, fmt.Sprintf("%s: nothing listens at %s of this machine, so it is asked at %s alone", raw, twin, left[0]))
			all = left
		case len(left) == 2 && len(all) == 2:
			f.Notes = append(f.Notes, fmt.Sprintf("%s: nothing listens at %s or %s of this machine now; it is asked at the one where something does", raw, all[0], all[1]))
			take(f, raw, "")
			continue
		}
		if len(all) == 1 {
			take(f, raw, all[0].String())
			continue
		}
		if len(f.Servers) == 0 {
			f.Notes = append(f.Notes, fmt.Sprintf("%s has %d addresses, each of which is a server of its own; passwords are set at %s (to choose another, name it first: %s)",
				raw, len(all), all[0], config.ServerAt(raw, all[1].String())))
		}
		for _, a := range all {
			take(f, config.ServerAt(raw, a.String()), "")
		}
	}
	return nil
}

func take(f *Found, server, address string) {
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

// reach gives the servers that were found, to be dialled where they were found. They are kept:
// each remembers which bind password was refused there, so that it is not offered again.
func (c *Client) reach(f Found) ([]*server, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*server
	for _, raw := range f.Servers {
		key := config.ServerAt(raw, f.Addresses[raw])
		s, known := c.reached[key]
		if !known {
			var err error
			if s, err = c.newServer(raw); err != nil {
				return nil, fmt.Errorf("directory %s: server %q: %w", c.name, raw, err)
			}
			s.address = orDefault(s.address, f.Addresses[raw])
			if c.reached == nil {
				c.reached = map[string]*server{}
			}
			c.reached[key] = s
		}
		out = append(out, s)
	}
	return out, nil
}

const lookUps = 3

// addresses are those of a host, of both families, in an order that does not change with
// DNS's: IPv4 before IPv6, each by number. It asks more than once, because some name servers
// give one of several addresses in turn.
func (c *Client) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	within, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var all []netip.Addr
	for range lookUps {
		some, err := c.resolver.LookupNetIP(within, "ip", host)
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

// loopback decides about a name of 127.0.0.1 and ::1, as localhost is on most machines (RFC
// 6761, 6.3). Both are this machine, which tells for certain whether anything listens there,
// and servers commonly listen at one of them. If that is so, left is all without
// the other one. Where nothing listens at either, left is all, and silent is none. No other
// address is ever passed over: it may be a machine that is down.
func (s *server) loopback(ctx context.Context, all []netip.Addr) (silent netip.Addr, left []netip.Addr) {
	four, six := netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()
	if !slices.Contains(all, four) || !slices.Contains(all, six) {
		return silent, nil
	}
	at4, at6 := s.listens(ctx, four), s.listens(ctx, six)
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
func (s *server) listens(ctx context.Context, a netip.Addr) error {
	c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", net.JoinHostPort(a.String(), s.port))
	if err == nil {
		_ = c.Close()
	}
	return err
}

func nobody(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) || noRoute(err) }

// noRoute reports whether this machine cannot even try: it has no address of that family,
// or no way to that network.
func noRoute(err error) bool {
	for _, e := range []syscall.Errno{syscall.ENETUNREACH, syscall.EADDRNOTAVAIL, syscall.EAFNOSUPPORT} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// where is the address to dial. One that was known at the listing is never looked up
// again: DNS could name another machine by now.
func (s *server) where(ctx context.Context) (string, error) {
	if s.address != "" {
		return s.address, nil
	}
	all, err := s.client.addresses(ctx, s.host)
	if err != nil {
		return "", err
	}
	if twin, left := s.loopback(ctx, all); twin.IsValid() {
		all = left
	} else if len(left) == 2 {
		return all[0].String(), nil // where nothing listens, and that is the error
	}
	if len(all) > 1 {
		var names []string
		for _, a := range all {
			names = append(names, a.String())
		}
		return "", fmt.Errorf("%s has several addresses (%s), which may be several machines; the next listing takes each for a server of its own", s.host, strings.Join(names, ", "))
	}
	at := all[0].String()
	if !s.found.CompareAndSwap(nil, &at) && *s.found.Load() != at {
		return "", fmt.Errorf("%s was at %s and is at %s now, which may be another machine; the next listing takes it", s.host, *s.found.Load(), at)
	}
	return at, nil
}
