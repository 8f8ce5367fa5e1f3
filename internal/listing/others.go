package listing

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/inventory"
	"rollcall/internal/kind/registry"
	"rollcall/internal/paste"
	"rollcall/internal/vault/ownmount"
)

// MendOthers is what to do about servers that the directory knows of and the
// file does not.
const MendOthers = "a stolen value is proved dead only on servers that are asked: name each under servers, a machine behind a balancer by its own address (ldaps://NAME@ADDRESS)"

// Others says which servers an authority knows of that spec, which has every
// server that was found, does not name, nor a person has accounted for.
func Others(ctx context.Context, kinds *registry.Registry, spec *config.Campaign, name string) (authority.Others, error) {
	s, err := kinds.System(spec, name)
	if err != nil {
		return authority.Others{}, err
	}
	d, ok := s.(authority.Knower)
	if !ok {
		return authority.Others{}, nil
	}
	var accepted []string
	for _, a := range spec.Accept {
		if accepts(spec, name, a) {
			accepted = append(accepted, a.Server)
		}
	}
	return d.Others(ctx, accepted...)
}

// accepts reports whether a is what a person said to a server of an authority:
// on a day at which the device was in foreign hands no more, for a server that
// was gone then may be there again.
func accepts(spec *config.Campaign, name string, a config.Accept) bool {
	return a.Directory == name && a.Server != "" && spec.Outdated(a) == ""
}

// outdated says of servers that the file accepts why that counts no more.
func outdated(spec *config.Campaign, name string) (out string) {
	for _, a := range spec.Accept {
		if why := spec.Outdated(a); a.Directory == name && a.Server != "" && why != "" {
			out += fmt.Sprintf(". Of %s the file accepts %s", a.Server, why)
		}
	}
	return out
}

// AcceptOthers is how a person accounts for one of them in the campaign file.
func AcceptOthers(name string, o authority.Others) string {
	return "one that is gone, or was looked at, is accepted: " + paste.Entry("accept", "directory", name, "server", o.Names[len(o.Names)-1], "on", "TIME")
}

// otherServers are the warnings of a roll: of each authority that decides on a
// credential of it. dialled is spec with each door at its addresses; contained
// says where the device is, and may wait for it.
func otherServers(ctx context.Context, kinds *registry.Registry, spec, dialled *config.Campaign, roll *credential.Roll, known map[string]ownmount.NamedDirectory, contained func() *credential.Containment) (out []inventory.Warning, err error) {
	var names []string
	for _, c := range roll.Credentials {
		if c.Authority != credential.VaultAuthority && c.Task == nil && c.Subject != "" {
			names = append(names, c.Authority)
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		told, err := writeServer(ctx, kinds, spec, name)
		if err != nil {
			return nil, err
		}
		out = append(out, told...)
		o, err := Others(ctx, kinds, spec, name)
		if err != nil {
			return nil, err
		}
		gone, accepted := goneOf(dialled, name, known)
		gone = theirs(gone, roll)
		if len(gone) > 0 {
			gone = answering(ctx, besidesDevice(gone, contained().Hosts()), nowCalled(dialled, name))
		}
		kept, and := sift(dialled, name, openedAgain(known[name], nowCalled(dialled, name)))
		accepted = append(accepted, and...)
		if kept = forOthers(dialled, kept, roll); len(kept) > 0 {
			gone = append(gone, besidesDevice(kept, contained().Hosts())...)
		}
		if len(gone) > 0 {
			out = append(out, goneWarning(spec, name, gone))
		}
		o.Accepted = append(o.Accepted, accepted...)
		for _, a := range spec.Accept {
			switch {
			case a.Directory != name || a.Server == "", !accepts(spec, name, a) && len(o.Names)+len(gone) > 0:
			case slices.Contains(o.Accepted, a.Server):
				out = append(out, inventory.Warning{Code: credential.FindingAccepted,
					Detail: fmt.Sprintf("%s: the server %s is not asked, which the campaign file accepts: %s", spec.Called(name), a.Server, a.Reason)})
			default:
				out = append(out, inventory.Warning{Code: credential.FindingExcludeUnused,
					Detail: fmt.Sprintf("accept directory %s, server %s: it shows no such server that is not asked: correct it or remove it", name, a.Server)})
			}
		}
		if len(o.Names) > 0 {
			out = append(out, inventory.Warning{Code: credential.FindingMoreServers,
				Detail: strings.Join([]string{spec.Called(name) + ": " + o.Detail, MendOthers, AcceptOthers(name, o) + outdated(spec, name)}, "; ")})
		}
	}
	return out, nil
}

// writes is an authority that tells what its write server does with changes.
type writes interface {
	Writes(ctx context.Context) (at string, s directory.Standing, err error)
	Forcing(ctx context.Context) (policies []string, mend string, err error)
}

// writeServer says what of the server that a directory is written to stands in
// the way of new values.
func writeServer(ctx context.Context, kinds *registry.Registry, spec *config.Campaign, name string) (out []inventory.Warning, err error) {
	s, err := kinds.System(spec, name)
	if err != nil {
		return nil, err
	}
	d, ok := s.(writes)
	if !ok {
		return nil, nil
	}
	at, standing, err := d.Writes(ctx)
	if err != nil {
		return nil, err
	}
	if standing.Detail != "" {
		out = append(out, inventory.Warning{Code: credential.FindingNotProvider,
			Detail: fmt.Sprintf("directory %s: %s is the first of its servers, and %s; %s", name, at, standing.Detail, standing.Mend())})
	}
	forcing, mend, err := d.Forcing(ctx)
	if err != nil {
		return nil, err
	}
	if len(forcing) > 0 {
		out = append(out, inventory.Warning{Code: credential.FindingForced, Detail: fmt.Sprintf(
			"directory %s: a password that bind.dn has set lets its account do nothing until it is changed, under the policies %s: no new value of an account under it works; %s", name, strings.Join(forcing, "; "), mend)})
	}
	return out, nil
}
