package inventory

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/device"
)

// deviceHosts are the addresses of the device as the campaign file has them,
// and those that its names have now. A name without one still counts as a name.
func deviceHosts(ctx context.Context, c *config.Campaign) []string {
	if c.Containment == nil {
		return nil
	}
	out := slices.Clone(c.Containment.Addresses)
	for _, name := range c.Containment.Addresses {
		if all, err := device.Addresses(ctx, []string{name}); err == nil {
			out = append(out, all...)
		}
	}
	// What the device's own names lead to, as internal/listing asks it.
	found, _ := device.Named(ctx, c.DeviceNames())
	for name, all := range found {
		own := slices.DeleteFunc(all, func(a string) bool {
			return !slices.Contains(out, a) && (c.Containment.How == credential.Replaced || slices.Contains(c.Containment.Elsewhere, a))
		})
		if len(own) > 0 {
			out = append(append(out, name), own...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// boundToDevice tells of a login to Vault that is bound to the very address of
// the device: a new value would be good there alone. A network that the device
// was in besides others is no such binding.
func (l *lister) boundToDevice(of []map[string]any) []credential.Finding {
	at, whose := l.boundTo(of, l.taken.Taken())
	if len(at) == 0 {
		return nil
	}
	return []credential.Finding{{Code: credential.FindingPointsAtDevice, Detail: fmt.Sprintf("it is bound to %s, %s: what it gets anew is good there, where only who has the device is; bind it to the machine that does its work by now", strings.Join(at, ", "), whose)}}
}

// boundTo are those of hosts that a login is bound to, and whose the first one
// is.
func (l *lister) boundTo(of []map[string]any, hosts []string) (at []string, whose string) {
	for _, b := range bounds(of) {
		p, err := config.ParseCIDR(b)
		if err != nil || !p.IsSingleIP() {
			continue
		}
		i := slices.IndexFunc(hosts, func(host string) bool { a, err := netip.ParseAddr(host); return err == nil && a == p.Addr().Unmap() })
		if i < 0 {
			continue
		}
		at = append(at, p.Addr().Unmap().String())
		if whose == "" {
			whose = l.taken.Whose(hosts[i])
		}
	}
	return slices.Compact(at), whose
}
