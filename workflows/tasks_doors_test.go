package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

func askedWithin(t *testing.T, c *crowd, env *testsuite.TestWorkflowEnvironment, n int) waveResult {
	t.Helper()
	env.ExecuteWorkflow(TasksWorkflow, tasksState{Roll: wire.Roll{Campaign: "c1", Snapshot: "s1"}, Index: taskWave(1, n), Hands: true, RetryMin: 10 * time.Second, RetryMax: 5 * time.Minute})
	require.NoError(t, env.GetWorkflowError())
	var out waveResult
	require.NoError(t, env.GetWorkflowResult(&out))
	return out
}

// What is said to be done is asked about, and a door that takes the stolen
// value keeps it open: it is asked again with back-off, and when its cache's
// time is over, and the ledger has each reason once.
func TestADoorThatTakesTheStolenValueKeepsATaskOpenWhateverWasSaid(t *testing.T) {
	c := &crowd{}
	env := tasksEnv(t, c)
	over := env.Now().Add(97 * time.Minute).UTC()
	c.shut = map[int]*protocol.Stop{0: {Reason: protocol.ReasonDoorTakesOld, Server: "mail", Detail: "its cache", Until: over}}
	env.RegisterDelayedCallback(func() {
		c.mu.Lock()
		c.said = credential.Refs{at(0), at(1)}
		c.mu.Unlock()
		env.UpdateWorkflow(UpdateLook, "u1", &testsuite.TestUpdateCallback{OnAccept: func() {}, OnReject: func(error) {}, OnComplete: func(any, error) {}}, Look{})
	}, time.Minute)
	env.RegisterDelayedCallback(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.shut = nil
	}, 96*time.Minute)
	require.Equal(t, waveResult{Dead: 2}, askedWithin(t, c, env, 2))
	require.Equal(t, credential.Refs{at(0), at(1)}, c.asks[0].Refs)
	require.Equal(t, credential.Refs{at(0)}, c.asks[1].Refs, "what is dead is asked nothing more")
	require.Len(t, c.proved, 2, "each reason is told once")
	require.Less(t, len(c.asks), 40)
	last := c.askAt[len(c.askAt)-1]
	require.Less(t, last.Sub(over), time.Minute, "it is asked when its time is over")
	require.ElementsMatch(t, credential.Refs{at(0), at(1)}, c.closed, "what was handed over is taken back when it is dead")
	for i := 1; i < len(c.askAt)-1; i++ {
		require.GreaterOrEqual(t, c.askAt[i].Sub(c.askAt[i-1]), 10*time.Second)
	}
}

// Whoever looks often makes no door refuse often.
func TestLooksThatPeopleAskForTryNoDoorMoreOftenThanPassesDo(t *testing.T) {
	c := &crowd{shut: map[int]*protocol.Stop{0: {Reason: protocol.ReasonDoorRefusesNew, Detail: "not set"}}}
	env := tasksEnv(t, c)
	env.RegisterDelayedCallback(func() { c.mu.Lock(); c.said = credential.Refs{at(0)}; c.mu.Unlock() }, time.Minute)
	for i := range 30 {
		env.RegisterDelayedCallback(func() {
			env.UpdateWorkflow(UpdateLook, "", &testsuite.TestUpdateCallback{OnAccept: func() {}, OnReject: func(error) {}, OnComplete: func(any, error) {}}, Look{})
		}, 2*time.Minute+time.Duration(i)*time.Second)
	}
	env.RegisterDelayedCallback(func() { env.SignalWorkflow(SignalControl, control{Aborting: true}) }, 2*time.Minute+40*time.Second)
	require.Equal(t, waveResult{Open: 1}, askedWithin(t, c, env, 1))
	require.Len(t, c.asks, mostRefused, "each is a wrong login")
	require.Len(t, c.left, 1)
}

// Said anew is asked anew.
func TestATaskThatIsToBeDoneAnewIsAskedNothingUntilItIs(t *testing.T) {
	c := &crowd{shut: map[int]*protocol.Stop{0: {Reason: protocol.ReasonDoorTakesOld, Detail: "its cache"}}, fails: map[string]int{wire.DoAskTaskDoors: 2}}
	env := tasksEnv(t, c)
	say := func(after time.Duration, refs credential.Refs) {
		env.RegisterDelayedCallback(func() {
			c.mu.Lock()
			c.said = refs
			c.mu.Unlock()
			env.UpdateWorkflow(UpdateLook, "", &testsuite.TestUpdateCallback{OnAccept: func() {}, OnReject: func(error) {}, OnComplete: func(any, error) {}}, Look{})
		}, after)
	}
	say(time.Minute, credential.Refs{at(0)})
	say(2*time.Minute, nil)
	var asked int
	env.RegisterDelayedCallback(func() { c.mu.Lock(); defer c.mu.Unlock(); asked = len(c.asks) }, 2*time.Minute+time.Second)
	env.RegisterDelayedCallback(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		require.Len(t, c.asks, asked)
		c.shut = nil
	}, 3*time.Hour)
	say(3*time.Hour+time.Minute, credential.Refs{at(0)})
	require.Equal(t, waveResult{Dead: 1}, askedWithin(t, c, env, 1))
}

// What a door kept open is asked about at once without it.
func TestADoorThatIsLeftOutKeepsNoTaskOpen(t *testing.T) {
	c := &crowd{shut: map[int]*protocol.Stop{0: {Reason: protocol.ReasonDoorSilent, Server: "old", Detail: "no answer"}}}
	env := tasksEnv(t, c)
	env.RegisterDelayedCallback(func() { c.mu.Lock(); c.said = credential.Refs{at(0)}; c.mu.Unlock() }, time.Minute)
	var left time.Time
	env.RegisterDelayedCallback(func() {
		c.mu.Lock()
		c.shut, left = nil, env.Now().UTC()
		c.mu.Unlock()
		env.SignalWorkflow(SignalControl, control{Doors: []string{"old"}})
	}, 3*time.Hour+17*time.Second)
	require.Equal(t, waveResult{Dead: 1}, askedWithin(t, c, env, 1))
	last := len(c.asks) - 1
	require.Equal(t, []string{"old"}, c.asks[last].DoorsLeftOut)
	require.Empty(t, c.asks[last-1].DoorsLeftOut)
	require.Less(t, c.askAt[last].Sub(left), time.Second)
	for i, in := range c.asks {
		require.Equal(t, i+1, in.Round, "each look is one of its own")
	}
}

// saidAndLookedAt has somebody say after a minute that tasks are done.
func saidAndLookedAt(c *crowd, env *testsuite.TestWorkflowEnvironment, refs ...credential.Ref) {
	env.RegisterDelayedCallback(func() {
		c.mu.Lock()
		c.said = refs
		c.mu.Unlock()
		env.UpdateWorkflow(UpdateLook, "", &testsuite.TestUpdateCallback{OnAccept: func() {}, OnReject: func(error) {}, OnComplete: func(any, error) {}}, Look{})
	}, time.Minute)
}

// Each door has a cache of its own. The second one is told, and waited for to
// the end of its own time.
func TestASecondDoorIsNotTakenForTheFirst(t *testing.T) {
	c := &crowd{}
	env := tasksEnv(t, c)
	first, second := env.Now().Add(60*time.Minute).UTC(), env.Now().Add(5*time.Hour+7*time.Minute).UTC()
	takes := func(door string, until time.Time) map[int]*protocol.Stop {
		return map[int]*protocol.Stop{0: {Reason: protocol.ReasonDoorTakesOld, Server: door, Detail: "its cache", Until: until}}
	}
	c.shut = takes("mail", first)
	saidAndLookedAt(c, env, at(0))
	env.RegisterDelayedCallback(func() { c.mu.Lock(); c.shut = takes("files", second); c.mu.Unlock() }, 59*time.Minute)
	env.RegisterDelayedCallback(func() { c.mu.Lock(); c.shut = nil; c.mu.Unlock() }, 5*time.Hour+6*time.Minute+30*time.Second)
	require.Equal(t, waveResult{Dead: 1}, askedWithin(t, c, env, 1))
	var told []string
	for _, p := range c.proved {
		for _, it := range p.Items {
			if it.Stop != nil {
				told = append(told, it.Stop.Server+" "+it.Stop.Until.UTC().Format(time.RFC3339))
			}
		}
	}
	require.Equal(t, []string{"mail " + first.Format(time.RFC3339), "files " + second.Format(time.RFC3339)}, told)
}

// What the doors of a task could not be asked in one look is asked at once in
// the next one.
func TestWhatALookHadNoTimeForIsAskedAtOnce(t *testing.T) {
	c := &crowd{late: map[int]int{1: 2}}
	env := tasksEnv(t, c)
	saidAndLookedAt(c, env, at(0), at(1))
	require.Equal(t, waveResult{Dead: 2}, askedWithin(t, c, env, 2))
	require.Len(t, c.asks, 3)
	require.Less(t, c.askAt[2].Sub(c.askAt[0]), 10*time.Second)
}

// One more wrong login could lock the account where its doors ask: nobody makes
// one before an hour has gone by, whoever looks.
func TestATaskWhoseAccountIsNearItsLockIsAskedInAnHour(t *testing.T) {
	c := &crowd{shut: map[int]*protocol.Stop{0: {Reason: protocol.ReasonNearLock, Server: "mail", Detail: "two"}}}
	env := tasksEnv(t, c)
	saidAndLookedAt(c, env, at(0))
	for i := range 30 {
		env.RegisterDelayedCallback(func() {
			env.UpdateWorkflow(UpdateLook, "", &testsuite.TestUpdateCallback{OnAccept: func() {}, OnReject: func(error) {}, OnComplete: func(any, error) {}}, Look{})
		}, 2*time.Minute+time.Duration(i)*time.Minute)
	}
	env.RegisterDelayedCallback(func() { c.mu.Lock(); c.shut = nil; c.mu.Unlock() }, 3*time.Hour)
	require.Equal(t, waveResult{Dead: 1}, askedWithin(t, c, env, 1))
	for i := 1; i < len(c.askAt); i++ {
		require.GreaterOrEqual(t, c.askAt[i].Sub(c.askAt[i-1]), lookEvery)
	}
}

// A door may refuse the new value because of what it keeps of the old one. The
// second refusal is not spent before that is over, and from then on, or after a
// look that had two, it is asked once an hour.
func TestADoorThatMayKeepARefusalIsAskedAgainWhenThatIsOver(t *testing.T) {
	for _, spent := range []bool{false, true} {
		c := &crowd{spent: spent}
		env := tasksEnv(t, c)
		over := env.Now().Add(31 * time.Minute).UTC()
		c.shut = map[int]*protocol.Stop{0: {Reason: protocol.ReasonDoorRefusesNew, Server: "mail", Detail: "its cache", Until: over}}
		saidAndLookedAt(c, env, at(0))
		env.RegisterDelayedCallback(func() { c.mu.Lock(); c.shut = nil; c.mu.Unlock() }, 3*time.Hour)
		require.Equal(t, waveResult{Dead: 1}, askedWithin(t, c, env, 1))
		second := c.askAt[1]
		if spent {
			require.GreaterOrEqual(t, second.Sub(c.askAt[0]), time.Hour)
			require.Zero(t, c.proved[0].Items[0].Stop.Until)
		} else {
			require.WithinDuration(t, over.Add(time.Second), second, 5*time.Second)
			require.True(t, over.Equal(c.proved[0].Items[0].Stop.Until))
		}
		for i := 2; i < len(c.askAt); i++ {
			require.GreaterOrEqual(t, c.askAt[i].Sub(c.askAt[i-1]), time.Hour)
		}
	}
}

// A look that had wrong logins behind a door that is open is none that is made
// again soon, whoever looks, and whatever is over by then.
func TestATaskWhoseAccountHadItsWrongLoginsIsAskedInAnHourWhateverItsDoorsShowed(t *testing.T) {
	for _, why := range []protocol.Reason{protocol.ReasonDoorTakesOld, protocol.ReasonDoorSilent, protocol.ReasonDoorGuest} {
		c := &crowd{spent: true}
		env := tasksEnv(t, c)
		over := env.Now().Add(3 * time.Minute).UTC() // of what was cached at the door
		c.shut = map[int]*protocol.Stop{0: {Reason: why, Server: "mail", Detail: "it is open", Until: over}}
		saidAndLookedAt(c, env, at(0))
		for i := range 30 {
			env.RegisterDelayedCallback(func() {
				env.UpdateWorkflow(UpdateLook, "", &testsuite.TestUpdateCallback{OnAccept: func() {}, OnReject: func(error) {}, OnComplete: func(any, error) {}}, Look{})
			}, 2*time.Minute+time.Duration(i)*time.Minute)
		}
		env.RegisterDelayedCallback(func() { c.mu.Lock(); c.shut = nil; c.mu.Unlock() }, 3*time.Hour)
		require.Equal(t, waveResult{Dead: 1}, askedWithin(t, c, env, 1))
		require.Greater(t, len(c.askAt), 1)
		for i := 1; i < len(c.askAt); i++ {
			require.GreaterOrEqual(t, c.askAt[i].Sub(c.askAt[i-1]), lookEvery)
		}
	}
}

// Each look that waits for the account's sake says until when: what an earlier
// one said is over by then.
func TestALookThatWaitsSaysUntilWhenEachTime(t *testing.T) {
	for _, why := range []protocol.Reason{protocol.ReasonDoorTakesOld, protocol.ReasonNearLock} {
		c := &crowd{spent: true}
		env := tasksEnv(t, c)
		began := env.Now().UTC()
		say := func(hours int) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.shut = map[int]*protocol.Stop{0: {Reason: why, Server: "mail", Detail: "it is open", Until: began.Add(time.Duration(hours)*time.Hour + 2*time.Minute)}}
		}
		say(1)
		saidAndLookedAt(c, env, at(0))
		env.RegisterDelayedCallback(func() { say(2) }, 30*time.Minute)
		env.RegisterDelayedCallback(func() { c.mu.Lock(); c.shut = nil; c.mu.Unlock() }, 90*time.Minute)
		require.Equal(t, waveResult{Dead: 1}, askedWithin(t, c, env, 1))
		require.Len(t, c.proved, 3, why)
		for i := range 2 {
			require.WithinDuration(t, c.askAt[i+1], c.proved[i].Items[0].Stop.Until, 3*time.Minute, "%s: %s", why, c.proved[i].Items[0].Stop)
		}
	}
}
