package main

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// rotator rotates accounts one after another. Each worker has one of its own,
// with its connections.
type rotator interface {
	rotate(ctx context.Context, a account) error
	close()
}

// inParallel has workers take accounts until none is left or one fails. The
// time to connect counts: a campaign has to connect too.
func inParallel(ctx context.Context, accounts []account, workers int, open func() (rotator, error)) error {
	todo := make(chan account, len(accounts))
	for _, a := range accounts {
		todo <- a
	}
	close(todo)
	group, ctx := errgroup.WithContext(ctx)
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
