package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/wire"
)

// askDevice asks the device a last time, and records that it answered, now or
// while the campaign ran: who was on it may have read what was set by then, and
// no such campaign ends with exit code 0. Whether it is asked goes by the roll,
// so a campaign that an earlier version began does not.
func (c *campaign) askDevice(ctx workflow.Context, roll wire.Roll) error {
	if !roll.Watched {
		return nil
	}
	if err := workflow.Await(ctx, func() bool { return !c.asking }); err != nil {
		return err
	}
	var found wire.DeviceAnswers
	if err := workflow.ExecuteActivity(onRotation(ctx), wire.DoAskDevice, c.in.Campaign).Get(ctx, &found); err != nil {
		workflow.GetLogger(ctx).Error("the device was not asked again", "error", err)
		found.Detail = "whether the device answers at the end of the campaign is not known: nobody could ask it"
	}
	switch {
	case found.Detail != "":
	case c.cameBack:
		found.Detail = "the device answered while the campaign ran, and is silent now"
	default:
		return nil
	}
	c.status.Incomplete++
	return workflow.ExecuteActivity(toTheEnd(ctx), wire.DoRecordEvent, wire.EventInput{
		Campaign: c.in.Campaign, Device: c.in.Device, Event: ledger.EventFinding, Finding: credential.FindingCameBack, Detail: found.Detail,
	}).Get(ctx, nil)
}

// watchDevice asks the device now and then while the campaign waits: for a
// person who paused it or tries one first, or for a server that lags. What is
// set asks by itself before each try, and who waits for people does too
// (tasks.watchDevice).
func (c *campaign) watchDevice(ctx workflow.Context) {
	for w := (deviceWatch{}); !c.cameBack; {
		over := func() bool { return c.cameBack || c.winding || c.closing }
		if is, err := workflow.AwaitWithTimeout(ctx, w.pause(), over); is || err != nil {
			return
		}
		if slices.ContainsFunc(c.running, func(r *runningWave) bool { return r.people }) {
			continue
		}
		c.asking = true
		c.cameBack = w.look(ctx, c.in.Campaign, c.in.Device) || c.cameBack
		c.asking = false
	}
}
