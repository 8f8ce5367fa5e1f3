package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

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
		got := result[waveResult](t, env)
		require.ElementsMatch(t, f.roll.Logins, got.Closed, "that it says")
		got.Closed = nil
		require.Equal(t, waveResult{Dead: 2}, got, set)
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

// Else what an abort begins would be left where nothing logs in.
func TestWhatTheLastPassItselfHasBegunOfACircleIsBroughtToItsEndToo(t *testing.T) {
	for _, why := range []protocol.Reason{protocol.ReasonNotActive, protocol.ReasonUnreachable} {
		for set := range 2 {
			f := circle(set, 0)
			outcome, other := f.outcome, place{0, 1 - set}
			f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
				switch {
				case at == other && try == 2:
					return protocol.Activate, why
				case at == place{0, set} && f.tries[other] > 2: // it is retired by then
					return "", ""
				}
				return outcome(at, try)
			}
			env := f.env(t)
			in := input
			in.Settings.Batch, in.Settings.Parallel = 1, 1
			update(env, UpdatePause, 2*time.Minute+30*time.Second)
			update(env, UpdateAbort, time.Hour)
			env.ExecuteWorkflow(CampaignWorkflow, in)
			require.True(t, result[Result](t, env).Aborted)
			require.Equal(t, []int{1, 1}, []int{f.died[place{0, set}], f.died[other]}, "%s %d", why, set)
		}
	}
}

// lateCircle is a campaign of one wave, in batches of one, in which a login is
// set by the last pass alone, behind the deadline.
func lateCircle(more int) (f *fake, in CampaignInput, last func() bool) {
	f = circle(0, more)
	f.roll.Waves = f.roll.Waves[:1]
	f.roll.Listed = 2 + more
	outcome, from, second := f.outcome, 0, false
	f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
		if from == 0 && f.now().After(time.Date(2026, 3, 1, 13, 3, 0, 0, time.UTC)) {
			from = try
		}
		second = second || from > 0 && at.index == 1
		switch {
		case from == 0, at.index > 1 && len(f.died) < 2:
			return protocol.Intent, protocol.ReasonWithinReach
		case at.index > 1:
			return "", ""
		}
		return outcome(at, try-from+1)
	}
	f.awaits = map[place]credential.Refs{{0, 0}: {{Index: 1}}, {0, 1}: {{Index: 0}}, {0, 2}: {{Index: 0}, {Index: 1}}}
	in = input
	in.Settings = settings
	in.Settings.Batch, in.Settings.Parallel = 1, 1
	return f, in, func() bool { return second }
}

func TestLoginsThatDieBehindTheDeadlineAreToldToTheCampaign(t *testing.T) {
	f, in, _ := lateCircle(0)
	env := f.env(t)
	env.ExecuteWorkflow(CampaignWorkflow, in)
	require.Equal(t, Result{Listed: 2, Excluded: 1, Dead: 2}, result[Result](t, env), "of none a token lives on")
}

func TestWhatWaitedForLoginsThatDieBehindTheDeadlineGoesOn(t *testing.T) {
	f, in, _ := lateCircle(1)
	env := f.env(t)
	env.ExecuteWorkflow(CampaignWorkflow, in)
	require.Equal(t, Result{Listed: 3, Excluded: 1, Dead: 3}, result[Result](t, env))
}

// Whoever pauses a campaign wants to see that nothing more is set.
func TestAPauseHoldsBehindTheDeadlineToo(t *testing.T) {
	for _, then := range []string{UpdateResume, UpdateAbort} {
		f, in, last := lateCircle(0)
		env := f.env(t)
		var paused, tried time.Time
		for after := time.Hour; after < 90*time.Minute; after += 10 * time.Second {
			env.RegisterDelayedCallback(func() {
				if last() && paused.IsZero() { // the last batch of the last pass is in hand
					paused = f.now()
					new(answer).send(env, UpdatePause, "operator@example.org")
				}
			}, after)
		}
		env.RegisterDelayedCallback(func() { tried = f.passes[len(f.passes)-1] }, 5*time.Hour)
		told := update(env, then, 5*time.Hour+time.Minute)
		env.ExecuteWorkflow(CampaignWorkflow, in)
		require.True(t, told.done)
		require.False(t, paused.IsZero())
		require.LessOrEqual(t, tried.Sub(paused), time.Second)
		require.Equal(t, 2, result[Result](t, env).Dead, then)
	}
}

// What its consumers suffer from is not that Vault gives no answer now.
func TestAnOutageInBetweenKeepsNoLoginWaitingForLongThatIsHalfDone(t *testing.T) {
	f := circle(0, 0)
	f.takes = map[string]time.Duration{}
	f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
		switch {
		case try > 7:
			return "", ""
		case try%2 == 0 && try > 2:
			return protocol.Precheck, protocol.ReasonVault
		case at.index == 0:
			return protocol.Activate, protocol.ReasonWithinReach
		}
		return protocol.Intent, protocol.ReasonRoleLocked
	}
	env := f.env(t)
	f.wave(env, settings)
	for i, wait := range f.waits() {
		require.LessOrEqual(t, wait, cutOffWait+time.Second, i)
	}
	require.Len(t, f.waits(), 7)
}

type lookSaid struct {
	Step   protocol.Step
	Reason protocol.Reason
}

// Logins in two circles can be set from a pass on that is drawn, and runs end
// anywhere: nobody is left without a login.
func TestWheneverACampaignEndsNoLoginOfACircleIsLeftHalfDone(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(2, 9).Draw(r, "logins")
		group, from := make([]int, n), make([]int, n)
		f := newFake(waveOf(0, n))
		f.waitsFor = credential.Ref{Page: -1}
		known := rapid.Bool().Draw(r, "it is known who waits for whom")
		for i := range n {
			group[i] = rapid.IntRange(0, 1).Draw(r, "circle")
			from[i] = rapid.SampledFrom([]int{1, 1, 1, 2, 3, 4, 5, 99}).Draw(r, "can be set from")
			f.roll.Logins = append(f.roll.Logins, credential.Ref{Index: i})
		}
		f.awaits = map[place]credential.Refs{}
		about, retired := map[int]bool{}, map[int]bool{}
		said := map[[2]int]lookSaid{}
		f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
			i := at.index
			if was, looked := said[[2]int{i, try}]; looked {
				return was.Step, was.Reason
			}
			look := func() (protocol.Step, protocol.Reason) {
				if about[i] = try >= from[i]; !about[i] {
					return protocol.Intent, protocol.ReasonRoleLocked
				}
				all, first := true, false
				f.awaits[at] = nil
				for other := range n {
					if other != i && group[other] == group[i] && !retired[other] {
						all = all && about[other]
						if first = true; known {
							f.awaits[at] = append(f.awaits[at], credential.Ref{Index: other})
						}
					}
				}
				if !retired[i] && !all {
					return protocol.Intent, protocol.ReasonWithinReach
				}
				if retired[i] = true; first {
					return protocol.Activate, protocol.ReasonWithinReach
				}
				return "", ""
			}
			step, reason := look()
			said[[2]int{i, try}] = lookSaid{Step: step, Reason: reason}
			return step, reason
		}
		s := settings
		s.Batch, s.RetryMax, s.Deadline = rapid.IntRange(1, 4).Draw(r, "batch"), time.Minute, time.Minute
		st := waveState{Index: f.roll.Waves[0], Settings: s, Urgent: true, Control: control{Logins: f.roll.Logins}}
		out, runs := f.chainFrom(t, st, rapid.IntRange(1, 6).Draw(r, "batches of a run"))
		require.Equal(r, n, out.Dead+out.Open)
		for i := range n {
			require.Equal(r, retired[i], f.died[place{0, i}] == 1, "login %d in %d runs", i, runs)
		}
	})
}
