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

const first, second = "ldaps://ldap1.example.org:636", "ldaps://ldap2.example.org:636"

// without asks to leave the second server out.
var without = LeaveOut{Server: second, Actor: "operator@example.org", Reason: "its disk burnt"}

// onTwoServers is a campaign on two servers, of which the second does not
// answer.
func onTwoServers(waves ...credential.WaveIndex) *fake {
	f := newFake(waves...)
	f.roll.Servers = map[string][]string{"corp": {first, second}, "plant": {second, first},
		"many": {"ldaps://ldap.example.org:636@192.0.2.1", "ldaps://ldap.example.org:636@192.0.2.2", "ldaps://ldap3.example.org:636@192.0.2.3"}}
	f.gone = second
	return f
}

// in is a request for a server of a directory.
func (l LeaveOut) in(directory string) LeaveOut {
	l.Directory = directory
	return l
}

func TestWhatAServerThatIsLeftOutKeptOpenComesBackAtOnce(t *testing.T) {
	f := onTwoServers(waveOf(0, 5), waveOf(1, 4))
	f.roll.Waves[0].Proof = true
	env := f.env(t)
	in := input
	in.Settings.RetryMax = 30 * time.Minute
	// Passes begin at 0, 1, 3, 7, 15, 31 and 61 minutes; the request comes in
	// the middle of the last wait.
	left := updateWith(env, UpdateLeaveOut, 40*time.Minute, without.in("corp"))
	env.ExecuteWorkflow(CampaignWorkflow, in)
	out := result[Result](t, env)
	require.Equal(t, Result{Listed: 9, Excluded: 1, Dead: 9, LeftOut: 1}, out)
	require.NoError(t, left.refused)
	require.NoError(t, left.err)
	require.Equal(t, []LeaveOut{without.in("corp")}, left.status.LeftOut)
	require.Equal(t, 40*time.Minute, f.passes[6].Sub(f.passes[0]).Round(time.Second), "not 61")
	before := strings.Split(strings.Join(f.log, " "), "RecordEvent")[0]
	require.Equal(t, 6, strings.Count(before, "Prepare"), "it was in the ledger before any batch began without the server")
	require.Len(t, f.passes, 8, "the next wave begins without the server and needs one pass")
	require.Equal(t, []ledger.Event{ledger.ServerLeftOut, ledger.CampaignClosed}, f.told())
	e := f.events[0]
	require.Equal(t, []string{"corp", second, "operator@example.org", "its disk burnt"}, []string{e.Authority, e.Server, e.Actor, e.Detail})
	require.Equal(t, []LeaveOut{without.in("corp")}, query[Status](t, env).LeftOut)
	for _, r := range f.results {
		asked := len(r.Applied) == 0 || !r.Applied[0].Dead()
		require.Equal(t, !asked, len(r.Batch.LeftOut) > 0)
	}
	for _, in := range f.cleans {
		require.Equal(t, []string{second}, in.Batch.LeftOut, "what was proved without it is not done with")
	}
}

func TestALeaveOutThatMakesNoSenseIsRefusedAndChangesNothing(t *testing.T) {
	for name, row := range map[string]struct {
		ask   LeaveOut
		after time.Duration
		words string
	}{
		"while the roll is being listed":     {without.in("corp"), 30 * time.Second, "still listing"},
		"while the roll is being recorded":   {without.in("corp"), 90 * time.Second, "still listing"},
		"without a reason":                   {LeaveOut{Directory: "corp", Server: second, Actor: "x", Reason: " \t"}, 3 * time.Minute, "a reason is missing"},
		"with a reason that is a book":       {LeaveOut{Directory: "corp", Server: second, Actor: "x", Reason: strings.Repeat("a", 501)}, 3 * time.Minute, "longer than"},
		"of a directory that is not there":   {without.in("nowhere"), 3 * time.Minute, "no directory nowhere"},
		"of a server that is not there":      {LeaveOut{Directory: "corp", Server: "ldaps://x:636", Actor: "x", Reason: "r"}, 3 * time.Minute, first + ", " + second},
		"of the write server":                {LeaveOut{Directory: "corp", Server: first, Actor: "x", Reason: "r"}, 3 * time.Minute, "is the write server of corp"},
		"of a name of several servers":       {LeaveOut{Directory: "many", Server: "ldaps://ldap.example.org:636", Actor: "x", Reason: "r"}, 3 * time.Minute, "several servers of many: name one of ldaps://ldap.example.org:636@192.0.2.1, ldaps"},
		"of a server of several directories": {without, 3 * time.Minute, "corp and plant: name the directory"},
	} {
		t.Run(name, func(t *testing.T) {
			f := onTwoServers(waveOf(0, 3)).slowly()
			env := f.env(t)
			a := updateWith(env, UpdateLeaveOut, row.after, row.ask)
			update(env, UpdateAbort, 10*time.Minute)
			env.ExecuteWorkflow(CampaignWorkflow, input)
			out := result[Result](t, env)
			require.False(t, a.accepted)
			require.ErrorContains(t, a.refused, row.words)
			require.Zero(t, out.LeftOut)
			require.Equal(t, []ledger.Event{ledger.CampaignAborted, ledger.CampaignClosed}, f.told())
			for _, r := range f.results {
				require.Empty(t, r.Batch.LeftOut)
			}
		})
	}
}

func TestAServerIsLeftOutOnceAndNotOfACampaignThatIsEnding(t *testing.T) {
	f := onTwoServers(waveOf(0, 3)).slowly()
	f.outcome = always(protocol.Set, protocol.ReasonRights)
	env := f.env(t)
	once := updateWith(env, UpdateLeaveOut, 3*time.Minute, without.in("corp"))
	again := updateWith(env, UpdateLeaveOut, 4*time.Minute, without.in("corp"))
	elsewhere := updateWith(env, UpdateLeaveOut, 5*time.Minute, LeaveOut{Directory: "plant", Server: first, Actor: "x", Reason: "r"})
	update(env, UpdateAbort, 6*time.Minute)
	late := updateWith(env, UpdateLeaveOut, 6*time.Minute+time.Second, LeaveOut{Server: "ldaps://x:636", Actor: "x", Reason: "r"})
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Equal(t, 2, result[Result](t, env).LeftOut)
	require.NoError(t, errors.Join(once.refused, once.err, elsewhere.refused, elsewhere.err))
	require.ErrorContains(t, again.refused, "left out already, by operator@example.org")
	require.ErrorContains(t, late.refused, "being aborted")
}

// Two people ask in the same moment, and the ledger takes its time.
func TestAServerThatIsBeingLeftOutIsNotLeftOutAgain(t *testing.T) {
	f := onTwoServers(waveOf(0, 3))
	f.takes["RecordEvent"] = time.Minute
	env := f.env(t)
	once := updateWith(env, UpdateLeaveOut, 30*time.Second, without.in("corp"))
	again := updateWith(env, UpdateLeaveOut, 40*time.Second, without.in("corp"))
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Equal(t, 1, result[Result](t, env).LeftOut)
	require.NoError(t, errors.Join(once.refused, once.err))
	require.ErrorContains(t, again.refused, "left out already")
}

func TestALeaveOutThatCannotBeRecordedHasNoEffectAndMayBeAskedAgain(t *testing.T) {
	f := onTwoServers(waveOf(0, 3))
	env := f.env(t)
	env.RegisterDelayedCallback(func() { f.failing("RecordEvent", broken("Ledger")) }, 2*time.Minute)
	failed := updateWith(env, UpdateLeaveOut, 150*time.Second, without.in("corp"))
	before := statusAt(t, env, 10*time.Minute)
	env.RegisterDelayedCallback(func() {
		require.Empty(t, f.died)
		f.failing("RecordEvent", nil)
	}, 11*time.Minute)
	again := updateWith(env, UpdateLeaveOut, 12*time.Minute, without.in("corp"))
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Equal(t, Result{Listed: 3, Excluded: 1, Dead: 3, LeftOut: 1}, result[Result](t, env))
	require.ErrorContains(t, failed.err, "it is broken")
	require.Empty(t, before.LeftOut)
	require.NoError(t, errors.Join(again.refused, again.err))
	require.NotEqual(t, f.events[0].Number, f.events[len(f.events)-2].Number, "the ledger takes it for another entry")
}

func TestContinuingAsNewKeepsWhatWasLeftOut(t *testing.T) {
	f := onTwoServers(waveOf(0, 2))
	env := f.env(t)
	signal := control{LeftOut: map[string][]string{"corp": {second}}}
	env.RegisterDelayedCallback(func() {
		env.SetContinueAsNewSuggested(true)
		env.SignalWorkflow(SignalControl, signal)
	}, 30*time.Second)
	f.wave(env, settings)
	next, again := continued(t, env)
	require.True(t, again)
	require.Equal(t, signal.LeftOut, next.Control.LeftOut)
	env = f.env(t)
	env.ExecuteWorkflow(WaveWorkflow, next)
	require.Equal(t, waveResult{Dead: 2}, result[waveResult](t, env))
	require.Len(t, f.passes, 2)
}

func TestAServerThatIsLeftOutInTheLastPassStillGetsAPassWithoutIt(t *testing.T) {
	f := onTwoServers(waveOf(0, 2))
	f.takes["Apply"] = 5 * time.Minute
	env := f.env(t)
	s := settings
	s.Deadline = time.Minute
	// The first pass ends at 5, the last one begins at 7 and ends at 12.
	env.RegisterDelayedCallback(func() { env.SignalWorkflow(SignalControl, control{LeftOut: map[string][]string{"corp": {second}}}) }, 11*time.Minute)
	f.wave(env, s)
	require.Equal(t, waveResult{Dead: 2}, result[waveResult](t, env))
	require.Empty(t, f.exceptions)
}

func TestANameOfOneAddressIsLeftOutAsTheServerThatItIs(t *testing.T) {
	f := onTwoServers(waveOf(0, 3))
	env := f.env(t)
	in := input
	in.Settings.RetryMax = 30 * time.Minute
	full := "ldaps://ldap3.example.org:636@192.0.2.3"
	short := LeaveOut{Directory: "many", Server: "ldaps://ldap3.example.org:636", Actor: "operator@example.org", Reason: "gone"}
	left := updateWith(env, UpdateLeaveOut, 40*time.Minute, short)
	again := updateWith(env, UpdateLeaveOut, 50*time.Minute, short)
	updateWith(env, UpdateLeaveOut, 60*time.Minute, without.in("corp"))
	env.ExecuteWorkflow(CampaignWorkflow, in)
	require.NoError(t, env.GetWorkflowError())
	require.NoError(t, left.refused)
	require.Equal(t, full, left.status.LeftOut[0].Server)
	require.Equal(t, full, f.events[0].Server, "the ledger names it as the roll does")
	require.ErrorContains(t, again.refused, full+" is left out already")
}

// What a door kept open comes back at once without it, and the batches and the
// cleaning say so.
func TestADoorThatIsLeftOutKeepsNothingOpenAnyMore(t *testing.T) {
	f := newFake(waveOf(0, 3))
	f.roll.Doors = map[string]string{"mail@192.0.2.1": "imaps://mail.example.org:993@192.0.2.1", "mail@192.0.2.2": "imaps://mail.example.org:993@192.0.2.2", "nas": "ftp://nas.example.org:21"}
	f.goneDoor = "nas"
	env := f.env(t)
	in := input
	in.Settings.RetryMax = 30 * time.Minute
	ask := func(door string) LeaveOut {
		return LeaveOut{Door: door, Actor: "operator@example.org", Reason: "switched off"}
	}
	foreign, several := updateWith(env, UpdateLeaveOut, 19*time.Minute, ask("vpn")), updateWith(env, UpdateLeaveOut, 20*time.Minute, ask("mail"))
	both := ask("nas")
	both.Server = first
	two := updateWith(env, UpdateLeaveOut, 21*time.Minute, both)
	left := updateWith(env, UpdateLeaveOut, 40*time.Minute, ask("nas"))
	env.ExecuteWorkflow(CampaignWorkflow, in)
	require.Equal(t, Result{Listed: 3, Excluded: 1, Dead: 3, LeftOut: 1}, result[Result](t, env))
	require.NoError(t, errors.Join(left.refused, left.err))
	require.ErrorContains(t, foreign.refused, "is no door of the campaign; its doors are mail@192.0.2.1, mail@192.0.2.2, nas")
	require.ErrorContains(t, several.refused, "several doors: name one of mail@192.0.2.1, mail@192.0.2.2")
	require.ErrorContains(t, two.refused, "one by one")
	require.Equal(t, 40*time.Minute, f.passes[len(f.passes)-1].Sub(f.passes[0]).Round(time.Second), "at once")
	e := f.events[0]
	require.Equal(t, []string{string(ledger.DoorLeftOut), "", "nas", "operator@example.org", "switched off"}, []string{string(e.Event), e.Authority, e.Server, e.Actor, e.Detail})
	require.NotEmpty(t, f.cleans)
	for _, in := range f.cleans {
		require.Equal(t, []string{"nas"}, in.Batch.DoorsLeftOut)
	}
}

func TestADoorIsLeftOutOnce(t *testing.T) {
	f := newFake(waveOf(0, 3)).slowly()
	f.roll.Doors = map[string]string{"nas": "ftp://nas.example.org:21"}
	f.outcome = always(protocol.Set, protocol.ReasonRights)
	env := f.env(t)
	ask := LeaveOut{Door: "nas", Actor: "operator@example.org", Reason: "switched off"}
	early := updateWith(env, UpdateLeaveOut, 30*time.Second, ask)
	once := updateWith(env, UpdateLeaveOut, 3*time.Minute, ask)
	again := updateWith(env, UpdateLeaveOut, 4*time.Minute, ask)
	update(env, UpdateAbort, 6*time.Minute)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Equal(t, 1, result[Result](t, env).LeftOut)
	require.ErrorContains(t, early.refused, "still listing; its doors are known once it runs")
	require.NoError(t, errors.Join(once.refused, once.err))
	require.ErrorContains(t, again.refused, "door nas is left out already, by operator@example.org")
}
