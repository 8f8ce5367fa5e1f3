package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/wire"
)

// waves runs the waves of a roll in order. Each is waited for until its first
// pass has ended, and goes on beside those that follow, unless the campaign
// file has the others wait for its end (credential.Wave.Proof); what is alone
// begins when all have ended. In campaigns of earlier versions only a wave with
// logins to Vault went on beside the others.
func (c *campaign) waves(ctx, steady workflow.Context, roll wire.Roll) error {
	c.logins, c.control.Logins = roll.Logins, slices.Clone(roll.Logins)
	c.control.Readers = slices.Clone(roll.Readers)
	c.passes, c.loginsOf = map[int]int{}, map[int]credential.Refs{}
	c.tasksIn = map[int]bool{}
	for _, w := range roll.Waves {
		c.loginsOf[w.Wave], c.tasksIn[w.Wave] = loginsIn(w, roll.Logins), w.Tasks
	}
	c.firstPass = workflow.GetVersion(ctx, changeFirstPass, workflow.DefaultVersion, 1) > workflow.DefaultVersion
	if len(roll.Logins) > 0 || c.firstPass {
		workflow.Go(steady, c.listenToWaves)
	}
	c.trials.until = map[int]int{}
	for i := 0; i < len(roll.Waves) && roll.Waves[i].Hold; i++ {
		more, err := c.tryFirst(ctx, steady, roll, roll.Waves[i], i)
		if err != nil {
			return err
		}
		if len(more) > 0 {
			c.setApart(more, i+1)
			roll.Waves = c.roll.Waves
		}
		if c.again.held { // what was listed again meanwhile is on it too
			roll = c.roll
			roll.Again = c.again.count
		}
	}
	c.status.Trying = false
	for i, w := range roll.Waves {
		if w.Tasks {
			if err := c.beginTasks(ctx, steady, roll, w, i); err != nil {
				return err
			}
		}
	}
	for i, w := range roll.Waves {
		if w.Tasks || w.Hold || len(w.Runs) == 0 {
			continue
		}
		if w.Alone {
			if err := c.ends(steady); err != nil {
				return err
			}
		}
		c.status.Wave = i
		r, err := c.begin(ctx, steady, roll, w, i)
		if err != nil {
			return err
		}
		beside := len(c.loginsOf[w.Wave]) > 0 || c.firstPass && !w.Proof
		err = workflow.Await(steady, func() bool { return r.ended || beside && c.passes[w.Wave] > 0 })
		if err != nil || r.err != nil {
			return cmpErr(err, r.err)
		}
	}
	if err := c.ends(steady); err != nil {
		return err
	}
	return c.stays(ctx, steady)
}

// passesTried is after how many passes what is tried first is held although
// something of it is open: a replica that lags a moment takes one more.
const passesTried = 3

// tryFirst runs a wave of what is to be tried before all else, and pauses the
// campaign behind it: whoever tries one wants to see what became of it. Nobody
// else's work begins meanwhile, people's neither. It returns what a person
// picked then to be tried next; nothing where the others go on.
func (c *campaign) tryFirst(ctx, steady workflow.Context, roll wire.Roll, w credential.WaveIndex, i int) (credential.Refs, error) {
	c.status.Wave, c.status.Trying = i, true
	c.status.Tried = append(slices.Clone(c.status.Tried), Trial{Wave: w.Wave, Refs: placesOf(w)})
	c.trials.until[w.Wave] = passesTried
	if _, err := c.begin(ctx, steady, roll, w, i); err != nil {
		return nil, err
	}
	for {
		err := workflow.Await(steady, func() bool { return c.failed != nil || c.wereTried(i) })
		if err != nil || c.failed != nil {
			return nil, cmpErr(err, c.failed)
		}
		if c.control.Aborting {
			return nil, nil
		}
		if err := c.hold(ctx, steady); err != nil {
			return nil, err
		}
		fresh, any := c.takePicked(i)
		if !any || len(fresh) > 0 || c.control.Aborting || ctx.Err() != nil {
			return fresh, nil
		}
	}
}

// hold pauses the campaign until somebody lets it go on.
func (c *campaign) hold(ctx, steady workflow.Context) error {
	c.status.Held, c.status.Trying = true, false
	if !c.control.Paused {
		c.control.Paused, c.status.Phase = true, ledger.Paused
		number := c.nextEvent()
		c.tell(steady)
		err := c.recordDone(steady, wire.EventInput{
			Event: ledger.CampaignPaused, Number: number, // by itself
			Detail: "what was to be tried first was tried; the others wait",
		})
		if err != nil {
			return err
		}
	}
	err := workflow.Await(steady, func() bool {
		return (!c.control.Paused || c.control.Aborting || ctx.Err() != nil) && !c.again.taking
	})
	c.status.Held = false
	return err
}

func cmpErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// begin starts a wave. It is not a child that a cancelled campaign cancels: it
// is told to abort, and winds up.
func (c *campaign) begin(ctx, steady workflow.Context, roll wire.Roll, w credential.WaveIndex, i int) (*runningWave, error) {
	if ctx.Err() != nil {
		c.control.Aborting = true
	}
	child := workflow.WithChildOptions(steady, workflow.ChildWorkflowOptions{
		WorkflowID: WaveID(c.in.Campaign, w.Wave),
		TaskQueue:  wire.RotationQueue,
	})
	only := roll
	only.Waves, only.Servers, only.Addresses = nil, nil, nil
	future := workflow.ExecuteChildWorkflow(child, WaveWorkflow, waveState{
		Roll: only, Index: w, Settings: c.in.Settings, Control: c.control, Urgent: true, Tells: c.firstPass, Answered: len(c.control.Release),
	})
	// From here on the wave is told: its input is written, and a signal waits
	// for it to start.
	r := &runningWave{future: future, index: i}
	c.running = append(c.running, r)
	if err := future.GetChildWorkflowExecution().Get(steady, nil); err != nil {
		// It did not start, and nobody waits for its end.
		c.running = slices.DeleteFunc(slices.Clone(c.running), func(x *runningWave) bool { return x == r })
		return nil, err
	}
	workflow.Go(steady, func(steady workflow.Context) { c.watch(ctx, steady, r) })
	return r, nil
}

// watch waits for the end of a wave, and tells all if the campaign is
// cancelled.
func (c *campaign) watch(ctx, steady workflow.Context, r *runningWave) {
	cancelled := workflow.NewSelector(steady)
	cancelled.AddFuture(r.future, func(workflow.Future) {})
	cancelled.AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) {
		c.control.Aborting = true
		c.status.Phase = ledger.Aborting
		c.tell(steady)
	})
	cancelled.Select(steady)
	var done waveResult
	r.err = r.future.Get(steady, &done)
	r.ended = true
	c.running = slices.DeleteFunc(slices.Clone(c.running), func(x *runningWave) bool { return x == r })
	if r.err != nil {
		c.failed = cmpErr(c.failed, r.err)
		return
	}
	c.status.Dead += done.Dead
	c.status.Open += done.Open
	c.status.Aside += done.Aside
	c.cameBack, c.unheard = c.cameBack || done.CameBack, c.unheard || done.Unheard
	c.mend = append(slices.Clone(c.mend), done.Mend...)
	c.person = c.person || done.Person
	c.vague = c.vague || done.Person && len(done.Mend) == 0
	st := &c.status.Waves[r.index]
	st.Dead, st.Open, st.Ended = done.Dead, done.Open, true
	if left := less(c.control.Logins, done.Closed); len(left) < len(c.control.Logins) {
		c.control.Logins = left
		if knowsCircles(steady) {
			c.tell(steady)
		}
	}
}

// ends waits for the end of every wave that was begun, but not for people.
func (c *campaign) ends(ctx workflow.Context) error {
	err := workflow.Await(ctx, func() bool {
		return !c.again.taking && !slices.ContainsFunc(c.running, func(r *runningWave) bool { return !r.people })
	})
	return cmpErr(err, c.failed)
}

// tell passes the control on to the running waves. One that has just ended
// does not hear it, which is what it should hear.
func (c *campaign) tell(ctx workflow.Context) {
	for _, r := range c.running {
		_ = r.future.SignalChildWorkflow(ctx, SignalControl, c.control).Get(ctx, nil)
	}
}
