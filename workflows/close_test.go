package workflows

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	entries "rollcall/internal/record"
	"rollcall/internal/wire"
)

// rest is a campaign of which one credential stays open whatever is tried.
func rest(waves ...credential.WaveIndex) *fake {
	f := newFake(waves...)
	f.outcome = func(at place, _ int) (protocol.Step, protocol.Reason) {
		if at == (place{0, 1}) {
			return protocol.Prove, protocol.ReasonLagging
		}
		return "", ""
	}
	return f
}

var acceptance = wire.Acceptance{
	Actor: "operator@example.org", Reason: " the replica is being rebuilt ", Owner: "the directory team", Due: time.Date(2026, 3, 9, 0, 0, 0, 0, time.UTC),
	Items: []wire.AcceptedItem{{Ref: credential.Ref{Page: 0, Index: 1}, Reason: "its own", Owner: "jo"}},
}

func TestAPersonAcceptsWhatIsOpenAndTheCampaignEnds(t *testing.T) {
	f := rest(waveOf(0, 3), waveOf(1, 0, 2))
	env := f.env(t)
	closed := updateWith(env, UpdateClose, 20*time.Minute, acceptance)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Equal(t, Result{Listed: 5, Excluded: 1, Dead: 4, Open: 1}, result[Result](t, env), "which is no abort")
	require.NoError(t, errors.Join(closed.refused, closed.err))
	require.Equal(t, ledger.Closing, closed.status.Phase)
	require.Equal(t, wire.Ending{How: ledger.EndAccepted, By: acceptance.Actor}, f.ending, "which Vault's record of it says too")
	require.Equal(t, []ledger.Event{ledger.OpenAccepted, ledger.CampaignClosed}, f.told())
	said := f.events[0]
	require.Equal(t, "the replica is being rebuilt", said.Detail)
	require.Equal(t, "the directory team", said.Accepted.Owner)
	require.Equal(t, acceptance.Items, said.Accepted.Items)
	require.Equal(t, "s1", said.Snapshot)
	require.Contains(t, f.why[place{0, 1}], "a person accepted what is open")
	require.Greater(t, f.tries[place{0, 1}], 2, "what lies between set and proof gets one more pass")
}

func TestWhatWasNotTriedYetCannotBeAccepted(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*wire.Acceptance)
		after  time.Duration
		want   string
	}{
		"listing":       {func(*wire.Acceptance) {}, 30 * time.Second, "still listing"},
		"first pass":    {func(*wire.Acceptance) {}, 2*time.Minute + 30*time.Second, "not tried yet"},
		"the next wave": {func(*wire.Acceptance) {}, 4*time.Minute + 30*time.Second, "not tried yet"},
		"no reason":     {func(a *wire.Acceptance) { a.Reason = " " }, 20 * time.Minute, "a reason is missing"},
		"no owner":      {func(a *wire.Acceptance) { a.Owner = " " }, 20 * time.Minute, "an owner is missing"},
		"nobody":        {func(a *wire.Acceptance) { a.Actor = "" }, 20 * time.Minute, "nobody says who asks"},
		"too many":      {func(a *wire.Acceptance) { a.Items = make([]wire.AcceptedItem, 501) }, 20 * time.Minute, "more than 500"},
	} {
		f := rest(waveOf(0, 3), waveOf(1, 0, 2)).slowly()
		env := f.env(t)
		in := acceptance
		c.change(&in)
		closed := updateWith(env, UpdateClose, c.after, in)
		env.ExecuteWorkflow(CampaignWorkflow, input)
		require.ErrorContains(t, closed.refused, c.want, name)
		require.Equal(t, 4, result[Result](t, env).Dead, name)
		require.Equal(t, []ledger.Event{ledger.CampaignClosed}, f.told(), name)
	}
}

// What everybody meets is not what keeps this one open: whoever sees to it
// would look for an outage that is long over.
func TestAnOutageIsNotRecordedAsTheCauseOfWhatHasOneOfItsOwn(t *testing.T) {
	type met struct {
		step   protocol.Step
		reason protocol.Reason
	}
	locked := met{protocol.Precheck, protocol.ReasonLocked}
	lagging := met{protocol.Prove, protocol.ReasonLagging}
	vault := met{protocol.Precheck, protocol.ReasonVault}
	for name, c := range map[string]struct {
		tries []met // the last one is met ever after
		want  protocol.Reason
		says  string
	}{
		"before it was looked at":     {[]met{locked, vault}, protocol.ReasonLocked, "vault-unreachable"},
		"twice, by two outages":       {[]met{locked, vault, {protocol.Precheck, protocol.ReasonUnreachable}}, protocol.ReasonLocked, "unreachable"},
		"of what is half done":        {[]met{lagging, vault}, protocol.ReasonLagging, "vault-unreachable"},
		"after a new attempt":         {[]met{locked, {protocol.Stage, protocol.ReasonRestaged}, vault}, protocol.ReasonLocked, "vault-unreachable"},
		"it came further than before": {[]met{locked, {protocol.Prove, protocol.ReasonUnreachable}}, protocol.ReasonUnreachable, ""},
		"it is over":                  {[]met{locked, vault, lagging}, protocol.ReasonLagging, ""},
		"nothing else is known":       {[]met{vault}, protocol.ReasonVault, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(waveOf(0, 3))
			f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
				if at.index != 1 {
					return "", ""
				}
				m := c.tries[min(try, len(c.tries))-1]
				return m.step, m.reason
			}
			env := f.env(t)
			closed := updateWith(env, UpdateClose, 20*time.Minute, acceptance)
			env.ExecuteWorkflow(CampaignWorkflow, input)
			require.NoError(t, errors.Join(closed.refused, closed.err, env.GetWorkflowError()))
			at := place{0, 1}
			entry := entries.Exceptions(wire.ExceptionInput{Items: []wire.OpenItem{f.exceptions[at]}, Why: f.why[at]}, make([]credential.Credential, 3), time.Now())[0]
			require.Equal(t, c.want, entry.Reason)
			require.Contains(t, entry.Detail, "a person accepted what is open")
			if c.says == "" {
				require.NotContains(t, entry.Detail, "the last try")
			} else {
				require.Contains(t, entry.Detail, "; the last try found nothing else: "+c.says)
			}
		})
	}
}
