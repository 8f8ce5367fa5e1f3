package workflows

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

func (f *fake) relist(_ context.Context, in wire.RelistInput) (wire.RelistFound, error) {
	out := f.proposal
	out.Proposal = in.Proposal
	return out, f.begin("Relist")
}

// untouched are those that no intent of the ledger has.
func (f *fake) untouched(_ context.Context, in wire.UntouchedInput) (out credential.Refs, err error) {
	if err := f.begin("Untouched"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	announced := map[place]bool{}
	for _, i := range f.intents {
		for _, it := range i.Items {
			announced[place{i.Batch.Span.Page, it.Index}] = true
		}
	}
	for _, r := range in.Refs {
		if !announced[place{r.Page, r.Index}] {
			out = append(out, r)
		}
	}
	return out, nil
}

func (f *fake) amend(_ context.Context, in wire.AmendInput) (wire.Amended, error) {
	f.mu.Lock()
	f.amends = append(f.amends, in)
	out := f.amended
	if f.amending != nil {
		out = f.amending(len(f.amends), in)
	}
	f.mu.Unlock()
	return out, f.begin("Amend")
}

func (f *fake) recordTakenUp(_ context.Context, in wire.TakenUpInput) error {
	f.mu.Lock()
	f.takenUp = append(f.takenUp, in)
	f.mu.Unlock()
	return f.begin("RecordTakenUp")
}

// relisted is a campaign of two waves: of the first, one credential is dead,
// one lags behind its reset, one has no account and one is no account at all;
// the second has ended, with one that has none either. The listing that a
// person asks for has another word on all of them, and a new one.
func relisted() *fake {
	f := newFake(waveOf(0, 4), waveOf(1, 0, 1))
	lags := 0
	f.outcome = func(at place, _ int) (protocol.Step, protocol.Reason) {
		switch at {
		case place{0, 1}:
			if lags++; lags < 12 {
				return protocol.Prove, protocol.ReasonLagging
			}
		case place{0, 2}, place{0, 3}, place{1, 0}:
			return protocol.Precheck, protocol.ReasonNoAccount
		}
		return "", ""
	}
	at := func(page, index int) *credential.Ref { return &credential.Ref{Page: page, Index: index} }
	f.proposal = wire.RelistFound{Items: 5, Old: []*credential.Ref{at(0, 0), at(0, 1), at(0, 2), at(1, 0), nil}, Replaced: credential.Refs{*at(0, 3)}}
	f.amended = wire.Amended{
		Waves: []credential.WaveIndex{{Wave: 2, Name: "listed again 1", Runs: []credential.Run{{Authority: "corp", Kind: credential.LDAPPassword, Span: credential.Span{Page: 2, To: 3}}}}},
		Pages: 1, Changed: credential.Refs{*at(2, 0), *at(2, 1)}, Added: credential.Refs{*at(2, 2)}, Replaced: credential.Refs{*at(0, 3)},
	}
	return f
}

var (
	askAgain = wire.RelistAsk{Proposal: "p1", Actor: operator}
	takeUp   = wire.TakeUp{Proposal: "p1", Actor: operator, Reason: " the metadata was wrong "}
)

// seen answers a RelistAsk.
func seen(env *testsuite.TestWorkflowEnvironment, after time.Duration) *wire.RelistSeen {
	out := &wire.RelistSeen{}
	env.RegisterDelayedCallback(func() {
		env.UpdateWorkflow(UpdateRelist, "look"+after.String(), &testsuite.TestUpdateCallback{
			OnAccept: func() {}, OnReject: func(error) {},
			OnComplete: func(v any, _ error) { *out, _ = v.(wire.RelistSeen) },
		}, askAgain)
	}, after)
	return out
}

func TestWhatIsListedOtherwiseGoesOnSoInTheSameCampaignAndWhatMayBeSetDoesNot(t *testing.T) {
	f := relisted()
	env := f.env(t)
	looked := seen(env, 20*time.Minute)
	taken := updateWith(env, UpdateTakeUp, 21*time.Minute, takeUp)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Equal(t, Result{Listed: 5, Excluded: 2, Dead: 5}, result[Result](t, env))
	require.Equal(t, wire.RelistSeen{Campaign: "c1", Proposal: "p1", Take: []int{2, 3, 4}, Touched: []int{0, 1}, Replaced: credential.Refs{{Page: 0, Index: 3}}}, *looked)
	require.NoError(t, errors.Join(taken.refused, taken.err))
	require.Equal(t, &ListedAgain{Times: 1, Changed: 2, Added: 1, Replaced: 1}, taken.status.Again)
	require.Equal(t, []wire.AmendInput{{Campaign: "c1", Proposal: "p1", Take: []int{2, 3, 4}, Replaced: credential.Refs{{Page: 0, Index: 3}}, Wave: 2}}, f.amends)
	require.Len(t, f.takenUp, 1)
	require.Equal(t, []ledger.Event{ledger.Relisted, ledger.CampaignClosed}, f.told())
	require.Equal(t, "the metadata was wrong", f.events[0].Detail)
	for at, n := range map[place]int{{0, 0}: 1, {0, 1}: 1, {2, 0}: 1, {2, 1}: 1, {2, 2}: 1} {
		require.Equal(t, n, f.died[at], "%v", at)
	}
	require.Zero(t, f.died[place{0, 2}]+f.died[place{0, 3}]+f.died[place{1, 0}], "where they were is worked on no more")
	require.Equal(t, 5, f.events[1].Listed)
	require.Equal(t, 2, f.events[1].Excluded)
	require.Len(t, f.exceptions, 1, "the one whose wave had ended before")
	again := 0
	for _, r := range f.results {
		again = max(again, r.Batch.Again)
	}
	require.Equal(t, 1, again, "what a pass says after another listing is told from what it said before")
}

func TestWhatIsExcludedWhileTheCampaignRunsIsNeverSetAlsoWhereNothingElseIsTakenUp(t *testing.T) {
	f := relisted()
	off := credential.Refs{{Page: 0, Index: 2}, {Page: 0, Index: 3}, {Page: 1, Index: 0}}
	f.proposal = wire.RelistFound{Replaced: off}
	f.amended = wire.Amended{Replaced: off}
	env := f.env(t)
	seen(env, 20*time.Minute)
	taken := updateWith(env, UpdateTakeUp, 21*time.Minute, takeUp)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.NoError(t, errors.Join(taken.refused, taken.err))
	require.Equal(t, Result{Listed: 2, Excluded: 4, Dead: 2}, result[Result](t, env))
	require.Equal(t, off, f.amends[0].Replaced)
	require.Len(t, f.takenUp, 1, "the ledger has it")
	require.Zero(t, f.died[place{0, 2}]+f.died[place{0, 3}]+f.died[place{1, 0}])
}

func TestWhatAListingCannotPutElsewhereGoesOnAsItWas(t *testing.T) {
	for name, fails := range map[string]func(*fake){
		"another has the path": func(f *fake) {
			f.amended = wire.Amended{Left: credential.Refs{{Page: 0, Index: 2}, {Page: 0, Index: 3}, {Page: 1, Index: 0}}}
		},
		"Vault refuses": func(f *fake) { f.fails["Amend"] = broken("Vault") },
	} {
		t.Run(name, func(t *testing.T) {
			f := relisted()
			fails(f)
			found := 0
			was := f.outcome
			f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
				if at == (place{0, 2}) && found > 0 {
					return "", ""
				}
				return was(at, try)
			}
			env := f.env(t)
			seen(env, 20*time.Minute)
			env.RegisterDelayedCallback(func() { found = 1 }, 21*time.Minute)
			updateWith(env, UpdateTakeUp, 21*time.Minute, takeUp)
			env.ExecuteWorkflow(CampaignWorkflow, input)
			require.Equal(t, Result{Listed: 5, Excluded: 1, Dead: 3, Open: 2}, result[Result](t, env), "none is lost")
			require.Equal(t, 1, f.died[place{0, 2}])
			require.Equal(t, protocol.ReasonNoAccount, f.exceptions[place{0, 3}].Reason)
		})
	}
}

// What goes on where it was is in the wave that gave it up too, whose look at
// the end leaves it to the one that proved it.
func TestWhatGoesOnAsItWasIsOpenAgainOnceInEveryCount(t *testing.T) {
	f := relisted()
	f.amended = wire.Amended{Left: credential.Refs{{Page: 0, Index: 2}, {Page: 0, Index: 3}, {Page: 1, Index: 0}}}
	f.changed = map[place]bool{{0, 0}: true, {0, 2}: true}
	was, found := f.outcome, false
	f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
		if at == (place{0, 2}) && found {
			return "", ""
		}
		return was(at, try)
	}
	env := f.env(t)
	seen(env, 20*time.Minute)
	env.RegisterDelayedCallback(func() { found = true }, 21*time.Minute)
	updateWith(env, UpdateTakeUp, 21*time.Minute, takeUp)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Equal(t, Result{Listed: 5, Excluded: 1, Dead: 1, Open: 4}, result[Result](t, env))
	looked := map[place]int{}
	for _, r := range f.rechecked {
		for _, it := range r.Result.Reopened {
			looked[place{r.Batch.Span.Page, it.Index}]++
		}
	}
	require.Equal(t, map[place]int{{0, 0}: 1, {0, 2}: 1}, looked)
}

// Vault has it elsewhere by then: where it was it must not go on, whatever
// keeps the ledger from hearing of it, and for however long.
func TestWhatVaultHasTakenUpGoesOnNowhereElseUntilTheLedgerKnows(t *testing.T) {
	f := relisted()
	f.fails["RecordTakenUp"] = broken("Ledger")
	env := f.env(t)
	seen(env, 20*time.Minute)
	taken := updateWith(env, UpdateTakeUp, 21*time.Minute, takeUp)
	env.RegisterDelayedCallback(func() {
		require.Zero(t, f.died[place{0, 2}]+f.died[place{2, 0}], "no wave has it")
		f.failing("RecordTakenUp", nil)
	}, 72*time.Hour)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.NoError(t, errors.Join(taken.refused, taken.err))
	require.Equal(t, Result{Listed: 5, Excluded: 2, Dead: 5}, result[Result](t, env))
	require.Zero(t, f.died[place{0, 2}])
	require.Equal(t, 1, f.died[place{2, 0}])
	require.Greater(t, len(f.takenUp), 20)
}

// Its answer was lost for a day and a night: whether Vault has it is asked, by
// making it so once more.
func TestWhatVaultMayHaveTakenUpIsAskedUntilItAnswers(t *testing.T) {
	f := relisted()
	f.fails["Amend"] = temporal.NewApplicationError("Vault does not answer", "Vault")
	env := f.env(t)
	seen(env, 20*time.Minute)
	taken := updateWith(env, UpdateTakeUp, 21*time.Minute, takeUp)
	env.RegisterDelayedCallback(func() { f.failing("Amend", nil) }, 72*time.Hour)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.NoError(t, errors.Join(taken.refused, taken.err))
	require.Equal(t, Result{Listed: 5, Excluded: 2, Dead: 5}, result[Result](t, env))
	require.Zero(t, f.died[place{0, 2}])
}

// A person may end it all the same. Nothing goes on where it was, and the
// campaign says that it did not end well.
func TestAnAbortEndsTheWaitForALedgerThatDoesNotHearWhatWasTakenUp(t *testing.T) {
	f := relisted()
	f.fails["RecordTakenUp"] = broken("Ledger")
	env := f.env(t)
	seen(env, 20*time.Minute)
	updateWith(env, UpdateTakeUp, 21*time.Minute, takeUp)
	updateWith(env, UpdateAbort, 5*time.Hour, operator)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.True(t, env.IsWorkflowCompleted())
	require.ErrorContains(t, env.GetWorkflowError(), "it is broken")
	require.Zero(t, f.died[place{0, 2}]+f.died[place{2, 0}])
	require.NotContains(t, f.exceptions, place{0, 2})
}

// A login to Vault that nobody had listed is no part of the campaign. That it
// was found belongs into the record all the same, and into the exit code.
func TestWhatAnotherListingWarnedOfIsRecordedWhereNothingCanBeTakenUp(t *testing.T) {
	f := relisted()
	f.proposal = wire.RelistFound{Warnings: 2}
	f.amended = wire.Amended{Proposal: "p1", Warnings: 2, Incomplete: 1}
	env := f.env(t)
	seen(env, 20*time.Minute)
	taken := updateWith(env, UpdateTakeUp, 21*time.Minute, takeUp)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.NoError(t, errors.Join(taken.refused, taken.err))
	out := result[Result](t, env)
	require.Equal(t, 1, out.Incomplete)
	require.Equal(t, 5, out.Listed)
	require.Len(t, f.takenUp, 1)
	require.Contains(t, f.told(), ledger.Relisted)
}

// What Vault cannot put elsewhere goes on in a wave that Vault knows nothing
// of, and the next listing has a wave too.
func TestWhoListsTwiceHasEachInAWaveOfItsOwn(t *testing.T) {
	for name, number := range map[string]func(wire.AmendInput) int{
		"the next number":            func(in wire.AmendInput) int { return in.Wave },
		"a number that another runs": func(wire.AmendInput) int { return 2 },
	} {
		t.Run(name, func(t *testing.T) {
			f := relisted()
			was, begun := f.outcome, time.Time{}
			f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
				if begun.IsZero() {
					begun = f.now()
				}
				switch {
				case at == (place{0, 2}):
					return protocol.Precheck, protocol.ReasonUnreachable
				case at == (place{0, 1}) && f.now().Sub(begun) < 32*time.Minute:
					return protocol.Prove, protocol.ReasonLagging
				case at == (place{0, 1}):
					return "", ""
				}
				return was(at, try)
			}
			amended := f.amended
			f.amending = func(n int, in wire.AmendInput) wire.Amended {
				if n == 1 {
					return wire.Amended{Left: credential.Refs{{Page: 0, Index: 2}, {Page: 0, Index: 3}, {Page: 1, Index: 0}}}
				}
				amended.Waves[0].Wave = number(in)
				return amended
			}
			env := f.env(t)
			seen(env, 20*time.Minute)
			updateWith(env, UpdateTakeUp, 21*time.Minute, takeUp)
			seen(env, 30*time.Minute)
			taken := updateWith(env, UpdateTakeUp, 31*time.Minute, takeUp)
			env.ExecuteWorkflow(CampaignWorkflow, input)
			require.NoError(t, errors.Join(taken.refused, taken.err))
			require.Equal(t, Result{Listed: 5, Excluded: 2, Dead: 5}, result[Result](t, env))
			require.Equal(t, []int{2, 3}, []int{f.amends[0].Wave, f.amends[1].Wave})
			for i := range 3 {
				require.Equal(t, 1, f.died[place{2, i}])
			}
			waves := map[int]bool{}
			for _, w := range taken.status.Waves {
				require.False(t, waves[w.Wave], "two waves have number %d", w.Wave)
				waves[w.Wave] = true
				require.GreaterOrEqual(t, w.Listed, 0, "what goes on is in one wave alone: %+v", taken.status.Waves)
			}
		})
	}
}

func TestWhatGoesOnAsItWasTwiceIsInOneWaveOnce(t *testing.T) {
	f := relisted()
	mended := false
	f.outcome = func(at place, _ int) (protocol.Step, protocol.Reason) {
		if at == (place{0, 2}) && !mended {
			return protocol.Precheck, protocol.ReasonUnreachable
		}
		return "", ""
	}
	f.proposal = wire.RelistFound{Items: 1, Old: []*credential.Ref{{Page: 0, Index: 2}}}
	f.amended = wire.Amended{Left: credential.Refs{{Page: 0, Index: 2}}}
	env := f.env(t)
	before := 0
	for _, at := range []time.Duration{20 * time.Minute, 30 * time.Minute} {
		seen(env, at)
		taken := updateWith(env, UpdateTakeUp, at+time.Minute, takeUp)
		defer func() { require.NoError(t, errors.Join(taken.refused, taken.err)) }()
	}
	env.RegisterDelayedCallback(func() { mended, before = true, f.tries[place{0, 2}] }, 33*time.Minute)
	at := statusAt(t, env, 32*time.Minute)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Equal(t, Result{Listed: 5, Excluded: 1, Dead: 5}, result[Result](t, env))
	require.Equal(t, 1, at.Waves[len(at.Waves)-1].Listed)
	require.Equal(t, before+1, f.tries[place{0, 2}], "it is worked on once")
	require.Equal(t, 1, f.died[place{0, 2}])
}

// What another listing warned of, and what it could not take up, is as good as
// what the first one warned of: the campaign does not end as if nothing were
// missing.
func TestWhatAnotherListingWarnedOfCountsAtTheEnd(t *testing.T) {
	for name, nothing := range map[string]bool{"something is taken up": false, "nothing fits": true} {
		t.Run(name, func(t *testing.T) {
			f := relisted()
			if nothing {
				f.amended = wire.Amended{Left: credential.Refs{{Page: 0, Index: 2}, {Page: 0, Index: 3}, {Page: 1, Index: 0}}}
			}
			f.amended.Proposal, f.amended.Warnings, f.amended.Incomplete = "p1", 3, 2
			env := f.env(t)
			seen(env, 20*time.Minute)
			updateWith(env, UpdateTakeUp, 21*time.Minute, takeUp)
			env.ExecuteWorkflow(CampaignWorkflow, input)
			require.Equal(t, 2, result[Result](t, env).Incomplete)
			require.Len(t, f.takenUp, 1, "the ledger has them")
		})
	}
}

func TestAnotherListingIsRefusedWhereItWouldTouchWhatIsInHand(t *testing.T) {
	for name, c := range map[string]struct {
		after  time.Duration
		change func(*fake, *testsuite.TestWorkflowEnvironment, *wire.TakeUp)
		want   string
	}{
		"listing":        {30 * time.Second, nil, "still listing"},
		"first pass":     {2*time.Minute + 30*time.Second, nil, "first pass over all"},
		"nothing looked": {20 * time.Minute, nil, "list again"},
		"another look": {30 * time.Minute, func(_ *fake, env *testsuite.TestWorkflowEnvironment, in *wire.TakeUp) {
			seen(env, 20*time.Minute)
			in.Proposal = "p0"
		}, "not the latest"},
		"no reason": {30 * time.Minute, func(_ *fake, env *testsuite.TestWorkflowEnvironment, in *wire.TakeUp) {
			seen(env, 20*time.Minute)
			in.Reason = ""
		}, "a reason is missing"},
		"paused": {30 * time.Minute, func(_ *fake, env *testsuite.TestWorkflowEnvironment, in *wire.TakeUp) {
			seen(env, 20*time.Minute)
			updateWith(env, UpdatePause, 25*time.Minute, operator)
			updateWith(env, UpdateResume, 35*time.Minute, operator)
		}, "resume it first"},
		"all dead": {30 * time.Minute, func(f *fake, env *testsuite.TestWorkflowEnvironment, in *wire.TakeUp) {
			f.proposal.Old, f.proposal.Replaced = f.proposal.Old[:2], nil
			seen(env, 20*time.Minute)
		}, "nothing of what was found"},
	} {
		t.Run(name, func(t *testing.T) {
			f := relisted().slowly()
			env := f.env(t)
			in := takeUp
			if c.change != nil {
				c.change(f, env, &in)
			}
			taken := updateWith(env, UpdateTakeUp, c.after, in)
			env.ExecuteWorkflow(CampaignWorkflow, input)
			require.ErrorContains(t, taken.refused, c.want)
			require.Empty(t, f.amends)
			require.NotContains(t, f.told(), ledger.Relisted)
		})
	}
}

// withFound is relisted, of which the new one is a login to Vault that what is
// listed again could read, and what is open where it was.
func withFound(dies func(try int) bool) *fake {
	f := relisted()
	was := f.outcome
	login := place{2, 0}
	f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
		if at == login && !dies(try) {
			return protocol.Precheck, protocol.ReasonRoleLocked
		}
		return was(at, try)
	}
	f.waitsFor = credential.Ref{Page: 2, Index: 0}
	span := func(page, to int) []credential.Run {
		return []credential.Run{{Authority: "corp", Kind: credential.LDAPPassword, Span: credential.Span{Page: page, To: to}}}
	}
	f.amended = wire.Amended{
		Waves: []credential.WaveIndex{{Wave: 2, Name: "logins", Runs: span(2, 1)}, {Wave: 3, Name: "listed again 1", Runs: span(3, 2)}},
		Pages: 2, Changed: credential.Refs{{Page: 3, Index: 0}, {Page: 3, Index: 1}}, Added: credential.Refs{{Page: 2, Index: 0}}, Logins: credential.Refs{{Page: 2, Index: 0}},
		Replaced: credential.Refs{{Page: 0, Index: 3}},
	}
	return f
}

func TestALoginThatIsFoundIsOneOfTheCampaignAndWhatItReadsWaitsForIt(t *testing.T) {
	f := withFound(func(try int) bool { return try > 3 })
	env := f.env(t)
	seen(env, 20*time.Minute)
	taken := updateWith(env, UpdateTakeUp, 21*time.Minute, takeUp)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.NoError(t, errors.Join(taken.refused, taken.err))
	require.Equal(t, Result{Listed: 5, Excluded: 2, Dead: 5}, result[Result](t, env))
	// Its wave and the one of what else was found begin together: which of them
	// is heard first is a matter of luck.
	told, waited := map[place]bool{}, map[place]int{}
	for _, p := range f.prepared {
		require.True(t, p.found > 0 || p.at.page < 2 && !told[p.at], "each batch knows of it from when it was told on: %v", p.at)
		told[p.at] = p.found > 0
		if p.at != (place{2, 0}) && len(p.logins) > 0 {
			waited[p.at]++
		}
	}
	require.Positive(t, waited[place{3, 0}])
	require.Positive(t, waited[place{0, 1}], "what is open where it was is asked about it too")
	last := f.prepared[len(f.prepared)-1]
	require.Empty(t, last.logins, "it is dead")
	require.Equal(t, 1, last.found)
	require.LessOrEqual(t, f.tries[place{3, 0}], 5, "it came back at once when the login was dead")
}

// A person may go on without it, by name and with a reason, as with each other
// login of the campaign.
func TestAPersonLetsTheRestGoOnAlthoughALoginThatWasFoundIsOpen(t *testing.T) {
	f := withFound(func(int) bool { return false })
	env := f.env(t)
	seen(env, 20*time.Minute)
	updateWith(env, UpdateTakeUp, 21*time.Minute, takeUp)
	accepted := updateWith(env, UpdateAcceptOpen, 25*time.Minute, AcceptOpen{Login: f.waitsFor, Actor: operator, Reason: "it is locked by a scanner"})
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.NoError(t, errors.Join(accepted.refused, accepted.err))
	require.Equal(t, Result{Listed: 5, Excluded: 2, Dead: 4, Open: 1, Accepted: 1}, result[Result](t, env))

	f = withFound(func(int) bool { return false })
	env = f.env(t)
	seen(env, 20*time.Minute)
	updateWith(env, UpdateTakeUp, 21*time.Minute, takeUp)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Equal(t, Result{Listed: 5, Excluded: 2, Dead: 1, Open: 4}, result[Result](t, env))
	require.Equal(t, protocol.ReasonWithinReach, f.exceptions[place{3, 1}].Reason)
}
