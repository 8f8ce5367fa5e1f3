package rotation

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"rollcall/internal/protocol"
)

// metadataAtOnce bounds the reads of Vault that the look at the end has in
// flight.
const metadataAtOnce = 16

// madeAnew looks whether the versions that were activated are still those: a
// secret that was deleted with its metadata gives consumers something else, or
// nothing, while the account is as it was proved.
func (r *Rotator) madeAnew(ctx context.Context, all []Proved, out []Looked) {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(metadataAtOnce)
	for i, p := range all {
		if !p.LookAtPaths || out[i].Stop != nil || p.Credential.HandsOver() {
			continue
		}
		g.Go(func() error {
			out[i] = out[i].and(r.anew(gctx, p))
			return nil
		})
	}
	_ = g.Wait()
}

func (r *Rotator) anew(ctx context.Context, p Proved) (l Looked) {
	paths := slices.Clone(p.Credential.Paths)
	if p.Credential.Spare != nil {
		paths = append(paths, *p.Credential.Spare)
	}
	for i, path := range paths[:min(len(paths), len(p.To), len(p.Written))] {
		if p.To[i] == 0 || p.Written[i].IsZero() {
			continue
		}
		at, known, err := r.Store.WrittenAt(ctx, path, p.To[i])
		switch {
		case err != nil:
			l.Missed = true
		case known && !at.Equal(p.Written[i]):
			return openAgain(protocol.ReasonMadeAnew, "", "proved dead, and after that the secret in Vault that held the value which was proved was deleted with its metadata, and perhaps made anew: consumers get what somebody else wrote there, or nothing; the account still has the value that was proved, which may be nowhere any more: find out who deleted it, and run again, which sets another value")
		}
	}
	return l
}

// PathsTTL is how long what a secret's metadata showed is taken to be so: it is
// read right after each proof.
const PathsTTL = time.Minute
