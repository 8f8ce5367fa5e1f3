package workflows

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"
	"pgregory.net/rapid"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// chain runs a wave until it ends, over as many runs as it takes: each is told
// to continue as new once it has started after batches. It returns what the
// wave ended with and how many runs there were.
func (f *fake) chain(t *testing.T, s Settings, after int) (out waveResult, runs int) {
	return f.chainFrom(t, waveState{Index: f.roll.Waves[0], Settings: s}, after)
}

// chainFrom is chain for a wave that is on its way.
func (f *fake) chainFrom(t *testing.T, st waveState, after int) (out waveResult, runs int) {
	st.Roll = f.roll
	st.Roll.Waves = nil
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for runs = 1; ; runs++ {
		env := f.env(t)
		env.SetStartTime(start)
		started := 0
		env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
			if info.ActivityType.Name == "Prepare" {
				started++
				env.SetContinueAsNewSuggested(started >= after)
			}
		})
		env.ExecuteWorkflow(WaveWorkflow, st)
		next, again := continued(t, env)
		if !again {
			return result[waveResult](t, env), runs
		}
		st, start = next, env.Now()
	}
}

// continued reads the state with which a wave continues as new, if it does.
func continued(t *testing.T, env *testsuite.TestWorkflowEnvironment) (st waveState, again bool) {
	var next *workflow.ContinueAsNewError
	if !errors.As(env.GetWorkflowError(), &next) {
		return st, false
	}
	require.Equal(t, WaveWorkflow, next.WorkflowType.Name)
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(next.Input, &st))
	return st, true
}

// TestContinuingAsNewLosesAndRepeatsNothing draws rolls, batch sizes, how often
// each credential fails before it dies, and how much a run may start.
func TestContinuingAsNewLosesAndRepeatsNothing(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		sizes := rapid.SliceOfN(rapid.IntRange(1, 12), 1, 4).Draw(r, "pages")
		s := Settings{
			Batch:    rapid.IntRange(1, 8).Draw(r, "batch"),
			Parallel: rapid.IntRange(1, 5).Draw(r, "parallel"),
			RetryMin: time.Minute, RetryMax: time.Minute, Deadline: 24 * time.Hour,
		}
		f := newFake(waveOf(2, sizes...))
		fails := map[place]int{}
		hopeless := 0
		for page, n := range sizes {
			for i := range n {
				fails[place{page, i}] = rapid.SampledFrom([]int{0, 0, 0, 1, 2, -1}).Draw(r, "fails")
				if fails[place{page, i}] < 0 {
					hopeless++
				}
			}
		}
		f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
			switch {
			case fails[at] < 0:
				return protocol.Precheck, protocol.ReasonNoAccount
			case try <= fails[at]:
				return protocol.Set, protocol.ReasonUnreachable
			}
			return "", ""
		}
		out, runs := f.chain(t, s, rapid.IntRange(1, 6).Draw(r, "batches of a run"))

		require.Len(r, out.Mend, hopeless)
		for _, at := range out.Mend {
			require.Negative(r, fails[place{at.Page, at.Index}])
		}
		out.Mend = nil
		require.Equal(r, waveResult{Dead: f.roll.Listed - hopeless, Open: hopeless, Person: hopeless > 0}, out, "%d runs", runs)
		for at, n := range fails {
			if n < 0 {
				require.Contains(r, f.exceptions, at)
				require.NotContains(r, f.died, at)
				continue
			}
			require.Equal(r, 1, f.died[at], "%v in %d runs", at, runs)
			require.Equal(r, n+1, f.tries[at], "%v in %d runs", at, runs)
			require.Equal(r, 1, f.cleaned[at])
			require.NotContains(r, f.exceptions, at)
		}
	})
}

func TestAWaveContinuesAsNewLongBeforeTemporalsLimits(t *testing.T) {
	f := newFake(waveOf(0, 2*dispatches+50))
	s := settings
	s.Batch, s.Parallel = 1, 20
	out, runs := f.chain(t, s, 1_000_000)
	require.Equal(t, waveResult{Dead: 2*dispatches + 50}, out)
	require.Equal(t, 3, runs)
}

// An abort may find more half done than one history can hold.
func TestAnAbortedWaveFinishesAndRecordsAllThereIsOverSeveralRuns(t *testing.T) {
	const half, untouched = 2*dispatches + 30, 40
	f := newFake(waveOf(0, half+untouched))
	s := settings
	s.Batch = 1
	st := waveState{Index: f.roll.Waves[0], Settings: s, Control: control{Aborting: true}, Planned: true, Pass: 3}
	for i := range half {
		st.Open = append(st.Open, batchTodo{Batch: i, Items: []wire.OpenItem{{Index: i, Step: protocol.Prove, Reason: protocol.ReasonLagging}}})
	}
	for i := range untouched {
		st.Todo = append(st.Todo, batchTodo{Batch: half + i})
	}
	f.outcome = func(at place, _ int) (protocol.Step, protocol.Reason) {
		if at.index%10 == 0 {
			return protocol.Prove, protocol.ReasonLagging
		}
		return "", ""
	}
	out, runs := f.chainFrom(t, st, 1_000_000)
	require.Equal(t, waveResult{Dead: half * 9 / 10, Open: half/10 + untouched}, out)
	require.Equal(t, 3, runs, "of at most %d batches each", dispatches)
	for i := range half {
		require.Equal(t, 1, f.tries[place{0, i}])
	}
	require.Zero(t, f.tries[place{0, half}])
	require.Len(t, f.exceptions, half/10+untouched)
}

func TestTheDeadlineCountsOnAcrossRuns(t *testing.T) {
	f := newFake(waveOf(0, 1))
	f.outcome = always(protocol.Set, protocol.ReasonUnreachable)
	out, runs := f.chain(t, settings, 1)
	require.Equal(t, waveResult{Open: 1}, out)
	require.Greater(t, runs, 3)
	require.Len(t, f.passes, runs)
	whole := f.passes[len(f.passes)-1].Sub(f.passes[0])
	require.Greater(t, whole, settings.Deadline)
	require.Less(t, whole, settings.Deadline+settings.RetryMax+time.Minute)
	require.Len(t, f.exceptions, 1)
}

// What a campaign says in the very moment in which a wave continues as new
// must not be lost: the signal comes with the event that wakes the wave.
func TestASignalThatComesAsAWaveContinuesAsNewIsCarriedOver(t *testing.T) {
	f := newFake(waveOf(0, 3))
	f.outcome = always(protocol.Set, protocol.ReasonUnreachable)
	env := f.env(t)
	// Not a task of its own: the end of the back-off, at the same time, is one.
	env.RegisterDelayedCallback(func() {
		env.SetContinueAsNewSuggested(true)
		env.SignalWorkflowSkippingWorkflowTask(SignalControl, control{Aborting: true})
	}, 30*time.Second)
	f.wave(env, settings)
	next, again := continued(t, env)
	if !again {
		require.Equal(t, "the campaign was aborted", f.why[place{0, 0}])
		return
	}
	require.True(t, next.Control.Aborting, "the abort was lost")
}

func TestARollOfManyPagesStaysSmallInTemporal(t *testing.T) {
	w := credential.WaveIndex{}
	for page := range 200 {
		w.Runs = append(w.Runs, waveOf(0, 500).Runs[0])
		w.Runs[page].Page = page
	}
	require.Equal(t, 100_000, listed(w))
	var todo []batchTodo
	for b := range batches(newFake().roll, w, 100, 8) {
		todo = append(todo, batchTodo{Batch: b})
	}
	p, err := converter.GetDefaultDataConverter().ToPayload(waveState{Roll: newFake().roll, Index: w, Todo: todo})
	require.NoError(t, err)
	require.Less(t, len(p.Data), 64<<10)
}
