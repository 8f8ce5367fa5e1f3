package workflows

import (
	"go.temporal.io/sdk/workflow"

	"rollcall/internal/wire"
)

// cleanTodo are dead credentials of a batch that Vault has not let clean yet.
type cleanTodo struct {
	Batch int              `json:"b"`
	Items []wire.CleanItem `json:"i"`
}

// soonCleaned is how often cleaning is tried while there is other work.
const soonCleaned = 3

// clean destroys, beside everything else, what the recorded proofs made
// worthless. What Vault does not let clean comes again with the next pass, and
// at the end of the wave: the old versions are dead, and what is still open
// must not wait for them.
func (w *wave) clean(ctx workflow.Context, t cleanTodo, again bool) {
	if len(t.Items) == 0 {
		return
	}
	w.cleaning++
	steady, _ := workflow.NewDisconnectedContext(ctx)
	workflow.Go(steady, func(ctx workflow.Context) {
		defer func() { w.cleaning-- }()
		soon := *retries
		soon.MaximumAttempts = soonCleaned
		in := w.toClean(t, again)
		var out wire.Cleaned
		if workflow.ExecuteActivity(workflow.WithRetryPolicy(onRotation(ctx), soon), wire.DoClean, in).Get(ctx, &out) != nil {
			w.state.Unclean = append(w.state.Unclean, t)
			return
		}
		w.reopen(recordCleaned(ctx, in.Batch, out))
	})
}

// toClean also says which servers and doors a person left out by now: what was
// proved without one is not done with for the next campaign.
func (w *wave) toClean(t cleanTodo, again bool) wire.CleanInput {
	in := wire.CleanInput{Batch: w.batches[t.Batch], Items: t.Items, Again: again}
	in.Batch.LeftOut, in.Batch.DoorsLeftOut = w.state.Control.LeftOut[in.Batch.Authority], w.state.Control.Doors
	return in
}

// reopen counts dead credentials that are open again. Nothing tries them in
// this campaign: who writes there is for a person to find out.
func (w *wave) reopen(n int) {
	w.state.Dead -= n
	w.state.Ended += n
}

// recordCleaned gives how many dead credentials are open again, which the
// ledger has by then.
func recordCleaned(ctx workflow.Context, b wire.Batch, out wire.Cleaned) int {
	if len(out.Reopened) == 0 {
		return 0
	}
	err := workflow.ExecuteActivity(toTheEnd(ctx), wire.DoRecordCleaned, wire.CleanedInput{Batch: b, Result: out}).Get(ctx, nil)
	if err != nil {
		workflow.GetLogger(ctx).Error("credentials that are open again could not be recorded", "credentials", len(out.Reopened), "error", err)
	}
	return len(out.Reopened)
}

// cleanAgain tries again what could not be cleaned.
func (w *wave) cleanAgain(ctx workflow.Context) {
	todo := w.state.Unclean
	w.state.Unclean = nil
	for _, t := range todo {
		w.clean(ctx, t, true)
	}
}

// cleaned waits until no cleaning is in flight.
func (w *wave) cleaned(ctx workflow.Context) error {
	return workflow.Await(ctx, func() bool { return w.cleaning == 0 && w.telling == 0 })
}

// cleanRest cleans with patience what is left at the end of a wave.
func (w *wave) cleanRest(ctx workflow.Context) error {
	if err := w.cleaned(ctx); err != nil {
		return err
	}
	for _, t := range w.state.Unclean {
		w.reopen(cleanAtLast(ctx, w.toClean(t, true)))
	}
	w.state.Unclean = nil
	return nil
}

// cleanAtLast: dead is dead. Should Vault refuse to clean for a whole day, old
// versions and staging entries are left behind, which the next campaign takes
// over, and the count stands. It gives how many are open again.
func cleanAtLast(ctx workflow.Context, in wire.CleanInput) int {
	var out wire.Cleaned
	err := workflow.ExecuteActivity(forCleaning(ctx), wire.DoClean, in).Get(ctx, &out)
	if err != nil {
		workflow.GetLogger(ctx).Error("old versions and staging entries are left in Vault", "credentials", len(in.Items), "error", err)
	}
	return recordCleaned(ctx, in.Batch, out)
}
