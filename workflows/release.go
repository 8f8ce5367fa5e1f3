package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"rollcall/internal/credential"
	"rollcall/internal/wire"
)

// asked reports whether the campaign wants something of this wave that was
// listed again.
func (w *wave) asked() bool { return len(w.state.Control.Release) > w.state.Answered }

// askedWhilePaused reports whether it is asked between two batches of a pass
// that goes on only once somebody lets it: nobody who asks waits for that.
func (w *wave) askedWhilePaused() bool {
	return w.state.Control.Paused && !w.deaf && w.asked() && w.inFlight == 0 && w.telling == 0
}

// release gives up what was listed again, for another wave to go on with, and
// says what that is. What a server may have a new value of stays: it ends where
// it began. No batch may be in flight.
func (w *wave) release(ctx workflow.Context) {
	if !w.asked() {
		return
	}
	mine := loginsIn(w.state.Index, credential.Refs(w.state.Control.Release[w.state.Answered:]))
	w.state.Answered = len(w.state.Control.Release)
	var gone credential.Refs
	give := func(all []batchTodo) (rest []batchTodo) {
		for _, t := range all {
			page := w.batches[t.Batch].Span.Page
			if t.Items == nil {
				rest = append(rest, t) // its first pass is still to come
				continue
			}
			items := slices.DeleteFunc(slices.Clone(t.Items), func(it wire.OpenItem) bool {
				at := credential.Ref{Page: page, Index: it.Index}
				if halfDone(it) || it.Unheard || it.Before != nil || !slices.Contains(mine, at) {
					return false
				}
				gone = append(gone, at)
				return true
			})
			if len(items) > 0 {
				rest = append(rest, batchTodo{Batch: t.Batch, Items: items})
			}
		}
		return rest
	}
	w.state.Todo, w.state.Open = give(w.state.Todo), give(w.state.Open)
	parent := workflow.GetInfo(ctx).ParentWorkflowExecution
	if parent == nil || len(mine) == 0 {
		return
	}
	_ = workflow.SignalExternalWorkflow(ctx, parent.ID, parent.RunID, SignalReleased,
		Released{Wave: w.state.Index.Wave, Heard: w.state.Answered, Refs: gone}).Get(ctx, nil)
}
