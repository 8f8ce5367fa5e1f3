package workflows

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// heldWrong is a campaign that is held behind one credential that is no
// account. Of the others, which wait, one is listed otherwise too, and one
// comes off the roll; the listing has a new one besides.
func heldWrong(reason protocol.Reason) *fake {
	f := triedFirst(nil)
	f.outcome = func(at place, _ int) (protocol.Step, protocol.Reason) {
		if at.page == 0 {
			return protocol.Precheck, reason
		}
		return "", ""
	}
	at := func(page, index int) *credential.Ref { return &credential.Ref{Page: page, Index: index} }
	f.proposal = wire.RelistFound{Items: 3, Old: []*credential.Ref{at(0, 0), at(1, 1), nil}, Replaced: credential.Refs{*at(1, 2)}}
	f.amending = func(_ int, in wire.AmendInput) wire.Amended {
		return wire.Amended{
			Waves: []credential.WaveIndex{{Wave: in.Wave, Name: "listed again 1", Runs: []credential.Run{{Authority: "corp", Kind: credential.LDAPPassword, Span: credential.Span{Page: 2, To: 3}}}}},
			Pages: 1, Changed: credential.Refs{*at(2, 0), *at(2, 1)}, Added: credential.Refs{*at(2, 2)}, Replaced: credential.Refs{*at(1, 2)},
		}
	}
	return f
}

// Whoever tries one and finds that its metadata is wrong corrects that, tries
// it once more, and goes on with the rest, all in one campaign.
func TestWhatWasTriedFirstIsListedAgainAndTriedOnceMoreWhileTheOthersWait(t *testing.T) {
	for name, reason := range map[string]protocol.Reason{"it had come to its end": protocol.ReasonNoAccount, "it is tried again by itself": protocol.ReasonUnreachable} {
		t.Run(name, func(t *testing.T) {
			f := heldWrong(reason)
			env := f.env(t)
			looked := seen(env, time.Hour)
			taken := updateWith(env, UpdateTakeUp, 2*time.Hour, takeUp)
			waits := statusAt(t, env, 3*time.Hour)
			var untouched int
			env.RegisterDelayedCallback(func() { untouched = f.tries[place{2, 0}] + f.tries[place{2, 1}] + f.tries[place{1, 0}] }, 3*time.Hour)
			picked := updateWith(env, UpdateTryFirst, 4*time.Hour, pick(credential.Ref{Page: 2}))
			tried := statusAt(t, env, 5*time.Hour)
			resumed := update(env, UpdateResume, 6*time.Hour)
			in := input
			in.Settings.Deadline = 24 * time.Hour
			env.ExecuteWorkflow(CampaignWorkflow, in)
			require.NoError(t, errors.Join(taken.refused, taken.err, picked.refused, picked.err, resumed.refused, resumed.err))
			require.Equal(t, Result{Listed: 5, Excluded: 2, Dead: 5}, result[Result](t, env))
			require.Equal(t, []int{0, 1, 2}, looked.Take)
			require.Equal(t, credential.Refs{{Page: 1, Index: 2}}, looked.Replaced)
			require.True(t, waits.Held, "the others wait on")
			require.Zero(t, untouched)
			require.Equal(t, &ListedAgain{Times: 1, Changed: 2, Added: 1, Replaced: 1}, waits.Again)
			require.True(t, tried.Held)
			require.Equal(t, 1, tried.Dead)
			for _, w := range tried.Waves {
				require.GreaterOrEqual(t, w.Listed, 0, "%+v", tried.Waves)
			}
			for at, n := range map[place]int{{0, 0}: 0, {1, 0}: 1, {1, 1}: 0, {1, 2}: 0, {1, 3}: 1, {2, 0}: 1, {2, 1}: 1, {2, 2}: 1} {
				require.Equal(t, n, f.died[at], "%v", at)
			}
			for _, r := range f.results {
				require.Equal(t, r.Batch.Span.Page > 0, r.Batch.Again == 1, "what is said after another listing is told from what was said before: %+v", r.Batch)
			}
			require.Equal(t, []ledger.Event{ledger.CampaignPaused, ledger.Relisted, ledger.CampaignResumed, ledger.CampaignPaused, ledger.CampaignResumed, ledger.CampaignClosed}, f.told())
		})
	}
}

// Whatever of it cannot be put elsewhere goes on where it is.
func TestWhatWaitsBehindATryAndCannotBePutElsewhereGoesOnAsItWas(t *testing.T) {
	for name, fails := range map[string]func(*fake){
		"another has the path": func(f *fake) {
			f.amending = func(int, wire.AmendInput) wire.Amended {
				return wire.Amended{Left: credential.Refs{{}, {Page: 1, Index: 1}, {Page: 1, Index: 2}}}
			}
		},
		"Vault refuses": func(f *fake) { f.fails["Amend"] = broken("Vault") },
	} {
		for _, reason := range []protocol.Reason{protocol.ReasonNoAccount, protocol.ReasonUnreachable} {
			t.Run(name+" "+string(reason), func(t *testing.T) {
				f := heldWrong(reason)
				fails(f)
				was, mended := f.outcome, false
				f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
					if mended {
						return "", ""
					}
					return was(at, try)
				}
				env := f.env(t)
				seen(env, time.Hour)
				updateWith(env, UpdateTakeUp, 2*time.Hour, takeUp)
				env.RegisterDelayedCallback(func() { mended = true }, 3*time.Hour)
				more := updateWith(env, UpdateTryFirst, 4*time.Hour, pick(credential.Ref{Page: 1, Index: 1}))
				resumed := update(env, UpdateResume, 6*time.Hour)
				in := input
				in.Settings.Deadline = 24 * time.Hour
				env.ExecuteWorkflow(CampaignWorkflow, in)
				require.NoError(t, errors.Join(more.refused, more.err, resumed.refused, resumed.err))
				out := result[Result](t, env)
				require.Equal(t, 5, out.Listed)
				require.Equal(t, 5, out.Dead+out.Open, "none is lost")
				for i := range 4 {
					require.Equal(t, 1, f.died[place{1, i}], i)
				}
				require.LessOrEqual(t, f.died[place{0, 0}], 1)
			})
		}
	}
}

// Two people: one lets the campaign go on, or picks more, while what the other
// has listed again is being taken up.
func TestWhoLetsTheOthersGoOnWhileItIsListedAgainWaitsForThat(t *testing.T) {
	f := heldWrong(protocol.ReasonNoAccount)
	f.fails["RecordTakenUp"] = broken("Ledger")
	env := f.env(t)
	seen(env, time.Hour)
	taken := updateWith(env, UpdateTakeUp, 2*time.Hour, takeUp)
	picked := updateWith(env, UpdateTryFirst, 2*time.Hour+time.Minute, pick(credential.Ref{Page: 1}))
	resumed := update(env, UpdateResume, 3*time.Hour)
	begun := -1
	env.RegisterDelayedCallback(func() {
		begun = f.tries[place{1, 0}] + f.tries[place{1, 1}] + f.tries[place{2, 0}]
		f.failing("RecordTakenUp", nil)
	}, 10*time.Hour)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.NoError(t, errors.Join(taken.refused, taken.err, resumed.refused, resumed.err))
	require.ErrorContains(t, picked.refused, "listed again")
	require.Zero(t, begun)
	require.Equal(t, Result{Listed: 5, Excluded: 2, Dead: 5}, result[Result](t, env))
	for at, n := range map[place]int{{1, 0}: 1, {1, 1}: 0, {1, 2}: 0, {2, 0}: 1, {2, 1}: 1, {2, 2}: 1} {
		require.Equal(t, n, f.died[at], "%v", at)
	}
}

// Whoever picks all there is has all of it in what is tried first.
func TestWhatWasTriedFirstIsListedAgainWhereThatWasAll(t *testing.T) {
	for name, left := range map[string]bool{"it is taken up": false, "another has the path": true} {
		for _, reason := range []protocol.Reason{protocol.ReasonNoAccount, protocol.ReasonUnreachable} {
			t.Run(name+" "+string(reason), func(t *testing.T) {
				f := heldWrong(reason)
				f.roll.Waves, f.roll.Listed = f.roll.Waves[:1], 1
				f.proposal = wire.RelistFound{Items: 1, Old: []*credential.Ref{{}}}
				f.amending = func(_ int, in wire.AmendInput) wire.Amended {
					if left {
						return wire.Amended{Left: credential.Refs{{}}}
					}
					return wire.Amended{
						Waves: []credential.WaveIndex{{Wave: in.Wave, Name: "listed again 1", Runs: []credential.Run{{Authority: "corp", Kind: credential.LDAPPassword, Span: credential.Span{Page: 2, To: 1}}}}},
						Pages: 1, Changed: credential.Refs{{Page: 2}},
					}
				}
				env := f.env(t)
				seen(env, time.Hour)
				taken := updateWith(env, UpdateTakeUp, 2*time.Hour, takeUp)
				waits := statusAt(t, env, 3*time.Hour)
				resumed := update(env, UpdateResume, 4*time.Hour)
				in := input
				in.Settings.Deadline = 24 * time.Hour
				env.ExecuteWorkflow(CampaignWorkflow, in)
				require.NoError(t, errors.Join(taken.refused, taken.err, resumed.refused, resumed.err))
				require.True(t, waits.Held)
				out := result[Result](t, env)
				require.Equal(t, 1, out.Listed)
				require.Equal(t, 1, out.Dead+out.Open, "it is lost nowhere")
				if !left {
					require.Equal(t, 1, out.Dead)
				}
			})
		}
	}
}

// What goes last does so for a reason: servers replicate by it, or Rollcall
// works with it. Listed otherwise it goes on as it was, where it was; only what
// comes off the roll leaves it.
func TestWhatGoesLastStaysThereWhenItIsListedAgainBehindATry(t *testing.T) {
	f := heldWrong(protocol.ReasonNoAccount)
	last := waveOf(2, 0, 0, 0, 2)
	last.Alone = true
	f.roll.Waves, f.roll.Listed = append(f.roll.Waves, last), f.roll.Listed+2
	f.proposal.Items++
	f.proposal.Old = append(f.proposal.Old, &credential.Ref{Page: 3})
	f.proposal.Replaced = append(f.proposal.Replaced, credential.Ref{Page: 3, Index: 1})
	amending := f.amending
	f.amending = func(n int, in wire.AmendInput) wire.Amended {
		out := amending(n, in)
		out.Replaced = in.Replaced
		return out
	}
	env := f.env(t)
	seen(env, time.Hour)
	taken := updateWith(env, UpdateTakeUp, 2*time.Hour, takeUp)
	update(env, UpdateResume, 3*time.Hour)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.NoError(t, errors.Join(taken.refused, taken.err))
	require.Equal(t, []int{0, 1, 2}, f.amends[0].Take)
	require.Equal(t, credential.Refs{{Page: 1, Index: 2}, {Page: 3, Index: 1}}, f.amends[0].Replaced)
	require.Equal(t, Result{Listed: 6, Excluded: 3, Dead: 6}, result[Result](t, env))
	require.Equal(t, place{3, 0}, f.prepared[len(f.prepared)-1].at, "it goes last")
	require.Zero(t, f.tries[place{3, 1}])
}

// All of a wave is excluded while it waits: nothing of it is begun, and the
// campaign ends.
func TestAWaveOfWhichNothingIsLeftBehindATryIsNotBegun(t *testing.T) {
	for name, all := range map[string]credential.WaveIndex{"people of a domain": {Proof: true}, "last of all": {Alone: true}, "as others are": {}} {
		f := heldWrong(protocol.ReasonNoAccount)
		all.Wave, all.Runs = 2, []credential.Run{{Authority: "corp-ad", Kind: credential.UserPassword, Span: credential.Span{Page: 3, To: 1}}}
		f.roll.Waves, f.roll.Listed = append(f.roll.Waves, all), f.roll.Listed+1
		f.proposal.Replaced = append(f.proposal.Replaced, credential.Ref{Page: 3})
		amending := f.amending
		f.amending = func(n int, in wire.AmendInput) wire.Amended {
			out := amending(n, in)
			out.Replaced = in.Replaced
			return out
		}
		env := f.env(t)
		seen(env, time.Hour)
		taken := updateWith(env, UpdateTakeUp, 2*time.Hour, takeUp)
		waits := statusAt(t, env, 150*time.Minute)
		update(env, UpdateResume, 3*time.Hour)
		env.ExecuteWorkflow(CampaignWorkflow, input)
		require.NoError(t, errors.Join(taken.refused, taken.err), name)
		require.Equal(t, credential.Refs{{Page: 1, Index: 2}, {Page: 3}}, f.amends[0].Replaced)
		require.Equal(t, Result{Listed: 5, Excluded: 3, Dead: 5}, result[Result](t, env), name)
		require.Zero(t, f.tries[place{3, 0}])
		for _, w := range waits.Waves {
			require.Equal(t, w.Wave == 2 || w.Wave == 0, w.Listed == 0 && w.Ended, "%+v", waits.Waves)
		}
	}
}

// A login to Vault that is found goes before what it may read, also where that
// waits behind what was tried first.
func TestALoginThatIsFoundWhileTheOthersWaitGoesBeforeThem(t *testing.T) {
	f := heldWrong(protocol.ReasonNoAccount)
	f.roll.Waves[1].Proof = true
	f.proposal = wire.RelistFound{Items: 1, Old: []*credential.Ref{nil}}
	f.amending = func(_ int, in wire.AmendInput) wire.Amended {
		return wire.Amended{
			Waves: []credential.WaveIndex{{Wave: in.Wave, Name: "listed again 1, logins to Vault", Runs: []credential.Run{{Authority: "vault", Kind: credential.AppRoleSecretID, Span: credential.Span{Page: 2, To: 1}}}}},
			Pages: 1, Added: credential.Refs{{Page: 2}}, Logins: credential.Refs{{Page: 2}},
		}
	}
	env := f.env(t)
	seen(env, time.Hour)
	taken := updateWith(env, UpdateTakeUp, 2*time.Hour, takeUp)
	update(env, UpdateResume, 3*time.Hour)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.NoError(t, errors.Join(taken.refused, taken.err))
	require.Equal(t, Result{Listed: 6, Excluded: 1, Dead: 5, Open: 1}, result[Result](t, env))
	dead := false
	for _, p := range f.prepared {
		dead = dead || p.at == place{2, 0}
		if p.at.page == 1 {
			require.True(t, dead, "what it reads was begun before it")
		}
	}
}

func TestAnAbortEndsACampaignThatIsListedAgainBehindATry(t *testing.T) {
	f := heldWrong(protocol.ReasonNoAccount)
	f.fails["RecordTakenUp"] = broken("Ledger")
	env := f.env(t)
	seen(env, time.Hour)
	updateWith(env, UpdateTakeUp, 2*time.Hour, takeUp)
	updateWith(env, UpdateAbort, 5*time.Hour, operator)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.True(t, env.IsWorkflowCompleted())
	require.ErrorContains(t, env.GetWorkflowError(), "it is broken")
	for at, n := range f.died {
		require.Zero(t, n, "%v", at)
	}
}
