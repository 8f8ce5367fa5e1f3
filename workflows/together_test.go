package workflows

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// The ledger is away when one pauses and back when the other resumes. Recorded
// the other way round, the record would have a running campaign paused.
func TestTheLedgerHasWhatPeopleAskedForInTheOrderInWhichTheyDid(t *testing.T) {
	f := newFake(waveOf(0, 30)).slowly()
	env := f.env(t)
	env.RegisterDelayedCallback(func() {
		f.failing("RecordEvent", temporal.NewApplicationError("the disk is full", "Ledger"))
	}, 149*time.Second)
	first := updateWith(env, UpdatePause, 150*time.Second, "alice@one")
	env.RegisterDelayedCallback(func() { f.failing("RecordEvent", nil) }, 160*time.Second)
	second := updateWith(env, UpdateResume, 161*time.Second, "bob@two")
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Equal(t, 30, result[Result](t, env).Dead)
	require.True(t, first.done, first.refused)
	require.True(t, second.done, second.refused)
	var told []ledger.Event
	for _, e := range f.kept {
		told = append(told, e.Event)
	}
	require.Equal(t, []ledger.Event{ledger.CampaignPaused, ledger.CampaignResumed, ledger.CampaignClosed}, told)
	require.Equal(t, "alice@one", f.kept[0].Actor)
	require.Equal(t, "bob@two", f.kept[1].Actor)
}

// A full disk is what has a person pause or resume: what took effect is in the
// record once there is room. (The test environment gives up after 10 tries,
// which are 4 minutes; before it were 8 anywhere, which are 71 seconds.)
func TestWhatTookEffectWhileTheLedgerWasAwayIsInTheRecordAfterwards(t *testing.T) {
	for name, want := range map[string]ledger.Event{UpdateResume: ledger.CampaignResumed, UpdateAbort: ledger.CampaignAborted} {
		t.Run(name, func(t *testing.T) {
			f := newFake(waveOf(0, 30)).slowly()
			env := f.env(t)
			updateWith(env, UpdatePause, 150*time.Second, "alice@one")
			env.RegisterDelayedCallback(func() {
				f.failing("RecordEvent", temporal.NewApplicationError("the disk is full", "Ledger"))
			}, 160*time.Second)
			asked := updateWith(env, name, 161*time.Second, "bob@two")
			env.RegisterDelayedCallback(func() { f.failing("RecordEvent", nil) }, 161*time.Second+2*time.Minute)
			env.ExecuteWorkflow(CampaignWorkflow, input)
			require.True(t, asked.done, asked.refused)
			require.NoError(t, asked.err)
			var told []ledger.Event
			for _, e := range f.kept {
				told = append(told, e.Event)
			}
			require.Equal(t, []ledger.Event{ledger.CampaignPaused, want, ledger.CampaignClosed}, told)
		})
	}
}

// Whoever comes second is told who was first, and the ledger has one word of
// it, also while the first one's is still on its way there.
func TestOfTwoWhoAskForTheSameOneIsToldWhoWasFirst(t *testing.T) {
	open := func() *fake {
		f := newFake(waveOf(0, 3)).slowly()
		f.outcome = always(protocol.Prove, protocol.ReasonLagging)
		f.takes["RecordEvent"] = time.Minute
		return f
	}
	alice := wire.Acceptance{Actor: "alice@one", Reason: "it does not follow", Owner: "jo"}
	bob := wire.Acceptance{Actor: "bob@two", Reason: "so it is", Owner: "jo"}
	const when = 20 * time.Minute
	for name, c := range map[string]struct {
		first, second string
		args          [2]any
		why           string
		events        []ledger.Event
	}{
		"close, close":     {UpdateClose, UpdateClose, [2]any{alice, bob}, "the campaign is being closed, by alice@one", []ledger.Event{ledger.OpenAccepted, ledger.CampaignClosed}},
		"abort, close":     {UpdateAbort, UpdateClose, [2]any{"alice@one", bob}, "the campaign is being aborted, by alice@one", []ledger.Event{ledger.CampaignAborted, ledger.CampaignClosed}},
		"abort, abort":     {UpdateAbort, UpdateAbort, [2]any{"alice@one", "bob@two"}, "the campaign is being aborted already, by alice@one", []ledger.Event{ledger.CampaignAborted, ledger.CampaignClosed}},
		"abort, pause":     {UpdateAbort, UpdatePause, [2]any{"alice@one", "bob@two"}, "the campaign is being aborted, by alice@one", []ledger.Event{ledger.CampaignAborted, ledger.CampaignClosed}},
		"abort, leave-out": {UpdateAbort, UpdateLeaveOut, [2]any{"alice@one", LeaveOut{Server: "ldaps://two", Actor: "bob@two", Reason: "gone"}}, "the campaign is being aborted, by alice@one", []ledger.Event{ledger.CampaignAborted, ledger.CampaignClosed}},
	} {
		t.Run(name, func(t *testing.T) {
			f := open()
			env := f.env(t)
			first := updateWith(env, c.first, when, c.args[0])
			second := updateWith(env, c.second, when+time.Second, c.args[1])
			env.ExecuteWorkflow(CampaignWorkflow, input)
			result[Result](t, env)
			require.True(t, first.done, first.refused)
			require.ErrorContains(t, second.refused, c.why)
			require.Equal(t, c.events, f.told())
			require.Equal(t, c.first == UpdateAbort, result[Result](t, env).Aborted)
		})
	}
}

// No worker writes the ledger: a close takes no effect, and whoever has to end
// the campaign at once can.
func TestAnAbortEndsACampaignWhoseCloseTheLedgerDoesNotHaveYet(t *testing.T) {
	f := newFake(waveOf(0, 3)).slowly()
	f.outcome = always(protocol.Prove, protocol.ReasonLagging)
	f.takes["RecordEvent"] = time.Minute
	env := f.env(t)
	const when = 20 * time.Minute
	closes := updateWith(env, UpdateClose, when, wire.Acceptance{Actor: "alice@one", Reason: "it does not follow", Owner: "jo"})
	pauses := updateWith(env, UpdatePause, when+time.Second, "bob@two")
	aborts := updateWith(env, UpdateAbort, when+2*time.Second, "bob@two")
	again := updateWith(env, UpdateAbort, when+3*time.Second, "carol@three")
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.True(t, result[Result](t, env).Aborted)
	require.ErrorContains(t, pauses.refused, "the campaign is being closed, by alice@one; the ledger does not have it yet")
	require.True(t, aborts.done, aborts.refused)
	require.Equal(t, ledger.Aborting, aborts.status.Phase)
	require.ErrorContains(t, again.refused, "the campaign is being aborted already, by bob@two")
	require.ErrorContains(t, closes.err, "the campaign was aborted, by bob@two, before the ledger had your word")
	require.Equal(t, []ledger.Event{ledger.OpenAccepted, ledger.CampaignAborted, ledger.CampaignClosed}, f.told())
}

func TestWhoPausesOrResumesASecondTimeIsToldWhoDid(t *testing.T) {
	f := newFake(waveOf(0, 30)).slowly()
	env := f.env(t)
	updateWith(env, UpdatePause, 150*time.Second, "alice@one")
	paused := updateWith(env, UpdatePause, 160*time.Second, "bob@two")
	updateWith(env, UpdateResume, 300*time.Second, "bob@two")
	resumed := updateWith(env, UpdateResume, 310*time.Second, "alice@one")
	in := input
	in.Settings.Parallel = 1
	env.ExecuteWorkflow(CampaignWorkflow, in)
	require.Equal(t, 30, result[Result](t, env).Dead)
	require.ErrorContains(t, paused.refused, "the campaign is paused already, by alice@one")
	require.ErrorContains(t, resumed.refused, "the campaign is not paused: it was resumed already, by bob@two")
}

func (f *fake) recordEvent(_ context.Context, in wire.EventInput) error {
	err := f.begin("RecordEvent")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, in)
	if err == nil {
		f.kept = append(f.kept, in)
	}
	return err
}
