package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// dispatches bounds the batches of one run of a wave, each of which leaves
// about 30 events. Then it drains and continues as new, long before Temporal's
// limits.
const dispatches = 100

// Wave rotates the credentials of one wave: a first pass over all batches,
// then passes over what is still open, with back-off, until nothing is or the
// deadline has passed. There is always one pass that began after the deadline,
// so that a campaign whose worker was away is not given up untried.
func Wave(ctx workflow.Context, st waveState) (waveResult, error) {
	w := &wave{state: st, halt: map[int]workflow.CancelFunc{}}
	size := st.Settings.Batch
	if set := max(st.Index.Batch, st.Settings.WaveBatch[st.Index.Wave]); set > 0 {
		size = set
	}
	w.batches = batches(st.Roll, st.Index, size, st.Settings.Concurrency)
	if !st.Planned {
		w.state.Planned, w.state.Pass, w.state.Heard = true, 1, st.Control.relief()
		for b := range w.batches {
			w.state.Todo = append(w.state.Todo, batchTodo{Batch: b})
		}
	}
	err := workflow.SetQueryHandler(ctx, QueryStatus, func() (WaveStatus, error) { return w.status(), nil })
	if err != nil {
		return waveResult{}, err
	}
	workflow.Go(ctx, w.listen)
	workflow.Go(ctx, w.listenToApply)
	return w.run(ctx)
}

type wave struct {
	state    waveState
	batches  []wire.Batch
	started  int // batches of this run
	inFlight int
	cleaning int                         // batches that are cleaned beside the others
	telling  int                         // what the ledger is being told of batches in flight
	trying   int                         // what was open and is in flight
	halt     map[int]workflow.CancelFunc // of the batches in flight
	next     time.Time                   // when the next pass begins; zero in a pass
	deaf     bool                        // it gives nothing up while it is paused: it was begun by an earlier version
}

func (w *wave) run(ctx workflow.Context) (waveResult, error) {
	for {
		if err := w.pass(ctx); err != nil {
			return waveResult{}, err
		}
		if w.state.Since.IsZero() {
			w.state.Since = workflow.Now(ctx)
		}
		w.tellPassed(ctx)
		w.release(ctx)
		if w.over() {
			if more, err := w.lastPasses(ctx); err != nil {
				return waveResult{}, err
			} else if !more {
				return w.end(ctx)
			}
		}
		w.wait(ctx)
		w.cleanAgain(ctx)
		w.again(ctx)
		w.state.Pass++
		if w.state.Urgent {
			byUrgency(w.state.Todo)
		}
		w.state.Began = workflow.Now(ctx)
		w.state.Heard = w.state.Control.relief()
	}
}

// pass dispatches what is to do, Parallel batches at a time, and drains.
func (w *wave) pass(ctx workflow.Context) error {
	for len(w.state.Todo) > 0 {
		if w.full(ctx) {
			return w.continueAsNew(ctx)
		}
		err := workflow.Await(ctx, func() bool {
			return w.state.Control.Aborting || !w.state.Control.Paused && w.inFlight < w.state.Settings.Parallel || w.askedWhilePaused()
		})
		if err != nil {
			return err
		}
		if w.state.Control.Aborting {
			break
		}
		if w.askedWhilePaused() {
			w.releasePaused(ctx)
			continue
		}
		next := w.state.Todo[0]
		w.state.Todo = w.state.Todo[1:]
		w.started++
		w.inFlight++
		workflow.Go(ctx, func(ctx workflow.Context) { w.dispatch(ctx, next, false) })
	}
	return workflow.Await(ctx, func() bool { return w.inFlight == 0 && w.telling == 0 })
}

// releasePaused gives up, while the campaign is paused, what it is asked for.
func (w *wave) releasePaused(ctx workflow.Context) {
	if w.deaf = workflow.GetVersion(ctx, changeRelistHeld, workflow.DefaultVersion, 1) == workflow.DefaultVersion; !w.deaf {
		w.release(ctx)
	}
}

// dispatch runs one batch. finishing is a pass after an abort, over what is
// half done: it is not cancelled.
func (w *wave) dispatch(ctx workflow.Context, todo batchTodo, finishing bool) {
	w.trying += len(todo.Items)
	defer func() { w.inFlight--; w.trying -= len(todo.Items) }()
	in := rotationInput{Batch: w.batches[todo.Batch], Pass: w.state.Pass, Items: w.items(todo), Known: todo.Items}
	in.Batch.LeftOut, in.Batch.DoorsLeftOut = w.state.Control.LeftOut[in.Batch.Authority], w.state.Control.Doors
	in.Batch.Logins, in.Batch.Found = slices.Clone(w.state.Control.Logins), w.state.Control.Found
	in.Batch.Readers = slices.Clone(w.state.Control.Readers)
	if !finishing {
		ctx, w.halt[todo.Batch] = workflow.WithCancel(ctx)
		defer delete(w.halt, todo.Batch)
		if w.state.Control.Aborting {
			w.halt[todo.Batch]() // it was told while this batch was on its way here
		}
	}
	var out rotationResult
	if w.state.Urgent {
		var dead []wire.CleanItem
		out, dead = turn(ctx, in)
		w.clean(ctx, cleanTodo{Batch: todo.Batch, Items: dead}, false)
	} else {
		out = rotate(ctx, in)
	}
	w.state.GaveUp = out.GaveUp
	remember(out.Open, todo.Items)
	w.state.Dead += out.Dead
	w.reopen(out.Reopened)
	w.state.Aside += out.Aside
	w.state.CameBack = w.state.CameBack || out.CameBack
	w.loginsDied(in, out)
	if len(out.Open) > 0 {
		w.state.Open = append(w.state.Open, batchTodo{Batch: todo.Batch, Items: out.Open})
	}
}

// remember notes what a later pass would forget: that the new value may be in
// force, or on its way, which server contradicted itself, what came before the
// staging of a new attempt, and what keeps it open but for an outage.
func remember(open, before []wire.OpenItem) {
	was := map[int]wire.OpenItem{}
	for _, b := range before {
		was[b.Index] = b
	}
	for i, it := range open {
		b, known := was[it.Index]
		open[i].Sent = maySent(it) || b.Sent
		open[i].Unheard = it.Unheard || b.Unheard && !reached(it)
		if open[i].Contradicts = b.Contradicts; it.Reason == protocol.ReasonContradicts {
			open[i].Contradicts = it.Server
		}
		if it.Reason == protocol.ReasonRestaged && known {
			b.Before = nil
			open[i].Before = &b
		}
		if own := b.Cause(); known && it.Reason.Outage() && own != nil && !it.Step.Behind(own.Step) {
			open[i].Own = own
		}
	}
}

// reached reports whether the pass that ended so looked at what is in force,
// and noted what may still arrive.
func reached(it wire.OpenItem) bool {
	switch it.Step {
	case protocol.Precheck, protocol.Stage, protocol.Intent:
		return false
	}
	return true
}

// maySent reports whether the pass that ended so may have put the new value in
// force. A clear refusal of Set did not.
func maySent(it wire.OpenItem) bool {
	switch it.Step {
	case protocol.Set:
		return !it.Reason.NotSet()
	case protocol.Verify, protocol.Activate, protocol.Retire, protocol.Prove, protocol.Outcome:
		return true
	}
	return it.Reason == protocol.ReasonInternal
}

// items are the indexes on the page that a pass works on.
func (w *wave) items(todo batchTodo) []int {
	var out []int
	if todo.Items == nil {
		for i := w.batches[todo.Batch].Span.From; i < w.batches[todo.Batch].Span.To; i++ {
			out = append(out, i)
		}
	}
	items := todo.Items
	if w.state.Urgent {
		items = inTurn(items, w.state.Pass)
	}
	for _, it := range items {
		out = append(out, it.Index)
	}
	return out
}

// triedOnce are the reasons before Set that end a look which has cost a wrong
// login and which no other look can change, with the names of the versions
// since which that is so.
var triedOnce = map[protocol.Reason]string{
	protocol.ReasonUnproved: "unproved-once",
	protocol.ReasonNotBare:  "not-bare-once",
}

// again makes of what is open what the next pass tries, but for that of which
// another try costs a wrong login and can find nothing else: the passes of a
// long campaign would bring its account to the threshold of a lock, and say
// then that somebody else did.
func (w *wave) again(ctx workflow.Context) {
	open := w.state.Open
	w.state.Todo, w.state.Open = nil, nil
	for _, t := range open {
		var more, rest []wire.OpenItem
		for _, it := range t.Items {
			if once := triedOnce[it.Reason]; once != "" && it.Step == protocol.Precheck && !it.Sent &&
				workflow.GetVersion(ctx, once, workflow.DefaultVersion, 1) > workflow.DefaultVersion {
				rest = append(rest, it)
			} else {
				more = append(more, it)
			}
		}
		if more != nil {
			w.state.Todo = append(w.state.Todo, batchTodo{Batch: t.Batch, Items: more})
		}
		if rest != nil {
			w.state.Open = append(w.state.Open, batchTodo{Batch: t.Batch, Items: rest})
		}
	}
}

// over reports whether no further pass is due.
func (w *wave) over() bool {
	if w.state.Control.Aborting || len(w.state.Half) > 0 {
		return true
	}
	for _, t := range w.state.Open {
		for _, it := range t.Items {
			if !it.Reason.Final() {
				if w.relieved() || w.awaits() {
					return false
				}
				return w.state.Began.After(w.state.Since.Add(w.state.Settings.Deadline))
			}
		}
	}
	return true
}

// awaits reports whether something ends by itself after this pass began, for
// which the campaign file has it wait.
func (w *wave) awaits() bool {
	for _, t := range w.state.Open {
		for _, it := range t.Items {
			if awaited(it, w.state.Began) {
				return true
			}
		}
	}
	return false
}

// relieved reports whether since this pass began a server was left out, or a
// login to Vault died or was accepted, so that what that left open may go on at
// once.
func (w *wave) relieved() bool { return w.state.Control.relief() > w.state.Heard }

// lastPasses give what lies between Set and Prove one more pass when the wave
// was aborted, and in any case logins that read each other's places. There may
// be so much of it that it takes several runs. more: logins died by it, for
// which others waited that can go on.
func (w *wave) lastPasses(ctx workflow.Context) (more bool, err error) {
	for {
		if w.state.Control.Aborting {
			w.splitHalfDone(ctx)
		}
		if len(w.state.Half) == 0 && !w.circleAgain(ctx) {
			break
		}
		if w.full(ctx) {
			return false, w.continueAsNew(ctx)
		}
		err := workflow.Await(ctx, func() bool { return w.state.Control.Aborting || !w.state.Control.Paused || w.askedWhilePaused() })
		if err != nil {
			return false, err
		}
		if !w.state.Control.Aborting && w.state.Control.Paused {
			w.releasePaused(ctx)
			continue
		}
		next := w.state.Half[0]
		w.state.Half = w.state.Half[1:]
		w.started++
		w.inFlight++
		w.dispatch(ctx, next, true)
	}
	if more = w.state.Circle > 0 && !w.over(); more {
		w.state.Circle = 0
	}
	return more, nil
}

// end records what stays open, which may take several runs.
func (w *wave) end(ctx workflow.Context) (waveResult, error) {
	why := "the deadline has passed"
	if w.state.Control.Aborting {
		why = w.state.Control.ended()
	}
	for recorded := 0; len(w.state.Open) > 0; recorded++ {
		if recorded > 0 && w.full(ctx) {
			return waveResult{}, w.continueAsNew(ctx)
		}
		t := w.state.Open[0]
		for i, it := range t.Items {
			if it.Before != nil {
				it.Before.Sent, it.Before.Unheard = it.Sent, it.Unheard
				t.Items[i] = *it.Before
			}
			w.state.Unheard = w.state.Unheard || it.Unheard
			own := t.Items[i].Cause()
			if own != nil && own.Reason.Mendable() {
				w.state.Person = true
				w.state.Mend = append(w.state.Mend, credential.Ref{Page: w.batches[t.Batch].Span.Page, Index: it.Index})
			}
		}
		err := workflow.ExecuteActivity(toTheEnd(ctx), wire.DoRecordExceptions, wire.ExceptionInput{
			Batch: w.batches[t.Batch], Items: t.Items, Why: why,
		}).Get(ctx, nil)
		if err != nil {
			return waveResult{}, err
		}
		w.state.Open = w.state.Open[1:]
		w.state.Ended += len(t.Items)
	}
	if err := w.cleanRest(ctx); err != nil {
		return waveResult{}, err
	}
	return waveResult{Dead: w.state.Dead, Open: w.state.Ended, Aside: w.state.Aside, CameBack: w.state.CameBack, Unheard: w.state.Unheard, Person: w.state.Person, Mend: w.state.Mend, Closed: w.state.Closed}, nil
}

// full reports whether this run has done enough for one history.
func (w *wave) full(ctx workflow.Context) bool {
	return w.started >= dispatches || workflow.GetInfo(ctx).GetContinueAsNewSuggested()
}

// untried are the items of a batch that an abort kept from its turn.
func (w *wave) untried(t batchTodo) []wire.OpenItem {
	if t.Items != nil {
		return t.Items
	}
	return openAll(w.items(t), protocol.ReasonInterrupted)
}

// splitHalfDone sets apart, once, the credentials whose new value is or may be
// in force: they get one more pass (rule 3: forward only), and so do the logins
// that they wait for (circle.go). Nothing else does.
func (w *wave) splitHalfDone(ctx workflow.Context) {
	if w.state.Split {
		return
	}
	// In a later pass these were tried before, and some may be half done.
	for _, t := range w.state.Todo {
		w.state.Open = append(w.state.Open, batchTodo{Batch: t.Batch, Items: w.untried(t)})
	}
	w.state.Todo = nil
	w.state.Half = append(w.state.Half, w.part(func(_ int, it wire.OpenItem) bool { return halfDone(it) })...)
	if len(w.waiting()) > 0 && knowsCircles(ctx) {
		w.addAwaited()
	}
	w.state.Pass++
	w.state.Split = true
}

func halfDone(it wire.OpenItem) bool {
	switch it.Step {
	case protocol.Set, protocol.Verify, protocol.Activate, protocol.Retire, protocol.Prove, protocol.Outcome:
		return true
	}
	return it.Reason == protocol.ReasonInternal || it.Sent
}

// continueAsNew drains first: no batch may be in flight, no signal unread.
func (w *wave) continueAsNew(ctx workflow.Context) error {
	if err := workflow.Await(ctx, func() bool { return w.inFlight == 0 && w.cleaning == 0 && w.telling == 0 }); err != nil {
		return err
	}
	// listen may hold a signal that it has not acted on yet. Coroutines run in
	// the order of their start: when a new one has run, so has listen.
	heard := false
	workflow.Go(ctx, func(workflow.Context) { heard = true })
	if err := workflow.Await(ctx, func() bool { return heard }); err != nil {
		return err
	}
	return workflow.NewContinueAsNewError(ctx, WaveWorkflow, w.state)
}

func (w *wave) listen(ctx workflow.Context) {
	signals := workflow.GetSignalChannel(ctx, SignalControl)
	for {
		var c control
		signals.Receive(ctx, &c)
		w.state.Control = c
		w.state.Control.Logins = less(c.Logins, w.state.Closed)
		if c.Aborting {
			for _, b := range workflow.DeterministicKeys(w.halt) {
				w.halt[b]()
			}
		}
	}
}

// status counts as open also what this pass tries again: it is open until its
// proof.
func (w *wave) status() WaveStatus {
	var until time.Time
	if !w.state.Since.IsZero() {
		until = w.state.Since.Add(w.state.Settings.Deadline)
	}
	return WaveStatus{
		Next: w.next, Until: until, GaveUp: w.state.GaveUp,
		Wave: w.state.Index.Wave, Name: w.state.Index.Name, Listed: listed(w.state.Index), Dead: w.state.Dead,
		Open: openCount(w.state.Open) + openCount(w.state.Todo) + w.trying + openCount(w.state.Half) + w.state.Ended, Pass: w.state.Pass,
	}
}

func openAll(items []int, r protocol.Reason) []wire.OpenItem {
	var out []wire.OpenItem
	for _, i := range items {
		out = append(out, wire.OpenItem{Index: i, Step: protocol.Precheck, Reason: r})
	}
	return out
}
