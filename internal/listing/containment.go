package listing

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/device"
	"rollcall/internal/plural"
)

// Contained asks the device and says what is known of its containment. What
// keeps it from being asked counts against it: it was not seen to be silent.
// So does a door at an address of it: doors are typed each new value.
func Contained(ctx context.Context, spec *config.Campaign) *credential.Containment {
	out := contained(ctx, spec)
	out.Against = append(out.Against, doorsPointing(ctx, spec, out)...)
	return out
}

func contained(ctx context.Context, spec *config.Campaign) *credential.Containment {
	out := &credential.Containment{}
	if o := spec.Override; o != nil {
		out.Override, out.OverrideBy = o.Reason, o.By
	}
	c := spec.Containment
	if c == nil {
		return out
	}
	out.How, out.At, out.By, out.Note, out.Named = c.How, c.At, c.By, c.Note, c.Addresses
	at, err := device.Addresses(ctx, c.Addresses)
	if err != nil {
		out.Against = append(out.Against, err.Error())
		return out
	}
	at = append(at, byName(ctx, spec, out)...)
	slices.Sort(at)
	if out.Addresses = slices.Compact(at); len(at) == 0 {
		return out
	}
	asked := time.Now().UTC().Truncate(time.Second)
	out.Ports = spec.DevicePorts()
	if out.Answers, err = device.Ask(ctx, out.Addresses, out.Ports); err != nil {
		out.Against = append(out.Against, err.Error())
		return out // what was not asked was not seen to be silent
	}
	out.AskedAt = asked
	return out
}

// byName are the addresses that the device's own names have. Where another
// machine does its work it commonly has the name too, and a wildcard in DNS
// gives any name an address; people say so.
func byName(ctx context.Context, spec *config.Campaign, out *credential.Containment) (at []string) {
	found, unknown := device.Named(ctx, spec.DeviceNames())
	out.Unknown = unknown
	for _, name := range slices.Sorted(maps.Keys(found)) {
		still := false
		for _, a := range found[name] {
			switch {
			case slices.Contains(at, a):
			case !slices.Contains(spec.Containment.Addresses, a) && (out.How == credential.Replaced || slices.Contains(spec.Containment.Elsewhere, a)):
				out.Moved = append(out.Moved, a)
				continue
			default:
				at = append(at, a)
			}
			still = true
		}
		if still {
			out.Names = append(out.Names, name)
		}
	}
	slices.Sort(out.Moved)
	out.Moved = slices.Compact(out.Moved)
	return at
}

// Pointing is what a campaign would be sent to at an address of the device: a
// server of an authority, or one of others, by what people call it.
func Pointing(c *credential.Containment, found Servers, others map[string]string) (out []string) {
	if len(c.Taken()) == 0 {
		return nil
	}
	at := func(what string, hosts ...string) {
		for _, h := range hosts {
			if whose := c.Whose(h); whose != "" {
				out = append(out, fmt.Sprintf("%s is at %s, %s: what answers there may be the thief's", what, h, whose))
				return
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found.Servers)) {
		for _, server := range found.Servers[name] {
			u, address := config.SplitServer(server)
			at(fmt.Sprintf("server %s of %s", server, name), plain(address), plain(found.Addresses[server]), hostOf(u))
		}
	}
	for _, what := range slices.Sorted(maps.Keys(others)) {
		at(what, hostOf(others[what]))
	}
	return out
}

// hostOf is the host of a URL, or of host:port.
func hostOf(text string) string {
	if !strings.Contains(text, "://") {
		text = "tcp://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return plain(strings.TrimSuffix(strings.ToLower(u.Hostname()), "."))
}

// plain writes an IP address in its one form.
func plain(host string) string {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().WithZone("").String()
	}
	return host
}

// notContained is the warning of a listing whose device may not be contained.
func notContained(c *credential.Containment) []credential.Finding {
	if c.Holds() && c.Override == "" {
		return nil
	}
	detail := (&NotContained{Containment: c}).why()
	if detail == "" {
		detail = "nothing answered when the roll was listed"
	}
	if c.Override != "" {
		detail += fmt.Sprintf("; %s went on all the same: %s", c.OverrideBy, c.Override)
	}
	return []credential.Finding{{Code: credential.FindingNotContained, Detail: detail}}
}

// NotContained keeps a campaign from starting: a thief who is still on the
// device reads every new value. Its text names places on the network, and no
// account.
type NotContained struct {
	Device      string
	Containment *credential.Containment
}

// Most of the places that a message names.
const mostAnswers = 8

func (n *NotContained) why() string {
	c := n.Containment
	var parts []string
	if c.How == "" {
		parts = append(parts, credential.NobodySays)
	}
	if len(c.Answers) > 0 {
		shown := c.Answers[:min(mostAnswers, len(c.Answers))]
		text := "the device answers: " + strings.Join(shown, ", ")
		if more := len(c.Answers) - len(shown); more > 0 {
			text += fmt.Sprintf(", and at %s", plural.Count(more, "more place", "more places"))
		}
		parts = append(parts, text)
	}
	return strings.Join(append(parts, c.Against...), "; ")
}

func (n *NotContained) Error() string {
	return fmt.Sprintf("device %s is not contained: %s", n.Device, n.why())
}

// RequireContained is *NotContained unless the device is contained, or a person
// goes on all the same.
func RequireContained(spec *config.Campaign, c *credential.Containment) error {
	if c.Holds() || spec.Override != nil {
		return nil
	}
	return &NotContained{Device: spec.Device, Containment: c}
}

// AsNotContained finds it in an error.
func AsNotContained(err error) *NotContained {
	n, _ := errors.AsType[*NotContained](err)
	return n
}
