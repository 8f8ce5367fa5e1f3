package workflows

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// withLogins is a campaign with two logins to Vault, alone in the first wave,
// and accounts that the first of them could read while it is open.
func withLogins(open func(try int) bool) *fake {
	f := newFake(waveOf(0, 2), waveOf(1, 0, 4))
	f.roll.Logins = credential.Refs{{Page: 0, Index: 0}, {Page: 0, Index: 1}}
	f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
		if at == (place{0, 0}) && open(try) {
			return protocol.Precheck, protocol.ReasonRoleLocked
		}
		return "", ""
	}
	f.waitsFor = credential.Ref{Page: 0, Index: 0}
	return f
}

func TestALoginThatStaysOpenIsTriedBesideTheRestWhichWaitsForIt(t *testing.T) {
	f := withLogins(func(try int) bool { return try < 5 })
	env := f.env(t)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Equal(t, Result{Listed: 6, Excluded: 1, Dead: 6}, result[Result](t, env))
	require.Equal(t, 5, f.tries[place{0, 0}], "the login was tried on while the rest was open")
	first := map[place]int{}
	for i, p := range f.prepared {
		if _, seen := first[p.at]; !seen {
			first[p.at] = i
		}
		if p.at.page == 1 {
			require.NotContains(t, p.logins, credential.Ref{Page: 0, Index: 1}, "that one is dead")
		}
	}
	require.Less(t, first[place{0, 1}], first[place{1, 0}], "the logins go first, and alone")
	require.Greater(t, first[place{1, 0}], 0)
	last := f.prepared[len(f.prepared)-1]
	require.Equal(t, 1, last.at.page)
	require.Empty(t, last.logins, "and the rest came back when the login was dead")
	require.Less(t, f.tries[place{1, 0}], 7, "at once, and not by trying all the time")
}

func TestAPersonLetsTheRestGoOnAlthoughALoginIsOpen(t *testing.T) {
	f := withLogins(func(int) bool { return true })
	env := f.env(t)
	in := input
	in.Settings.RetryMax = 30 * time.Minute
	ask := AcceptOpen{Login: credential.Ref{Page: 0, Index: 0}, Actor: "operator@example.org", Reason: " the role is locked by a scanner "}
	accepted := updateWith(env, UpdateAcceptOpen, 10*time.Minute, ask)
	again := updateWith(env, UpdateAcceptOpen, 11*time.Minute, ask)
	env.ExecuteWorkflow(CampaignWorkflow, in)
	out := result[Result](t, env)
	require.NoError(t, errors.Join(accepted.refused, accepted.err))
	require.ErrorContains(t, again.refused, "accepted already")
	require.Equal(t, Result{Listed: 6, Excluded: 1, Dead: 5, Open: 1, Accepted: 1}, out)
	require.Equal(t, []ledger.Event{ledger.LoginAccepted, ledger.CampaignClosed}, f.told())
	require.Equal(t, &ask.Login, f.events[0].Login)
	require.Equal(t, "s1", f.events[0].Snapshot)
	require.Equal(t, "the role is locked by a scanner", f.events[0].Detail)
	require.Greater(t, f.tries[place{0, 0}], 3, "the login itself was tried on")
}

// What was logged in with its old password reads on, and it may have its right
// again: the workers look, and only a person ends that.
func TestAnAccountThatMayReadTheOthersIsAskedAboutWhenItIsDead(t *testing.T) {
	f := withLogins(func(int) bool { return false })
	f.roll.Readers = f.roll.Logins[:1]
	env := f.env(t)
	in := input
	in.Settings.RetryMax = 30 * time.Minute
	accepted := updateWith(env, UpdateAcceptOpen, 10*time.Minute, AcceptOpen{Login: f.waitsFor, Actor: "operator@example.org", Reason: "signed off everywhere"})
	env.ExecuteWorkflow(CampaignWorkflow, in)
	require.NoError(t, errors.Join(accepted.refused, accepted.err))
	require.Equal(t, Result{Listed: 6, Excluded: 1, Dead: 6, Accepted: 1}, result[Result](t, env))
	require.Equal(t, 1, f.tries[place{0, 0}], "dead at once")
	require.Less(t, f.tries[place{1, 0}], 7, "the rest came back when it was accepted")

	f = withLogins(func(int) bool { return false })
	f.roll.Readers = f.roll.Logins[:1]
	env = f.env(t)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Equal(t, Result{Listed: 6, Excluded: 1, Dead: 2, Open: 4}, result[Result](t, env))
}

func TestWithoutAPersonWhatIsWithinReachStaysOpen(t *testing.T) {
	f := withLogins(func(int) bool { return true })
	env := f.env(t)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Equal(t, Result{Listed: 6, Excluded: 1, Dead: 1, Open: 5}, result[Result](t, env))
	require.Equal(t, protocol.ReasonWithinReach, f.exceptions[place{1, 3}].Reason)
}

func TestAcceptingALoginThatMakesNoSenseIsRefused(t *testing.T) {
	for name, row := range map[string]struct {
		ask   AcceptOpen
		after time.Duration
		words string
	}{
		"while listing":           {AcceptOpen{Actor: "x", Reason: "r"}, 30 * time.Second, "still listing"},
		"without a reason":        {AcceptOpen{Actor: "x", Reason: " "}, 10 * time.Minute, "a reason is missing"},
		"of nobody":               {AcceptOpen{Reason: "r"}, 10 * time.Minute, "nobody says who asks"},
		"with a book":             {AcceptOpen{Actor: "x", Reason: strings.Repeat("a", 501)}, 10 * time.Minute, "longer than"},
		"of what is no login":     {AcceptOpen{Login: credential.Ref{Page: 1, Index: 1}, Actor: "x", Reason: "r"}, 10 * time.Minute, "no login to Vault"},
		"of a login that is dead": {AcceptOpen{Login: credential.Ref{Page: 0, Index: 1}, Actor: "x", Reason: "r"}, 10 * time.Minute, "is dead"},
	} {
		t.Run(name, func(t *testing.T) {
			f := withLogins(func(int) bool { return true })
			f.takes["List"] = time.Minute
			env := f.env(t)
			a := updateWith(env, UpdateAcceptOpen, row.after, row.ask)
			env.ExecuteWorkflow(CampaignWorkflow, input)
			require.ErrorContains(t, a.refused, row.words)
			require.Zero(t, result[Result](t, env).Accepted)
		})
	}
}

// Batch tokens of it live until they expire, and nobody can revoke them.
func TestADeadLoginOfWhichBatchTokensLiveOnStaysOpenForTheOthers(t *testing.T) {
	f := withLogins(func(int) bool { return false })
	f.finds = map[place]credential.FindingCode{{0, 0}: credential.FindingBatchTokens}
	env := f.env(t)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Equal(t, Result{Listed: 6, Excluded: 1, Dead: 2, Open: 4}, result[Result](t, env))
}

// Nothing else waits for it, and that is not the end of it: exit code 2, until
// a person accepts it.
func TestADeadLoginOfWhichBatchTokensLiveOnIsToldAtTheEnd(t *testing.T) {
	f := withLogins(func(int) bool { return false })
	f.waitsFor = credential.Ref{Page: -1} // what it could read is nowhere on the roll
	f.finds = map[place]credential.FindingCode{{0, 0}: credential.FindingBatchTokens}
	env := f.env(t)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Equal(t, Result{Listed: 6, Excluded: 1, Dead: 6, LivesOn: 1}, result[Result](t, env))
}
