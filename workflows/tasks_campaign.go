package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"rollcall/internal/credential"
	"rollcall/internal/wire"
)

// beginTasks starts what people see to. It is no child that a cancelled
// campaign cancels: it is told to abort, and winds up.
func (c *campaign) beginTasks(ctx, steady workflow.Context, roll wire.Roll, w credential.WaveIndex, i int) error {
	child := workflow.WithChildOptions(steady, workflow.ChildWorkflowOptions{WorkflowID: TasksID(c.in.Campaign), TaskQueue: wire.RotationQueue})
	only := roll
	only.Waves, only.Servers, only.Addresses = nil, nil, nil
	future := workflow.ExecuteChildWorkflow(child, TasksWorkflow, tasksState{Roll: only, Index: w, Control: c.control, Watch: watchFor(roll), Hands: true,
		RetryMin: c.in.Settings.RetryMin, RetryMax: c.in.Settings.RetryMax})
	r := &runningWave{future: future, index: i, people: true}
	c.running = append(c.running, r)
	if err := future.GetChildWorkflowExecution().Get(steady, nil); err != nil {
		return err
	}
	workflow.Go(steady, func(steady workflow.Context) { c.watch(ctx, steady, r) })
	return nil
}

// forPeople waits for people, when all else has ended, and looks again then at
// what is dead: that was days ago, perhaps.
func (c *campaign) forPeople(steady workflow.Context) error {
	if len(c.running) == 0 {
		return c.failed
	}
	c.winding = false
	defer func() { c.winding, c.status.People = true, false }()
	for len(c.running) > 0 || c.again.taking {
		c.status.People = !c.others()
		now := c.status.People
		if err := workflow.Await(steady, func() bool { return len(c.running) == 0 && !c.again.taking || now == c.others() }); err != nil {
			return err
		}
	}
	if c.failed == nil {
		c.recheck(steady, c.roll)
	}
	return c.failed
}

// others reports whether something else than people is waited for: what was
// listed again meanwhile.
func (c *campaign) others() bool {
	return c.again.taking || slices.ContainsFunc(c.running, func(r *runningWave) bool { return !r.people })
}
