package reach

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// A user that is on the roll for its name alone shows that who stole the
// account of that name reads nothing with it, if it refuses what was stolen.
// What Vault holds by now tells nothing where somebody has written there since.
// So what it refused is noted, by its version and as it comes: each batch asks,
// a user is offered few values at a time, and the version is destroyed once the
// account is dead.

// offer is what one version of a path is for a user of that name.
type offer struct {
	at     ownmount.Refused
	values []credential.Secret // the likelier one comes first
}

func offerOf(p credential.Path, is vault.Live) offer {
	return offer{ownmount.Refused{Path: p, StolenVersion: versionOf(is)}, []credential.Secret{is.Value, is.Other}}
}

func versionOf(is vault.Live) credential.StolenVersion {
	return credential.StolenVersion{Version: is.Version, Written: is.Written}
}

// namesakeReads is Reads of a user that is on the roll for its name alone.
// Where what was stolen cannot be read any more, and the user was not seen to
// refuse it, that is an error. Values are offered a version at a time until the
// authority offers no more for now: the next batch goes on with the others. One
// batch of one worker asks at a time.
func (o *Reach) namesakeReads(ctx context.Context, asks kind.Login, login credential.Credential, paths []string) ([]string, error) {
	ask, _, known, err := o.toOffer(ctx, login)
	if err != nil || known && len(ask) == 0 {
		return nil, err // it refused all of it
	}
	done, err := o.of.store.Ask(ctx, login.ID)
	if err != nil {
		return nil, err
	}
	defer done()
	ask, values, known, err := o.toOffer(ctx, login) // by now
	if err != nil {
		return nil, err
	}
	if !known {
		return asks.Reads(ctx, login, values, paths)
	}
	for _, of := range ask {
		readable, err := asks.Reads(ctx, login, of.values, paths)
		if !errors.Is(err, kind.ErrNoneLogsIn) {
			return readable, err
		}
		if err := o.of.store.RecordRefused(ctx, login.ID, ownmount.RefusedVersions{of.at}); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// toOffer are what such a user has not been seen to refuse. known says that
// there is something that was stolen; else values are what lies there.
func (o *Reach) toOffer(ctx context.Context, login credential.Credential) (ask []offer, values []credential.Secret, known bool, err error) {
	refused, err := o.of.store.RefusedBefore(ctx, login.ID)
	if err != nil {
		return nil, nil, false, err
	}
	for _, p := range login.Paths {
		live, err := o.of.store.ReadLive(ctx, p, 0)
		if err != nil {
			return nil, nil, false, err
		}
		then, err := o.of.store.HeldThen(ctx, o.spec, p, live)
		if err != nil {
			return nil, nil, false, err
		}
		for _, v := range then.Lost {
			if !refused.Has(p, v) {
				return nil, nil, false, fmt.Errorf("version %d of %s, which was there while the device was in foreign hands, cannot be read any more: whether it opens this login is not known", v.Version, p)
			}
		}
		if len(then.Lives)+len(then.Lost) > 0 {
			known, ask = true, append(ask, offersAt(p, then, live, refused)...)
		} else if live.Found {
			values = append(values, live.Value, live.Other)
		}
	}
	return ask, values, known, nil
}

// offersAt are what a user has not been seen to refuse of a path, the newest
// first: that is the likeliest. What is there by now nobody stole there, but
// the account may have had it, and this user too: it comes before the last of
// them alone, because the note of that one says that all were offered.
func offersAt(p credential.Path, then ownmount.Then, live vault.Live, refused ownmount.RefusedVersions) (out []offer) {
	stolen := func(v credential.Secret) bool {
		return slices.ContainsFunc(then.Lives, func(l vault.Live) bool { return l.Value.Equal(v) || l.Other.Equal(v) })
	}
	for _, was := range then.Lives {
		if !refused.Has(p, versionOf(was)) {
			out = append(out, offerOf(p, was))
		}
	}
	if len(out) == 0 {
		return nil
	}
	if live.Found && !then.Has(live) && !stolen(live.Value) && !refused.Has(p, versionOf(live)) {
		out = slices.Insert(out, len(out)-1, offerOf(p, live))
	}
	for i := range out[:len(out)-1] {
		out[i].at.Others = true
	}
	return out
}
