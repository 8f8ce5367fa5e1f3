package workflows

import (
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"rollcall/internal/ledger"
	"rollcall/internal/wire"
)

// longestReason bounds what a ledger entry tells of a reason.
const longestReason = 500

// byPerson records what a person asks for, and only then lets it take effect:
// the running wave is told. A request that could not be recorded changes
// nothing, and may be made again.
func (c *campaign) byPerson(ctx workflow.Context, e wire.EventInput, effect func()) (Status, error) {
	e.Number = c.nextEvent()
	steady, _ := workflow.NewDisconnectedContext(ctx)
	if err := c.record(steady, e); err != nil {
		return c.status, err
	}
	effect()
	c.tell(steady)
	return c.status, nil
}

// nextEvent is the number of what somebody asks for now. Whoever takes one
// records it.
func (c *campaign) nextEvent() int {
	c.events++
	return c.events
}

// record tells the ledger what somebody asked for, in the order in which it was
// asked: of one who pauses and another who resumes, the ledger would else have
// the first word last.
func (c *campaign) record(ctx workflow.Context, e wire.EventInput) error {
	return c.recordBy(onLedger, ctx, e)
}

// recordDone is record for what has taken effect: the ledger is told of it
// however long it cannot be.
func (c *campaign) recordDone(ctx workflow.Context, e wire.EventInput) error {
	return c.recordBy(toTheEnd, ctx, e)
}

func (c *campaign) recordBy(by func(workflow.Context) workflow.Context, ctx workflow.Context, e wire.EventInput) error {
	defer func() { c.told++ }()
	if workflow.GetVersion(ctx, "in-turn", workflow.DefaultVersion, 1) > workflow.DefaultVersion {
		if err := workflow.Await(ctx, func() bool { return c.told >= e.Number-1 }); err != nil {
			return err
		}
	}
	e.Campaign, e.Device = c.in.Campaign, c.in.Device
	return workflow.ExecuteActivity(by(ctx), wire.DoRecordEvent, e).Get(ctx, nil)
}

// who did what last, for whoever asks for the same.
type who struct {
	paused, resumed, aborted, closed, listed string
}

// by names somebody in a refusal; nothing where it was nobody.
func by(actor string) string {
	if actor == "" {
		return ""
	}
	return ", by " + actor
}

// ending refuses what comes too late, and says who was first.
func (c *campaign) ending() error {
	switch {
	case c.closing:
		return refuse("the campaign has ended")
	case c.control.Aborting && !c.control.Accepted:
		return refuse("the campaign is being aborted" + by(c.by.aborted))
	case c.by.closed != "" && !c.control.Aborting:
		return refuse("the campaign is being closed" + by(c.by.closed) + "; the ledger does not have it yet: where that takes long, no worker writes the ledger (rollcall doctor), and rollcall abort ends the campaign without it")
	case c.control.Aborting:
		return refuse("the campaign is being closed" + by(c.by.closed))
	}
	return nil
}

func (c *campaign) mayPause() error {
	if err := c.ending(); err != nil {
		return err
	}
	switch {
	case c.status.Held:
		return refuse("the campaign is paused already: it waits behind what was tried first")
	case c.control.Paused:
		return refuse("the campaign is paused already" + by(c.by.paused))
	case c.status.Phase == ledger.Listing:
		return refuse("the campaign is still listing; pause it once it runs, or abort it")
	case !c.status.Stays.IsZero():
		return refuse("nothing of the campaign is being worked on: it waits until " + c.status.Stays.UTC().Format(time.RFC3339) + " for whoever corrects what is open (rollcall relist) or leaves it open (rollcall close), and a pause would not prolong that")
	}
	return nil
}

func (c *campaign) mayResume() error {
	if err := c.ending(); err != nil {
		return err
	}
	if c.trials.asking {
		return refuse("more was just picked to be tried before the others" + by(c.trials.by) + ": resume it once it is held behind that")
	}
	if c.control.Paused {
		return nil
	}
	if c.status.Trying {
		return refuse("the campaign is not paused: what was picked" + by(c.trials.by) + " is being tried before the others. Resume it once it is held behind that")
	}
	if c.by.resumed != "" {
		return refuse("the campaign is not paused: it was resumed already" + by(c.by.resumed))
	}
	return refuse("the campaign is not paused")
}

// mayAbort: a close takes effect once the ledger has it, which may take as long
// as no worker writes it. Until then nothing ends the campaign but an abort.
func (c *campaign) mayAbort() error {
	switch err := c.ending(); {
	case err == nil || c.closing:
		return err
	case !c.control.Aborting:
		return nil
	case !c.control.Accepted:
		return refuse("the campaign is being aborted already" + by(c.by.aborted))
	default:
		return err
	}
}

// request is what every request of a person has. The rest is for the words of a
// refusal.
type request struct {
	reason, actor string
	about         string // what is not known while the campaign lists
	why, who      string // what the ledger has the reason and the name for
}

// mayBeMade refuses a request that makes no sense now, or that nobody answers
// for.
func (c *campaign) mayBeMade(r request) error {
	if err := c.ending(); err != nil {
		return err
	}
	switch {
	case c.status.Phase == ledger.Listing:
		return refuse("the campaign is still listing; its " + r.about + " are known once it runs")
	case strings.TrimSpace(r.reason) == "":
		return refuse("a reason is missing: it goes into the ledger, for whoever asks why " + r.why)
	case strings.TrimSpace(r.actor) == "":
		return refuse("nobody says who asks: the ledger holds who " + r.who)
	case len(r.reason) > longestReason:
		return refuse("the reason is longer than 500 bytes")
	}
	return nil
}
