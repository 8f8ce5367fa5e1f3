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

// waiting has the campaign stay for a person for four hours.
func waiting() CampaignInput {
	in := input
	in.Settings.Wait = 4 * time.Hour
	return in
}

// human is a campaign of which all is dead but one that names no account.
func human() *fake {
	f := newFake(waveOf(0, 3), waveOf(1, 0, 2))
	f.outcome = func(at place, _ int) (protocol.Step, protocol.Reason) {
		if at == (place{0, 1}) {
			return protocol.Precheck, protocol.ReasonNoAccount
		}
		return "", ""
	}
	return f
}

func TestWhoeverPutsRightWhatOnlyAPersonCanFindsTheCampaignAsLongAsTheFileSays(t *testing.T) {
	f := human()
	env := f.env(t)
	closed := updateWith(env, UpdateClose, 3*time.Hour, acceptance)
	var stays time.Time
	env.RegisterDelayedCallback(func() { stays = query[Status](t, env).Stays }, time.Hour)
	began := env.Now()
	env.ExecuteWorkflow(CampaignWorkflow, waiting())
	require.Equal(t, Result{Listed: 5, Excluded: 1, Dead: 4, Open: 1}, result[Result](t, env))
	require.NoError(t, errors.Join(closed.refused, closed.err))
	require.Equal(t, []ledger.Event{ledger.OpenAccepted, ledger.CampaignClosed}, f.told())
	require.WithinDuration(t, began.Add(4*time.Hour), stays, 30*time.Minute)
	require.Less(t, env.Now().Sub(began), 4*time.Hour, "it ends when it is closed")
	require.Equal(t, 1, f.tries[place{0, 1}], "and nothing is tried again meanwhile")
}

func TestACampaignThatNobodyClosesEndsByItself(t *testing.T) {
	f := human()
	env := f.env(t)
	began := env.Now()
	env.ExecuteWorkflow(CampaignWorkflow, waiting())
	require.Equal(t, Result{Listed: 5, Excluded: 1, Dead: 4, Open: 1}, result[Result](t, env))
	require.Equal(t, []ledger.Event{ledger.CampaignClosed}, f.told())
	require.GreaterOrEqual(t, env.Now().Sub(began), 4*time.Hour)
}

func TestACampaignStaysForNobodyWhereNothingNeedsAPerson(t *testing.T) {
	for name, c := range map[string]struct {
		outcome func(place, int) (protocol.Step, protocol.Reason)
		open    int
	}{
		"all are dead":            {nil, 0},
		"the deadline has passed": {rest().outcome, 1},
	} {
		f := human()
		f.outcome = c.outcome
		env := f.env(t)
		began := env.Now()
		env.ExecuteWorkflow(CampaignWorkflow, waiting())
		require.Equal(t, c.open, result[Result](t, env).Open, name)
		require.Less(t, env.Now().Sub(began), 3*time.Hour, name)
	}
}

// It has no account, whatever Vault was like at the last try.
func TestAnOutageAtTheLastTryKeepsNobodyFromFindingTheCampaign(t *testing.T) {
	f := human()
	f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
		switch {
		case at == place{0, 1} && try == 1:
			return protocol.Precheck, protocol.ReasonNoAccount
		case at == place{0, 1}:
			return protocol.Precheck, protocol.ReasonVault
		case at == place{0, 2}:
			return protocol.Prove, protocol.ReasonLagging
		}
		return "", ""
	}
	env := f.env(t)
	began := env.Now()
	env.ExecuteWorkflow(CampaignWorkflow, waiting())
	require.Equal(t, 2, result[Result](t, env).Open)
	require.GreaterOrEqual(t, env.Now().Sub(began), 4*time.Hour)
}

func TestACampaignThatStaysCannotBePaused(t *testing.T) {
	f := human()
	env := f.env(t)
	paused := update(env, UpdatePause, 2*time.Hour)
	env.ExecuteWorkflow(CampaignWorkflow, waiting())
	require.NoError(t, env.GetWorkflowError())
	require.ErrorContains(t, paused.refused, "nothing of the campaign is being worked on: it waits until 2026-03-01T16:00:")
	require.Equal(t, []ledger.Event{ledger.CampaignClosed}, f.told())
}

func TestAnAbortEndsTheWaitForAPerson(t *testing.T) {
	f := human()
	env := f.env(t)
	env.RegisterDelayedCallback(env.CancelWorkflow, time.Hour)
	began := env.Now()
	env.ExecuteWorkflow(CampaignWorkflow, waiting())
	require.True(t, result[Result](t, env).Aborted)
	require.Less(t, env.Now().Sub(began), 2*time.Hour)
}

func TestWhatIsCorrectedWhileTheCampaignStaysDiesInIt(t *testing.T) {
	f := relisted()
	f.outcome = func(at place, _ int) (protocol.Step, protocol.Reason) {
		if at == (place{0, 2}) || at == (place{0, 3}) || at == (place{1, 0}) {
			return protocol.Precheck, protocol.ReasonNoAccount
		}
		return "", ""
	}
	env := f.env(t)
	found := seen(env, time.Hour)
	taken := updateWith(env, UpdateTakeUp, 2*time.Hour, takeUp)
	began := env.Now()
	env.ExecuteWorkflow(CampaignWorkflow, waiting())
	got := result[Result](t, env)
	require.NoError(t, errors.Join(taken.refused, taken.err))
	require.NotEmpty(t, found.Take)
	require.Equal(t, 5, got.Dead)
	require.Contains(t, f.told(), ledger.Relisted)
	require.GreaterOrEqual(t, env.Now().Sub(began), 2*time.Hour)
}

// What a person put right is dead, and what else is open had its deadline:
// nobody is waited for any more.
func TestACampaignStaysNoLongerThanSomethingNeedsAPerson(t *testing.T) {
	for name, others := range map[string]protocol.Reason{"nothing else does": protocol.ReasonUnreachable, "something else does": protocol.ReasonNoAccount} {
		f := human()
		f.outcome = func(at place, _ int) (protocol.Step, protocol.Reason) {
			switch at {
			case place{0, 1}:
				return protocol.Precheck, protocol.ReasonNoAccount
			case place{1, 0}:
				return protocol.Precheck, others
			}
			return "", ""
		}
		f.proposal = wire.RelistFound{Items: 1, Old: []*credential.Ref{{Page: 0, Index: 1}}}
		f.amended = wire.Amended{
			Waves: []credential.WaveIndex{{Wave: 2, Name: "listed again 1", Runs: []credential.Run{{Authority: "corp", Kind: credential.LDAPPassword, Span: credential.Span{Page: 2, To: 1}}}}},
			Pages: 1, Changed: credential.Refs{{Page: 2}},
		}
		env := f.env(t)
		seen(env, 90*time.Minute)
		taken := updateWith(env, UpdateTakeUp, 100*time.Minute, takeUp)
		began := env.Now()
		in := waiting()
		in.Settings.Deadline = 30 * time.Minute
		env.ExecuteWorkflow(CampaignWorkflow, in)
		require.NoError(t, errors.Join(taken.refused, taken.err), name)
		require.Equal(t, Result{Listed: 5, Excluded: 1, Dead: 4, Open: 1}, result[Result](t, env), name)
		if others == protocol.ReasonUnreachable {
			require.Less(t, env.Now().Sub(began), 2*time.Hour, name)
		} else {
			require.GreaterOrEqual(t, env.Now().Sub(began), 4*time.Hour, name)
		}
	}
}
