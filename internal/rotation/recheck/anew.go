package recheck

import (
	"context"
	"maps"
	"sync"

	"golang.org/x/sync/errgroup"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// metadataAtOnce bounds the reads of Vault that the look at the end has in
// flight.
const metadataAtOnce = 16

// seenVersions are what Vault shows of a secret.
type seenVersions struct {
	vault.Versions
	err  error
	path credential.Path // one of those that lie in it
}

// madeAnew looks whether the versions that were activated are still those: a
// secret that was deleted with its metadata gives consumers something else, or
// nothing, while the account is as it was proved. Vault shows the versions of
// one secret at a time (a list shows names alone), so it is a call for each
// secret.
func (l Look) madeAnew(ctx context.Context, all []Proved, out []Looked) {
	secrets := map[credential.Path]seenVersions{}
	for i, p := range all {
		if out[i].Stop == nil {
			for _, at := range p.activated() {
				secrets[secretOf(at.Path)] = seenVersions{path: at.Path}
			}
		}
	}
	var mu sync.Mutex
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(metadataAtOnce)
	for secret, one := range maps.Clone(secrets) {
		g.Go(func() error {
			one.Versions, one.err = l.Store.Versions(gctx, one.path)
			mu.Lock()
			defer mu.Unlock()
			secrets[secret] = one
			return nil
		})
	}
	_ = g.Wait()
	for i, p := range all {
		if out[i].Stop == nil {
			out[i] = out[i].and(p.anew(secrets))
		}
	}
}

func (p Proved) anew(secrets map[credential.Path]seenVersions) (l Looked) {
	for _, put := range p.activated() {
		seen := secrets[secretOf(put.Path)]
		if seen.err != nil {
			l.Unseen = true
			continue
		}
		if at, known := seen.At(put.Version); known && !at.Equal(put.Written) {
			return openAgain(protocol.ReasonMadeAnew, "", "proved dead, and after that the secret in Vault that held the value which was proved was deleted with its metadata, and perhaps made anew: consumers get what somebody else wrote there, or nothing; the account still has the value that was proved, which may be nowhere any more: find out who deleted it, and run again, which sets another value")
		}
	}
	return l
}

// activated is where the outcome says that the value was put. What an owner
// fetches is his to delete.
func (p Proved) activated() (out []ownmount.Placed) {
	if p.Credential.HandsOver() {
		return nil
	}
	paths := p.Credential.Places()
	for i, path := range paths[:min(len(paths), len(p.To), len(p.Written))] {
		if p.To[i] != 0 && !p.Written[i].IsZero() {
			out = append(out, ownmount.Placed{Path: path, Version: p.To[i], Written: p.Written[i]})
		}
	}
	return out
}

// secretOf is a path without its field.
func secretOf(p credential.Path) credential.Path {
	return credential.Path{Mount: p.Mount, Path: p.Path}
}
