package workflows

import (
	"strings"

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
	c.events++
	e.Campaign, e.Device, e.Number = c.in.Campaign, c.in.Device, c.events
	steady, _ := workflow.NewDisconnectedContext(ctx)
	if err := workflow.ExecuteActivity(onLedger(steady), wire.DoRecordEvent, e).Get(steady, nil); err != nil {
		return c.status, err
	}
	effect()
	c.tell(steady)
	return c.status, nil
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
	switch {
	case c.closing:
		return refuse("the campaign has ended")
	case c.control.Aborting:
		return refuse("the campaign is being aborted")
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
