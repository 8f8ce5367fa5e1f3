package ledger

import (
	"context"
	"runtime"
	"sync"
)

// inOrder does something for each of the numbers below total, several at once,
// and hands on what came of each in their order, one after the other. Few are
// done ahead, so that what waits is bounded. maker makes what does it, one for
// each that works at once. An error of each ends it and is returned; so is that
// of ctx.
func inOrder[T any](ctx context.Context, total int64, maker func() func(int64) T, each func(n int64, of T) error) error {
	ctx, stop := context.WithCancel(ctx)
	at := min(max(runtime.GOMAXPROCS(0), 1), 4)
	type work struct {
		n    int64
		done chan T // buffered: nobody may wait for it any more
	}
	todo, waiting := make(chan work), make(chan work, 2*at)
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	all.Go(func() {
		defer close(waiting)
		defer close(todo)
		for n := range total {
			w := work{n, make(chan T, 1)}
			for _, to := range []chan work{waiting, todo} {
				select {
				case to <- w:
				case <-ctx.Done():
					return
				}
			}
		}
	})
	for range at {
		all.Go(func() {
			do := maker()
			for w := range todo {
				w.done <- do(w.n)
			}
		})
	}
	for w := range waiting {
		select {
		case of := <-w.done:
			if err := each(w.n, of); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return ctx.Err()
}
