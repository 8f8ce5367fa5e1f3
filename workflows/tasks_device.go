package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/wire"
)

// While a campaign waits (for people, or paused) nothing is set, so nothing
// looks whether the device answers. It may be days, and one that is on the
// network for an hour meanwhile reads what was set, and what is handed over.

// askOften is how long the device is not asked at first. Who records fixtures
// has less time.
var askOften = 10 * time.Minute

const (
	// askLater is how long after a day of silence: well below an hour as well,
	// and the history stays short.
	askLater = 30 * time.Minute
	aDay     = 144 // looks of the first sort
	// unknownFor is how many looks in a row may fail before that is told: what
	// nobody could ask was not seen to be silent.
	unknownFor = 6
)

// deviceWatch is what is known of the device while people are waited for.
type deviceWatch struct {
	Next    time.Time `json:"next,omitzero"` // look
	Looks   int       `json:"looks,omitempty"`
	Unknown int       `json:"unknown,omitempty"` // looks in a row that failed
}

func watchFor(roll wire.Roll) *deviceWatch {
	if !roll.Watched {
		return nil
	}
	return &deviceWatch{}
}

// watchDevice asks the device now and then until it has answered, which is told
// at once. The campaign does not end with exit code 0 after that, so it is not
// asked any more then. (What is handed over later asks by itself.)
func (t *tasks) watchDevice(ctx workflow.Context) {
	for w := t.state.Watch; !t.state.CameBack; {
		if w.Next.IsZero() {
			w.Next = workflow.Now(ctx).Add(askOften)
		}
		if d := w.Next.Sub(workflow.Now(ctx)); d > 0 {
			over := func() bool { return t.ended || t.state.CameBack }
			if is, err := workflow.AwaitWithTimeout(ctx, d, over); is || err != nil {
				return
			}
		}
		t.asking = true
		t.state.CameBack = w.look(ctx, t.state.Roll.Campaign, t.state.Roll.Device)
		t.asking = false
		w.Next = workflow.Now(ctx).Add(w.pause())
	}
}

// pause is how long the device is left alone after a look.
func (w *deviceWatch) pause() time.Duration {
	if w.Looks > aDay {
		return askLater
	}
	return askOften
}

// look asks the device once, and records that it answered, or that nobody could
// ask it for an hour.
func (w *deviceWatch) look(ctx workflow.Context, campaign, device string) (answered bool) {
	w.Looks++
	var found wire.DeviceAnswers
	err := workflow.ExecuteActivity(onRotation(ctx), wire.DoWatchDevice, campaign).Get(ctx, &found)
	switch {
	case err == nil:
		w.Unknown = 0
	default:
		workflow.GetLogger(ctx).Error("the device was not asked", "error", err)
		if w.Unknown++; w.Unknown >= unknownFor {
			found.Detail = "whether the device answered while the campaign waited is not known: for an hour nobody could ask it"
		}
	}
	if found.Detail == "" {
		return false
	}
	err = workflow.ExecuteActivity(toTheEnd(ctx), wire.DoRecordEvent, wire.EventInput{
		Campaign: campaign, Device: device, Event: ledger.EventFinding, Finding: credential.FindingCameBack, Detail: found.Detail,
	}).Get(ctx, nil)
	if err != nil { // the campaign tells it at its end
		workflow.GetLogger(ctx).Error("the ledger was not told that the device answered", "error", err)
	}
	return true
}
