package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"rollcall/internal/wire"
)

// heartbeat is how long a worker may be silent before its batch is given to
// another. It bounds the stall after a kill -9.
var heartbeat = 6 * time.Second // tests set it

// attempts bounds every activity. What is still undone then stays open and
// comes back with the next pass.
const attempts = 8

var retries = &temporal.RetryPolicy{
	InitialInterval:    time.Second,
	BackoffCoefficient: 2,
	MaximumInterval:    20 * time.Second,
	MaximumAttempts:    attempts,
}

// onRotation addresses the rotation workers. The activities finish the
// credentials in hand when they are cancelled, so a cancelled workflow waits
// for them.
func onRotation(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           wire.RotationQueue,
		StartToCloseTimeout: time.Hour,
		HeartbeatTimeout:    heartbeat,
		WaitForCancellation: true,
		RetryPolicy:         retries,
	})
}

// forListing is onRotation for what takes minutes and is begun anew where the
// worker was silent: of 100,000 credentials a worker that collects its garbage
// on a busy machine says nothing for longer than a batch may. Nothing is set
// meanwhile, so that a stall after a kill costs no more than that time.
func forListing(ctx workflow.Context) workflow.Context {
	return workflow.WithHeartbeatTimeout(onRotation(ctx), listingSilence*heartbeat)
}

// listingSilence is how many times as long as with a batch it may be silent.
const listingSilence = 5

// forCleaning is onRotation with patience: by then the outcome is recorded, and
// giving up would leave the clean-up to nobody.
func forCleaning(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              wire.RotationQueue,
		StartToCloseTimeout:    time.Hour,
		ScheduleToCloseTimeout: 24 * time.Hour,
		HeartbeatTimeout:       heartbeat,
		WaitForCancellation:    true,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute},
	})
}

// once is onRotation for what is not tried again: what a worker that died has
// asked it has asked, and nobody knows what it was.
func once(ctx workflow.Context) workflow.Context {
	return workflow.WithRetryPolicy(onRotation(ctx), temporal.RetryPolicy{MaximumAttempts: 1})
}

// onLedger addresses the ledger's own workers.
func onLedger(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           wire.LedgerQueue,
		StartToCloseTimeout: time.Hour,
		HeartbeatTimeout:    heartbeat,
		WaitForCancellation: true,
		RetryPolicy:         retries,
	})
}

// toTheEnd is onLedger with patience: a credential must not stay open without
// an exception because a disk was full or Vault was sealed for some minutes.
func toTheEnd(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              wire.LedgerQueue,
		StartToCloseTimeout:    time.Hour,
		ScheduleToCloseTimeout: 24 * time.Hour,
		HeartbeatTimeout:       heartbeat,
		WaitForCancellation:    true,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute},
	})
}

// beforeAnySet addresses the ledger while nothing has been set yet: then a
// disk without room or a missing right ends the campaign at once, and later
// they are waited for.
func beforeAnySet(ctx workflow.Context) workflow.Context {
	p := *retries
	p.NonRetryableErrorTypes = []string{wire.NoRoom, wire.Denied}
	return workflow.WithRetryPolicy(onLedger(ctx), p)
}

// allTheWhile addresses a rotation worker for as long as the campaign runs.
// When that one dies another goes on, well before the campaign is taken for
// lost.
func allTheWhile(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           wire.RotationQueue,
		StartToCloseTimeout: 24 * time.Hour, // then it is begun again
		HeartbeatTimeout:    time.Minute,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 15 * time.Second},
	})
}
