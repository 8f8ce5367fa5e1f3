package workflows

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// A hook waits for the ledger, and the ledger must not wait for the batch.
func TestTheLedgerHearsWhatIsActivatedBeforeItsBatchIsThrough(t *testing.T) {
	f := newFake(waveOf(0, 2))
	f.takes["Apply"] = 10 * time.Minute
	env := f.env(t)
	in := wire.ActivatedInput{Batch: wire.Batch{Campaign: "c1"}, Items: []wire.ActivatedItem{{Index: 1, Attempt: 1, To: []int{2}}}}
	env.RegisterDelayedCallback(func() { env.SignalWorkflow(wire.SignalActivated, in) }, time.Minute)
	f.wave(env, settings)
	require.Equal(t, waveResult{Dead: 2}, result[waveResult](t, env))
	require.Equal(t, []wire.ActivatedInput{in}, f.activated)
	require.Less(t, slices.Index(f.log, wire.DoRecordActivated), slices.Index(f.log, wire.DoRecordResults), f.log)
}

// What the ledger does not take shows in the results of the batch.
func TestALedgerThatDoesNotHearWhatIsActivatedEndsNoWave(t *testing.T) {
	f := newFake(waveOf(0, 1))
	f.takes["Apply"] = 10 * time.Minute
	f.fails[wire.DoRecordActivated] = broken("Ledger")
	f.outcome = func(_ place, try int) (protocol.Step, protocol.Reason) {
		if try == 1 {
			return protocol.Prove, protocol.ReasonLagging
		}
		return "", ""
	}
	env := f.env(t)
	env.RegisterDelayedCallback(func() {
		env.SignalWorkflow(wire.SignalActivated, wire.ActivatedInput{Items: []wire.ActivatedItem{{Attempt: 1}}})
	}, time.Minute)
	f.wave(env, settings)
	require.Equal(t, waveResult{Dead: 1}, result[waveResult](t, env))
	require.Equal(t, 1, f.ranTimes(wire.DoRecordActivated))
}

func (f *fake) recordActivated(_ context.Context, in wire.ActivatedInput) error {
	if err := f.begin("RecordActivated"); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.activated = append(f.activated, in)
	return nil
}
