package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

var input = CampaignInput{Campaign: "c1", Device: "esg-01", Actor: "operator@example.org", Settings: settings}

// answer is what became of an update.
type answer struct {
	accepted, done bool
	refused, err   error
	status         Status
}

// update sends an update after a while on the workflow's clock.
func update(env *testsuite.TestWorkflowEnvironment, name string, after time.Duration) *answer {
	return updateWith(env, name, after, "operator@example.org")
}

func updateWith(env *testsuite.TestWorkflowEnvironment, name string, after time.Duration, arg any) *answer {
	a := &answer{}
	env.RegisterDelayedCallback(func() { a.send(env, name, arg) }, after)
	return a
}

func (a *answer) send(env *testsuite.TestWorkflowEnvironment, name string, arg any) {
	env.UpdateWorkflow(name, name+env.Now().String(), &testsuite.TestUpdateCallback{
		OnAccept: func() { a.accepted = true },
		OnReject: func(err error) { a.refused = err },
		OnComplete: func(v any, err error) {
			a.done, a.err = true, err
			if st, ok := v.(Status); ok {
				a.status = st
			}
		},
	}, arg)
}

// statusAt asks for the status after a while on the workflow's clock.
func statusAt(t *testing.T, env *testsuite.TestWorkflowEnvironment, after time.Duration) *Status {
	st := &Status{}
	env.RegisterDelayedCallback(func() { *st = query[Status](t, env) }, after)
	return st
}

// slowly makes every step of a campaign take its time, so that a test can act
// in the middle of it: listing until 1 m, the record until 2 m, then each batch
// 1 m of Prepare and 1 m of Apply.
func (f *fake) slowly() *fake {
	for _, name := range []string{"List", "RecordRoll", "Prepare", "Apply"} {
		f.takes[name] = time.Minute
	}
	return f
}

func TestACampaignRunsItsWavesInOrderAndItsCountsAddUp(t *testing.T) {
	f := newFake(waveOf(0, 12), waveOf(1, 5), waveOf(7, 3))
	var order []int
	env := f.env(t)
	env.OnWorkflow(WaveWorkflow, anything, anything).Return(func(_ ctx, st waveState) (waveResult, error) {
		order = append(order, st.Index.Wave)
		require.Empty(t, st.Roll.Waves, "a wave carries no other wave")
		return waveResult{Dead: listed(st.Index) - 1, Open: 1}, nil
	})
	env.ExecuteWorkflow(CampaignWorkflow, input)
	out := result[Result](t, env)
	require.Equal(t, []int{0, 1, 7}, order)
	require.Equal(t, Result{Listed: 20, Excluded: 1, Dead: 17, Open: 3}, out)
	require.Equal(t, out.Listed, out.Dead+out.Open)
	require.Equal(t, []ledger.Event{ledger.CampaignClosed}, f.told())
	require.Equal(t, wire.EventInput{Campaign: "c1", Device: "esg-01", Event: ledger.CampaignClosed, Listed: 20, Excluded: 1, Dead: 17, Open: 3}, f.events[0])
	require.Equal(t, []string{"c1"}, f.closed)
	require.Equal(t, "operator@example.org", f.recorded[0].Actor)
	st := query[Status](t, env)
	require.Equal(t, ledger.Closed, st.Phase)
	require.Equal(t, 17, st.Dead)
	for _, w := range st.Waves {
		require.True(t, w.Ended)
		require.Equal(t, w.Listed, w.Dead+w.Open)
	}
}

func TestACampaignSaysWhereItIsInEveryPhase(t *testing.T) {
	f := newFake(waveOf(0, 20)).slowly()
	env := f.env(t)
	s := input
	s.Settings.Parallel = 1
	listing := statusAt(t, env, 30*time.Second)
	recording := statusAt(t, env, 90*time.Second)
	running := statusAt(t, env, 150*time.Second)
	update(env, UpdatePause, 160*time.Second)
	paused := statusAt(t, env, 170*time.Second)
	update(env, UpdateResume, 200*time.Second)
	resumed := statusAt(t, env, 210*time.Second)
	update(env, UpdateAbort, 220*time.Second)
	aborting := statusAt(t, env, 230*time.Second)
	env.ExecuteWorkflow(CampaignWorkflow, s)
	out := result[Result](t, env)
	require.Equal(t, Status{Campaign: "c1", Device: "esg-01", Phase: ledger.Listing, Wave: -1}, *listing)
	require.Equal(t, ledger.Listing, recording.Phase)
	require.Equal(t, 20, recording.Listed)
	require.Equal(t, ledger.Running, running.Phase)
	require.Equal(t, 0, running.Wave)
	require.Equal(t, []WaveStatus{{Wave: 0, Listed: 20}}, running.Waves)
	require.Equal(t, ledger.Paused, paused.Phase)
	require.Equal(t, ledger.Running, resumed.Phase)
	require.Equal(t, ledger.Aborting, aborting.Phase)
	require.Equal(t, ledger.Closed, query[Status](t, env).Phase)
	require.Equal(t, Result{Listed: 20, Excluded: 1, Dead: 10, Open: 10, Aborted: true}, out)
	require.Equal(t, []ledger.Event{ledger.CampaignPaused, ledger.CampaignResumed, ledger.CampaignAborted, ledger.CampaignClosed}, f.told())
	numbers := map[int]bool{}
	for _, e := range f.events[:3] {
		require.False(t, numbers[e.Number], "repeated events stay apart in the ledger")
		numbers[e.Number] = true
		require.Equal(t, "operator@example.org", e.Actor)
	}
}

func TestAPausedCampaignBeginsNoBatchAndGoesOnWhenResumed(t *testing.T) {
	f := newFake(waveOf(0, 40)).slowly()
	env := f.env(t)
	in := input
	in.Settings.Parallel = 1
	pause := update(env, UpdatePause, 150*time.Second) // in the first batch's Prepare
	update(env, UpdateResume, 10*time.Hour)
	env.ExecuteWorkflow(CampaignWorkflow, in)
	require.Equal(t, 40, result[Result](t, env).Dead)
	require.True(t, pause.done)
	require.Equal(t, ledger.Paused, pause.status.Phase)
	require.Len(t, f.passes, 4)
	require.Greater(t, f.passes[1].Sub(f.passes[0]), 9*time.Hour, "the batch in hand was finished, the next one waited")
	require.Less(t, f.passes[3].Sub(f.passes[1]), time.Hour)
}

func TestAPauseInTheBackOffHoldsTheNextPass(t *testing.T) {
	f := newFake(waveOf(0, 1))
	f.outcome = func(_ place, try int) (protocol.Step, protocol.Reason) {
		if try == 1 {
			return protocol.Set, protocol.ReasonUnreachable
		}
		return "", ""
	}
	env := f.env(t)
	update(env, UpdatePause, 30*time.Second)
	update(env, UpdateResume, 48*time.Hour)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Equal(t, 1, result[Result](t, env).Dead, "the deadline has passed meanwhile, and it is tried once more all the same")
	require.Greater(t, f.passes[1].Sub(f.passes[0]), 47*time.Hour)
}

func TestUpdatesThatMakeNoSenseAreRefusedAndChangeNothing(t *testing.T) {
	for _, row := range []struct {
		name   string
		before string // an update at 3:10, in Apply
		update string
		at     time.Duration
		why    string
	}{
		{"pause while listing", "", UpdatePause, 30 * time.Second, "still listing"},
		{"resume while listing", "", UpdateResume, 30 * time.Second, "not paused"},
		{"resume while running", "", UpdateResume, 150 * time.Second, "not paused"},
		{"pause twice", UpdatePause, UpdatePause, 210 * time.Second, "paused already"},
		{"pause while aborting", UpdateAbort, UpdatePause, 210 * time.Second, "being aborted"},
		{"resume while aborting", UpdateAbort, UpdateResume, 210 * time.Second, "being aborted"},
		{"abort twice", UpdateAbort, UpdateAbort, 210 * time.Second, "aborted already"},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFake(waveOf(0, 10)).slowly()
			env := f.env(t)
			if row.before != "" {
				update(env, row.before, 190*time.Second)
			}
			a := update(env, row.update, row.at)
			env.ExecuteWorkflow(CampaignWorkflow, input)
			result[Result](t, env)
			require.ErrorContains(t, a.refused, row.why)
			require.False(t, a.accepted)
			want := 1
			if row.before != "" {
				want++
			}
			require.Len(t, f.events, want, "a refused update is no event")
		})
	}
}

func TestAnUpdateThatTheLedgerCannotRecordIsAnsweredWithTheError(t *testing.T) {
	f := newFake(waveOf(0, 10)).slowly()
	env := f.env(t)
	a := update(env, UpdatePause, 150*time.Second)
	env.RegisterDelayedCallback(func() { f.failing("RecordEvent", broken("Ledger")) }, 149*time.Second)
	env.RegisterDelayedCallback(func() { f.failing("RecordEvent", nil) }, 170*time.Second)
	update(env, UpdateResume, 180*time.Second)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Equal(t, 10, result[Result](t, env).Dead)
	require.True(t, a.accepted)
	require.ErrorContains(t, a.err, "it is broken")
}

func TestACampaignThatCannotBeginClosesAndSaysWhy(t *testing.T) {
	for name, row := range map[string]struct {
		fails string
		kind  string
		log   []string
	}{
		"the roll cannot be listed":   {"List", "Sources", []string{"List", "RecordEvent", "CloseCampaign"}},
		"the roll cannot be recorded": {"RecordRoll", "Ledger", []string{"List", "RecordRoll", "RecordEvent", "CloseCampaign"}},
	} {
		f := newFake(waveOf(0, 10))
		f.fails[row.fails] = broken(row.kind)
		env := f.env(t)
		env.ExecuteWorkflow(CampaignWorkflow, input)
		require.ErrorContains(t, env.GetWorkflowError(), "it is broken", name)
		require.Equal(t, row.log, f.log, name)
		require.NotEmpty(t, f.events[0].Detail, name)
		st := query[Status](t, env)
		require.Equal(t, ledger.Closed, st.Phase, name)
		require.Contains(t, st.Problem, "it is broken", name)
	}
}

func TestACampaignWhoseEndCannotBeRecordedIsFreedAllTheSameAndFails(t *testing.T) {
	f := newFake(waveOf(0, 10))
	f.fails["RecordEvent"] = broken("Ledger")
	env := f.env(t)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.ErrorContains(t, env.GetWorkflowError(), "it is broken")
	require.Equal(t, []string{"c1"}, f.closed)
}

func TestAnEmptyRollIsACampaignThatEndsAtOnce(t *testing.T) {
	f := newFake()
	env := f.env(t)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Equal(t, Result{Excluded: 1}, result[Result](t, env))
}

// A campaign that cannot list or record, or that is being aborted, must not
// have ended another.
func TestAnEarlierCampaignIsTakenOverOnceRollAndRecordAreInOrder(t *testing.T) {
	f := newFake(waveOf(0, 10))
	env := f.env(t)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Equal(t, 10, result[Result](t, env).Dead)
	require.Equal(t, []string{"List", "RecordRoll", "TakeOver", "Prepare"}, f.log[:4])

	require.Len(t, f.events, 1, "nothing was taken over: %v", f.events)

	f = newFake(waveOf(0, 10))
	f.ended = []string{"c-lost", "c-asked"}
	env = f.env(t)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Equal(t, 10, result[Result](t, env).Dead)
	require.Equal(t, []string{"List", "RecordRoll", "TakeOver", "RecordEvent", "RecordEvent", "Prepare"}, f.log[:6])
	for i, from := range f.ended {
		require.Equal(t, ledger.TookOver, f.events[i].Event)
		require.Equal(t, from, f.events[i].TookFrom)
		require.Equal(t, input.Actor, f.events[i].Actor)
	}

	for _, fails := range []string{"List", "RecordRoll"} {
		f := newFake(waveOf(0, 10))
		f.fails[fails] = broken("Sources")
		env := f.env(t)
		env.ExecuteWorkflow(CampaignWorkflow, input)
		require.Error(t, env.GetWorkflowError())
		require.NotContains(t, f.log, "TakeOver")
	}

	f = newFake(waveOf(0, 10))
	f.fails["TakeOver"] = broken(wire.Held)
	env = f.env(t)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.ErrorContains(t, env.GetWorkflowError(), "it is broken")
	require.NotContains(t, f.log, "Prepare")
	require.Equal(t, []string{"c1"}, f.closed)
}

func TestAScheduleWhoseDeviceHasACampaignElsewhereStartsNone(t *testing.T) {
	f := newFake(waveOf(0, 3))
	f.fails["OpenScheduled"] = temporal.NewNonRetryableApplicationError("it lives", wire.Held, nil)
	env := f.env(t)
	env.ExecuteWorkflow(LauncherWorkflow, firing)
	require.Equal(t, Launched{Outcome: "already-running"}, result[Launched](t, env))
	require.Equal(t, []string{"OpenScheduled"}, f.log)
}
