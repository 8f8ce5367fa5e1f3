package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// Moments of a slow campaign of 30 credentials in batches of 10, one at a time.
var moments = []struct {
	name string
	at   time.Duration
	dead int
}{
	{"before it lists", 0, 0},
	{"while it lists", 30 * time.Second, 0},
	{"while the roll is recorded", 90 * time.Second, 0},
	{"in the first batch's Prepare", 150 * time.Second, 0},
	{"in the first batch's Apply", 210 * time.Second, 10},
	{"in the second batch's Apply", 330 * time.Second, 20},
	{"in the last batch's Apply", 450 * time.Second, 30},
}

func TestAnAbortAtAnyMomentFinishesWhatIsInHandAndRecordsTheRest(t *testing.T) {
	for _, m := range moments {
		t.Run(m.name, func(t *testing.T) {
			f := newFake(waveOf(0, 20), waveOf(1, 0, 10)).slowly()
			f.roll.Waves[1].Runs = f.roll.Waves[1].Runs[1:]
			env := f.env(t)
			in := input
			in.Settings.Parallel = 1
			a := update(env, UpdateAbort, m.at)
			env.ExecuteWorkflow(CampaignWorkflow, in)
			out := result[Result](t, env)
			require.True(t, a.done, "%v", a.refused)
			require.Equal(t, Result{Listed: 30, Excluded: 1, Dead: m.dead, Open: 30 - m.dead, Aborted: true}, out)
			require.Len(t, f.exceptions, 30-m.dead)
			for at, it := range f.exceptions {
				require.Equal(t, "the campaign was aborted", f.why[at])
				require.Equal(t, protocol.ReasonInterrupted, it.Reason)
			}
			require.Len(t, f.cleaned, m.dead)
			require.Equal(t, []ledger.Event{ledger.CampaignAborted, ledger.CampaignClosed}, f.told())
			require.Equal(t, []string{"c1"}, f.closed)
		})
	}
}

func TestACancelledCampaignIsAnAbortedOne(t *testing.T) {
	for _, m := range moments[2:] { // while it lists there is nothing to wind up
		t.Run(m.name, func(t *testing.T) {
			f := newFake(waveOf(0, 20), waveOf(1, 0, 10)).slowly()
			f.roll.Waves[1].Runs = f.roll.Waves[1].Runs[1:]
			env := f.env(t)
			in := input
			in.Settings.Parallel = 1
			env.RegisterDelayedCallback(env.CancelWorkflow, m.at)
			env.ExecuteWorkflow(CampaignWorkflow, in)
			out := result[Result](t, env)
			require.Equal(t, Result{Listed: 30, Excluded: 1, Dead: m.dead, Open: 30 - m.dead, Aborted: true}, out)
			require.Len(t, f.exceptions, 30-m.dead)
			require.Equal(t, []string{"c1"}, f.closed)
		})
	}
}

func TestACampaignCancelledWhileItListsIsClosed(t *testing.T) {
	f := newFake(waveOf(0, 20)).slowly()
	env := f.env(t)
	env.RegisterDelayedCallback(env.CancelWorkflow, 30*time.Second)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.True(t, env.IsWorkflowCompleted())
	require.Zero(t, f.ranTimes("Prepare"))
	require.Equal(t, []ledger.Event{ledger.CampaignClosed}, f.told())
	require.Equal(t, []string{"c1"}, f.closed)
}

// Rule 3: forward only. What may be in force already gets one more pass.
func TestAnAbortInTheBackOffGivesWhatIsHalfDoneOneMorePassAndNothingElse(t *testing.T) {
	steps := []protocol.Step{
		protocol.Precheck, protocol.Stage, protocol.Intent,
		protocol.Set, protocol.Verify, protocol.Activate, protocol.Retire, protocol.Prove, protocol.Outcome,
	}
	for _, dies := range []bool{true, false} {
		f := newFake(waveOf(0, len(steps)))
		f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
			if try > 1 && dies {
				return "", ""
			}
			return steps[at.index], protocol.ReasonUnreachable
		}
		env := f.env(t)
		a := update(env, UpdateAbort, 30*time.Second)
		env.ExecuteWorkflow(CampaignWorkflow, input)
		out := result[Result](t, env)
		require.True(t, a.done)
		for i, step := range steps {
			want := 1
			if i >= 3 {
				want = 2
			}
			require.Equal(t, want, f.tries[place{0, i}], step)
		}
		if dies {
			require.Equal(t, Result{Listed: 9, Excluded: 1, Dead: 6, Open: 3, Aborted: true}, out)
		} else {
			require.Equal(t, Result{Listed: 9, Excluded: 1, Open: 9, Aborted: true}, out)
		}
		require.Len(t, f.exceptions, out.Open)
		require.Less(t, f.passes[1].Sub(f.passes[0]), time.Minute, "the back-off is over at once")
	}
}

func TestAPausedCampaignCanBeAborted(t *testing.T) {
	f := newFake(waveOf(0, 30)).slowly()
	env := f.env(t)
	in := input
	in.Settings.Parallel = 1
	update(env, UpdatePause, 150*time.Second)
	update(env, UpdateAbort, time.Hour)
	env.ExecuteWorkflow(CampaignWorkflow, in)
	require.Equal(t, Result{Listed: 30, Excluded: 1, Dead: 10, Open: 20, Aborted: true}, result[Result](t, env))
}

// The wave is on its way but not there yet: neither its input nor a signal to a
// running wave would tell it.
func TestAnAbortJustAsAWaveStartsIsHeardByIt(t *testing.T) {
	f := newFake(waveOf(0, 30))
	f.takes["Apply"] = time.Minute
	env := f.env(t)
	in := input
	in.Settings.Parallel = 1
	var a answer
	env.SetOnChildWorkflowStartedListener(func(info *workflow.Info, _ workflow.Context, _ converter.EncodedValues) {
		if info.WorkflowType.Name == WaveWorkflow {
			a.send(env, UpdateAbort, input.Actor)
		}
	})
	env.ExecuteWorkflow(CampaignWorkflow, in)
	out := result[Result](t, env)
	require.True(t, a.done)
	require.True(t, out.Aborted)
	require.LessOrEqual(t, out.Dead, 10, "at most the batch that was in hand")
	require.Equal(t, 30, out.Dead+out.Open)
}

// A pass that found the server gone knows nothing of the one before it, which
// may have put the new value in force.
func TestAnAbortFinishesWhatAnEarlierPassMayHaveSet(t *testing.T) {
	f := newFake(waveOf(0, 4))
	f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
		switch {
		case at.index == 0 && try == 1:
			return protocol.Verify, protocol.ReasonUnreachable
		case at.index == 1 && try == 1:
			return protocol.Set, protocol.ReasonRights // a clear refusal: nothing was set
		case at.index < 3 && try < 4:
			return protocol.Precheck, protocol.ReasonUnreachable
		}
		return "", ""
	}
	env := f.env(t)
	// After the third pass, in its back-off of four minutes.
	update(env, UpdateAbort, 5*time.Minute)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Equal(t, Result{Listed: 4, Excluded: 1, Dead: 2, Open: 2, Aborted: true}, result[Result](t, env))
	require.Equal(t, 4, f.tries[place{0, 0}])
	require.Equal(t, 1, f.died[place{0, 0}])
	require.Equal(t, 3, f.tries[place{0, 1}])
	require.False(t, f.exceptions[place{0, 1}].Sent)
	require.False(t, f.exceptions[place{0, 2}].Sent)
}

func TestAnExceptionSaysThatItsNewValueMayBeInForce(t *testing.T) {
	f := newFake(waveOf(0, 1))
	f.outcome = func(_ place, try int) (protocol.Step, protocol.Reason) {
		if try == 1 {
			return protocol.Verify, protocol.ReasonLocked
		}
		return protocol.Precheck, protocol.ReasonLocked
	}
	env := f.env(t)
	f.wave(env, settings)
	require.Equal(t, waveResult{Open: 1}, result[waveResult](t, env))
	require.True(t, f.exceptions[place{0, 0}].Sent)
}

// An update that comes while the end is being recorded would be written after
// the last entry, and a campaign resumed there would never be closed.
func TestNothingIsToldToACampaignThatRecordsItsEnd(t *testing.T) {
	f := newFake(waveOf(0, 1))
	f.takes["RecordEvent"] = time.Minute
	f.takes["Apply"] = time.Minute
	env := f.env(t)
	pause := update(env, UpdatePause, 30*time.Second) // recorded until 1:30, when the wave is long done
	var late []*answer
	for _, name := range []string{UpdatePause, UpdateResume, UpdateAbort} {
		late = append(late, update(env, name, 2*time.Minute))
	}
	env.ExecuteWorkflow(CampaignWorkflow, input)
	result[Result](t, env)
	require.True(t, pause.done)
	for _, a := range late {
		require.ErrorContains(t, a.refused, "has ended")
	}
	require.Equal(t, []ledger.Event{ledger.CampaignPaused, ledger.CampaignClosed}, f.told())
}
