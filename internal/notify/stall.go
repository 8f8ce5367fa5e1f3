package notify

import (
	"fmt"
	"time"

	"rollcall/internal/ledger"
	"rollcall/internal/notify/settings"
	"rollcall/internal/plural"
	"rollcall/internal/report"
)

// stall says that nothing was recorded since a time, of a campaign that runs
// and waits for more than people; nil if it does not. trouble is why the ledger
// could not be written at the last try.
func (t *teller) stall(next uint64, since, now time.Time, trouble string) *Notice {
	waits := func(c *ledger.CredentialState) bool { return c.Outcome == ledger.NoOutcome && c.Task == nil }
	if t.state.Phase != ledger.Running && t.state.Phase != ledger.Aborting {
		return nil
	}
	open := t.standing(waits)
	if len(open) == 0 {
		return nil
	}
	n := t.notice(settings.Stall, now, fmt.Sprintf("stall/%d", next))
	n.Open, n.Counts = open, t.count(func(*ledger.CredentialState) bool { return true })
	n.Text = fmt.Sprintf("%s: nothing was recorded for %s, and ", t.state.Device, now.Sub(since).Round(time.Second))
	n.cause = fmt.Sprintf("%d of %d %s open", n.Counts.Open, n.Counts.Listed, plural.Pick(n.Counts.Open, "is", "are"))
	switch most := open[0]; {
	case trouble != "":
		n.cause += ": the ledger could not be written: " + trouble
	case most.Reason == "":
		n.cause += fmt.Sprintf(": %s in work or not begun; look whether a worker runs (rollcall status)", report.Plural(most.Number, "is", "are"))
	default:
		n.cause += fmt.Sprintf(": %d: %s", most.Number, most.What)
		if most.Server != "" {
			n.cause += " (" + most.Server + ")"
		}
	}
	n.Text += n.cause
	return &n
}
