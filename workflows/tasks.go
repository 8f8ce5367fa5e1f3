package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// What only a person can change is a child of its campaign. It is opened when
// the campaign begins, so that people can begin, and then costs a timer: what
// people do they say in Vault, and whoever said it, or `rollcall run`, wakes
// it.

const (
	// lookEvery is how long a person's word waits at most where nobody wakes
	// the workflow: his command could not reach Temporal.
	lookEvery = time.Hour
	// remindBefore and remindEvery: a reminder comes so long before a task is
	// due, and again so often when it is over.
	remindBefore = 24 * time.Hour
	remindEvery  = 24 * time.Hour
	// openAgain is how often a task is tried again that could not be opened.
	openAgain = 10 * time.Minute
	// taskRounds bounds the history of one run.
	taskRounds = 200
)

// tasksState is the one input of the workflow, and what it carries over.
type tasksState struct {
	Roll    wire.Roll            `json:"roll"`
	Index   credential.WaveIndex `json:"index"`
	Control control              `json:"control"`

	Begun bool         `json:"begun,omitempty"`
	Items []taskItem   `json:"items,omitempty"` // not dead yet
	Dead  int          `json:"dead"`
	Ended int          `json:"ended,omitempty"` // exceptions that are recorded
	Round int          `json:"round"`           // of writes, and so of entries' names
	Unmet []wire.Moved `json:"unmet,omitempty"` // given to somebody who has no card yet
	// Unclean are dead, and what was handed over is still there.
	Unclean credential.Refs `json:"unclean,omitempty"`
	// CameBack: something was not handed over because the device answered.
	CameBack bool `json:"came_back,omitempty"`
	// Watch is of the device; nil where it is not asked, as in campaigns that
	// an earlier version began.
	Watch *deviceWatch `json:"watch,omitempty"`
	// Hands: whoever asks for a look is answered once what was given on is
	// handed over. Not in campaigns that an earlier version began.
	Hands bool `json:"hands,omitempty"`
	// RetryMin and RetryMax are those of the campaign, for doors that keep a
	// task open.
	RetryMin time.Duration `json:"retry_min,omitempty"`
	RetryMax time.Duration `json:"retry_max,omitempty"`
	// Looks at doors that were begun.
	Looks int `json:"looks,omitempty"`
	// Without is how many doors were left out by the last look at doors.
	Without int `json:"without,omitempty"`
}

// taskItem is one task that is not done.
type taskItem struct {
	Ref    credential.Ref  `json:"r"`
	Due    time.Time       `json:"due,omitzero"`
	Opened bool            `json:"o,omitempty"`
	Reason protocol.Reason `json:"w,omitempty"` // why it could not be opened, or handed to somebody else
	Why    string          `json:"y,omitempty"`
	Final  bool            `json:"f,omitempty"` // no waiting opens it
	// Next is when people are reminded again.
	Next    time.Time `json:"n,omitzero"`
	Overdue bool      `json:"late,omitempty"`
	Moved   int       `json:"m,omitempty"` // how often it was given to somebody else
	// Said: each of its ends is said to be done, and its doors are to be asked,
	// or were, Asks times, last at Asked. They are asked again at AskAt.
	Said  bool      `json:"said,omitempty"`
	Asks  int       `json:"asks,omitempty"`
	Asked time.Time `json:"asked,omitzero"`
	AskAt time.Time `json:"ask_at,omitzero"`
	// Refused is how often in a row a door has refused the new value.
	Refused int `json:"refused,omitempty"`
	// Until is when what a door keeps is over, and Door which one Reason is of.
	Until time.Time `json:"until,omitzero"`
	Door  string    `json:"door,omitempty"`
}

// TasksStatus answers QueryStatus of the tasks of a campaign, and UpdateLook.
type TasksStatus struct {
	Listed  int `json:"listed"`
	Dead    int `json:"dead"`
	Waiting int `json:"waiting"` // not done
	Shut    int `json:"shut"`    // of those, not opened
	Overdue int `json:"overdue"`
	// Owed have a new owner, or another value, of whom or which there is no
	// card yet; OwedWhy is what keeps the first of them, if that is known.
	Owed    int    `json:"owed,omitempty"`
	OwedWhy string `json:"owed_why,omitempty"`
	// Known: the last look has met the statement that was asked about; Said is
	// why it counts for nothing, and empty where it counts.
	Known bool   `json:"known,omitempty"`
	Said  string `json:"said,omitempty"`
}

// Look asks for a look at what people have said, and what a statement came to.
type Look struct {
	Statement string `json:"statement,omitempty"`
}

// Tasks waits for people.
func Tasks(ctx workflow.Context, st tasksState) (waveResult, error) {
	t := &tasks{state: st, said: map[string]string{}}
	if !st.Begun {
		t.state.Begun = true
		for _, run := range st.Index.Runs {
			for i := run.From; i < run.To; i++ {
				t.state.Items = append(t.state.Items, taskItem{Ref: credential.Ref{Page: run.Page, Index: i}})
			}
		}
	}
	if err := workflow.SetQueryHandler(ctx, QueryStatus, func() (TasksStatus, error) { return t.status(""), nil }); err != nil {
		return waveResult{}, err
	}
	err := workflow.SetUpdateHandlerWithOptions(ctx, UpdateLook, t.lookNow, workflow.UpdateHandlerOptions{Validator: func(_ workflow.Context, _ Look) error {
		if t.ended {
			return refuse("the campaign has ended")
		}
		return nil
	}})
	if err != nil {
		return waveResult{}, err
	}
	t.hears = workflow.GetVersion(ctx, changeHears, workflow.DefaultVersion, 1) > workflow.DefaultVersion
	workflow.Go(ctx, t.listen)
	if st.Watch != nil {
		workflow.Go(ctx, t.watchDevice)
	}
	out, err := t.run(ctx)
	t.ended = true
	_ = workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) && !t.asking })
	out.CameBack = t.state.CameBack
	return out, err
}

type tasks struct {
	state  tasksState
	said   map[string]string // of the last looks
	asked  int               // looks that somebody asked for
	looked int               // of those, answered
	rounds int               // of this run
	ended  bool
	asking bool // the device
	hears  bool // see changeHears
	heard  int  // control.relief when what is shut was last tried
}

// lookNow is UpdateLook: it answers when a look that began after it is done.
func (t *tasks) lookNow(ctx workflow.Context, in Look) (TasksStatus, error) {
	t.asked++
	mine := t.asked
	if err := workflow.Await(ctx, func() bool { return t.looked >= mine || t.ended }); err != nil {
		return TasksStatus{}, err
	}
	return t.status(in.Statement), nil
}

func (t *tasks) run(ctx workflow.Context) (waveResult, error) {
	t.open(ctx)
	for {
		t.clean(ctx)
		if len(t.state.Items) == 0 && len(t.state.Unclean) == 0 {
			t.looked = t.asked
			return waveResult{Dead: t.state.Dead, Open: t.state.Ended, CameBack: t.state.CameBack}, nil
		}
		if t.state.Control.Aborting {
			return t.leave(ctx)
		}
		if t.rounds >= taskRounds || workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			return waveResult{}, t.continueAsNew(ctx)
		}
		relief := t.heard // what comes while it is tried counts
		if !t.hears {
			relief = t.state.Control.relief()
		}
		_, err := workflow.AwaitWithTimeout(ctx, t.sleep(ctx), func() bool {
			return t.asked > t.looked || t.state.Control.Aborting || t.shut() > 0 && t.state.Control.relief() > relief || len(t.state.Control.Doors) > t.state.Without
		})
		if err != nil {
			return waveResult{}, err
		}
		t.rounds++
		t.withoutDoors()
		if t.state.Control.Aborting {
			continue // what was said before the abort still counts: see leave
		}
		asked := t.asked
		given, late := t.look(ctx), func() {}
		if t.saidNow() > 0 {
			late = t.answerIn(ctx, asked)
		} else if !given || !t.state.Hands {
			t.looked = max(t.looked, asked)
		}
		t.open(ctx)
		t.askDoors(ctx, asked > t.looked)
		late()
		t.looked = max(t.looked, asked)
		t.remind(ctx)
	}
}

// sleep is until something is due.
func (t *tasks) sleep(ctx workflow.Context) time.Duration {
	d := lookEvery
	for _, it := range t.state.Items {
		if !it.Opened && !it.Final {
			d = min(d, openAgain)
		}
		if !it.Next.IsZero() {
			d = min(d, max(it.Next.Sub(workflow.Now(ctx)), time.Second))
		}
	}
	if len(t.state.Unclean)+len(t.state.Unmet) > 0 {
		d = min(d, openAgain)
	}
	return min(d, t.untilDoors(ctx, d))
}

func (t *tasks) shut() (n int) {
	for _, it := range t.state.Items {
		if !it.Opened && !it.Final {
			n++
		}
	}
	return n
}

// of refers to some of the tasks.
func (t *tasks) of(those func(taskItem) bool) wire.Tasks {
	in := wire.Tasks{Campaign: t.state.Roll.Campaign, Snapshot: t.state.Roll.Snapshot, Logins: slices.Clone(t.state.Control.Logins), DoorsLeftOut: slices.Clone(t.state.Control.Doors), LeftOut: t.state.Control.LeftOut}
	for _, it := range t.state.Items {
		if those(it) {
			in.Refs = append(in.Refs, it.Ref)
		}
	}
	return in
}

func (t *tasks) item(ref credential.Ref) *taskItem {
	i := slices.IndexFunc(t.state.Items, func(it taskItem) bool { return it.Ref == ref })
	if i < 0 {
		return nil
	}
	return &t.state.Items[i]
}

// look takes up what people have said. given: something is to be handed over
// for it.
func (t *tasks) look(ctx workflow.Context) (given bool) {
	in := t.of(func(it taskItem) bool { return it.Opened })
	if len(in.Refs) == 0 {
		return false
	}
	var found wire.TasksLook
	if err := workflow.ExecuteActivity(onLedger(ctx), wire.DoLookAtTasks, in).Get(ctx, &found); err != nil {
		workflow.GetLogger(ctx).Error("what people have said could not be taken up", "error", err)
		return false
	}
	t.said = found.Said
	t.saidDone(found.Done)
	for _, m := range found.Moved {
		it := t.item(m.Ref)
		if it == nil || it.Moved >= m.Times {
			continue
		}
		it.Moved, given = m.Times, true
		t.state.Unmet = append(slices.DeleteFunc(t.state.Unmet, func(o wire.Moved) bool { return o.Ref == m.Ref }), m)
	}
	for _, ref := range found.Dead {
		t.state.Items = slices.DeleteFunc(t.state.Items, func(it taskItem) bool { return it.Ref == ref })
		t.state.Unclean = append(t.state.Unclean, ref)
		t.state.Dead++
	}
	return given
}

// clean takes back what was handed over for what is dead.
func (t *tasks) clean(ctx workflow.Context) {
	if len(t.state.Unclean) == 0 {
		return
	}
	in := wire.Tasks{Campaign: t.state.Roll.Campaign, Snapshot: t.state.Roll.Snapshot, Refs: t.state.Unclean, DoorsLeftOut: t.state.Control.Doors}
	if err := workflow.ExecuteActivity(onRotation(ctx), wire.DoCloseTasks, in).Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Error("what was handed over is still there", "error", err)
		return
	}
	t.state.Unclean = nil
}

// remind says what is due soon, or was.
func (t *tasks) remind(ctx workflow.Context) {
	now := workflow.Now(ctx)
	due := func(it taskItem) bool { return !it.Next.IsZero() && !it.Next.After(now) }
	for _, overdue := range []bool{true, false} {
		in := t.of(func(it taskItem) bool { return due(it) && overdue == (!it.Overdue && !it.Due.After(now)) })
		if len(in.Refs) == 0 {
			continue
		}
		t.state.Round++
		err := workflow.ExecuteActivity(onLedger(ctx), wire.DoRemindOfTasks, wire.RemindInput{Tasks: in, Overdue: overdue, Round: t.state.Round}).Get(ctx, nil)
		if err != nil {
			workflow.GetLogger(ctx).Error("nobody was reminded", "error", err)
			continue
		}
		for _, ref := range in.Refs {
			it := t.item(ref)
			it.Overdue = it.Overdue || overdue
			if it.Next = now.Add(remindEvery); !overdue && !it.Overdue {
				it.Next = it.Due
			}
		}
	}
}

// leave ends an aborted campaign: what was said counts, and the rest is open.
func (t *tasks) leave(ctx workflow.Context) (waveResult, error) {
	t.look(ctx)
	t.askDoors(ctx, true)
	t.clean(ctx)
	t.looked = t.asked
	in := t.of(func(taskItem) bool { return true })
	out := waveResult{Dead: t.state.Dead, Open: t.state.Ended + len(in.Refs), CameBack: t.state.CameBack}
	if len(in.Refs) == 0 {
		return out, nil
	}
	return out, workflow.ExecuteActivity(toTheEnd(ctx), wire.DoLeaveTasks, wire.LeaveInput{
		Tasks: in, Why: t.state.Control.ended() + " before a person had done it; what was handed over stays, and the next campaign goes on with it",
	}).Get(ctx, nil)
}

// continueAsNew leaves no request unanswered and no signal unread.
func (t *tasks) continueAsNew(ctx workflow.Context) error {
	t.looked = t.asked
	heard := false
	workflow.Go(ctx, func(workflow.Context) { heard = true })
	if err := workflow.Await(ctx, func() bool { return heard && workflow.AllHandlersFinished(ctx) && !t.asking }); err != nil {
		return err
	}
	return workflow.NewContinueAsNewError(ctx, TasksWorkflow, t.state)
}

func (t *tasks) listen(ctx workflow.Context) {
	signals := workflow.GetSignalChannel(ctx, SignalControl)
	for {
		if !t.hears {
			signals.Receive(ctx, &t.state.Control) // what is empty by now stays as it was
			continue
		}
		var c control
		signals.Receive(ctx, &c)
		t.state.Control = c
	}
}

func (t *tasks) status(statement string) TasksStatus {
	out := TasksStatus{Dead: t.state.Dead, Waiting: len(t.state.Items)}
	why, known := t.said[statement]
	out.Said, out.Known = why, known
	out.Listed = out.Dead + out.Waiting + t.state.Ended
	for _, it := range t.state.Items {
		if !it.Opened {
			out.Shut++
		}
		if it.Overdue {
			out.Overdue++
		}
	}
	for _, s := range t.state.Unmet {
		if it := t.item(s.Ref); it != nil {
			out.Owed++
			if out.OwedWhy == "" {
				out.OwedWhy = it.Why
			}
		}
	}
	return out
}
