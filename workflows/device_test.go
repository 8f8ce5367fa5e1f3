package workflows

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
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

// Days of waiting for people: a device that is on the network for an hour in
// between is noticed within that hour, and told at once. A minute's trouble of
// whoever asks is no answer, and an hour's is told.
func TestTheDeviceIsAskedWhilePeopleAreWaitedFor(t *testing.T) {
	const never = 1000 * time.Hour
	for _, row := range []struct {
		name     string
		watched  bool
		from, to time.Duration // it answers
		blind    [2]time.Duration
		told     string
		toldWhen time.Duration
	}{
		{name: "silent", watched: true, from: never},
		{name: "without an address to ask", from: 0, to: never},
		{name: "on the network for an hour on the first day", watched: true, from: 5 * time.Hour, to: 6 * time.Hour, told: "it answered", toldWhen: 5*time.Hour + askOften},
		{name: "for an hour days later", watched: true, from: 50*time.Hour + time.Minute, to: 51 * time.Hour, told: "it answered", toldWhen: 50*time.Hour + time.Minute + askLater},
		{name: "nobody can ask for half an hour", watched: true, from: never, blind: [2]time.Duration{5 * time.Hour, 5*time.Hour + 30*time.Minute}},
		{name: "nobody can ask for hours", watched: true, from: never, blind: [2]time.Duration{5 * time.Hour, 9 * time.Hour}, told: "is not known", toldWhen: 7 * time.Hour},
	} {
		t.Run(row.name, func(t *testing.T) {
			f, c := newFake(), &crowd{}
			env := f.env(t)
			c.due = env.Now().Add(72 * time.Hour)
			c.serve(env)
			begun, asked, last := env.Now(), 0, time.Duration(0) // look
			within := func(from, to time.Duration) bool { at := env.Now().Sub(begun); return at >= from && at < to }
			env.OnActivity(wire.DoWatchDevice, mock.Anything, mock.Anything).Return(func(context.Context, string) (wire.DeviceAnswers, error) {
				asked, last = asked+1, env.Now().Sub(begun)
				switch {
				case within(row.blind[0], row.blind[1]):
					return wire.DeviceAnswers{}, temporal.NewNonRetryableApplicationError("no more sockets", wire.FailedInternal, nil)
				case within(row.from, row.to):
					return wire.DeviceAnswers{Detail: "it answered"}, nil
				}
				return wire.DeviceAnswers{}, nil
			}).Maybe()
			env.RegisterDelayedCallback(c.done(at(0)), 60*time.Hour)
			in := tasksState{Roll: wire.Roll{Campaign: "c1", Snapshot: "s1", Device: "esg-01", Watched: row.watched}, Index: taskWave(1, 1)}
			in.Watch = watchFor(in.Roll)
			env.ExecuteWorkflow(TasksWorkflow, in)
			require.Equal(t, waveResult{Dead: 1, CameBack: row.told != ""}, result[waveResult](t, env))
			if row.told == "" {
				require.Empty(t, f.events)
				if row.watched {
					require.InDelta(t, 144+72, asked, 4, "every ten minutes for a day, and every half hour after it")
				} else {
					require.Zero(t, asked)
				}
				return
			}
			require.Len(t, f.events, 1)
			require.Equal(t, credential.FindingCameBack, f.events[0].Finding)
			require.Equal(t, "esg-01", f.events[0].Device)
			require.Contains(t, f.events[0].Detail, row.told)
			require.LessOrEqual(t, last, row.toldWhen, "it was told with this look, and is not asked after it")
		})
	}
}

// What was seen goes on with the next run of the workflow, and so does when the
// device is asked again.
func TestTheWatchOfTheDeviceContinuesAsNew(t *testing.T) {
	c := &crowd{}
	env := tasksEnv(t, c)
	soon := env.Now().Add(3 * time.Minute)
	asked := time.Time{}
	env.OnActivity(wire.DoWatchDevice, mock.Anything, mock.Anything).Return(func(context.Context, string) (wire.DeviceAnswers, error) {
		asked = env.Now()
		return wire.DeviceAnswers{}, nil
	}).Once()
	env.RegisterDelayedCallback(c.done(at(0)), time.Minute)
	env.RegisterDelayedCallback(func() { env.SignalWorkflow(SignalControl, control{Aborting: true}) }, 5*time.Minute)
	env.ExecuteWorkflow(TasksWorkflow, tasksState{Begun: true, Roll: wire.Roll{Campaign: "c1", Watched: true}, Index: taskWave(1, 1),
		Items: []taskItem{{Ref: at(0), Opened: true, Due: c.due}}, Watch: &deviceWatch{Next: soon, Looks: 7}})
	require.Equal(t, waveResult{Dead: 1}, result[waveResult](t, env))
	require.WithinDuration(t, soon, asked, time.Second)
}

// A campaign of which only people are waited for tells it at its end once more,
// and does not end with exit code 0.
func TestWhatTheWatchSawIsTheCampaigns(t *testing.T) {
	w := taskWave(1, 1)
	f := newFake(waveOf(0, 2), w)
	f.roll.Watched = true
	env := f.env(t)
	c := &crowd{due: env.Now().Add(72 * time.Hour)}
	c.serve(env)
	env.OnActivity(wire.DoWatchDevice, mock.Anything, mock.Anything).Return(wire.DeviceAnswers{Detail: "it answered"}, nil)
	env.RegisterDelayedCallback(c.done(at(0)), 30*time.Hour)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Equal(t, 1, result[Result](t, env).Incomplete)
	require.Equal(t, []ledger.Event{ledger.EventFinding, ledger.EventFinding, ledger.CampaignClosed}, f.told(), "the second is the first for the ledger: one of a sort")
	require.Equal(t, "it answered", f.events[0].Detail)
}

// What was set before a person tried one first, or paused, lies where its
// consumers read it: a device that is on the network meanwhile may read it too,
// and has gone again at the end.
func TestTheDeviceIsAskedWhileACampaignIsPaused(t *testing.T) {
	for _, watched := range []bool{true, false} {
		f := newFake(waveOf(0, 2), waveOf(1, 2))
		f.roll.Watched = watched
		f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
			if at.index == 1 && try == 1 {
				return protocol.Prove, protocol.ReasonLagging
			}
			return "", ""
		}
		env := f.env(t)
		begun, looks := env.Now(), 0
		env.OnActivity(wire.DoWatchDevice, mock.Anything, mock.Anything).Return(func(context.Context, string) (wire.DeviceAnswers, error) {
			looks++
			if at := env.Now().Sub(begun); at >= 5*time.Hour && at < 6*time.Hour {
				return wire.DeviceAnswers{Detail: "it answered"}, nil
			}
			return wire.DeviceAnswers{}, nil
		}).Maybe()
		env.RegisterDelayedCallback(func() { env.UpdateWorkflowNoRejection(UpdatePause, "p", t, "a person") }, 30*time.Second)
		env.RegisterDelayedCallback(func() { env.UpdateWorkflowNoRejection(UpdateResume, "r", t, "a person") }, 20*time.Hour)
		env.ExecuteWorkflow(CampaignWorkflow, input)
		require.NoError(t, env.GetWorkflowError())
		got := result[Result](t, env)
		if !watched {
			require.Zero(t, looks)
			require.Zero(t, got.Incomplete)
			continue
		}
		require.Equal(t, 1, got.Incomplete)
		require.LessOrEqual(t, looks, 32, "it is not asked any more once it has answered")
		require.Contains(t, f.told(), ledger.EventFinding)
	}
}
