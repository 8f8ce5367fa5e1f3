package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"
)

// wait backs off before the next pass; an abort ends it, and so does a server
// that is left out.
func (w *wave) wait(ctx workflow.Context) {
	delay := backoff(w.state.Pass, w.state.Settings.RetryMin, w.state.Settings.RetryMax)
	for _, t := range w.state.Open {
		for _, it := range t.Items {
			if it.Reason.Immediate() || w.state.Pass == 1 && waitsForLogins(it) {
				return
			}
			if cutOff(it) || waitsForLogins(it) && knowsCircles(ctx) {
				delay = min(delay, cutOffWait)
			}
			// A look before the end of a lock costs no login, and finds what
			// was unlocked by hand. The first one after it must not be late.
			if left := time.Unix(it.Until, 0).Sub(workflow.Now(ctx)); it.Until > 0 && left > 0 {
				delay = min(delay, left+time.Second)
			}
		}
	}
	w.next = workflow.Now(ctx).Add(delay)
	for {
		_, _ = workflow.AwaitWithTimeout(ctx, delay, func() bool { return w.state.Control.Aborting || w.relieved() || w.asked() })
		if !w.asked() {
			break
		}
		w.release(ctx)
		if delay = w.next.Sub(workflow.Now(ctx)); delay <= 0 || w.over() {
			break
		}
	}
	w.next = time.Time{}
}

// backoff doubles from first to longest.
func backoff(pass int, first, longest time.Duration) time.Duration {
	d := first
	for i := 1; i < pass && d < longest; i++ {
		d *= 2
	}
	return min(d, longest)
}
