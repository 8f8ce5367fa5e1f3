package reach

import (
	"context"
	"errors"
	"fmt"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/vault/ownmount"
)

// A user that is on the roll for its name alone shows that who stole the
// account of that name reads nothing with it, if it refuses what was stolen.
// What Vault holds by now tells nothing where somebody has written there since.
// So what it refused is noted, by its version: each batch asks, and the version
// is destroyed once the account is dead.

// namesakeReads is Reads of a user that is on the roll for its name alone.
// Where what was stolen cannot be read any more, and the user was not seen to
// refuse it, that is an error.
func (o *Reach) namesakeReads(ctx context.Context, asks kind.Login, login credential.Credential, paths []string) ([]string, error) {
	refused, err := o.of.store.RefusedBefore(ctx, login.ID)
	if err != nil {
		return nil, err
	}
	var values []credential.Secret
	var ask, known ownmount.RefusedVersions
	for _, p := range login.Paths {
		live, err := o.of.store.ReadLive(ctx, p, 0)
		if err != nil {
			return nil, err
		}
		then, err := o.of.store.HeldThen(ctx, o.spec, p, live)
		if err != nil {
			return nil, err
		}
		for _, v := range then.Lost {
			if !refused.Has(p, v) {
				return nil, fmt.Errorf("version %d of %s, which was there while the device was in foreign hands, cannot be read any more: whether it opens this login is not known", v.Version, p)
			}
		}
		if live.Found && !then.Has(live) {
			values = append(values, live.Value, live.Other) // the account may have that, and this one too
		}
		for _, was := range then.Lives {
			at := ownmount.Refused{Path: p, StolenVersion: credential.StolenVersion{Version: was.Version, Written: was.Written}}
			if known = append(known, at); !refused.Has(p, at.StolenVersion) {
				ask, values = append(ask, at), append(values, was.Other, was.Value)
			}
		}
		known = append(known, lostOf(p, then)...)
	}
	if len(known) > 0 && len(ask) == 0 {
		return nil, nil // it refused all of it
	}
	readable, err := asks.Reads(ctx, login, values, paths)
	if errors.Is(err, kind.ErrNoneLogsIn) && len(ask) > 0 {
		return nil, o.of.store.RecordRefused(ctx, login.ID, ask)
	}
	return readable, err
}

func lostOf(p credential.Path, then ownmount.Then) (out ownmount.RefusedVersions) {
	for _, v := range then.Lost {
		out = append(out, ownmount.Refused{Path: p, StolenVersion: v})
	}
	return out
}
