package inventory

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"rollcall/config"
)

// asks gives the directories of the campaign that a mount with these urls asks,
// and of each the servers: by address and port, as rule and proof know them. A
// url that is no server of the campaign may be a balancer of theirs or another
// name, so it is taken for a directory's whose tree holds the mount's accounts.
func (l *lister) asks(ctx context.Context, urls []string, m *authMount) (out map[string][]string, err error) {
	out = map[string][]string{}
	unknown := false
	for _, raw := range urls {
		hit := false
		for name, d := range l.c.Directories {
			for _, server := range d.Servers {
				if !l.sameMachine(ctx, raw, server, d.Addresses[server]) {
					continue
				}
				hit = true
				if !slices.Contains(out[name], server) {
					out[name] = append(out[name], server)
				}
			}
		}
		unknown = unknown || !hit
	}
	if !unknown {
		return out, nil
	}
	hit := len(out) > 0
	for name, d := range l.c.Directories {
		_, may := out[name]
		if !may && !hit {
			if may, err = l.mayAsk(ctx, m, name, d); err != nil {
				return nil, err
			}
		}
		if may {
			out[name] = nil // one of the servers is not known
		}
	}
	return out, nil
}

// mayAsk reports whether the accounts that a mount looks for lie in the
// directory's tree.
func (l *lister) mayAsk(ctx context.Context, m *authMount, name string, d config.Directory) (bool, error) {
	if m.upn != "" && d.HasDomains() {
		return strings.EqualFold(m.upn, d.Domain()), nil
	}
	below, known, err := l.spelled(ctx, name, m.below)
	return !known || below == "" || within(below, d.Base) || within(d.Base, below), err
}

// usualPorts are those of one machine's directory: with TLS, without, and of
// its global catalogue.
var usualPorts = []string{"389", "636", "3268", "3269"}

func (l *lister) sameMachine(ctx context.Context, raw, server, address string) bool {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil {
		return false
	}
	named, at := config.SplitServer(server)
	s, err := url.Parse(named)
	if err != nil {
		return false
	}
	port, other := portOf(u), portOf(s)
	if port != other && (!slices.Contains(usualPorts, port) || !slices.Contains(usualPorts, other)) {
		return false
	}
	if at == "" {
		at = address
	}
	if at == "" {
		at = s.Hostname()
	}
	if strings.EqualFold(u.Hostname(), s.Hostname()) {
		return true
	}
	want, err := netip.ParseAddr(at)
	return err == nil && slices.Contains(l.addressesOf(ctx, u.Hostname()), want.Unmap())
}

func portOf(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "ldaps" {
		return "636"
	}
	return "389"
}

// addressesOf looks a host up as this machine sees it. Vault may see it
// otherwise; then it is not told.
func (l *lister) addressesOf(ctx context.Context, host string) []netip.Addr {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap()}
	}
	if known, ok := l.hosts.Load(host); ok {
		return known.([]netip.Addr)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	found, _ := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	for i := range found {
		found[i] = found[i].Unmap()
	}
	l.hosts.Store(host, found)
	return found
}
