package rotation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
)

// lateFor is how long a reset without an answer may still arrive: what stands
// between us and the server may hold it (a balancer, a firewall that keeps
// connections itself). Our own kernel does not, see directory.conn.change.
const lateFor = 2 * time.Minute

// markLate makes durable that the staged value was sent and no answer came. It
// is said at the end of an Apply that did not see it arrive: whoever would
// replace the value waits for it (mayReplace).
func (j *job) markLate(ctx context.Context) {
	if j.sent.IsZero() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lateWrite)
	defer cancel()
	marked := j.staged
	marked.Late = j.sent
	// Where Vault does not take the mark either, the value stays staged: only
	// another campaign, which first has to end this one, would replace it.
	_ = j.replaceStaged(ctx, marked)
}

const lateWrite = 10 * time.Second

// mayReplace keeps a staged value from being replaced by another one while it
// may still arrive: it would then be in force, and lie nowhere any more.
func (r *Rotator) mayReplace(staged ownmount.Staged) *protocol.Stop {
	end := staged.Late.Add(lateFor)
	if staged.Late.IsZero() || !r.Now().Before(end) {
		return nil
	}
	return &protocol.Stop{Reason: protocol.ReasonUnreachable, Server: r.writeServer(), Until: end.UTC().Truncate(time.Second).Add(time.Second), Detail: fmt.Sprintf(
		"a reset that was sent at %s got no answer and may still arrive; what it sets is kept until it cannot any more, and nothing was changed", staged.Late.UTC().Format(time.RFC3339))}
}

// errSlept is no stop: what was seen is looked at again.
var errSlept = errors.New("the machine stood still since the account was looked at; nothing was changed")

// maxSlept is what the two clocks may differ by, for one that is set right.
const maxSlept = 5 * time.Second

// slept reports whether the machine was suspended in between: the clock on the
// wall went on, and the one that deadlines go by stood still (clock_gettime(2),
// CLOCK_MONOTONIC).
func slept(from, to time.Time) bool {
	return stoodStill(to.Round(0).Sub(from.Round(0)), to.Sub(from))
}

func stoodStill(wall, ran time.Duration) bool { return wall-ran > maxSlept }
