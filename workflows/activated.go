package workflows

import (
	"go.temporal.io/sdk/workflow"

	"rollcall/internal/wire"
)

// changeActivated marks waves that tell the ledger of what is activated while
// its batch is still worked on.
const changeActivated = "activated"

// listenToApply tells the ledger, beside everything else, what Apply says while
// it works: whoever reads a path is to read it anew, and a batch may take long
// to its end. No credential waits for it, and what is lost shows in the
// results. A pass, and the wave's end, wait until the ledger has answered.
func (w *wave) listenToApply(ctx workflow.Context) {
	signals := workflow.GetSignalChannel(ctx, wire.SignalActivated)
	for {
		var in wire.ActivatedInput
		signals.Receive(ctx, &in)
		// A worker of an earlier version may have passed over it.
		if workflow.GetVersion(ctx, changeActivated, workflow.DefaultVersion, 1) == workflow.DefaultVersion {
			continue
		}
		w.telling++
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer func() { w.telling-- }()
			steady, _ := workflow.NewDisconnectedContext(ctx)
			if err := workflow.ExecuteActivity(onLedger(steady), wire.DoRecordActivated, in).Get(steady, nil); err != nil {
				workflow.GetLogger(ctx).Error("the ledger was not told what is activated", "error", err)
			}
		})
	}
}
