package rotation

import (
	"context"
	"fmt"
	"time"

	"rollcall/internal/plural"
	"rollcall/internal/protocol"
)

// The wrong logins of what people changed add up over looks and workers: a
// worker may be killed, a person may leave a door out and have the others asked
// at once, and a campaign may be followed by another one. So each is counted in
// Vault before it is made, and no look makes one that would be the third of an
// hour.

// countedFor is how long one counts, besides what clocks may differ by: less
// than an hour with that, after which a look goes on.
const countedFor = 50 * time.Minute

// Tally counts the wrong logins of a credential, whichever worker makes them
// (ownmount.Store).
type Tally interface {
	BeginLogin(ctx context.Context, id string, most int, counted time.Duration) (n int, until time.Time, err error)
	EndLogins(ctx context.Context, id string, n int) error
}

// Counting is a by which each wrong login of what people changed is counted.
func (a DoorAsker) Counting(by Tally) DoorAsker {
	a.Tally = by
	return a
}

// tallying counts the wrong logins of one credential. Nil counts none.
type tallying struct {
	ask DoorAsker
	id  string
	// all: they are made however many there were.
	all bool
}

// begin counts a login that may be wrong. The stop is why it is not made.
func (c *tallying) begin(ctx context.Context, door string) *protocol.Stop {
	if c == nil {
		return nil
	}
	most := maxWrongLogins
	if c.all {
		most = 1 << 20
	}
	n, until, err := c.ask.Tally.BeginLogin(ctx, c.id, most, countedFor)
	switch {
	case err != nil:
		return protocol.AsStop(err)
	case until.IsZero():
		return nil
	}
	stop := nearLock(door, fmt.Sprintf("within the hour Rollcall made %s at its doors that were wrong, in this look or others of whatever worker and campaign", plural.Count(n, "login", "logins")))
	stop.Until = until.UTC().Truncate(time.Second)
	return stop
}

// end says how it went: one that was taken, or never shown, does not count, and
// neither does silence to the new value (first). One that was to be a good
// login was not counted before. Where Vault does not take it, it goes on
// counting.
func (c *tallying) end(ctx context.Context, counted bool, reply protocol.Reply, first bool) {
	if c == nil {
		return
	}
	none := reply == protocol.Accepted || reply == protocol.NotCarried || reply == protocol.Unreachable && first
	switch {
	case counted && none:
		_ = c.ask.Tally.EndLogins(ctx, c.id, 1)
	case !counted && !none:
		_, _, _ = c.ask.Tally.BeginLogin(ctx, c.id, 1<<20, countedFor)
	}
}
