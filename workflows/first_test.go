package workflows

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// triedFirst is a campaign with one credential that is tried before the others.
func triedFirst(open func(try int) bool) *fake {
	first := waveOf(0, 1)
	first.Hold = true
	f := newFake(first, waveOf(1, 0, 4))
	f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
		if at.page == 0 && open(try) {
			return protocol.Prove, protocol.ReasonUnreachable
		}
		return "", ""
	}
	return f
}

func TestBehindWhatIsTriedFirstTheCampaignWaitsUntilItIsResumed(t *testing.T) {
	f := triedFirst(func(try int) bool { return try < 2 })
	env := f.env(t)
	at := statusAt(t, env, 24*time.Hour)
	resumed := update(env, UpdateResume, 25*time.Hour)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Equal(t, Result{Listed: 5, Excluded: 1, Dead: 5}, result[Result](t, env))
	require.NoError(t, errors.Join(resumed.refused, resumed.err))
	require.True(t, at.Held)
	require.Equal(t, ledger.Paused, at.Phase)
	require.Equal(t, 1, at.Dead)
	require.False(t, query[Status](t, env).Held)
	require.Equal(t, []ledger.Event{ledger.CampaignPaused, ledger.CampaignResumed, ledger.CampaignClosed}, f.told())
	require.Empty(t, f.events[0].Actor, "nobody paused it")
	require.Contains(t, f.events[0].Detail, "tried first")
	require.NotEqual(t, f.events[0].Number, f.events[1].Number)
	require.Equal(t, 1, f.tries[place{1, 0}])
}

func TestWhatIsTriedFirstAndStaysOpenIsToldAfterAFewPasses(t *testing.T) {
	f := triedFirst(func(try int) bool { return try < 5 })
	env := f.env(t)
	at := statusAt(t, env, 30*time.Minute)
	resumed := update(env, UpdateResume, 40*time.Minute)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.NoError(t, errors.Join(resumed.refused, resumed.err))
	require.True(t, at.Held)
	require.Zero(t, at.Dead)
	require.Equal(t, Result{Listed: 5, Excluded: 1, Dead: 5}, result[Result](t, env), "it goes on beside the others")
	require.Equal(t, 5, f.tries[place{0, 0}])
	for i, p := range f.prepared {
		if p.at.page == 1 {
			require.GreaterOrEqual(t, i, passesTried)
			break
		}
	}
}

func TestAnAbortEndsTheWaitBehindWhatIsTriedFirst(t *testing.T) {
	f := triedFirst(func(int) bool { return false })
	env := f.env(t)
	aborted := update(env, UpdateAbort, time.Hour)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.NoError(t, errors.Join(aborted.refused, aborted.err))
	require.Equal(t, Result{Listed: 5, Excluded: 1, Dead: 1, Open: 4, Aborted: true}, result[Result](t, env))
	require.Zero(t, f.tries[place{1, 0}])

	f = triedFirst(func(int) bool { return false })
	env = f.env(t)
	env.RegisterDelayedCallback(env.CancelWorkflow, time.Hour)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Equal(t, 4, result[Result](t, env).Open)
	require.Zero(t, f.tries[place{1, 0}])
}
