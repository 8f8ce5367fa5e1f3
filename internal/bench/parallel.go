package main

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"
)

// rotator rotates accounts one after another. Each worker has one of its own,
// with its connections.
type rotator interface {
	// lookUp is called for accounts that are about to be rotated, by any
	// rotator.
	lookUp(ctx context.Context, accounts []account) error
	rotate(ctx context.Context, a account) error
	close()
}

// lookedUp are looked up at once, as many as a campaign does in one search.
const lookedUp = 100

// inParallel has workers take accounts until none is left or one fails. The
// time to connect counts: a campaign has to connect too.
func inParallel(ctx context.Context, accounts []account, workers int, open func() (rotator, error)) error {
	todo := make(chan account, len(accounts))
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(todo)
		r, err := open()
		if err != nil {
			return err
		}
		defer r.close()
		for some := range slices.Chunk(accounts, lookedUp) {
			if err := r.lookUp(ctx, some); err != nil {
				return err
			}
			for _, a := range some {
				todo <- a
			}
		}
		return nil
	})
	for range workers {
		group.Go(func() error {
			r, err := open()
			if err != nil {
				return err
			}
			defer r.close()
			for a := range todo {
				if err := r.rotate(ctx, a); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}
