package rotation

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/plural"
	"rollcall/internal/protocol"
)

// The wrong logins of what people changed add up over looks and workers: a
// worker may be killed, a person may leave a door out and have the others asked
// at once, and a campaign may be followed by another one. So each login that
// may be wrong, also one that is to be good, is counted in Vault before it is
// made, and no look makes one that would be the third wrong one of an hour.

// countedFor is how long one counts, besides what clocks may differ by: less
// than an hour with that, after which a look goes on.
const countedFor = 50 * time.Minute

// Tally counts the wrong logins of a credential, whichever worker makes them
// (ownmount.Store).
type Tally interface {
	BeginLogin(ctx context.Context, id string, most int, counted time.Duration) (n int, until time.Time, err error)
	TakeBackLogin(ctx context.Context, id string) error
}

// Counting is a by which each wrong login of what people changed is counted.
func (a DoorAsker) Counting(by Tally) DoorAsker {
	a.Tally = by
	return a
}

// tallying counts the wrong logins of one account. Nil counts none.
type tallying struct {
	ask DoorAsker
	ids []string // by which it is counted
	// all: they are made however many there were.
	all bool
}

// tally counts the logins at a door.
func (a DoorAsker) tally(c credential.Credential, as credential.DoorLogin, all bool) *tallying {
	if a.Tally == nil {
		return nil
	}
	return &tallying{a, CountedAs(c, a.settings(as.Door), as), all}
}

// CountedAs is by what the wrong logins of a task are counted: the task, and
// what it has in common with one of another device, or of another name, that is
// about the same account: where its value lies in Vault, and its login at the
// machine of the door.
func CountedAs(c credential.Credential, at door.Settings, as credential.DoorLogin) []string {
	out := []string{c.ID}
	if c.Task != nil && c.Task.At != nil {
		out = append(out, credential.PersonAuthority+"/value/"+c.Task.At.String())
	}
	if host, _, err := net.SplitHostPort(at.Address); err == nil && as.Login != "" {
		out = append(out, credential.PersonAuthority+"/login/"+strings.ToLower(as.Login)+"@"+cmp.Or(at.At, host))
	}
	return out
}

// begin counts a login before it is made. The stop is why it is not made, which
// is for one that may be wrong: what is to be a good one is made in any case.
func (c *tallying) begin(ctx context.Context, at string, wrong bool) *protocol.Stop {
	if c == nil {
		return nil
	}
	most := maxWrongLogins
	if c.all || !wrong {
		most = 1 << 20
	}
	for i, id := range c.ids {
		n, until, err := c.ask.Tally.BeginLogin(ctx, id, most, countedFor)
		if err == nil && until.IsZero() {
			continue
		}
		for _, before := range c.ids[:i] {
			_ = c.ask.Tally.TakeBackLogin(ctx, before)
		}
		if err != nil {
			return protocol.AsStop(err)
		}
		stop := nearLock(at, fmt.Sprintf("within the hour Rollcall made %s at its doors that were wrong, in this look or others of whatever worker and campaign", plural.Count(n, "login", "logins")))
		stop.Until = until.UTC().Truncate(time.Second)
		return stop
	}
	return nil
}

// end says how it went: one that was taken, or never shown, does not count, and
// neither does silence to the new value (first). Where Vault does not take it,
// it goes on counting.
func (c *tallying) end(ctx context.Context, reply protocol.Reply, first bool) {
	if c == nil || reply != protocol.Accepted && reply != protocol.NotCarried && (reply != protocol.Unreachable || !first) {
		return
	}
	for _, id := range c.ids {
		_ = c.ask.Tally.TakeBackLogin(ctx, id)
	}
}
