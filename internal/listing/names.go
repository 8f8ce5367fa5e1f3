package listing

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/door"
	"rollcall/internal/kind/registry"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// NameError is a directory that earlier campaigns on this Vault had under
// another name, or a name that stood for another directory.
type NameError struct {
	Directory string
	Called    string // with what it is, as config.Campaign.Called
	What, Do  string
}

func (e *NameError) Error() string {
	return fmt.Sprintf("%s: %s; %s", e.Called, e.What, e.Do)
}

// Names holds the directories of spec, which has every server, against those
// that campaigns of any device on this Vault had: what is staged for an
// account, and where its values lie, is kept by the directory's name and the
// account's immutable id, and a restored copy has the same ids.
func Names(ctx context.Context, store *ownmount.Store, kinds *registry.Registry, spec *config.Campaign) error {
	known, err := knownNames(ctx, store, spec)
	if err != nil {
		return err
	}
	return notCalledOtherwise(ctx, store, kinds, spec, known)
}

// knownNames also gives what the names stand for; nothing where our login may
// not read that.
func knownNames(ctx context.Context, store *ownmount.Store, spec *config.Campaign) (map[string]ownmount.NamedDirectory, error) {
	names := spec.Authorities()
	known, err := store.NamedDirectories(ctx, names...)
	if vault.IsDenied(err) {
		return nil, nil // doctor names the right, and no campaign begins without it
	}
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if wrong := misnamed(spec, name, known); wrong != nil {
			return nil, wrong
		}
	}
	return known, nil
}

// misnamed compares one authority with those that are known.
func misnamed(spec *config.Campaign, name string, known map[string]ownmount.NamedDirectory) *NameError {
	a, now := spec.Authority(name), nowCalled(spec, name)
	if was, ok := known[name]; ok && was.Type != now.Type || ok && shared(append(slices.Clone(now.Servers), a.FormerServers()...), was.Servers) == "" {
		return &NameError{
			Directory: name, Called: spec.Called(name),
			What: fmt.Sprintf("none of its servers (%s) is one of those that campaign %s of device %s had under this name (%s): what lies in Vault for accounts of that one would be taken for this one's, if it is a copy with the same ids",
				strings.Join(now.Servers, " "), was.Campaign, was.Device, strings.Join(was.Servers, " ")),
			Do: fmt.Sprintf("if it is another directory, or a copy, give it another name in this file; if it is the same, name all its servers in each file, and if it moved to these say so: formerly: [%s] under %s.%s", strings.Join(was.Servers, ", "), a.Type(), name),
		}
	}
	for _, other := range slices.Sorted(maps.Keys(known)) {
		was := known[other]
		server := shared(now.Servers, was.Servers)
		if other == name || server == "" || was.Type != now.Type || now.Type == "" && (was.Base == "" || sharedBase(now.Base, was.Base) == "") {
			continue
		}
		return &NameError{
			Directory: name, Called: spec.Called(name),
			What: fmt.Sprintf("its server %s is one of those that campaign %s of device %s had under the name %s%s: what is staged for its accounts, and where their values lie, is kept by that name and would not be found",
				server, was.Campaign, was.Device, other, withBase(was)),
			Do: fmt.Sprintf("call it %s in this file; if that server is another directory's by now, run a campaign of %s with its servers of today first, or, if there is no such directory any more, have an administrator delete %s/directories/%s", other, other, spec.Vault.Mount, other),
		}
	}
	return nil
}

func withBase(d ownmount.NamedDirectory) string {
	if d.Base == "" {
		return ""
	}
	return ", with base " + d.Base
}

// KeepNames writes down which directories have the names of spec, before
// anything is staged by them. Two campaigns that begin at once cannot both have
// a name: the later one is refused.
func KeepNames(ctx context.Context, store *ownmount.Store, spec *config.Campaign, campaign string) error {
	const most = 5
	for _, name := range spec.Authorities() {
		now := nowCalled(spec, name)
		now.Campaign, now.Device = campaign, spec.Device
		for try := 0; ; try++ {
			known, err := store.NamedDirectories(ctx, name)
			if err != nil {
				return err
			}
			if wrong := misnamed(spec, name, known); wrong != nil {
				return wrong
			}
			now.Gone, now.DoorsFor = gone(known[name], now), everFor(known[name], now)
			err = store.KeepDirectory(ctx, known[name], now)
			if err == nil {
				break
			}
			if !vault.IsCASMismatch(err) || try == most {
				return err
			}
		}
	}
	return nil
}

// nowCalled is what spec's name stands for: its servers, each with its address.
func nowCalled(spec *config.Campaign, name string) ownmount.NamedDirectory {
	a := spec.Authority(name)
	out := ownmount.NamedDirectory{Name: name}
	if d, ok := a.(config.Directory); ok {
		out.Base = d.Base
	} else {
		out.Type = a.Type()
	}
	for _, s := range a.ServerNames() {
		text, address := config.SplitServer(s)
		if address == "" {
			address = a.DialledAt(s)
		}
		out.Servers = append(out.Servers, config.ServerAt(text, address))
	}
	slices.Sort(out.Servers)
	for _, d := range spec.Doors {
		if len(d.For) == 0 || slices.ContainsFunc(d.For, func(m door.Match) bool { return m.Directory == "" || m.Directory == name }) {
			out.Doors = append(out.Doors, d.Entrance())
		}
	}
	out.DoorsFor = doorsFor(spec, out.Doors)
	slices.Sort(out.Doors)
	out.Doors = slices.Compact(out.Doors) // a door of several addresses
	return out
}

// shared is one of some servers that is among others: by its name or by its
// address, with its port.
func shared(some, others []string) string {
	at := map[string]bool{}
	for _, s := range others {
		for _, place := range placesOfServer(s) {
			at[place] = true
		}
	}
	for _, s := range some {
		if slices.ContainsFunc(placesOfServer(s), func(p string) bool { return at[p] }) {
			return s
		}
	}
	return ""
}

func placesOfServer(server string) []string {
	text, address := config.SplitServer(server)
	u, err := url.Parse(text)
	if err != nil {
		return nil
	}
	out := []string{strings.ToLower(u.Host)}
	if address != "" {
		out = append(out, net.JoinHostPort(address, u.Port()))
	}
	return out
}
