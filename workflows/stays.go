package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"rollcall/internal/ledger"
)

// stays keeps the campaign, where its file says so, for whoever puts right what
// only a person can: he has it listed again, or closes it. What he takes up is
// brought to its end. Where nothing of the kind ended open the campaign goes on
// to its end.
func (c *campaign) stays(ctx, steady workflow.Context) error {
	if c.in.Settings.Wait <= 0 || workflow.GetVersion(ctx, changeStays, workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return nil
	}
	exact := workflow.GetVersion(ctx, changeMend, workflow.DefaultVersion, 1) > workflow.DefaultVersion
	needed := func() bool { return c.person && (!exact || c.vague || len(c.mend) > 0) }
	until := workflow.Now(steady).Add(c.in.Settings.Wait)
	for needed() && c.status.Open > 0 && !c.control.Aborting && workflow.Now(steady).Before(until) {
		c.status.Stays = until
		_, err := workflow.AwaitWithTimeout(steady, until.Sub(workflow.Now(steady)), func() bool {
			return c.control.Aborting || ctx.Err() != nil || c.others()
		})
		c.status.Stays = time.Time{}
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			c.control.Aborting, c.status.Phase = true, ledger.Aborting
		}
		if err := c.ends(steady); err != nil {
			return err
		}
	}
	return nil
}
