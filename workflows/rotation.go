package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// rotationInput is one pass over one batch.
type rotationInput struct {
	Batch wire.Batch
	Pass  int
	Items []int           // indexes on the page
	Known []wire.OpenItem // why they were open before
}

type rotationResult struct {
	Dead int
	// Reopened counts those of Dead that are open again by now.
	Reopened int
	Open     []wire.OpenItem
	// LivesOn are logins to Vault that are dead, and of which batch tokens or
	// perhaps orphans live on.
	LivesOn []int
	// CameBack: something was not set because the device answers.
	CameBack bool
	// Aside counts the dead whose new value consumers may not read: it lies at
	// Rollcall's own path, because the account refused what its paths hold, or
	// it is not at one that an earlier campaign wrote.
	Aside int
	// GaveUp is why what was done last was given up; nil where it was recorded.
	GaveUp *GaveUp
}

// rotate takes one batch through the protocol once, and cleans.
func rotate(ctx workflow.Context, in rotationInput) rotationResult {
	out, dead := turn(ctx, in)
	if len(dead) > 0 {
		steady, _ := workflow.NewDisconnectedContext(ctx)
		out.Reopened = cleanAtLast(steady, wire.CleanInput{Batch: in.Batch, Items: dead})
	}
	return out
}

// turn takes one batch to what is recorded of it, and gives the dead, which may
// be cleaned. Its order is the protocol's: nothing is set before the ledger
// holds the intent, nothing is destroyed before it holds the proof. Open
// credentials are values, and so is an activity that gave up.
//
// When ctx is cancelled it begins no other credential. Those in hand are
// finished and recorded; the rest are open, interrupted.
func turn(ctx workflow.Context, in rotationInput) (out rotationResult, dead []wire.CleanItem) {
	// What is recorded and cleaned is so whether or not it is cancelled.
	steady, _ := workflow.NewDisconnectedContext(ctx)
	if ctx.Err() != nil {
		return rotationResult{Open: openAll(in.Items, protocol.ReasonInterrupted)}, nil
	}

	var prepared []wire.PreparedItem
	err := workflow.ExecuteActivity(onRotation(ctx), wire.DoPrepare, wire.PrepareInput{Batch: in.Batch, Pass: in.Pass, Items: in.Items, Sent: sent(in.Known)}).Get(ctx, &prepared)
	if err != nil {
		return gaveUp(steady, in, protocol.Precheck, err), nil
	}
	ready, stopped := split(prepared)
	ready, stopped = unlessCancelled(ctx, protocol.Stage, ready, stopped)

	var applied []wire.AppliedItem
	if len(ready) > 0 {
		err = workflow.ExecuteActivity(onLedger(steady), wire.DoRecordIntents, wire.IntentInput{Batch: in.Batch, Items: ready}).Get(steady, nil)
		if err != nil {
			return gaveUp(steady, in, protocol.Intent, err), nil
		}
		ready, stopped = unlessCancelled(ctx, protocol.Intent, ready, stopped)
	}
	if len(ready) > 0 {
		err = workflow.ExecuteActivity(onRotation(ctx), wire.DoApply, wire.ApplyInput{Batch: in.Batch, Items: toApply(ready, in.Known), Doors: wire.DoorsLater}).Get(ctx, &applied)
		if err != nil {
			return gaveUp(steady, in, protocol.Set, err), nil
		}
	}
	applied, later := atDoors(applied)
	stillCutOff(in.Known, stopped, applied)
	sameEnd(in.Known, applied)
	if len(later) == 0 || len(stopped)+len(applied) > 0 {
		err = record(steady, in, stopped, applied)
	}
	if err != nil {
		return gaveUp(steady, in, protocol.Outcome, err), nil
	}
	out, dead = ended(stopped, applied)
	more, shut := askDoors(ctx, in, later)
	return out.with(more), append(dead, shut...)
}

// with is the result of both parts of a pass.
func (r rotationResult) with(more rotationResult) rotationResult {
	r.Dead += more.Dead
	r.Reopened += more.Reopened
	r.Open = append(r.Open, more.Open...)
	r.LivesOn = append(r.LivesOn, more.LivesOn...)
	r.CameBack = r.CameBack || more.CameBack
	r.Aside += more.Aside
	r.GaveUp = more.GaveUp
	return r
}

// unlessCancelled leaves open, at the step that was reached, what a cancelled
// batch will not set.
func unlessCancelled(ctx workflow.Context, at protocol.Step, ready, stopped []wire.PreparedItem) (goOn, open []wire.PreparedItem) {
	if ctx.Err() == nil {
		return ready, stopped
	}
	for _, it := range ready {
		it.Step, it.Stop = at, &protocol.Stop{Reason: protocol.ReasonInterrupted, Detail: "the campaign was aborted before its turn; this pass set nothing"}
		stopped = append(stopped, it)
	}
	return nil, stopped
}

func record(ctx workflow.Context, in rotationInput, stopped []wire.PreparedItem, applied []wire.AppliedItem) error {
	return workflow.ExecuteActivity(onLedger(ctx), wire.DoRecordResults, wire.ResultInput{
		Batch: in.Batch, Pass: in.Pass, Stopped: stopped, Applied: applied, Known: in.Known,
	}).Get(ctx, nil)
}

// ended sorts the credentials of a pass whose results are recorded.
func ended(stopped []wire.PreparedItem, applied []wire.AppliedItem) (out rotationResult, dead []wire.CleanItem) {
	for _, p := range stopped {
		out.Open = append(out.Open, wire.OpenAs(p.Index, p.Step, p.Stop))
	}
	for _, a := range applied {
		if a.Dead() {
			if slices.ContainsFunc(a.Findings, func(f credential.Finding) bool { return f.Code.LivesOn() }) {
				out.LivesOn = append(out.LivesOn, a.Index)
			}
			if slices.ContainsFunc(a.Findings, func(f credential.Finding) bool { return f.Code.Undelivered() }) {
				out.Aside++
			}
			dead = append(dead, wire.CleanItem{Index: a.Index, Dead: a.ToClean()})
			continue
		}
		out.Open = append(out.Open, wire.OpenAs(a.Index, a.Step, a.Stop))
	}
	out.Dead = len(dead)
	out.CameBack = slices.ContainsFunc(out.Open, func(it wire.OpenItem) bool { return it.Reason == protocol.ReasonDeviceAnswers })
	return out, dead
}

// sent are those whose new value may be in force.
func sent(known []wire.OpenItem) (out []int) {
	for _, k := range known {
		if halfDone(k) {
			out = append(out, k.Index)
		}
	}
	return out
}

func split(items []wire.PreparedItem) (ready, stopped []wire.PreparedItem) {
	for _, it := range items {
		if it.Stop == nil {
			ready = append(ready, it)
		} else {
			stopped = append(stopped, it)
		}
	}
	return ready, stopped
}

func toApply(ready []wire.PreparedItem, known []wire.OpenItem) []wire.ApplyItem {
	against, began, unheard := map[int]string{}, sent(known), map[int]bool{}
	for _, k := range known {
		against[k.Index], unheard[k.Index] = k.Contradicts, k.Unheard
	}
	out := make([]wire.ApplyItem, 0, len(ready))
	for _, it := range ready {
		out = append(out, wire.ApplyItem{Index: it.Index, Attempt: it.Attempt, Fresh: it.Fresh, Against: against[it.Index], Sent: slices.Contains(began, it.Index), Unheard: unheard[it.Index]})
	}
	return out
}

// gaveUp is a batch one of whose activities failed for the last time:
// everything is open, and the next pass looks at what was done. The ledger is
// told, unless it is the ledger that failed.
func gaveUp(ctx workflow.Context, in rotationInput, step protocol.Step, err error) rotationResult {
	workflow.GetLogger(ctx).Error("activity gave up", "step", step, "error", err)
	reason, detail := wire.ReasonFor(err)
	out := rotationResult{GaveUp: &GaveUp{reason, detail}}
	var stopped []wire.PreparedItem
	for _, i := range in.Items {
		stopped = append(stopped, wire.PreparedItem{Index: i, Prepared: wire.Prepared{
			Step: step, Stop: &protocol.Stop{Reason: reason, Detail: detail},
		}})
	}
	stillCutOff(in.Known, stopped, nil)
	for _, p := range stopped {
		it := wire.OpenAs(p.Index, p.Step, p.Stop)
		it.Unheard = step == protocol.Set
		out.Open = append(out.Open, it)
	}
	if reason != protocol.ReasonLedger {
		if err := record(ctx, in, stopped, nil); err != nil {
			workflow.GetLogger(ctx).Error("the ledger was not told", "error", err)
			reason, detail = wire.ReasonFor(err)
			out.GaveUp = &GaveUp{reason, detail}
		}
	}
	return out
}
