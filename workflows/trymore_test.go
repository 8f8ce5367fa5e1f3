package workflows

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

func pick(refs ...credential.Ref) TryFirst { return TryFirst{Refs: refs, Actor: "alice@one"} }

func TestMoreIsTriedBeforeTheOthersWhileTheCampaignIsHeld(t *testing.T) {
	f := triedFirst(func(int) bool { return false })
	env := f.env(t)
	picked := updateWith(env, UpdateTryFirst, time.Hour, pick(credential.Ref{Page: 1, Index: 1}, credential.Ref{Page: 1, Index: 2}))
	at := statusAt(t, env, 2*time.Hour)
	var untouched []int
	env.RegisterDelayedCallback(func() { untouched = []int{f.tries[place{1, 0}], f.tries[place{1, 3}]} }, 2*time.Hour)
	resumed := update(env, UpdateResume, 3*time.Hour)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Equal(t, Result{Listed: 5, Excluded: 1, Dead: 5}, result[Result](t, env))
	require.NoError(t, errors.Join(picked.refused, picked.err, resumed.refused, resumed.err))
	require.False(t, picked.status.Held)
	require.True(t, picked.status.Trying)
	require.True(t, at.Held)
	require.False(t, at.Trying)
	require.Equal(t, 3, at.Dead)
	require.Equal(t, []int{0, 0}, untouched)
	require.Equal(t, []Trial{{Wave: 0, Refs: credential.Refs{{}}}, {Wave: 2, Refs: credential.Refs{{Page: 1, Index: 1}, {Page: 1, Index: 2}}}}, at.Tried)
	require.Equal(t, []ledger.Event{ledger.CampaignPaused, ledger.CampaignResumed, ledger.CampaignPaused, ledger.CampaignResumed, ledger.CampaignClosed}, f.told())
	require.Equal(t, "alice@one", f.events[1].Actor)
	require.Equal(t, "to try 2 more before the others, which wait", f.events[1].Detail)
	require.Empty(t, f.events[2].Actor)
	for i := range 4 {
		require.Equal(t, 1, f.tries[place{1, i}], "each once")
	}
}

// The wave that a login was taken out of says nothing of it any more. Not to
// hear of it is not to hear that it is dead.
func TestALoginThatIsTriedBeforeTheOthersHoldsUpWhatItReadsUntilItIsDead(t *testing.T) {
	login := credential.Ref{Page: 1, Index: 0}
	f := triedFirst(nil)
	f.roll.Waves = append(f.roll.Waves[:1], waveOf(1, 0, 2), waveOf(2, 0, 0, 3))
	f.roll.Listed, f.roll.Logins = 6, credential.Refs{login, {Page: 1, Index: 1}}
	f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
		if at == (place{1, 0}) && try < 6 {
			return protocol.Prove, protocol.ReasonUnreachable
		}
		return "", ""
	}
	env := f.env(t)
	picked := updateWith(env, UpdateTryFirst, time.Hour, pick(login))
	update(env, UpdateResume, 2*time.Hour)
	in := input
	in.Settings.Deadline = 24 * time.Hour
	env.ExecuteWorkflow(CampaignWorkflow, in)
	require.Equal(t, 6, result[Result](t, env).Dead)
	require.NoError(t, errors.Join(picked.refused, picked.err))
	dead, beside := 0, 0
	for _, p := range f.prepared {
		if p.at == (place{1, 0}) {
			dead++
			continue
		}
		if dead > 0 && dead < 6 {
			beside++
			require.Contains(t, p.logins, login, "%v was worked on while the login was open", p.at)
		}
	}
	require.Equal(t, 6, dead)
	require.Positive(t, beside)
}

func TestWhatIsOpenOfAnEarlierTryIsTriedAgainByTheSameWord(t *testing.T) {
	f := triedFirst(func(try int) bool { return try < 8 })
	env := f.env(t)
	before := statusAt(t, env, 2*time.Hour)
	picked := updateWith(env, UpdateTryFirst, 3*time.Hour, pick(credential.Ref{}))
	at := statusAt(t, env, 5*time.Hour)
	again := updateWith(env, UpdateTryFirst, 6*time.Hour, pick(credential.Ref{}))
	done := statusAt(t, env, 8*time.Hour)
	over := updateWith(env, UpdateTryFirst, 9*time.Hour, pick(credential.Ref{}))
	update(env, UpdateResume, 10*time.Hour)
	in := input
	in.Settings.Deadline = 24 * time.Hour
	env.ExecuteWorkflow(CampaignWorkflow, in)
	require.Equal(t, 5, result[Result](t, env).Dead)
	require.NoError(t, errors.Join(picked.refused, picked.err, again.refused, again.err))
	require.Equal(t, []int{0, 0, 1}, []int{before.Dead, at.Dead, done.Dead})
	require.True(t, before.Held && at.Held && done.Held)
	require.Len(t, done.Tried, 1)
	require.Equal(t, 8, f.tries[place{0, 0}])
	require.ErrorContains(t, over.refused, "was tried already, and has come to its end")
}

func TestAPickThatMakesNoSenseIsRefusedAndChangesNothing(t *testing.T) {
	f := triedFirst(func(int) bool { return false })
	tasks, last, ended := waveOf(2, 0, 0, 1), waveOf(3, 0, 0, 0, 1), waveOf(4, 0, 0, 0, 0, 1)
	tasks.Tasks, last.Alone, ended.Runs[4].Kind = true, true, credential.VaultToken
	f.roll.Waves = append(f.roll.Waves, tasks, last, ended)
	env := f.slowly().env(t)
	for want, a := range map[string]*answer{
		"nothing was picked":             updateWith(env, UpdateTryFirst, 24*time.Hour, pick()),
		"not on the roll":                updateWith(env, UpdateTryFirst, 24*time.Hour+1, pick(credential.Ref{Page: 1, Index: 4})),
		"people do some":                 updateWith(env, UpdateTryFirst, 24*time.Hour+2, pick(credential.Ref{Page: 2})),
		"goes last for a reason":         updateWith(env, UpdateTryFirst, 24*time.Hour+3, pick(credential.Ref{Page: 3})),
		"nothing new is made":            updateWith(env, UpdateTryFirst, 24*time.Hour+4, pick(credential.Ref{Page: 4})),
		"has come to its end":            updateWith(env, UpdateTryFirst, 24*time.Hour+5, pick(credential.Ref{Page: 1}, credential.Ref{})),
		"nobody says who asks":           updateWith(env, UpdateTryFirst, 24*time.Hour+6, TryFirst{Refs: credential.Refs{{Page: 1}}}),
		"still being tried":              updateWith(env, UpdateTryFirst, 3*time.Minute, pick(credential.Ref{Page: 1})),
		"is not held behind":             updateWith(env, UpdateTryFirst, time.Second, pick(credential.Ref{Page: 1})),
		"all of it is being worked on, ": updateWith(env, UpdateTryFirst, 25*time.Hour+90*time.Second, pick(credential.Ref{Page: 1})),
		"the campaign is being aborted":  updateWith(env, UpdateTryFirst, 25*time.Hour+100*time.Second, pick(credential.Ref{Page: 1})),
	} {
		t.Cleanup(func() { require.ErrorContains(t, a.refused, want) })
	}
	update(env, UpdateResume, 25*time.Hour+80*time.Second)
	update(env, UpdateAbort, 25*time.Hour+95*time.Second)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Equal(t, []ledger.Event{ledger.CampaignPaused, ledger.CampaignResumed, ledger.CampaignAborted, ledger.CampaignClosed}, f.told())
}

func TestOfTwoWhoPickAtTheSameTimeOneIsToldWhoWasFirst(t *testing.T) {
	f := triedFirst(func(int) bool { return false })
	f.takes["RecordEvent"] = time.Minute
	env := f.env(t)
	first := updateWith(env, UpdateTryFirst, time.Hour, pick(credential.Ref{Page: 1}))
	second := updateWith(env, UpdateTryFirst, time.Hour+time.Second, TryFirst{Refs: credential.Refs{{Page: 1, Index: 1}}, Actor: "bob@two"})
	resumed := update(env, UpdateResume, time.Hour+2*time.Second)
	at := statusAt(t, env, 2*time.Hour)
	// A resume that is being recorded has let all go on.
	update(env, UpdateResume, 3*time.Hour)
	late := updateWith(env, UpdateTryFirst, 3*time.Hour+time.Nanosecond, pick(credential.Ref{Page: 1, Index: 1}))
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Equal(t, 5, result[Result](t, env).Dead)
	require.NoError(t, errors.Join(first.refused, first.err))
	require.ErrorContains(t, second.refused, "picked already, by alice@one")
	require.ErrorContains(t, resumed.refused, "more was just picked to be tried before the others, by alice@one")
	require.Equal(t, 2, at.Dead)
	require.True(t, at.Held)
	require.Error(t, late.refused)
}

func TestAnAbortEndsWhatIsPickedToo(t *testing.T) {
	for name, when := range map[string]time.Duration{"while the ledger takes the pick": time.Hour + time.Second, "while it is tried": time.Hour + 90*time.Second, "behind it": 5 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			f := triedFirst(func(int) bool { return false })
			f.takes["RecordEvent"], f.takes["Prepare"], f.takes["Apply"] = time.Minute, time.Minute, time.Minute
			env := f.env(t)
			picked := updateWith(env, UpdateTryFirst, time.Hour, pick(credential.Ref{Page: 1}))
			aborted := update(env, UpdateAbort, when)
			env.ExecuteWorkflow(CampaignWorkflow, input)
			out := result[Result](t, env)
			require.True(t, out.Aborted)
			require.Equal(t, 5, out.Dead+out.Open)
			require.NoError(t, errors.Join(aborted.refused, aborted.err, picked.refused))
			if when < time.Hour+time.Minute {
				require.ErrorContains(t, picked.err, "nothing more is tried")
				require.Zero(t, f.tries[place{1, 0}])
			}
			for i := 1; i < 4; i++ {
				require.Zero(t, f.tries[place{1, i}])
				require.Contains(t, f.exceptions, place{1, i})
			}
		})
	}
}

func TestHoweverOftenMoreIsTriedFirstEachCredentialIsInOneWaveAndTriedOnce(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		f := triedFirst(nil)
		sizes := rapid.SliceOfN(rapid.IntRange(1, 5), 1, 3).Draw(r, "sizes")
		f.roll.Waves, f.roll.Listed, f.outcome = f.roll.Waves[:1], 1, nil
		var all credential.Refs
		for i, n := range sizes {
			w := waveOf(i+1, append(make([]int, i+1), n)...)
			w.Proof = rapid.Bool().Draw(r, "proof")
			f.roll.Waves = append(f.roll.Waves, w)
			f.roll.Listed += n
			all = append(all, placesOf(w)...)
		}
		env := f.env(t)
		left, rounds := slices.Clone(all), rapid.IntRange(0, 3).Draw(r, "rounds")
		for n := range rounds {
			var refs credential.Refs
			for _, ref := range left {
				if rapid.Bool().Draw(r, "picked") {
					refs = append(refs, ref)
				}
			}
			left = less(left, refs)
			a := updateWith(env, UpdateTryFirst, time.Duration(n+1)*time.Hour, pick(refs...))
			rest := slices.Clone(left)
			env.RegisterDelayedCallback(func() {
				require.Equal(r, len(refs) == 0, a.refused != nil, "%v", a.refused)
				for _, ref := range rest {
					require.Zero(r, f.tries[place{ref.Page, ref.Index}])
				}
				require.True(r, query[Status](t, env).Held)
			}, time.Duration(n+1)*time.Hour+30*time.Minute)
		}
		update(env, UpdateResume, 10*time.Hour)
		env.ExecuteWorkflow(CampaignWorkflow, input)
		out := result[Result](t, env)
		require.Equal(r, len(all)+1, out.Dead)
		for _, ref := range all {
			require.Equal(r, 1, f.tries[place{ref.Page, ref.Index}])
		}
		listed := 0
		for _, w := range query[Status](t, env).Waves {
			require.Equal(r, w.Listed, w.Dead)
			listed += w.Listed
		}
		require.Equal(r, len(all)+1, listed)
	})
}
