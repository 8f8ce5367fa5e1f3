package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// circle is a campaign with two logins to Vault that read each other's places,
// in batches of one: the one at an index was set by the first pass, and waits
// for the other one, which goes on with the next one.
func circle(set, more int) *fake {
	f := newFake(waveOf(0, 2+more), waveOf(1, 0, 4))
	for i := range 2 + more {
		f.roll.Logins = append(f.roll.Logins, credential.Ref{Index: i})
	}
	f.waitsFor = credential.Ref{Page: -1}
	f.takes["Apply"] = time.Minute
	other := place{0, 1 - set}
	f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
		switch {
		case at.page > 0:
			return "", ""
		case at.index == set && f.died[other] == 0:
			return protocol.Activate, protocol.ReasonWithinReach
		case at.index > 1, try == 1:
			return protocol.Intent, protocol.ReasonWithinReach
		}
		return "", ""
	}
	return f
}

// Its consumers can log in nowhere before the other one is dead as well.
func TestAnAbortFinishesWithALoginThatIsHalfDoneTheOneItWaitsFor(t *testing.T) {
	for set := range 2 {
		f := circle(set, 1)
		env := f.env(t)
		in := input
		in.Settings.Batch, in.Settings.Parallel = 1, 1
		update(env, UpdatePause, 2*time.Minute+30*time.Second) // in the last batch
		a := update(env, UpdateAbort, time.Hour)
		env.ExecuteWorkflow(CampaignWorkflow, in)
		require.Equal(t, Result{Listed: 7, Excluded: 1, Dead: 2, Open: 5, Aborted: true}, result[Result](t, env))
		require.True(t, a.done)
		require.Equal(t, 1, f.died[place{0, set}])
		require.Zero(t, f.tries[place{1, 0}], "nothing else is begun")
		require.LessOrEqual(t, f.tries[place{0, set}], 3)
		require.GreaterOrEqual(t, f.tries[place{0, 2}], 2, "that it does not wait for this one is not known here")
	}
}

func TestAnAbortTakesOnlyThoseLoginsThatOneWaitsForWhichIsHalfDone(t *testing.T) {
	f := circle(1, 2)
	f.awaits = map[place]credential.Refs{
		{0, 1}: {{Index: 0}}, {0, 0}: {{Index: 1}, {Index: 2}}, {0, 2}: {{Index: 0}}, {0, 3}: {{Index: 1}},
	}
	env := f.env(t)
	in := input
	in.Settings.Batch, in.Settings.Parallel = 1, 1
	update(env, UpdatePause, 3*time.Minute+30*time.Second) // in the last batch
	update(env, UpdateAbort, time.Hour)
	env.ExecuteWorkflow(CampaignWorkflow, in)
	require.Equal(t, 2, result[Result](t, env).Dead)
	require.Equal(t, 2, f.tries[place{0, 2}], "the one waits for it that the first waits for")
	require.Equal(t, 1, f.tries[place{0, 3}], "that one only waits itself")
}

// Nobody asks whether another look helps that leaves all as it was.
func TestAnAbortGivesACircleThatGetsNoFurtherOneMorePassOnly(t *testing.T) {
	f := circle(0, 0)
	f.outcome = func(at place, _ int) (protocol.Step, protocol.Reason) {
		return []protocol.Step{protocol.Activate, protocol.Intent}[at.index], protocol.ReasonWithinReach
	}
	env := f.env(t)
	update(env, UpdatePause, 30*time.Second)
	update(env, UpdateAbort, time.Hour)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Zero(t, result[Result](t, env).Dead)
	require.Equal(t, map[place]int{{0, 0}: 2, {0, 1}: 2}, f.tries)
	require.Len(t, f.exceptions, 6)
}

// The last pass is the one that begins after the deadline. What it sets first
// of a circle waits for what it has looked at already.
func TestTheDeadlineLeavesNoLoginHalfDoneForAnotherOneThatCanGoOn(t *testing.T) {
	for set := range 2 {
		f := circle(set, 0)
		outcome, last := f.outcome, 0
		f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
			if now := f.now(); last == 0 && now.After(time.Date(2026, 3, 1, 13, 2, 0, 0, time.UTC)) {
				last = try
			}
			if last == 0 {
				return protocol.Intent, protocol.ReasonWithinReach
			}
			return outcome(at, try-last+1)
		}
		env := f.env(t)
		s := settings
		s.Batch, s.Parallel = 1, 1
		f.roll.Waves = f.roll.Waves[:1]
		roll := f.roll
		roll.Waves = nil
		env.ExecuteWorkflow(WaveWorkflow, waveState{Roll: roll, Index: f.roll.Waves[0], Settings: s, Control: control{Logins: f.roll.Logins}})
		require.Equal(t, waveResult{Dead: 2}, result[waveResult](t, env), set)
		require.NotZero(t, last)
	}
}

// It is cut off, as one is of which Vault does not take the new value.
func TestWhoeverIsHalfDoneForOtherLoginsIsNotKeptWaitingForLong(t *testing.T) {
	f := circle(0, 0)
	f.takes = map[string]time.Duration{}
	f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
		switch {
		case at.page > 0 || try > 7:
			return "", ""
		case at.index == 0:
			return protocol.Activate, protocol.ReasonWithinReach
		}
		return protocol.Intent, protocol.ReasonRoleLocked
	}
	env := f.env(t)
	f.roll.Waves = f.roll.Waves[:1]
	f.wave(env, settings)
	require.Equal(t, waveResult{Dead: 2}, result[waveResult](t, env))
	for i, wait := range f.waits() {
		require.LessOrEqual(t, wait, cutOffWait+time.Second, i)
	}
	require.Len(t, f.waits(), 7)
}

// A worker that died over both has left behind that both may be set. Then it
// is seen that the other one is not.
func TestACircleOfWhichNothingIsKnownAtTheAbortIsBroughtToItsEnd(t *testing.T) {
	f := circle(0, 0)
	outcome := f.outcome
	f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) { return outcome(at, try-1) }
	env := f.env(t)
	update(env, UpdateAbort, 30*time.Second) // which breaks the only batch off
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Equal(t, 2, result[Result](t, env).Dead)
}
