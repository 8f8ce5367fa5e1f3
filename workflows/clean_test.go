package workflows

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/protocol"
)

// Vault lets set and activate, and not clean: what is open does not wait for
// that.
func TestWhatIsOpenDoesNotWaitForCleaning(t *testing.T) {
	f := newFake(waveOf(0, 20))
	f.fails["Clean"] = errors.New("throttled")
	f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
		if at.index%2 == 0 && try < 3 {
			return protocol.Intent, protocol.ReasonThrottled
		}
		return "", ""
	}
	env := f.env(t)
	began := env.Now()
	var seen []time.Duration // when passes began
	env.RegisterDelayedCallback(func() {
		for _, at := range f.passes {
			seen = append(seen, at.Sub(began))
		}
		f.failing("Clean", nil)
	}, 3*time.Minute+30*time.Second)
	env.ExecuteWorkflow(WaveWorkflow, waveState{Roll: f.roll, Index: f.roll.Waves[0], Settings: settings, Urgent: true})
	require.Equal(t, waveResult{Dead: 20}, result[waveResult](t, env))
	require.Len(t, seen, 6, "three passes of two batches while nothing could be cleaned")
	require.Less(t, seen[5], 6*time.Minute, "1 and 2 minutes are waited between them, and nothing else")
	require.Len(t, f.cleaned, 20, "and in the end all of it was")
	for at, times := range f.cleaned {
		require.Equal(t, 1, times, at)
	}
}

// The deadline is kept as well.
func TestExceptionsDoNotWaitForCleaning(t *testing.T) {
	f := newFake(waveOf(0, 10))
	f.fails["Clean"] = errors.New("throttled")
	f.outcome = func(at place, _ int) (protocol.Step, protocol.Reason) {
		if at.index == 3 {
			return protocol.Intent, protocol.ReasonThrottled
		}
		return "", ""
	}
	env := f.env(t)
	env.ExecuteWorkflow(WaveWorkflow, waveState{Roll: f.roll, Index: f.roll.Waves[0], Settings: settings, Urgent: true})
	require.Equal(t, waveResult{Dead: 9, Open: 1}, result[waveResult](t, env), "dead is dead, though nothing was cleaned for a day")
	at := slices.Index(f.log, "RecordExceptions")
	require.Positive(t, at)
	require.Contains(t, f.log[at:], "Clean", "it is tried with patience once there is nothing else to do")
}

// Its staged value is kept, and the next campaign goes on with it.
func TestWhatConsumersDoNotGetAnyMoreIsOpenAgainAndSaidSoInTheLedger(t *testing.T) {
	for name, urgent := range map[string]bool{"cleaned beside the next batch": true, "cleaned with its batch": false} {
		t.Run(name, func(t *testing.T) {
			f := newFake(waveOf(0, 20))
			f.writtenOver = map[place]bool{{0, 3}: true, {0, 14}: true}
			env := f.env(t)
			env.ExecuteWorkflow(WaveWorkflow, waveState{Roll: f.roll, Index: f.roll.Waves[0], Settings: settings, Urgent: urgent})
			require.Equal(t, waveResult{Dead: 18, Open: 2}, result[waveResult](t, env))
			require.ElementsMatch(t, []place{{0, 3}, {0, 14}}, f.reopened)
		})
	}
}
