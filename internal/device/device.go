// Package device asks whether a compromised device still answers on the
// network. It says nothing to it: a connection that was accepted is closed.
package device

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"rollcall/internal/address"
)

// patience is how long a place may take to answer. Within it the kernel sends
// its SYN twice, so that one lost packet does not make a device look contained.
var patience = 2 * time.Second // tests set it

// atOnce bounds the connections that are tried at the same time.
const atOnce = 256

// Addresses are all IP addresses of what the campaign file names, IPv4 and
// IPv6. A name without any is an error: nothing would be asked, and a device
// would look contained for it.
func Addresses(ctx context.Context, named []string) ([]string, error) {
	var out []netip.Addr
	for _, name := range named {
		all, err := (address.Finder{Timeout: address.Patience}).Of(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("%s has no address now, so it cannot be asked (%w): write the IP address that the device had, or take the name out", name, err)
		}
		out = append(out, all...)
	}
	slices.SortFunc(out, netip.Addr.Compare)
	var texts []string
	for _, a := range slices.Compact(out) {
		texts = append(texts, a.String())
	}
	return texts, nil
}

// Named looks the device's own names up, all side by side. One without an
// address is no error: most devices are in no DNS by the name that people call
// them.
func Named(ctx context.Context, names []string) (found map[string][]string, unknown []string) {
	all := make([][]string, len(names))
	var g errgroup.Group
	for i, name := range names {
		g.Go(func() error {
			all[i], _ = Addresses(ctx, []string{name}) // without any it is told as unknown
			return nil
		})
	}
	_ = g.Wait()
	found = map[string][]string{}
	for i, name := range names {
		if len(all[i]) == 0 {
			unknown = append(unknown, name)
			continue
		}
		found[name] = all[i]
	}
	return found, unknown
}

// Ask tries a TCP connection to each port of each address, all side by side,
// and gives those that answer, each with what it did. A connection that is
// refused is an answer as well: something is there. Silence and an unreachable
// network are none. Whatever keeps this machine from asking is an error.
func Ask(ctx context.Context, addresses []string, ports []int) ([]string, error) {
	heard := make([]string, len(addresses)*len(ports))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, a := range addresses {
		for j, p := range ports {
			g.Go(func() error {
				place := net.JoinHostPort(a, strconv.Itoa(p))
				what, err := judge(ctx, connect(ctx, a, p))
				if err != nil {
					return fmt.Errorf("%s could not be asked from this machine: %w", place, err)
				}
				if what != "" {
					heard[i*len(ports)+j] = place + " " + what
				}
				return nil
			})
		}
	}
	err := g.Wait()
	return slices.DeleteFunc(heard, func(s string) bool { return s == "" }), err
}

// What a place does that answers.
const (
	Accepts = "accepts connections"
	Refuses = "refuses connections, so something is there"
)

// silent are errors by which nothing answered: no route, or no such host on the
// network. That this machine has no port left, or knows no such addresses
// (EADDRNOTAVAIL, EAFNOSUPPORT), is its own trouble, and the device may answer.
var silent = []error{syscall.ETIMEDOUT, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.ENETDOWN}

// judge reads the end of a try. Only the deadline of the try is silence; that
// of whoever asked is not.
func judge(ctx context.Context, err error) (string, error) {
	var timeout net.Error
	switch {
	case err == nil:
		return Accepts, nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
		return Refuses, nil
	case slices.ContainsFunc(silent, func(e error) bool { return errors.Is(err, e) }), errors.As(err, &timeout) && timeout.Timeout():
		return "", nil
	}
	return "", errors.New(strings.TrimSpace(lastOf(err)))
}

// lastOf is the innermost error's text: the place is said before it.
func lastOf(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}
