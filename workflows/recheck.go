package workflows

import (
	"errors"
	"slices"

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
	version := workflow.GetVersion(ctx, "recheck", workflow.DefaultVersion, 5)
	if version == workflow.DefaultVersion {
		return
	}
	for i, w := range roll.Waves {
		if c.status.Waves[i].Dead == 0 || w.Tasks && (version < 5 || c.peopleRun()) {
			continue // what goes on counts for itself, and is looked at when it ends
		}
		for _, run := range w.Runs {
			if !looksAgain(run.Kind, version) {
				continue
			}
			for _, span := range spansOf(run, roll.Waves[i+1:], version) {
				b := wire.Batch{
					Campaign: roll.Campaign, Snapshot: roll.Snapshot, Authority: run.Authority, Kind: run.Kind,
					Span: span, Concurrency: c.in.Settings.Concurrency, LeftOut: c.control.LeftOut[run.Authority],
				}
				if w.Tasks {
					b.DoorsLeftOut = c.control.Doors
				}
				c.recheckBatch(ctx, b, i, version)
			}
		}
	}
}

// recheckBatch counts what is open again, of the wave with index i.
func (c *campaign) recheckBatch(ctx workflow.Context, b wire.Batch, i int, version workflow.Version) {
	c.looks++
	reopened, unseen, err := recheckRun(ctx, b, c.looks)
	if unseen > 0 && version > 2 {
		c.status.Incomplete++ // one finding in the ledger
	}
	if err != nil {
		workflow.GetLogger(ctx).Error("dead credentials were not looked at again", "error", err)
	}
	c.status.Dead -= reopened
	c.status.Open += reopened
	c.status.Waves[i].Dead -= reopened
	c.status.Waves[i].Open += reopened
}

// spansOf are what a wave looks at of a run: not what goes on in a later one,
// which is whose it was proved in. A campaign that an earlier version began
// looks at it in both.
func spansOf(run credential.Run, later []credential.WaveIndex, version workflow.Version) []credential.Span {
	if version < 4 {
		return []credential.Span{run.Span}
	}
	var out []credential.Span
	from := run.From
	for at := run.From; at <= run.To; at++ {
		if at < run.To && !slices.ContainsFunc(later, func(w credential.WaveIndex) bool { return holds(w, credential.Ref{Page: run.Page, Index: at}) }) {
			continue
		}
		if from < at {
			one := run.Span
			one.From, one.To = from, at
			out = append(out, one)
		}
		from = at + 1
	}
	return out
}

// peopleRun reports whether people still see to something.
func (c *campaign) peopleRun() bool {
	return slices.ContainsFunc(c.running, func(r *runningWave) bool { return r.people })
}

// recheckRun gives how many are open again, and how many could not be looked
// at, which the ledger has by then.
func recheckRun(ctx workflow.Context, b wire.Batch, number int) (reopened, unseen int, err error) {
	var proved []wire.ProvedItem
	var found wire.Rechecked
	failed := workflow.ExecuteActivity(onLedger(ctx), wire.DoProved, b).Get(ctx, &proved)
	if failed != nil {
		// Which of them are dead is not known.
		for i := b.Span.From; i < b.Span.To; i++ {
			found.Unseen = append(found.Unseen, i)
		}
		err := workflow.ExecuteActivity(toTheEnd(ctx), wire.DoRecordRechecked, wire.RecheckedInput{Batch: b, Result: found, Number: number}).Get(ctx, nil)
		return 0, len(found.Unseen), errors.Join(failed, err)
	}
	if len(proved) == 0 {
		return 0, 0, nil
	}
	failed = workflow.ExecuteActivity(onRotation(ctx), wire.DoRecheck, wire.RecheckInput{Batch: b, Items: proved}).Get(ctx, &found)
	if failed != nil {
		found = wire.Rechecked{}
		for _, it := range proved {
			found.Unseen = append(found.Unseen, it.Index)
		}
	}
	if len(found.Reopened)+len(found.Locked)+len(found.Told)+len(found.Unseen)+found.Missed == 0 {
		return 0, 0, nil
	}
	err = workflow.ExecuteActivity(toTheEnd(ctx), wire.DoRecordRechecked, wire.RecheckedInput{Batch: b, Result: found, Number: number}).Get(ctx, nil)
	if err != nil {
		return 0, len(found.Unseen), err
	}
	return len(found.Reopened), len(found.Unseen), failed
}
