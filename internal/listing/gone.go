package listing

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/inventory"
	"rollcall/internal/paste"
	"rollcall/internal/vault/ownmount"
)

// A server that a campaign of any device asked under a directory's name, and
// that this one would not ask, may still take the stolen values: it was cut off
// since, or left out once, or another person's file does not know it. So may a
// door. What became of it a person has to say.

// gone are servers and doors that campaigns had under a name before, and that
// are not among those of now.
func gone(was, now ownmount.NamedDirectory) (out []ownmount.GoneServer) {
	all := slices.Clone(was.Gone)
	for _, s := range slices.Concat(was.Servers, was.Doors) {
		all = append(all, ownmount.GoneServer{Server: s, Campaign: was.Campaign, Device: was.Device, For: was.DoorsFor[s]})
	}
	slices.Reverse(all) // the last campaign that had it
	for _, g := range all {
		i := slices.IndexFunc(out, func(have ownmount.GoneServer) bool { return have.Server == g.Server })
		switch {
		case i >= 0:
			out[i].For = bothFor(out[i].For, g.For)
		case !isAsked(g.Server, now.Servers) && !isOpened(g.Server, now.Doors):
			out = append(out, g)
		}
	}
	slices.SortFunc(out, func(a, b ownmount.GoneServer) int { return cmp.Compare(a.Server, b.Server) })
	return out
}

// isAsked reports whether a server that there was is among those of now: by its
// address, or by its name where one of the two addresses is not known. A server
// is an address: a name that leads to another one by now is another machine,
// and the one before it may run on.
func isAsked(server string, now []string) bool {
	host, address := placeOfServer(server)
	return slices.ContainsFunc(now, func(s string) bool {
		h, a := placeOfServer(s)
		return address != "" && (a == address || h == address) || h == host && (address == "" || a == "")
	})
}

// answering leaves those away whose name a server or door of now has, at
// another address, and that take no connections any more: a machine that got
// another address is no second one. It is asked at each listing, for a machine
// that is down comes back. One whose protocol has no connections is silent to
// whoever asks so, and stays.
func answering(ctx context.Context, all []ownmount.GoneServer, named ownmount.NamedDirectory) []ownmount.GoneServer {
	now := slices.Concat(named.Servers, named.Doors)
	takes := make([]bool, len(all))
	var wg sync.WaitGroup
	for i, g := range all {
		host, address := placeOfServer(g.Server)
		kind, _, _ := strings.Cut(g.Server, "://")
		if slices.Contains(door.ByDatagrams, kind) || !slices.ContainsFunc(now, func(s string) bool { h, _ := placeOfServer(s); return h == host }) {
			takes[i] = true // whether it answers or not: its name may have been taken from it as well
			continue
		}
		wg.Go(func() {
			c, err := (&net.Dialer{Timeout: goneTimeout}).DialContext(ctx, "tcp", address)
			if takes[i] = err == nil; takes[i] {
				_ = c.Close()
			}
		})
	}
	wg.Wait()
	var out []ownmount.GoneServer
	for i, g := range all {
		if takes[i] {
			out = append(out, g)
		}
	}
	return out
}

// besidesDevice leaves those away that are at an address of the device: nothing
// was asked there.
func besidesDevice(all []ownmount.GoneServer, device []string) []ownmount.GoneServer {
	return slices.DeleteFunc(all, func(g ownmount.GoneServer) bool {
		_, address := config.SplitServer(g.Server)
		return address != "" && slices.Contains(device, plain(address))
	})
}

// goneTimeout bounds the look at a machine that most often is no more.
const goneTimeout = 3 * time.Second

// placeOfServer is a server's name and its address, each with the port; the
// address is empty where it is not known.
func placeOfServer(server string) (host, address string) {
	text, at := config.SplitServer(server)
	u, err := url.Parse(text)
	if err != nil {
		return server, ""
	}
	host = strings.ToLower(u.Host)
	if at != "" {
		address = net.JoinHostPort(at, u.Port())
	}
	return host, address
}

// Gone are those of an authority that nobody has accounted for, and those that
// a person has accepted in the campaign file, by what stands there.
func Gone(ctx context.Context, store *ownmount.Store, spec *config.Campaign, name string) ([]ownmount.GoneServer, error) {
	known, err := knownNames(ctx, store, spec)
	if err != nil {
		return nil, err
	}
	doors, _ := FindDoors(ctx, spec)
	spec = AtAddresses(spec, doors)
	open, _ := goneOf(spec, name, known)
	if c := spec.Containment; c != nil {
		open = besidesDevice(open, c.Addresses)
	}
	return answering(ctx, open, nowCalled(spec, name)), nil
}

func goneOf(spec *config.Campaign, name string, known map[string]ownmount.NamedDirectory) (open []ownmount.GoneServer, accepted []string) {
	was, ok := known[name]
	if !ok {
		return nil, nil
	}
	return sift(spec, name, gone(was, nowCalled(spec, name)))
}

// sift tells those that a person has accounted for from the others.
func sift(spec *config.Campaign, name string, all []ownmount.GoneServer) (open []ownmount.GoneServer, accepted []string) {
	for _, g := range all {
		if isAsked(g.Server, spec.Authority(name).FormerServers()) {
			continue // it moved, as a person says
		}
		i := slices.IndexFunc(spec.Accept, func(a config.Accept) bool {
			return accepts(spec, name, a) && sameServer(a.Server, g.Server)
		})
		if i < 0 {
			open = append(open, g)
		} else {
			accepted = append(accepted, spec.Accept[i].Server)
		}
	}
	return open, accepted
}

// sameServer: a person names it as the warning does, or by its host, with the
// port or without.
func sameServer(said, server string) bool {
	text, _ := config.SplitServer(server)
	host, address := placeOfServer(server)
	place := strings.TrimSuffix(text, pageOf(server)) // a door, without its page
	for _, form := range []string{server, text, place, host, address} {
		bare, _, err := net.SplitHostPort(form)
		if strings.EqualFold(said, form) && form != "" || err == nil && strings.EqualFold(said, bare) {
			return true
		}
	}
	return false
}

// MendGone is what to do about those of an authority, of which server is one.
func MendGone(authority, server string) string {
	return "a stolen value may live on there: name it again, under servers or doors; if it is no more, or was emptied, a person says so: " +
		paste.Entry("accept", "directory", authority, "server", server, "on", "TIME")
}

// WordsOfGone names them.
func WordsOfGone(all []ownmount.GoneServer) string {
	var out []string
	for _, g := range all {
		said := fmt.Sprintf("campaign %s of device %s", g.Campaign, g.Device)
		if g.OthersAlone {
			said += "; this file has it for other accounts alone"
		}
		out = append(out, fmt.Sprintf("%s (%s)", g.Server, said))
	}
	return "earlier campaigns had servers or doors that this file does not reach: " + strings.Join(out, ", ")
}

func goneWarning(spec *config.Campaign, name string, open []ownmount.GoneServer) inventory.Warning {
	return inventory.Warning{Code: credential.FindingMoreServers,
		Detail: spec.Called(name) + ": " + WordsOfGone(open) + "; " + MendGone(name, open[0].Server) + outdated(spec, name)}
}
