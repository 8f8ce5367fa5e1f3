package workflows

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// crowd stands for the activities of people's tasks.
type crowd struct {
	mu     sync.Mutex
	due    time.Time
	stops  map[int]*protocol.Stop // by index on the page: why it is not opened
	within bool                   // it is not while a login to Vault is open
	during func()                 // comes once while they are being opened
	dead   credential.Refs        // what the next look finds done
	said   credential.Refs        // of which each end is said to be done, and which have doors
	shut   map[int]*protocol.Stop // by index: what its doors keep it open by; nil: dead
	spent  bool                   // such a look had all its wrong logins
	late   map[int]int            // by index: in how many looks there is no time for it
	asks   []wire.Tasks
	proved []wire.AskedTasks
	askAt  []time.Time
	seats  []wire.Moved
	again  int            // another value is handed over to whoever has it by then
	fails  map[string]int // how often an activity fails from now on
	opens  []wire.Tasks
	told   []wire.TasksInput
	looks  []wire.Tasks
	closed credential.Refs
	minded []wire.RemindInput
	when   []time.Time // of reminders
	left   []wire.LeaveInput
	now    func() time.Time
}

func (c *crowd) fail(name string) error {
	if c.fails[name] > 0 {
		c.fails[name]--
		return errors.New("not now")
	}
	return nil
}

func (c *crowd) serve(env *testsuite.TestWorkflowEnvironment) {
	c.now = env.Now
	for name, serve := range map[string]any{
		wire.DoOpenTasks: func(_ context.Context, in wire.Tasks) (out []wire.OpenedTask, err error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			if err := c.fail(wire.DoOpenTasks); err != nil {
				return nil, err
			}
			c.opens = append(c.opens, in)
			if c.during != nil {
				c.during()
				c.during = nil
			}
			for _, ref := range in.Refs {
				it := wire.OpenedTask{Ref: ref, Stop: c.stops[ref.Index], Due: c.due}
				if c.within && len(in.Logins) > 0 {
					it.Stop = &protocol.Stop{Reason: protocol.ReasonWithinReach, Detail: "a login is open"}
				}
				if len(in.Moved) > 0 && it.Stop == nil {
					it.Again = c.again
				}
				out = append(out, it)
			}
			return out, nil
		},
		wire.DoRecordTasks: func(_ context.Context, in wire.TasksInput) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			if err := c.fail(wire.DoRecordTasks); err != nil {
				return err
			}
			c.told = append(c.told, in)
			return nil
		},
		wire.DoLookAtTasks: func(_ context.Context, in wire.Tasks) (wire.TasksLook, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			if err := c.fail(wire.DoLookAtTasks); err != nil {
				return wire.TasksLook{}, err
			}
			c.looks = append(c.looks, in)
			out := wire.TasksLook{Dead: c.dead, Done: c.said, Moved: c.seats, Said: map[string]string{"s1": "the end is somebody else's"}}
			c.dead, c.seats = nil, nil
			return out, nil
		},
		wire.DoAskTaskDoors: func(_ context.Context, in wire.Tasks) (out []wire.AskedTask, err error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			if err := c.fail(wire.DoAskTaskDoors); err != nil {
				return nil, err
			}
			c.asks, c.askAt = append(c.asks, in), append(c.askAt, env.Now().UTC())
			for _, ref := range in.Refs {
				if c.late[ref.Index] > 0 {
					c.late[ref.Index]--
					continue
				}
				out = append(out, wire.AskedTask{Ref: ref, Stop: c.shut[ref.Index], Spent: c.spent && c.shut[ref.Index] != nil})
			}
			return out, nil
		},
		wire.DoRecordTaskDoors: func(_ context.Context, in wire.AskedTasks) (dead credential.Refs, err error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.proved = append(c.proved, in)
			for _, it := range in.Items {
				if it.Stop == nil {
					dead = append(dead, it.Ref)
					c.said = slices.DeleteFunc(c.said, func(r credential.Ref) bool { return r == it.Ref })
				}
			}
			return dead, nil
		},
		wire.DoCloseTasks: func(_ context.Context, in wire.Tasks) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.closed = append(c.closed, in.Refs...)
			return nil
		},
		wire.DoRemindOfTasks: func(_ context.Context, in wire.RemindInput) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.minded, c.when = append(c.minded, in), append(c.when, env.Now().UTC())
			return nil
		},
		wire.DoLeaveTasks: func(_ context.Context, in wire.LeaveInput) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.left = append(c.left, in)
			return nil
		},
	} {
		env.OnActivity(name, mock.Anything, mock.Anything).Return(serve).Maybe()
	}
}

// done: people have said by then that these are done.
func (c *crowd) done(refs ...credential.Ref) func() {
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.dead = append(c.dead, refs...)
	}
}

func taskWave(wave, n int) credential.WaveIndex {
	return credential.WaveIndex{Wave: wave, Name: "by people", Tasks: true, Runs: []credential.Run{{Authority: "person", Kind: credential.AnyByHand, Span: credential.Span{Page: 7, To: n}}}}
}

func at(n int) credential.Ref { return credential.Ref{Page: 7, Index: n} }

func tasksEnv(t *testing.T, c *crowd) *testsuite.TestWorkflowEnvironment {
	env := newFake().env(t)
	if c.due.IsZero() {
		c.due = env.Now().Add(72 * time.Hour).UTC()
	}
	c.serve(env)
	return env
}

func (c *crowd) play(t *testing.T, env *testsuite.TestWorkflowEnvironment, n int) waveResult {
	t.Helper()
	return c.playFrom(t, env, n, control{})
}

func (c *crowd) playFrom(t *testing.T, env *testsuite.TestWorkflowEnvironment, n int, begins control) waveResult {
	t.Helper()
	env.ExecuteWorkflow(TasksWorkflow, tasksState{Roll: wire.Roll{Campaign: "c1", Snapshot: "s1"}, Index: taskWave(1, n), Control: begins})
	require.True(t, env.IsWorkflowCompleted())
	require.NoError(t, env.GetWorkflowError())
	var out waveResult
	require.NoError(t, env.GetWorkflowResult(&out))
	return out
}

// Days of waiting cost timers: people are reminded a day before, told when the
// time is over, and each day after; nothing that is overdue is dropped.
func TestPeopleAreRemindedAndWhatIsOverdueStaysOpen(t *testing.T) {
	c := &crowd{}
	env := tasksEnv(t, c)
	begun := env.Now()
	env.RegisterDelayedCallback(c.done(at(0)), 10*time.Hour)
	env.RegisterDelayedCallback(c.done(at(1)), 5*24*time.Hour+30*time.Minute)
	require.Equal(t, waveResult{Dead: 2}, c.play(t, env, 2))
	require.Equal(t, credential.Refs{at(0), at(1)}, c.closed, "what was handed over is taken back")
	require.Len(t, c.opens, 1)
	require.Len(t, c.told, 1)
	var hours []int
	var overdue []bool
	for i, m := range c.minded {
		require.Equal(t, credential.Refs{at(1)}, m.Tasks.Refs, "what is done is nobody reminded of")
		hours, overdue = append(hours, int(c.when[i].Sub(begun).Round(time.Hour).Hours())), append(overdue, m.Overdue)
	}
	require.Equal(t, []int{48, 72, 96, 120}, hours)
	require.Equal(t, []bool{false, true, false, false}, overdue)
	require.LessOrEqual(t, len(c.looks), 125, "a look each hour")
}

// A look that somebody asks for is answered with what his statement came to.
func TestALookThatIsAskedForIsAnsweredAtOnce(t *testing.T) {
	c := &crowd{}
	env := tasksEnv(t, c)
	var status TasksStatus
	var answered time.Time
	env.RegisterDelayedCallback(func() {
		env.UpdateWorkflow(UpdateLook, "u1", &testsuite.TestUpdateCallback{OnAccept: func() {}, OnReject: func(err error) { require.NoError(t, err) }, OnComplete: func(v any, err error) {
			require.NoError(t, err)
			status, answered = v.(TasksStatus), env.Now()
		}}, Look{Statement: "s1"})
	}, 5*time.Minute)
	begun := env.Now()
	env.RegisterDelayedCallback(c.done(at(0), at(1)), 10*time.Minute)
	require.Equal(t, waveResult{Dead: 2}, c.play(t, env, 2))
	require.Equal(t, TasksStatus{Listed: 2, Waiting: 2, Known: true, Said: "the end is somebody else's"}, status)
	require.Less(t, answered.Sub(begun), 10*time.Minute)
}

// What could not be opened is tried again: a login that was open is dead, an
// owner has logged in. Nothing is said twice.
func TestATaskThatCannotBeOpenedIsTriedAgain(t *testing.T) {
	c := &crowd{stops: map[int]*protocol.Stop{1: {Reason: protocol.ReasonWithinReach, Detail: "a login is open"}}, fails: map[string]int{}}
	env := tasksEnv(t, c)
	env.RegisterDelayedCallback(func() {
		c.mu.Lock()
		c.stops = nil
		c.mu.Unlock()
		env.SignalWorkflow(SignalControl, control{})
	}, 35*time.Minute)
	env.RegisterDelayedCallback(c.done(at(0), at(1)), 3*time.Hour)
	require.Equal(t, waveResult{Dead: 2}, c.play(t, env, 2))
	require.Len(t, c.told, 2, "why it was not opened, once, and that it was")
	require.Equal(t, credential.Refs{at(0), at(1)}, c.told[0].Tasks.Refs)
	require.Equal(t, credential.Refs{at(1)}, c.told[1].Tasks.Refs)
	require.Nil(t, c.told[1].Items[0].Stop)
	require.Equal(t, credential.Refs{at(0)}, c.looks[0].Refs)
}

// The last login to Vault is dead: what its campaign says then has no logins in
// it, and may come while the tasks are being opened.
func TestTasksAreOpenedAsSoonAsNoLoginToVaultIsOpen(t *testing.T) {
	for _, when := range []string{"while they are opened", "afterwards"} {
		t.Run(when, func(t *testing.T) {
			c := &crowd{within: true}
			env := tasksEnv(t, c)
			dies := func() { env.SignalWorkflow(SignalControl, control{}) }
			if when == "afterwards" {
				env.RegisterDelayedCallback(dies, 30*time.Second)
			} else {
				c.during = dies
			}
			var opened TasksStatus
			env.RegisterDelayedCallback(func() { opened = query[TasksStatus](t, env) }, time.Minute)
			env.RegisterDelayedCallback(c.done(at(0), at(1)), 3*time.Hour)
			require.Equal(t, waveResult{Dead: 2}, c.playFrom(t, env, 2, control{Logins: credential.Refs{at(9)}}))
			require.Equal(t, TasksStatus{Listed: 2, Waiting: 2}, opened)
			require.Len(t, c.opens, 2)
		})
	}
}

// What nobody has in hand when a campaign is aborted, nobody is given.
func TestAnAbortedCampaignBeginsNoTask(t *testing.T) {
	c := &crowd{}
	env := tasksEnv(t, c)
	require.Equal(t, waveResult{Open: 2}, c.playFrom(t, env, 2, control{Aborting: true}))
	require.Empty(t, c.opens)
	require.Len(t, c.left, 1)
}

func TestWhatIsGivenToSomebodyElseIsHandedOverToHim(t *testing.T) {
	c := &crowd{fails: map[string]int{}}
	env := tasksEnv(t, c)
	given := wire.Moved{Ref: at(0), Times: 1}
	env.RegisterDelayedCallback(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.seats, c.fails[wire.DoOpenTasks] = []wire.Moved{given}, 9 // it gives up once
	}, 30*time.Minute)
	env.RegisterDelayedCallback(c.done(at(0)), 4*time.Hour)
	require.Equal(t, waveResult{Dead: 1}, c.play(t, env, 1))
	require.GreaterOrEqual(t, len(c.opens), 2)
	require.Equal(t, []wire.Moved{given}, c.opens[1].Moved)
	require.Len(t, c.opens, 2, "once is enough")
}

// Whoever gives a task on is answered when the other one has it, or is told
// what he waits for.
func TestALookIsAnsweredOnceWhatWasGivenOnIsHandedOver(t *testing.T) {
	for name, stop := range map[string]*protocol.Stop{"handed over": nil, "owed": {Reason: protocol.ReasonDeviceAnswers, Detail: "the device answers"}} {
		t.Run(name, func(t *testing.T) {
			c := &crowd{fails: map[string]int{}}
			env := tasksEnv(t, c)
			var status TasksStatus
			var opens int
			answer := &testsuite.TestUpdateCallback{OnAccept: func() {}, OnReject: func(err error) { require.NoError(t, err) }, OnComplete: func(v any, err error) {
				require.NoError(t, err)
				c.mu.Lock()
				defer c.mu.Unlock()
				status, opens = v.(TasksStatus), len(c.opens)
			}}
			env.RegisterDelayedCallback(func() {
				c.mu.Lock()
				c.seats = []wire.Moved{{Ref: at(0), Times: 1}}
				c.stops = map[int]*protocol.Stop{0: stop}
				c.fails[wire.DoOpenTasks] = 2 // Vault is away for a moment
				c.mu.Unlock()
				env.UpdateWorkflow(UpdateLook, "u1", answer, Look{Statement: "s1"})
			}, 30*time.Minute)
			env.RegisterDelayedCallback(func() {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.stops, c.dead = nil, credential.Refs{at(0)}
			}, 4*time.Hour)
			env.ExecuteWorkflow(TasksWorkflow, tasksState{Roll: wire.Roll{Campaign: "c1", Snapshot: "s1"}, Index: taskWave(1, 1), Hands: true})
			require.NoError(t, env.GetWorkflowError())
			require.Equal(t, 2, opens, "it was handed over by then, or tried")
			want := TasksStatus{Listed: 1, Waiting: 1, Known: true, Said: "the end is somebody else's"}
			if stop != nil {
				want.Owed, want.OwedWhy = 1, stop.Detail
			}
			require.Equal(t, want, status)
		})
	}
}

func TestAnAbortLeavesTasksOpenAndTakesWhatWasSaidBefore(t *testing.T) {
	c := &crowd{stops: map[int]*protocol.Stop{2: {Reason: protocol.ReasonNotNamed, Detail: "no row"}}}
	env := tasksEnv(t, c)
	env.RegisterDelayedCallback(c.done(at(0)), 10*time.Minute)
	env.RegisterDelayedCallback(func() { env.SignalWorkflow(SignalControl, control{Aborting: true}) }, 20*time.Minute)
	require.Equal(t, waveResult{Dead: 1, Open: 2}, c.play(t, env, 3))
	require.Equal(t, credential.Refs{at(2)}, c.left[0].Tasks.Refs, "what no waiting opens ends at once")
	require.Equal(t, credential.Refs{at(1)}, c.left[1].Tasks.Refs)
	require.Equal(t, credential.Refs{at(0)}, c.closed)
}

// Trouble is no end: weeks of a ledger that cannot be read, and the task is
// still there.
func TestTasksOutliveActivitiesThatFail(t *testing.T) {
	c := &crowd{fails: map[string]int{wire.DoOpenTasks: 20, wire.DoLookAtTasks: 40}}
	env := tasksEnv(t, c)
	env.RegisterDelayedCallback(c.done(at(0)), 40*time.Hour)
	require.Equal(t, waveResult{Dead: 1}, c.play(t, env, 1))
}

// A long wait is many runs of the workflow, and each goes on where the one
// before it was.
func TestALongWaitContinuesAsNew(t *testing.T) {
	c := &crowd{}
	env := tasksEnv(t, c)
	env.ExecuteWorkflow(TasksWorkflow, tasksState{Roll: wire.Roll{Campaign: "c1", Snapshot: "s1"}, Index: taskWave(1, 1)})
	err := env.GetWorkflowError()
	require.ErrorContains(t, err, "continue as new")
	require.Len(t, c.looks, taskRounds)
	next := tasksState{Begun: true, Items: []taskItem{{Ref: at(0), Opened: true, Due: c.due, Overdue: true, Next: c.due.Add(9 * 24 * time.Hour)}}, Round: 11, Index: taskWave(1, 1), Roll: wire.Roll{Campaign: "c1"}}
	c = &crowd{}
	env = tasksEnv(t, c)
	env.RegisterDelayedCallback(c.done(at(0)), time.Minute)
	env.ExecuteWorkflow(TasksWorkflow, next)
	require.NoError(t, env.GetWorkflowError())
	require.Empty(t, c.opens, "it was opened")
}

// The campaign: people begin with it, nothing waits for them, and it ends when
// they are done.
func TestACampaignEndsWhenPeopleAreDone(t *testing.T) {
	f := newFake(waveOf(0, 3), taskWave(1, 2))
	c := &crowd{}
	env := f.env(t)
	c.due = env.Now().Add(72 * time.Hour)
	c.serve(env)
	waits := statusAt(t, env, 24*time.Hour)
	env.RegisterDelayedCallback(c.done(at(0), at(1)), 30*time.Hour)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.NoError(t, env.GetWorkflowError())
	var out Result
	require.NoError(t, env.GetWorkflowResult(&out))
	require.Equal(t, 5, out.Dead)
	require.Equal(t, 0, out.Open)
	require.True(t, waits.People)
	require.Equal(t, 3, waits.Dead)
	require.Len(t, f.died, 3)
	require.Equal(t, 3, count(f.log, "Proved"), "what is dead is looked at again when people are done, days later perhaps, and so is what they did")
	require.Less(t, slices.Index(f.log, "Prepare"), slices.Index(f.log, "Proved"))
}

// Who kept a session sets the stolen value again after the proof, while other
// people's tasks keep the campaign going.
func TestWhatPeopleChangedIsLookedAtOnceMoreWhenAllOfItHasEnded(t *testing.T) {
	f := newFake(waveOf(0, 3), taskWave(1, 2))
	f.changed = map[place]bool{{7, 0}: true}
	f.died[place{7, 0}], f.died[place{7, 1}] = 1, 1 // as the ledger has them
	c := &crowd{}
	env := f.env(t)
	c.due = env.Now().Add(72 * time.Hour)
	c.serve(env)
	env.RegisterDelayedCallback(c.done(at(0)), 2*time.Hour)
	env.RegisterDelayedCallback(c.done(at(1)), 30*time.Hour)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.NoError(t, env.GetWorkflowError())
	var out Result
	require.NoError(t, env.GetWorkflowResult(&out))
	require.Equal(t, []int{4, 1}, []int{out.Dead, out.Open})
	closed := f.events[len(f.events)-1]
	require.Equal(t, []int{4, 1}, []int{closed.Dead, closed.Open})
}

func TestAnAbortedCampaignLeavesPeoplesTasks(t *testing.T) {
	f := newFake(waveOf(0, 1), taskWave(1, 1))
	c := &crowd{}
	env := f.env(t)
	c.due = env.Now().Add(72 * time.Hour)
	c.serve(env)
	update(env, UpdateAbort, 24*time.Hour)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.NoError(t, env.GetWorkflowError())
	var out Result
	require.NoError(t, env.GetWorkflowResult(&out))
	require.Equal(t, Result{Listed: 2, Excluded: 1, Dead: 1, Open: 1, Aborted: true}, out)
	require.Len(t, c.left, 1)
}

// Nothing more may be begun of it, and people would be waited for in vain.
func TestACampaignThatAnotherTookOverEndsAndLeavesPeoplesTasks(t *testing.T) {
	f := newFake(waveOf(0, 1), taskWave(1, 1))
	f.takenOver = "esg-01-20260302T090000Z"
	c := &crowd{}
	env := f.env(t)
	c.due = env.Now().Add(72 * time.Hour)
	c.serve(env)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.NoError(t, env.GetWorkflowError())
	var out Result
	require.NoError(t, env.GetWorkflowResult(&out))
	require.True(t, out.Aborted)
	require.Len(t, c.left, 1)
	require.Contains(t, c.left[0].Why, "campaign esg-01-20260302T090000Z took over before a person had done it")
}

func count(list []string, of string) (n int) {
	for _, s := range list {
		if s == of {
			n++
		}
	}
	return n
}

// Days may pass before people are done, and by then no process remembers it.
func TestADeviceThatAnsweredWhileTasksWereOpenedIsRemembered(t *testing.T) {
	c := &crowd{stops: map[int]*protocol.Stop{1: {Reason: protocol.ReasonDeviceAnswers, Detail: "the device answers"}}, fails: map[string]int{}}
	env := tasksEnv(t, c)
	env.RegisterDelayedCallback(func() {
		c.mu.Lock()
		c.stops = nil
		c.mu.Unlock()
	}, 35*time.Minute)
	env.RegisterDelayedCallback(c.done(at(0), at(1)), 3*time.Hour)
	require.Equal(t, waveResult{Dead: 2, CameBack: true}, c.play(t, env, 2))
}

// Another value is on its way until the ledger has that it was handed over:
// what keeps it from that is tried again.
func TestAnotherValueIsHandedOverAndTold(t *testing.T) {
	c := &crowd{again: 1, fails: map[string]int{}}
	env := tasksEnv(t, c)
	env.RegisterDelayedCallback(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.seats = []wire.Moved{{Ref: at(0), Times: 1}}
		c.stops = map[int]*protocol.Stop{0: {Reason: protocol.ReasonDeviceAnswers, Detail: "the device answers"}}
	}, 30*time.Minute)
	begun := env.Now()
	env.RegisterDelayedCallback(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.stops = nil
	}, 75*time.Minute)
	env.RegisterDelayedCallback(c.done(at(0)), 4*time.Hour)
	require.Equal(t, waveResult{Dead: 1, CameBack: true}, c.play(t, env, 1))
	require.Len(t, c.told, 2)
	require.Equal(t, 1, c.told[1].Items[0].Again)
	require.GreaterOrEqual(t, len(c.opens), 3, "it is tried again every ten minutes")
	require.Less(t, len(c.opens), 8)
	require.Less(t, env.Now().Sub(begun), 6*time.Hour)
}
