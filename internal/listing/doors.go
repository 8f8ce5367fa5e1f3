package listing

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"rollcall/config"
	"rollcall/internal/address"
	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/protocol"
)

// A door is an address, as a server is: its name is looked up when the roll is
// listed, each address is a door of its own, and nobody looks it up again.
// Whoever may answer for the name by then, the compromised device above all,
// is shown no new value.

// FindDoors looks the doors of a campaign file up, all side by side, and gives
// the addresses of each that has a name; none where the name has none now. Such
// a door holds no campaign up: what it takes stays open.
func FindDoors(ctx context.Context, spec *config.Campaign) (at map[string][]string, notes []string) {
	names := slices.Sorted(maps.Keys(spec.Doors))
	all, said := make([][]string, len(names)), make([]string, len(names))
	var g errgroup.Group
	for i, name := range names {
		g.Go(func() error {
			var err error
			if all[i], err = addressesOf(ctx, spec.Doors[name]); err != nil {
				said[i] = fmt.Sprintf("door %s: its name has no address now (%v); nothing is asked there, and what it takes stays open", name, err)
			} else if len(all[i]) > 1 {
				said[i] = fmt.Sprintf("door %s: its name has %d addresses, each of which is a door of its own", name, len(all[i]))
			}
			return nil
		})
	}
	_ = g.Wait()
	for i, name := range names {
		if host(spec.Doors[name]) == "" || spec.Doors[name].At != "" {
			continue
		}
		if at == nil {
			at = map[string][]string{}
		}
		if at[name] = all[i]; said[i] != "" {
			notes = append(notes, said[i])
		}
	}
	return at, notes
}

// host is a door's name in DNS; empty where its address is written as one.
func host(d door.Settings) string {
	h, _, err := net.SplitHostPort(d.Address)
	if _, literal := netip.ParseAddr(h); err != nil || literal == nil {
		return ""
	}
	return h
}

func addressesOf(ctx context.Context, d door.Settings) (out []string, err error) {
	h, port, err := net.SplitHostPort(d.Address)
	switch {
	case err != nil:
		return nil, err
	case d.At != "":
		return []string{d.At}, nil
	}
	all, err := (address.Finder{Timeout: address.Patience}).Listening(ctx, h, port)
	for _, a := range all {
		out = append(out, a.Unmap().String())
	}
	return out, err
}

// AtAddresses is spec with a door for each address that was found.
func AtAddresses(spec *config.Campaign, at map[string][]string) *config.Campaign {
	if len(spec.Doors) == 0 {
		return spec
	}
	whole := *spec
	whole.Doors = map[string]door.Settings{}
	for name, d := range spec.Doors {
		for i, is := range doorNames(name, at[name]) {
			if one := d; host(d) == "" || d.At != "" || len(at[name]) == 0 {
				whole.Doors[is] = one
			} else {
				one.At = at[name][i]
				whole.Doors[is] = one
			}
		}
	}
	return &whole
}

// doorNames are those of the doors that a name of the campaign file stands for.
func doorNames(name string, at []string) (out []string) {
	if len(at) < 2 {
		return []string{name}
	}
	for _, a := range at {
		out = append(out, config.ServerAt(name, a))
	}
	return out
}

// eachDoor gives the credentials of a roll a door for each address.
func eachDoor(cs []credential.Credential, at map[string][]string) {
	for i := range cs {
		var all []credential.DoorLogin
		for _, d := range cs[i].Doors {
			for _, is := range doorNames(d.Door, at[d.Door]) {
				one := d
				one.Door = is
				all = append(all, one)
			}
		}
		cs[i].Doors = all
	}
}

// Dialled is why a door must not be asked, or nil: it is at an address of the
// device, nobody knows at which address it is, or it was not what the campaign
// file says (Shut).
func Dialled(d door.Settings, device []string) error {
	switch where := pointed(d, device); {
	case where == "" && d.Shut != nil:
		return d.Shut
	case where != "":
		return &protocol.Stop{Reason: protocol.ReasonPointsAtDevice, Detail: fmt.Sprintf("this door is at %s, an address of a compromised device, where a new value would be shown to the thief: it was not asked; give it the address of the machine that does its work by now", where)}
	case host(d) != "" && d.At == "":
		return &protocol.Stop{Reason: protocol.ReasonDoorSilent, Detail: "this door's name had no address when the roll was listed, so it was not asked; the next campaign looks it up again"}
	}
	return nil
}

// Reached is spec without the doors that are not asked (Dialled).
func Reached(spec *config.Campaign, device []string) *config.Campaign {
	whole := *spec
	whole.Doors = maps.Clone(spec.Doors)
	maps.DeleteFunc(whole.Doors, func(_ string, d door.Settings) bool { return Dialled(d, device) != nil })
	return &whole
}

// pointed is the device's name or address that a door is at.
func pointed(d door.Settings, device []string) string {
	h, _, err := net.SplitHostPort(d.Address)
	if err != nil {
		return ""
	}
	for _, at := range []string{plain(d.At), plain(strings.TrimSuffix(strings.ToLower(h), "."))} {
		if at != "" && slices.Contains(device, at) {
			return at
		}
	}
	return ""
}

// doorsPointing are the doors at an address of the device, by name. Those whose
// names were not looked up before are looked up now.
func doorsPointing(ctx context.Context, spec *config.Campaign, c *credential.Containment) (out []string) {
	if len(spec.Doors) == 0 || len(c.Taken()) == 0 {
		return nil
	}
	at, _ := FindDoors(ctx, spec)
	all := AtAddresses(spec, at).Doors
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if where := pointed(all[name], c.Taken()); where != "" {
			out = append(out, fmt.Sprintf("door %s is at %s, %s: what answers there may be the thief's, and would be shown new values", name, where, c.Whose(where)))
		}
		if f := all[name].Flush; f != nil && f.URL != "" {
			if u, err := url.Parse(f.URL); err == nil && slices.Contains(c.Taken(), plain(strings.ToLower(u.Hostname()))) {
				out = append(out, fmt.Sprintf("the flush of door %s is at %s, %s: what answers there may be the thief's, and would be told which logins are renewed", name, u.Hostname(), c.Whose(plain(strings.ToLower(u.Hostname())))))
			}
		}
	}
	return out
}
