package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// wave runs the only wave of f's roll on env.
func (f *fake) wave(env *testsuite.TestWorkflowEnvironment, s Settings) {
	roll := f.roll
	roll.Waves = nil
	env.ExecuteWorkflow(WaveWorkflow, waveState{Roll: roll, Index: f.roll.Waves[0], Settings: s})
}

// waits are the pauses between the passes of a wave of one batch.
func (f *fake) waits() (out []time.Duration) {
	for i := 1; i < len(f.passes); i++ {
		out = append(out, f.passes[i].Sub(f.passes[i-1]))
	}
	return out
}

func TestAWaveIsCutIntoBatchesOfItsSize(t *testing.T) {
	w := waveOf(3, 25, 7)
	for _, size := range []int{1, 10, 100} {
		var seen int
		for _, b := range batches(newFake().roll, w, size, 4) {
			require.LessOrEqual(t, b.Span.Len(), size)
			require.Positive(t, b.Span.Len())
			require.Equal(t, "corp", b.Authority)
			require.Equal(t, 4, b.Concurrency)
			seen += b.Span.Len()
		}
		require.Equal(t, listed(w), seen)
	}
	f := newFake(w)
	env := f.env(t)
	s := settings
	s.WaveBatch = map[int]int{3: 1}
	f.wave(env, s)
	require.Equal(t, waveResult{Dead: 32}, result[waveResult](t, env))
	require.Equal(t, 32, f.ranTimes("Prepare"), "the careful lane goes one by one")
}

func TestBatchesAreLargeWhereThereAreManyLDAPPasswordsOfOneDirectory(t *testing.T) {
	ldap, domain := credential.LDAPPassword, credential.ADPassword
	for _, row := range []struct {
		kind    credential.Kind
		n       int
		set     int
		largest int
	}{
		{ldap, 999, 0, 100},
		{ldap, 1000, 0, 250},
		{domain, 5000, 0, 100},
		{ldap, 5000, 30, 30},
		{ldap, 1, 500, 1},
	} {
		w := waveOf(0)
		for page := 0; page*500 < row.n; page++ {
			w.Runs = append(w.Runs, credential.Run{Authority: "corp", Kind: row.kind, Span: credential.Span{Page: page, To: min(500, row.n-page*500)}})
		}
		// Of others there are too few.
		w.Runs = append(w.Runs, credential.Run{Authority: "other", Kind: ldap, Span: credential.Span{Page: 99, To: 300}})
		largest := map[string]int{}
		for _, b := range batches(newFake().roll, w, row.set, 4) {
			largest[b.Authority] = max(largest[b.Authority], b.Span.Len())
		}
		require.Equal(t, row.largest, largest["corp"], "%v", row)
		require.Equal(t, min(300, max(100, row.set)), max(100, largest["other"]), "%v", row)
	}
}

func TestNoMoreBatchesRunAtOnceThanAllowed(t *testing.T) {
	for _, parallel := range []int{1, 3, 50} {
		f := newFake(waveOf(0, 100))
		f.takes["Apply"] = time.Minute
		env := f.env(t)
		s := settings
		s.Parallel = parallel
		f.wave(env, s)
		require.Equal(t, 100, result[waveResult](t, env).Dead)
		require.Equal(t, min(parallel, 10), f.most)
	}
}

func TestOpenCredentialsComeBackWithBackOffUntilTheyAreDead(t *testing.T) {
	f := newFake(waveOf(0, 3))
	f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
		if at.index == 1 && try < 6 {
			return protocol.Set, protocol.ReasonUnreachable
		}
		return "", ""
	}
	env := f.env(t)
	s := settings
	s.RetryMax = 4 * time.Minute
	f.wave(env, s)
	require.Equal(t, waveResult{Dead: 3}, result[waveResult](t, env))
	require.Equal(t, []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 4 * time.Minute, 4 * time.Minute}, f.waits())
	require.Equal(t, map[place]int{{0, 0}: 1, {0, 1}: 6, {0, 2}: 1}, f.tries, "the dead are not tried again")
	require.Equal(t, []wire.OpenItem{{Index: 1, Step: protocol.Set, Reason: protocol.ReasonUnreachable, Sent: true}}, f.results[1].Known)
	require.Empty(t, f.exceptions)
}

func TestWhatIsStillOpenAfterTheDeadlineGetsOneMorePassAndEndsAsAnException(t *testing.T) {
	f := newFake(waveOf(0, 2))
	f.outcome = always(protocol.Prove, protocol.ReasonLagging)
	env := f.env(t)
	f.wave(env, settings)
	require.Equal(t, waveResult{Open: 2}, result[waveResult](t, env))
	first, last := f.passes[0], f.passes[len(f.passes)-1]
	require.Greater(t, last.Sub(first), settings.Deadline)
	require.Less(t, f.passes[len(f.passes)-2].Sub(first), settings.Deadline, "one, not more")
	require.Equal(t, protocol.ReasonLagging, f.exceptions[place{0, 1}].Reason)
	require.Equal(t, protocol.Prove, f.exceptions[place{0, 1}].Step)
	require.Equal(t, "the deadline has passed", f.why[place{0, 0}])
}

// A worker that was away from before the deadline until after it must not end
// the campaign by coming back.
func TestAPassThatTheDeadlineOvertookIsFollowedByAnother(t *testing.T) {
	f := newFake(waveOf(0, 1))
	f.takes["Apply"] = settings.Deadline + time.Minute
	f.outcome = func(_ place, try int) (protocol.Step, protocol.Reason) {
		if try < 3 {
			return protocol.Set, protocol.ReasonUnreachable
		}
		return "", ""
	}
	env := f.env(t)
	f.wave(env, settings)
	require.Equal(t, waveResult{Dead: 1}, result[waveResult](t, env))
}

func TestWhatTryingAgainCannotHelpEndsAtOnce(t *testing.T) {
	for _, reason := range []protocol.Reason{protocol.ReasonNoAccount, protocol.ReasonAmbiguous, protocol.ReasonSelf} {
		f := newFake(waveOf(0, 1))
		f.outcome = always(protocol.Precheck, reason)
		env := f.env(t)
		f.wave(env, settings)
		require.Equal(t, waveResult{Open: 1, Person: true, Mend: credential.Refs{{}}}, result[waveResult](t, env))
		require.Len(t, f.passes, 1)
		require.Equal(t, reason, f.exceptions[place{0, 0}].Reason)
	}
}

// Each try of such a credential is a wrong login for its account, and finds
// nothing else.
func TestWhatCostsAWrongLoginAndCannotHelpIsNotTriedAgainBesideTheRest(t *testing.T) {
	f := newFake(waveOf(0, 5))
	f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
		switch {
		case at.index == 1:
			return protocol.Precheck, protocol.ReasonUnproved
		case at.index == 4:
			return protocol.Precheck, protocol.ReasonNotBare // the account refused what it may stand for
		case at.index == 2:
			return protocol.Precheck, protocol.ReasonNoField // which somebody may put right meanwhile
		case at.index == 3 && try < 4:
			return protocol.Prove, protocol.ReasonLagging
		}
		return "", ""
	}
	env := f.env(t)
	env.RegisterDelayedCallback(func() {
		at := query[WaveStatus](t, env)
		require.Equal(t, 4, at.Open, "in the back-off it is open like the others")
	}, 90*time.Second)
	f.wave(env, settings)
	require.Equal(t, waveResult{Dead: 2, Open: 3, Person: true, Mend: credential.Refs{{Index: 1}, {Index: 4}, {Index: 2}}}, result[waveResult](t, env))
	require.Equal(t, map[place]int{{0, 0}: 1, {0, 1}: 1, {0, 2}: 4, {0, 3}: 4, {0, 4}: 1}, f.tries)
	require.Equal(t, protocol.ReasonUnproved, f.exceptions[place{0, 1}].Reason)
	require.Equal(t, protocol.ReasonNotBare, f.exceptions[place{0, 4}].Reason)
	require.Equal(t, protocol.ReasonNoField, f.exceptions[place{0, 2}].Reason)
}

// The authority says when a lock ends. The pass that finds it over is not late,
// however long the back-off has grown; until then each pass looks, and finds
// what was unlocked by hand.
func TestTheFirstPassAfterALockHasEndedIsNotLate(t *testing.T) {
	f := newFake(waveOf(0, 2))
	began := time.Time{}
	lasts := 5*time.Minute + 30*time.Second
	f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
		if began.IsZero() {
			began = f.now()
		}
		if at.index == 1 && f.now().Before(began.Add(lasts)) {
			return protocol.Precheck, protocol.ReasonLocked
		}
		return "", ""
	}
	f.until = func(place) time.Time { return began.Add(lasts) }
	env := f.env(t)
	f.wave(env, settings)
	require.Equal(t, waveResult{Dead: 2}, result[waveResult](t, env))
	require.Equal(t, []time.Duration{time.Minute, 2 * time.Minute, 2*time.Minute + 31*time.Second}, f.waits())
}

func TestTheNextPassDoesNotWaitForWhatWasRestagedOrInterrupted(t *testing.T) {
	for _, reason := range []protocol.Reason{protocol.ReasonRestaged, protocol.ReasonInterrupted} {
		f := newFake(waveOf(0, 1))
		f.outcome = func(_ place, try int) (protocol.Step, protocol.Reason) {
			if try == 1 {
				return protocol.Stage, reason
			}
			return "", ""
		}
		env := f.env(t)
		f.wave(env, settings)
		require.Equal(t, waveResult{Dead: 1}, result[waveResult](t, env))
		require.Equal(t, []time.Duration{0}, f.waits())
	}
}

func TestAWaveThatCannotRecordItsExceptionsFails(t *testing.T) {
	f := newFake(waveOf(0, 1))
	f.outcome = always(protocol.Precheck, protocol.ReasonNoAccount)
	f.fails["RecordExceptions"] = broken("Ledger")
	env := f.env(t)
	f.wave(env, settings)
	require.ErrorContains(t, env.GetWorkflowError(), "it is broken")
}

func TestAWaveSaysHowFarItIs(t *testing.T) {
	f := newFake(waveOf(4, 3))
	f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
		if at.index == 0 && try == 1 {
			return protocol.Set, protocol.ReasonRights
		}
		return "", ""
	}
	f.takes["Prepare"] = 2 * time.Minute
	env := f.env(t)
	var at []WaveStatus
	for _, after := range []time.Duration{time.Minute, 150 * time.Second, 3*time.Minute + settings.RetryMin} {
		env.RegisterDelayedCallback(func() { at = append(at, query[WaveStatus](t, env)) }, after)
	}
	f.wave(env, settings)
	require.Equal(t, waveResult{Dead: 3}, result[waveResult](t, env))
	at = append(at, query[WaveStatus](t, env))
	require.Equal(t, WaveStatus{Wave: 4, Listed: 3, Pass: 1}, at[0])
	began := time.Date(2026, 3, 1, 12, 2, 0, 0, time.UTC) // the back-off
	require.True(t, at[1].Next.Equal(began.Add(settings.RetryMin)), at[1].Next)
	require.True(t, at[1].Until.Equal(began.Add(settings.Deadline)), at[1].Until)
	require.Zero(t, at[2].Next)
	for i := range at {
		at[i].Next, at[i].Until = time.Time{}, time.Time{}
	}
	require.Equal(t, WaveStatus{Wave: 4, Listed: 3, Dead: 2, Open: 1, Pass: 1}, at[1], "in the back-off after the first pass")
	require.Equal(t, WaveStatus{Wave: 4, Listed: 3, Dead: 2, Open: 1, Pass: 2}, at[2], "while it is tried again")
	require.Equal(t, WaveStatus{Wave: 4, Listed: 3, Dead: 3, Pass: 2}, at[3])
}

// The ledger's last word of what is open may be hours old while its disk is
// full: between the passes nothing else says so.
func TestAWaveSaysWhatKeptItsLastPassFromBeingRecordedUntilOneIs(t *testing.T) {
	f := newFake(waveOf(0, 1))
	full := GaveUp{protocol.ReasonLedger, "no room for the ledger"}
	f.fails["RecordResults"] = temporal.NewNonRetryableApplicationError(full.Detail, wire.NoRoom, nil)
	env := f.env(t)
	var between WaveStatus
	env.RegisterDelayedCallback(func() {
		between = query[WaveStatus](t, env)
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.fails, "RecordResults")
	}, settings.RetryMin/2)
	f.wave(env, settings)
	require.Equal(t, waveResult{Dead: 1}, result[waveResult](t, env))
	require.NotZero(t, between.Next)
	require.Equal(t, &full, between.GaveUp)
	require.Nil(t, query[WaveStatus](t, env).GaveUp)
}

func query[T any](t *testing.T, env *testsuite.TestWorkflowEnvironment) (out T) {
	t.Helper()
	v, err := env.QueryWorkflow(QueryStatus)
	require.NoError(t, err)
	require.NoError(t, v.Get(&out))
	return out
}

// A replica that is down keeps nobody's stolen value in force on the servers
// that are up.
func TestAWaveBeginsAfterTheFirstPassOfTheOneBeforeItAndThatOneGoesOnBesideIt(t *testing.T) {
	slow := place{0, 1}
	played := func(change func(*fake)) (before int) {
		f := newFake(waveOf(0, 2), waveOf(1, 0, 4), waveOf(2, 0, 0, 1))
		f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
			if at == slow && try < 6 {
				return protocol.Prove, protocol.ReasonUnreachable
			}
			return "", ""
		}
		change(f)
		env := f.env(t)
		env.ExecuteWorkflow(CampaignWorkflow, input)
		require.Equal(t, Result{Listed: 7, Excluded: 1, Dead: 7}, result[Result](t, env))
		require.Equal(t, 6, f.tries[slow])
		next := place{1, 0}
		if f.roll.Waves[2].Alone {
			next = place{2, 0}
		}
		for _, p := range f.prepared {
			if p.at == next {
				break
			}
			if p.at == slow {
				before++
			}
		}
		return before
	}
	before := played(func(*fake) {})
	require.Equal(t, 1, before, "the next wave waits for one pass")
	before = played(func(f *fake) { f.roll.Waves[0].Proof = true })
	require.Equal(t, 6, before, "the campaign file has the next wave wait for its end")
	before = played(func(f *fake) { f.roll.Waves[2].Alone = true })
	require.Equal(t, 6, before, "what is alone waits for all")
}

// What has signs of use stands first on the roll, apart from the others of its
// directory: its batches go out first, and the others' are as large as before.
func TestBatchesGoOutInTheOrderOfTheRollWhereOneDirectoryStandsInTwoPlaces(t *testing.T) {
	run := func(authority string, from, to int) credential.Run {
		return credential.Run{Authority: authority, Kind: credential.LDAPPassword, Span: credential.Span{From: from, To: to}}
	}
	out := batches(wire.Roll{}, credential.WaveIndex{Runs: []credential.Run{run("corp", 0, 3), run("other", 3, 4), run("corp", 4, 1100), run("other", 1100, 1110)}}, 0, 1)
	at, first := 0, []string{}
	for _, b := range out {
		require.Equal(t, at, b.Span.From)
		at = b.Span.To
		first = append(first, b.Authority)
	}
	require.Equal(t, 1110, at)
	require.Equal(t, []string{"corp", "other", "corp"}, first[:3])
	require.Equal(t, largeBatch, out[2].Span.Len(), "by how many its directory has in all")
}
