package listing

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/inventory"
	"rollcall/internal/kind/registry"
	"rollcall/internal/paste"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// The files of two devices may call one cluster or directory by two names, and
// reach it at addresses of which neither is in both. Its accounts would have
// two locks then, two new values, and what one campaign left staged the other
// one would not find.

// identities are what the authorities of spec show of themselves, by name; none
// of one that does not answer now, with the error.
func identities(ctx context.Context, kinds *registry.Registry, spec *config.Campaign) (map[string]authority.Identity, error) {
	names := spec.Authorities()
	shown, failed := make([]authority.Identity, len(names)), make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			s, err := kinds.System(spec, name)
			if known, ok := s.(authority.Identified); err == nil && ok {
				shown[i], err = known.Identity(ctx)
			}
			failed[i] = err
		})
	}
	wg.Wait()
	out := map[string]authority.Identity{}
	for i, name := range names {
		if failed[i] == nil && shown[i].Self != "" {
			out[name] = shown[i]
		}
	}
	return out, errors.Join(failed...)
}

// shown is what campaigns on this Vault saw of authorities, without the names
// that mean nothing any more: an administrator took them away, or a campaign
// gave them that ended before it began.
func shown(ctx context.Context, store *ownmount.Store, known map[string]ownmount.NamedDirectory) (map[string]ownmount.Shown, int, error) {
	all, version, err := store.Shown(ctx)
	if err != nil {
		return nil, 0, err
	}
	for name, s := range all {
		if _, named := known[name]; named {
			continue
		}
		over, _, err := store.CampaignReleased(ctx, s.Campaign)
		if err != nil {
			return nil, 0, err
		}
		if over {
			delete(all, name)
		}
	}
	return all, version, nil
}

// calledOtherwise is the error of an authority that campaigns had under another
// name: it shows the same of itself as that one. Nil where they had it under
// this name too, or the campaign file accepts it.
func calledOtherwise(spec *config.Campaign, name string, now authority.Identity, all map[string]ownmount.Shown) *NameError {
	if was, ok := all[name]; ok && was.Shows(now) {
		return nil
	}
	if _, is := acceptsSameIDs(spec, name); is {
		return nil
	}
	for _, other := range slices.Sorted(maps.Keys(all)) {
		was := all[other]
		// What one file has twice Fit tells apart, by looking at both.
		if other == name || was.Apart || spec.Authority(other) != nil || !was.Shows(now) {
			continue
		}
		return &NameError{
			Directory: name, Called: spec.Called(name),
			What: fmt.Sprintf("it shows the same of itself (%s) as what campaign %s of device %s had under the name %s: by whatever address it is reached, its accounts would have two locks and get two new values, of which one undoes the other, and what is kept by that name would not be found",
				now.Self, was.Campaign, was.Device, other),
			Do: fmt.Sprintf("call it %s in this file; if it is a copy with the same ids, and its accounts have passwords of their own, say so: %s; if there is no %s any more, have an administrator delete %s/directories/%s",
				other, paste.Entry("accept", "directory", name, "finding", string(credential.FindingSameIDs)), other, spec.Vault.Mount, other),
		}
	}
	return nil
}

// acceptsSameIDs is a person's word that an authority is another one than those
// that show the same of themselves.
func acceptsSameIDs(spec *config.Campaign, name string) (reason string, is bool) {
	i := slices.IndexFunc(spec.Accept, func(a config.Accept) bool { return a.Accepts(name, credential.FindingSameIDs) })
	if i < 0 {
		return "", false
	}
	return spec.Accept[i].Reason, true
}

func sameIDsAccepted(spec *config.Campaign) (out []inventory.Warning) {
	for _, name := range spec.Authorities() {
		if reason, is := acceptsSameIDs(spec, name); is {
			out = append(out, inventory.Warning{Code: credential.FindingAccepted,
				Detail: fmt.Sprintf("%s is another one than those that show the same ids of themselves, which the campaign file says: %s", spec.Called(name), reason)})
		}
	}
	return out
}

// notCalledOtherwise holds the authorities of spec, which has every server,
// against those that campaigns of any device had under other names. One that
// does not answer is left out: no campaign begins without it.
func notCalledOtherwise(ctx context.Context, store *ownmount.Store, kinds *registry.Registry, spec *config.Campaign, known map[string]ownmount.NamedDirectory) error {
	if known == nil {
		return nil // our login may not read that
	}
	all, _, err := shown(ctx, store, known)
	if err != nil || len(all) == 0 {
		return err
	}
	now, _ := identities(ctx, kinds, spec)
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if wrong := calledOtherwise(spec, name, now[name], all); wrong != nil {
			return wrong
		}
	}
	return ctx.Err()
}

// KeepShown writes down what the authorities of spec show of themselves, before
// KeepNames and before anything is staged. Of two campaigns that begin at once
// and call one by two names the later one is refused.
func KeepShown(ctx context.Context, store *ownmount.Store, kinds *registry.Registry, spec *config.Campaign, campaign string) error {
	const most = 5
	now, err := identities(ctx, kinds, spec)
	if err != nil {
		return err
	}
	for try := 0; ; try++ {
		known, err := store.NamedDirectories(ctx)
		if err != nil {
			return err
		}
		all, version, err := shown(ctx, store, known)
		if err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(now)) {
			if wrong := calledOtherwise(spec, name, now[name], all); wrong != nil {
				return wrong
			}
		}
		for name, id := range now {
			as := all[name].With(id)
			as.Campaign, as.Device = campaign, spec.Device
			_, as.Apart = acceptsSameIDs(spec, name)
			all[name] = as
		}
		err = store.KeepShown(ctx, version, all)
		if !vault.IsCASMismatch(err) || try == most {
			return err
		}
	}
}
