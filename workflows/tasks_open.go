package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// open opens what is not open yet, and hands over what was given to somebody
// else. An activity that gives up leaves both for the next round.
func (t *tasks) open(ctx workflow.Context) {
	if t.hears && t.state.Control.Aborting {
		return
	}
	t.heard = t.state.Control.relief()
	in := t.of(func(it taskItem) bool { return !it.Opened && !it.Final })
	for _, s := range t.state.Unmet {
		if t.item(s.Ref) != nil {
			in.Refs, in.Moved = append(in.Refs, s.Ref), append(in.Moved, s)
		}
	}
	if len(in.Refs) == 0 {
		return
	}
	var opened []wire.OpenedTask
	if err := workflow.ExecuteActivity(onRotation(ctx), wire.DoOpenTasks, in).Get(ctx, &opened); err != nil {
		workflow.GetLogger(ctx).Error("tasks could not be opened", "error", err)
		return
	}
	t.state.Round++
	out := wire.TasksInput{Tasks: in, Round: t.state.Round}
	out.Tasks.Refs = nil
	for _, it := range opened {
		have := t.item(it.Ref)
		t.state.CameBack = t.state.CameBack || it.Stop != nil && it.Stop.Reason == protocol.ReasonDeviceAnswers
		switch {
		case have.Opened && it.Stop == nil && it.Again > 0:
			// Which the ledger is to know before anybody can do it again.
		case have.Opened: // given on
			if it.Stop == nil {
				t.meet(it.Ref)
				have.Reason, have.Why = "", ""
			} else {
				have.Reason, have.Why = it.Stop.Reason, it.Stop.Detail
			}
			continue
		case it.Stop != nil && it.Stop.Reason == have.Reason && it.Stop.Detail == have.Why:
			continue // which is recorded
		}
		out.Tasks.Refs, out.Items = append(out.Tasks.Refs, it.Ref), append(out.Items, it)
	}
	if len(out.Items) == 0 {
		return
	}
	if err := workflow.ExecuteActivity(toTheEnd(ctx), wire.DoRecordTasks, out).Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Error("the ledger was not told of tasks", "error", err)
		return
	}
	for _, it := range out.Items {
		have := t.item(it.Ref)
		if it.Again > 0 {
			t.meet(it.Ref)
		}
		have.Due = it.Due
		if have.Next.IsZero() {
			have.Next = it.Due
			if soon := it.Due.Add(-remindBefore); soon.After(workflow.Now(ctx)) {
				have.Next = soon
			}
		}
		if it.Stop != nil {
			have.Reason, have.Why, have.Final = it.Stop.Reason, it.Stop.Detail, it.Stop.Reason.Listed()
			continue
		}
		have.Opened, have.Reason, have.Why = true, "", ""
	}
	t.giveUp(ctx)
}

// meet: whoever sees to a task by now has it.
func (t *tasks) meet(ref credential.Ref) {
	t.state.Unmet = slices.DeleteFunc(t.state.Unmet, func(s wire.Moved) bool { return s.Ref == ref })
}

// giveUp ends what no waiting opens.
func (t *tasks) giveUp(ctx workflow.Context) {
	in := t.of(func(it taskItem) bool { return it.Final })
	if len(in.Refs) == 0 {
		return
	}
	err := workflow.ExecuteActivity(toTheEnd(ctx), wire.DoLeaveTasks, wire.LeaveInput{Tasks: in, Why: "trying again cannot help"}).Get(ctx, nil)
	if err != nil {
		workflow.GetLogger(ctx).Error("the ledger was not told of tasks", "error", err)
		return
	}
	t.state.Items = slices.DeleteFunc(t.state.Items, func(it taskItem) bool { return it.Final })
	t.state.Ended += len(in.Refs)
}
