package activities

import (
	"context"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"

	"rollcall/internal/awaited"
	"rollcall/internal/fairqueue"
	"rollcall/internal/protocol"
)

// stopGrace is how long a credential that was begun may take to come to a safe
// place after its worker was told to stop.
const stopGrace = 2 * time.Minute

// unreachableLimit is how many credentials in a row must find their authority
// or Vault unreachable before the rest of the batch is not tried. The next pass
// begins elsewhere in the batch, so that nothing which only some of them meet
// keeps the others from their turn.
const unreachableLimit = 8

// each works through n credentials, at most width at once. It begins none after
// the activity is cancelled or its worker stops, and lets those in hand finish:
// their context outlives the cancellation. do reports what stopped it, or nil;
// skipped is called for those that were not begun, and with ReasonInternal for
// one whose do panicked. Both run at the same time for different ones.
//
// It heartbeats while it works, so that a dead worker is noticed in seconds.
func each(ctx context.Context, n, width int, do func(ctx context.Context, i int) *protocol.Stop, skipped func(i int, why *protocol.Stop)) {
	eachIn(ctx, n, width, fairqueue.New(width), "", do, skipped)
}

// eachIn is each in a queue that other batches may stand in. What waits in it
// is not begun.
func eachIn(ctx context.Context, n, width int, in *fairqueue.Queue, campaign string, do func(ctx context.Context, i int) *protocol.Stop, skipped func(i int, why *protocol.Stop)) {
	eachAt(ctx, n, width, in, in.Join(campaign), do, skipped)
}

// eachAt is eachIn at the place in the queue that a batch has.
func eachAt(ctx context.Context, n, width int, in *fairqueue.Queue, batch int, do func(ctx context.Context, i int) *protocol.Stop, skipped func(i int, why *protocol.Stop)) {
	ctx, stopBeating := beat(ctx)
	defer stopBeating()

	var b breaker
	var next atomic.Int64
	var wg sync.WaitGroup
	// Not a goroutine for each credential: what runs below it needs a deep
	// stack, which is grown once.
	for range min(n, max(width, 1)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				oneIn(ctx, i, in, batch, &b, do, skipped)
			}
		})
	}
	wg.Wait()
}

// oneIn waits for a slot and does i in it, unless none is begun any more.
func oneIn(ctx context.Context, i int, in *fairqueue.Queue, batch int, b *breaker, do func(ctx context.Context, i int) *protocol.Stop, skipped func(i int, why *protocol.Stop)) {
	if in.Take(ctx, batch, activity.GetWorkerStopChannel(ctx)) {
		defer in.Leave()
	}
	if why := notBegun(ctx, b); why != nil {
		skipped(i, why)
		return
	}
	steady, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer cancel()
	b.saw(guarded(steady, i, do, skipped))
}

// guarded makes a panic the trouble of one credential. Without it the whole
// worker would end, and so would the next one that takes up the batch.
func guarded(ctx context.Context, i int, do func(ctx context.Context, i int) *protocol.Stop, skipped func(i int, why *protocol.Stop)) (stop *protocol.Stop) {
	defer func() {
		if recover() != nil {
			// What it panicked with may hold anything.
			activity.GetLogger(ctx).Error("panic at a credential", "stack", string(debug.Stack()))
			stop = &protocol.Stop{Reason: protocol.ReasonInternal, Detail: "a bug: the work on it broke off; the worker's log (-v) has the place"}
			skipped(i, stop)
		}
	}()
	return do(ctx, i)
}

func notBegun(ctx context.Context, b *breaker) *protocol.Stop {
	stopping := false
	select {
	case <-activity.GetWorkerStopChannel(ctx):
		stopping = true
	default:
	}
	if stopping || ctx.Err() != nil {
		return &protocol.Stop{Reason: protocol.ReasonInterrupted, Detail: "its worker stopped before its turn"}
	}
	return b.open()
}

// breaker spares a batch the time-outs of an authority, or of Vault, that is
// gone as a whole: what it counts are credentials in a row that met nothing
// else.
type breaker struct {
	bad  atomic.Int64
	last atomic.Pointer[protocol.Stop]
}

func (b *breaker) saw(s *protocol.Stop) {
	switch {
	case s == nil:
		b.bad.Store(0)
	case s.Reason == protocol.ReasonNotActive:
		// It says that this one was set. What keeps others from it is the gate.
	case s.Reason == protocol.ReasonUnreachable, s.Reason.OfAllVault():
		b.last.Store(s)
		b.bad.Add(1)
	default:
		b.bad.Store(0)
	}
}

func (b *breaker) open() *protocol.Stop {
	if b.bad.Load() < unreachableLimit {
		return nil
	}
	return b.last.Load()
}

// silentAfter is how long a server has not answered when a heartbeat names it.
const silentAfter = 3 * time.Second

// beat heartbeats until the returned function is called, first after a second:
// the start counts as one, and each costs the engine a commit to disk. A
// heartbeat names the servers that were asked with the returned context and do
// not answer: who looks on is told (awaited.Server). Temporal keeps the latest
// while the activity runs, and no history has it.
func beat(ctx context.Context) (context.Context, func()) {
	ctx, asked := awaited.Kept(ctx)
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if silent := asked.Since(time.Now().Add(-silentAfter)); len(silent) > 0 {
					activity.RecordHeartbeat(ctx, silent)
				} else {
					activity.RecordHeartbeat(ctx)
				}
			case <-done:
				return
			}
		}
	}()
	return ctx, sync.OnceFunc(func() { close(done) })
}

// firstAttempt reports whether no other attempt of this activity can have run.
func firstAttempt(ctx context.Context) bool { return activity.GetInfo(ctx).Attempt == 1 }
