package workflows

import (
	"errors"

	"go.temporal.io/sdk/workflow"

	"rollcall/internal/credential"
	"rollcall/internal/wire"
)

// looksAgain: a campaign that an earlier version began looks at passwords of
// services in directories alone.
func looksAgain(k credential.Kind, version workflow.Version) bool {
	return version > 1 || !k.OpensVault() && !k.Traits().HandsOver
}

// recheck looks at every dead credential once more, when all waves are done.
// What was changed since its proof is open again. A look that fails takes no
// proof back.
func (c *campaign) recheck(ctx workflow.Context, roll wire.Roll) {
	if c.status.Dead == 0 {
		return
	}
	version := workflow.GetVersion(ctx, "recheck", workflow.DefaultVersion, 2)
	if version == workflow.DefaultVersion {
		return
	}
	for i, w := range roll.Waves {
		if c.status.Waves[i].Dead == 0 || w.Tasks {
			continue
		}
		for _, run := range w.Runs {
			if !looksAgain(run.Kind, version) {
				continue
			}
			b := wire.Batch{
				Campaign: roll.Campaign, Snapshot: roll.Snapshot, Authority: run.Authority, Kind: run.Kind,
				Span: run.Span, Concurrency: c.in.Settings.Concurrency, LeftOut: c.control.LeftOut[run.Authority],
			}
			c.looks++
			reopened, err := recheckRun(ctx, b, c.looks)
			if err != nil {
				workflow.GetLogger(ctx).Error("dead credentials were not looked at again", "error", err)
			}
			c.status.Dead -= reopened
			c.status.Open += reopened
			c.status.Waves[i].Dead -= reopened
			c.status.Waves[i].Open += reopened
		}
	}
}

// recheckRun gives how many are open again, which the ledger has by then.
func recheckRun(ctx workflow.Context, b wire.Batch, number int) (int, error) {
	var proved []wire.ProvedItem
	var found wire.Rechecked
	failed := workflow.ExecuteActivity(onLedger(ctx), wire.DoProved, b).Get(ctx, &proved)
	if failed != nil {
		// Which of them are dead is not known.
		found.Missed = b.Span.To - b.Span.From
		err := workflow.ExecuteActivity(toTheEnd(ctx), wire.DoRecordRechecked, wire.RecheckedInput{Batch: b, Result: found, Number: number}).Get(ctx, nil)
		return 0, errors.Join(failed, err)
	}
	if len(proved) == 0 {
		return 0, nil
	}
	failed = workflow.ExecuteActivity(onRotation(ctx), wire.DoRecheck, wire.RecheckInput{Batch: b, Items: proved}).Get(ctx, &found)
	if failed != nil {
		found = wire.Rechecked{Missed: len(proved)}
	}
	if len(found.Reopened)+len(found.Locked)+len(found.Told)+found.Missed == 0 {
		return 0, nil
	}
	err := workflow.ExecuteActivity(toTheEnd(ctx), wire.DoRecordRechecked, wire.RecheckedInput{Batch: b, Result: found, Number: number}).Get(ctx, nil)
	if err != nil {
		return 0, err
	}
	return len(found.Reopened), failed
}
