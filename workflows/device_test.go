package workflows

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// A device that comes back keeps what is left from being set until it is silent
// again, and the campaign does not end with exit code 0.
func TestADeviceThatComesBackIsToldAndWaitedFor(t *testing.T) {
	back := func(at place, try int) (protocol.Step, protocol.Reason) {
		switch {
		case at.index == 1 && try == 1:
			return protocol.Precheck, protocol.ReasonDeviceAnswers
		case at.index == 2 && try == 1:
			return protocol.Prove, protocol.ReasonLagging
		case at.index == 3 && try == 1:
			return protocol.Intent, protocol.ReasonDeviceAnswers
		}
		return "", ""
	}
	for _, row := range []struct {
		name     string
		watched  bool
		outcome  func(place, int) (protocol.Step, protocol.Reason)
		detail   string // of the last look
		fails    error
		told     string
		asked    int
		withSent bool
	}{
		{name: "silent all the while", watched: true, asked: 1},
		{name: "without an address to ask"},
		{name: "a roll that says nothing of it", outcome: back, withSent: true},
		{name: "back and silent again", watched: true, outcome: back, asked: 1, told: "the device answered while the campaign ran, and is silent now", withSent: true},
		{name: "the worker saw more", watched: true, outcome: back, detail: "at 12:00 the device answered", asked: 1, told: "at 12:00 the device answered", withSent: true},
		{name: "back at the end", watched: true, detail: "the device answers", asked: 1, told: "the device answers"},
		{name: "nobody could ask it", watched: true, fails: errors.New("no"), asked: 1, told: "is not known: nobody could ask it"},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFake(waveOf(0, 4))
			f.roll.Watched, f.outcome, f.deviceSays = row.watched, row.outcome, wire.DeviceAnswers{Detail: row.detail}
			if row.fails != nil {
				f.fails["AskDevice"] = row.fails
			}
			env := f.env(t)
			env.ExecuteWorkflow(CampaignWorkflow, input)
			require.NoError(t, env.GetWorkflowError())
			var got Result
			require.NoError(t, env.GetWorkflowResult(&got))
			require.Equal(t, 4, got.Dead, "what waited follows by itself")
			require.GreaterOrEqual(t, f.ranTimes("AskDevice"), row.asked)
			if !row.watched {
				require.Zero(t, f.ranTimes("AskDevice"))
			}
			if row.told == "" {
				require.Zero(t, got.Incomplete)
				require.Equal(t, []ledger.Event{ledger.CampaignClosed}, f.told())
			} else {
				require.Equal(t, 1, got.Incomplete)
				require.Equal(t, []ledger.Event{ledger.EventFinding, ledger.CampaignClosed}, f.told())
				require.Equal(t, credential.FindingCameBack, f.events[0].Finding)
				require.Contains(t, f.events[0].Detail, row.told)
			}
			if row.withSent {
				require.Equal(t, []int{2}, f.sent, "what may be in force is brought to its end, and no other")
			}
		})
	}
}

// What the ledger has of a campaign whose device was not contained when its
// roll was to be made.
func TestACampaignOfADeviceThatAnswersEndsEarlyAndSaysWhy(t *testing.T) {
	f := newFake(waveOf(0, 4))
	f.fails["List"] = temporal.NewNonRetryableApplicationError("device esg-01 is not contained: the device answers: 192.0.2.10:22 accepts connections\nnothing was changed", wire.NotContained, nil)
	env := f.env(t)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.ErrorContains(t, env.GetWorkflowError(), "192.0.2.10:22 accepts connections")
	require.Equal(t, []ledger.Event{ledger.CampaignClosed}, f.told())
	require.Equal(t, "ended early: device esg-01 is not contained: the device answers: 192.0.2.10:22 accepts connections; nothing was changed", f.events[0].Detail)
	require.Zero(t, f.ranTimes("Prepare"))
}
