package workflows

import (
	"strings"

	"go.temporal.io/sdk/workflow"

	"rollcall/internal/ledger"
	"rollcall/internal/wire"
)

// mostAccepted bounds the words on single credentials in one request: it goes
// through Temporal.
const mostAccepted = 500

// acceptRest ends the campaign because a person accepts that what is open stays
// open: as an abort ends it, but that nothing was left untried. Who aborted it
// before the ledger had that ended it.
func (c *campaign) acceptRest(ctx workflow.Context, in wire.Acceptance) (Status, error) {
	in.Reason, in.Owner = strings.TrimSpace(in.Reason), strings.TrimSpace(in.Owner)
	c.by.closed = in.Actor
	st, err := c.byPerson(ctx, wire.EventInput{
		Event: ledger.OpenAccepted, Actor: in.Actor, Detail: in.Reason, Snapshot: c.status.Snapshot, Accepted: &in,
	}, func() {
		if c.control.Aborting {
			return
		}
		c.control.Aborting, c.control.Accepted, c.status.Phase = true, true, ledger.Closing
	})
	switch {
	case err != nil:
		c.by.closed = ""
	case !c.control.Accepted:
		return st, refuse("the campaign was aborted" + by(c.by.aborted) + ", before the ledger had your word: it has that now, and the campaign ends as aborted")
	}
	return st, err
}

func (c *campaign) mayAcceptRest(_ workflow.Context, in wire.Acceptance) error {
	if err := c.mayBeMade(request{in.Reason, in.Actor, "open credentials", "they were left open", "accepted them as open"}); err != nil {
		return err
	}
	switch {
	case strings.TrimSpace(in.Owner) == "":
		return refuse("an owner is missing: somebody has to see to what stays open")
	case len(in.Owner) > longestReason:
		return refuse("the owner is longer than 500 bytes")
	case len(in.Items) > mostAccepted:
		return refuse("more than 500 credentials are named one by one: give one reason and owner for them all")
	case !c.firstPass:
		return refuse("the campaign was begun by an earlier version, which cannot be closed so: abort it")
	}
	untried := 0
	for _, w := range c.status.Waves {
		if !c.tasksIn[w.Wave] && !w.Ended && c.passes[w.Wave] == 0 {
			untried += w.Listed
		}
	}
	if untried > 0 {
		return refuse("some were not tried yet, and would be left as they are: wait for the first pass over all, or abort")
	}
	return nil
}
