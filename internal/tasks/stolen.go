package tasks

import (
	"context"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// KeepStolen keeps the stolen values of tasks for as long as they are not dead.
// Call it before anything of a roll is set: what another field of the same
// secret was set to is cleaned up with the version that holds the stolen value.
func KeepStolen(ctx context.Context, store *ownmount.Store, cs []credential.Credential) error {
	for _, c := range cs {
		if _, err := stolenOf(ctx, store, c); err != nil {
			return err
		}
	}
	return nil
}

// stolenOf are the stolen values of a task that are known: kept, or there to be
// read and kept from now on.
func stolenOf(ctx context.Context, store *ownmount.Store, c credential.Credential) (ownmount.StolenValues, error) {
	if c.Task == nil || c.Task.At == nil || len(c.Task.Stolen) == 0 || c.Problem != "" {
		return nil, nil
	}
	return store.KeepStolen(ctx, c.ID, c.Task.Stolen, func(v credential.StolenVersion) ([]credential.Secret, error) {
		return readStolen(ctx, store, c, v)
	})
}

// readStolen are what a version of a task's path may be read as; none if it is
// not there any more.
func readStolen(ctx context.Context, store *ownmount.Store, c credential.Credential, v credential.StolenVersion) ([]credential.Secret, error) {
	was, err := store.ReadLive(ctx, *c.Task.At, v.Version)
	// A secret that was deleted and made anew counts from 1 again.
	if err != nil || !v.Same(credential.StolenVersion{Version: was.Version, Written: was.Written}) {
		return nil, err
	}
	return readings(was, c), nil
}

// readings are what a person's value in Vault may be, the likeliest first, as
// its readers take it: a file that was stored whole has the end of its last
// line, and some texts may be read in two ways (internal/vault/readings.go).
func readings(live vault.Live, c credential.Credential) (out []credential.Secret) {
	login := c.Task.Login
	if login == "" {
		login = c.Name
	}
	live = live.Of([]string{login})
	for _, value := range []credential.Secret{live.Value, live.Other, live.PrivateKey()} {
		bare := credential.NewSecret(strings.TrimRight(value.Reveal(), "\r\n"))
		if !bare.IsZero() && !holds(out, bare) {
			out = append(out, bare)
		}
	}
	return out
}
