package workflows

import (
	"errors"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/wire"
)

// Campaign lists, runs the waves in order, and closes. It ends in an error only
// when the roll could not be made (nothing was changed then) or the ledger
// could not be written; credentials that stay open are a count in Result.
//
// Cancelling it is an abort.
func Campaign(ctx workflow.Context, in CampaignInput) (Result, error) {
	c := &campaign{in: in, status: Status{Campaign: in.Campaign, Device: in.Device, Phase: ledger.Listing, Wave: -1}}
	if err := c.handlers(ctx); err != nil {
		return Result{}, err
	}
	result, err := c.run(ctx)
	c.status.Phase = ledger.Closed
	if err != nil {
		c.status.Problem = err.Error()
	}
	// An answer to an update must not be lost with the end of the workflow.
	steady, _ := workflow.NewDisconnectedContext(ctx)
	_ = workflow.Await(steady, func() bool { return workflow.AllHandlersFinished(steady) })
	return result, err
}

type campaign struct {
	in      CampaignInput
	servers map[string][]string // of each directory; nil while listing
	doors   []string            // that values are proved at besides
	leaving []LeaveOut          // asked for and not yet in the ledger
	status  Status
	control control
	running []*runningWave
	events  int // that people asked for
	told    int // of those, in the ledger or given up
	by      who
	closing bool // no update is taken any more

	logins    credential.Refs         // of the roll, to Vault
	loginsOf  map[int]credential.Refs // of each wave
	passes    map[int]int             // of waves, as far as they said so
	firstPass bool                    // a wave goes on beside those that follow
	tasksIn   map[int]bool            // waves of what people do
	accepting credential.Refs         // asked for and not yet in the ledger
	cameBack  bool                    // the device answered meanwhile
	asking    bool                    // the device
	mend      credential.Refs         // what ended open that a person can put right
	person    bool                    // there was such a one
	vague     bool                    // there was, and an earlier version does not say which
	unheard   bool                    // what was sent of something that stays open may still arrive
	failed    error                   // of the first wave that failed
	looks     int                     // at what is dead

	whole   workflow.Context // of the campaign: its end is an abort
	roll    wire.Roll        // with what was taken up since
	again   relisting
	trials  trials
	winding bool // nothing is begun any more
}

// runningWave is one that was begun.
type runningWave struct {
	future workflow.ChildWorkflowFuture
	index  int // into status.Waves
	people bool
	ended  bool
	err    error
}

func (c *campaign) run(ctx workflow.Context) (Result, error) {
	// What is recorded must be recorded even when the campaign is cancelled.
	steady, _ := workflow.NewDisconnectedContext(ctx)

	// A campaign that an earlier version began says nothing of itself to
	// others.
	owned := workflow.GetVersion(ctx, changeOwned, workflow.DefaultVersion, 1) > workflow.DefaultVersion
	if owned {
		// Nobody waits for it: it ends with the campaign.
		life := workflow.ExecuteActivity(allTheWhile(steady), wire.DoSignOfLife, c.in.Campaign)
		if workflow.GetVersion(ctx, changeTakenOver, workflow.DefaultVersion, 1) > workflow.DefaultVersion {
			workflow.Go(steady, func(steady workflow.Context) { c.endTakenOver(steady, life) })
		}
	}
	var roll wire.Roll
	err := workflow.ExecuteActivity(forListing(ctx), wire.DoList, wire.ListInput{Campaign: c.in.Campaign}).Get(ctx, &roll)
	if err != nil {
		return Result{}, c.close(steady, err)
	}
	roll.Actor, c.servers, c.doors = c.in.Actor, roll.Servers, workflow.DeterministicKeys(roll.Doors)
	c.status.Incomplete = roll.Incomplete
	c.status.Snapshot, c.status.Listed, c.status.Excluded = roll.Snapshot, roll.Listed, roll.Excluded
	for _, w := range roll.Waves {
		c.status.Waves = append(c.status.Waves, WaveStatus{Wave: w.Wave, Name: w.Name, Listed: listed(w)})
	}
	if err := workflow.ExecuteActivity(beforeAnySet(steady), wire.DoRecordRoll, roll).Get(steady, nil); err != nil {
		return Result{}, c.close(steady, err)
	}
	if owned && !c.control.Aborting && ctx.Err() == nil {
		// Only now: one that cannot list or record must not have ended another.
		var ended []string
		if err := workflow.ExecuteActivity(onRotation(steady), wire.DoTakeOver, c.in.Campaign).Get(steady, &ended); err != nil {
			return Result{}, c.close(steady, err)
		}
		if err := c.tookOver(steady, ended); err != nil {
			return Result{}, c.close(steady, err)
		}
	}
	if c.status.Phase == ledger.Listing {
		c.status.Phase = ledger.Running
	}
	c.whole, c.roll = ctx, roll
	if roll.Watched && workflow.GetVersion(ctx, changeWatched, workflow.DefaultVersion, 1) > workflow.DefaultVersion {
		workflow.Go(steady, c.watchDevice)
	}
	if err := c.waves(ctx, steady, roll); err != nil {
		return Result{}, c.close(steady, err)
	}
	c.winding = true
	c.status.Wave = -1
	c.recheck(steady, c.roll)
	if err := c.lookForTokens(steady, roll); err != nil {
		return Result{}, c.close(steady, err)
	}
	if err := c.forPeople(steady); err != nil {
		return Result{}, c.close(steady, err)
	}
	if err := c.askDevice(steady, roll); err != nil {
		return Result{}, c.close(steady, err)
	}
	return Result{
		Listed: c.status.Listed, Excluded: c.status.Excluded, Dead: c.status.Dead, Open: c.status.Open,
		LeftOut: c.control.leftOut(), Accepted: len(c.status.Accepted), Incomplete: c.status.Incomplete, Aside: c.status.Aside, LivesOn: c.livesOn(),
		Aborted: c.control.Aborting && !c.control.Accepted,
	}, c.close(steady, nil)
}

// endTakenOver winds the campaign up once another one has taken over: nothing
// more of it may be begun, and people's tasks are the other one's.
func (c *campaign) endTakenOver(ctx workflow.Context, life workflow.Future) {
	var by string
	if err := life.Get(ctx, &by); err != nil || by == "" || c.closing || c.control.Aborting {
		return
	}
	c.control.Aborting, c.control.TakenOver = true, by
	c.status.Phase = ledger.Aborting
	c.tell(ctx)
}

// tookOver records which campaigns this one has ended, before anything is set.
func (c *campaign) tookOver(ctx workflow.Context, ended []string) error {
	if len(ended) == 0 || workflow.GetVersion(ctx, "took-over", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return nil
	}
	for _, from := range ended {
		err := workflow.ExecuteActivity(beforeAnySet(ctx), wire.DoRecordEvent, wire.EventInput{
			Campaign: c.in.Campaign, Device: c.in.Device, Event: ledger.TookOver, Actor: c.in.Actor, TookFrom: from,
		}).Get(ctx, nil)
		if err != nil {
			return err
		}
	}
	return nil
}

// close records the end and frees the campaign's hold on what is staged. cause
// is why it ends early, or nil; it is returned unless recording fails too.
func (c *campaign) close(ctx workflow.Context, cause error) error {
	// Nothing may be written after the last entry: a campaign that was resumed
	// after its end would never be closed for whoever reads the ledger.
	c.closing = true
	_ = workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
	event := wire.EventInput{
		Campaign: c.in.Campaign, Device: c.in.Device, Event: ledger.CampaignClosed,
		Listed: c.status.Listed, Excluded: c.status.Excluded, Dead: c.status.Dead, Open: c.status.Open,
	}
	toLedger := toTheEnd(ctx)
	if cause != nil {
		event.Detail = whyEarly(cause)
		toLedger = beforeAnySet(ctx)
	}
	err := workflow.ExecuteActivity(toLedger, wire.DoRecordEvent, event).Get(ctx, nil)
	closed := workflow.ExecuteActivity(onRotation(ctx), wire.DoCloseCampaign, c.in.Campaign, c.unheard, c.endedAs(cause)).Get(ctx, nil)
	return endedBy(cause, err, closed)
}

// endedAs is how it ends, as Vault's record of it has that; zero where a later
// campaign ended it, which that record says already.
func (c *campaign) endedAs(cause error) wire.Ending {
	switch {
	case c.control.TakenOver != "":
		return wire.Ending{}
	case c.control.Accepted:
		return wire.Ending{How: ledger.EndAccepted, By: c.by.closed}
	case c.control.Aborting:
		return wire.Ending{How: ledger.EndAborted, By: c.by.aborted}
	case cause != nil:
		return wire.Ending{How: ledger.EndEarly}
	}
	return wire.Ending{How: ledger.EndReached}
}

// whyEarly is what the ledger keeps of why a campaign ended early. The message
// of an activity's failure names no account and no path of one: it crossed
// Temporal.
func whyEarly(cause error) string {
	const most = 2000 // bytes: the rest is in Temporal's history
	var app *temporal.ApplicationError
	if !errors.As(cause, &app) || app.Message() == "" {
		return "ended early: the roll or its record could not be made"
	}
	text := strings.ReplaceAll(app.Message(), "\n", "; ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + " …"
	}
	return "ended early: " + text
}

// endedBy is the one error that whoever started the campaign is shown: why it
// ended early, or else what could not be recorded of its end.
func endedBy(cause, recorded, closed error) error {
	first := cause
	for _, err := range []error{recorded, closed} {
		if first == nil {
			first = err
		}
	}
	if first == nil {
		return nil
	}
	message, kind := first.Error(), "Internal"
	var app *temporal.ApplicationError
	if errors.As(first, &app) {
		message, kind = app.Message(), app.Type()
	}
	if cause != nil && recorded != nil {
		message += "; the ledger was not told of the campaign's end"
	}
	return temporal.NewApplicationError(message, kind)
}

// handlers answers queries and updates. Each update is recorded in the ledger
// before it is answered; one that its validator refuses changes nothing. Pause,
// resume and abort do not wait for the ledger, which may be what is broken: it
// is told when it can be.
func (c *campaign) handlers(ctx workflow.Context) error {
	if err := workflow.SetQueryHandler(ctx, QueryStatus, func() (Status, error) { return c.status, nil }); err != nil {
		return err
	}
	for _, u := range []struct {
		name  string
		event ledger.Event
		allow func() error
		do    func()
		by    *string
	}{
		{UpdatePause, ledger.CampaignPaused, c.mayPause, func() { c.control.Paused, c.status.Phase = true, ledger.Paused }, &c.by.paused},
		{UpdateResume, ledger.CampaignResumed, c.mayResume, func() { c.control.Paused, c.status.Phase = false, ledger.Running }, &c.by.resumed},
		{UpdateAbort, ledger.CampaignAborted, c.mayAbort, func() { c.control.Aborting, c.status.Phase = true, ledger.Aborting }, &c.by.aborted},
	} {
		err := workflow.SetUpdateHandlerWithOptions(ctx, u.name, func(ctx workflow.Context, actor string) (Status, error) {
			u.do()
			*u.by = actor
			number := c.nextEvent()
			steady, _ := workflow.NewDisconnectedContext(ctx)
			c.tell(steady)
			return c.status, c.recordDone(steady, wire.EventInput{Event: u.event, Actor: actor, Number: number})
		}, workflow.UpdateHandlerOptions{Validator: func(_ workflow.Context, _ string) error { return u.allow() }})
		if err != nil {
			return err
		}
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, UpdateClose, c.acceptRest, workflow.UpdateHandlerOptions{Validator: c.mayAcceptRest}); err != nil {
		return err
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, UpdateRelist, c.relist, workflow.UpdateHandlerOptions{Validator: c.mayRelist}); err != nil {
		return err
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, UpdateTakeUp, c.takeUp, workflow.UpdateHandlerOptions{Validator: c.mayTakeUp}); err != nil {
		return err
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, UpdateTryFirst, c.tryMore, workflow.UpdateHandlerOptions{Validator: c.mayTryMore}); err != nil {
		return err
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, UpdateAcceptOpen, c.acceptOpen, workflow.UpdateHandlerOptions{Validator: c.mayAcceptOpen}); err != nil {
		return err
	}
	return workflow.SetUpdateHandlerWithOptions(ctx, UpdateLeaveOut, c.leaveOut, workflow.UpdateHandlerOptions{Validator: c.mayLeaveOut})
}

func refuse(why string) error { return temporal.NewNonRetryableApplicationError(why, "Refused", nil) }
